"""The services of a session, each a room of its own, and the shells they share."""
