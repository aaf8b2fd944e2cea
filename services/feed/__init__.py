"""The feed room: from a source's raw facts to the numbered, recorded, published market stream."""
