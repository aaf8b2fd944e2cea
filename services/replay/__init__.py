"""Replay: the same cores in one process, over `bus.memory`, as fast as it goes."""
