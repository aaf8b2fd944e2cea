"""The same trades twice are once. Pure.

Assumption: no two pushes of trades are the same byte for byte. A push bears its time in ms, and all trades of an instant
come in one; the stream has no number or id that would tell more. What a new connection begins with may be what the old
one ended with. (A quote that is repeated changes nothing.)
"""

from collections import deque
from typing import Final

REMEMBERED: Final = 64
"""A copy further behind its original than this many pushes is not recognised (and mostly too late anyhow)."""


class Repeats:
    """Remembers the newest pushes."""

    def __init__(self) -> None:
        self._order: deque[bytes] = deque()
        self._known: set[bytes] = set()

    def is_new(self, frame: bytes) -> bool:
        """Whether a push has not just been seen; it is remembered."""
        if frame in self._known:
            return False
        self._known.add(frame)
        self._order.append(frame)
        if len(self._order) > REMEMBERED:
            self._known.discard(self._order.popleft())
        return True
