"""The clock of a source that has one of its own: market time since the session's start. Pure.

Assumption: a machine that slept goes on where it was: the time asleep is not played. After a restart of the feed it
stands where the session's age says, but not further beyond the recording's end than a restart can take: what is more
was slept away before.
"""

from typing import Final

from services.feed.source import Now

SLEPT_MS: Final = 2_000
"""A difference between the two clocks' steps of more than this is a suspend."""
RESTART_MS: Final = 120_000


class Pace:
    """Counts ms of session time.

    Args:
        started_boot_ms: the suspend-counting clock at the session's start.
        recorded_ms: session time at the recording's end, None without one.
    """

    def __init__(self, started_boot_ms: int, recorded_ms: int | None = None) -> None:
        self._started_boot_ms = started_boot_ms
        self._most_ms = None if recorded_ms is None else recorded_ms + RESTART_MS
        self._last: Now | None = None
        self._slept_ms = 0

    def elapsed_ms(self, now: Now) -> int:
        """Return the session's time; it never goes back."""
        if self._last is None:
            since_ms = now.boot_ms - self._started_boot_ms
            if self._most_ms is not None:
                self._slept_ms = max(0, since_ms - self._most_ms)
        else:
            slept_ms = (now.boot_ms - self._last.boot_ms) - (now.monotonic_ms - self._last.monotonic_ms)
            if slept_ms > SLEPT_MS:
                self._slept_ms += slept_ms
        self._last = now
        return max(0, now.boot_ms - self._started_boot_ms - self._slept_ms)
