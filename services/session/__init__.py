"""The session on disk: its files, locks and keys, how it is found and opened, and who launched it."""
