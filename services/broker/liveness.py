"""Liveness: how long the monitor has been silent, and how long a question has been open, in monotonic ms.

A watcher that did not run for more than 1.5 s judges nobody: both time-outs begin anew.
"""

from dataclasses import dataclass

LATE_TURN_MS = 1_500
ASK_AGAIN_MS = 250
CANDLES_PER_MS = 10
"""So many candles of a question are made, sent and read in a millisecond, even on a busy machine."""


@dataclass(slots=True)
class Liveness:
    """Timers of the core. They begin with the first `start`."""

    monitor_timeout_ms: int
    decision_timeout_ms: int
    beat_ms: int | None = None
    turn_ms: int | None = None
    asked_ms: int = 0
    repeated_ms: int = -ASK_AGAIN_MS

    def start(self, now_ms: int) -> None:
        """Begin to count, once."""
        if self.beat_ms is None:
            self.beat_ms = now_ms
            self.turn_ms = now_ms
            self.asked_ms = now_ms

    def turn(self, now_ms: int) -> None:
        """Take note of a turn of the timer; a late one resets every timer."""
        self.start(now_ms)
        if self.turn_ms is not None and now_ms - self.turn_ms > LATE_TURN_MS:
            self.beat_ms = now_ms
            self.asked_ms = now_ms
        self.turn_ms = now_ms

    def ask(self, now_ms: int) -> None:
        """Begin to wait for an answer."""
        self.asked_ms = now_ms
        self.repeated_ms = now_ms

    def is_monitor_gone(self, now_ms: int) -> bool:
        """Tell whether the last beat is too long ago."""
        return self.beat_ms is not None and now_ms - self.beat_ms >= self.monitor_timeout_ms

    def is_answer_overdue(self, now_ms: int) -> bool:
        """Tell whether the question has been open for too long."""
        return now_ms - self.asked_ms >= self.decision_timeout_ms

    def wants_repeat(self, now_ms: int, candles: int) -> bool:
        """Tell, every 250 ms, that the question is to be asked again; one of many candles, which takes its time, less often."""
        if now_ms - self.repeated_ms < ASK_AGAIN_MS + candles // CANDLES_PER_MS:
            return False
        self.repeated_ms = now_ms
        return True
