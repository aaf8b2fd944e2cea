"""When a service is started again, pure: on failure, so many times in a sliding window, sooner the first time.

The states a supervisor shows are here too.
"""

from collections import deque
from enum import StrEnum

FIRST_DELAY_MS = 0
BASE_DELAY_MS = 250
MAX_DELAY_MS = 10_000


class State(StrEnum):
    """Where a supervised service stands."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"


class RestartPolicy:
    """Counts failures in a sliding window.

    Args:
        max_restarts: restarts allowed within the window; one failure more is final.
        window_ms: the window's length; a service that ran that long begins anew.
    """

    def __init__(self, max_restarts: int, window_ms: int) -> None:
        self._max_restarts = max_restarts
        self._window_ms = window_ms
        self._failures: deque[int] = deque()

    def failed(self, now_ms: int, jitter: float) -> int | None:
        """Take note of a failure; return how many ms to wait before the next start, or None: no more.

        Args:
            now_ms: a monotonic clock.
            jitter: 0.0 to 1.0, spreads the delay over its upper half.
        """
        while self._failures and now_ms - self._failures[0] > self._window_ms:
            self._failures.popleft()
        self._failures.append(now_ms)
        if len(self._failures) > self._max_restarts:
            return None
        recent = len(self._failures)
        if recent == 1:
            return FIRST_DELAY_MS
        delay = min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (recent - 1))
        return int(delay * (0.5 + 0.5 * jitter))
