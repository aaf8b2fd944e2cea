"""The commands of `lap` that look, check, kill, replay and report."""
