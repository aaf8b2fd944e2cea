"""Keeps a session's processes alive and ends them in order: what `lap run` and `lap feed` ... are. Light on purpose."""
