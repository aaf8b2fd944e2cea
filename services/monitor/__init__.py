"""The monitor: watches heartbeats, stale data, the kill file and the clock, and broadcasts the shutdown."""
