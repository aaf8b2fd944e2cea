"""A single frame with an absurd time must not carry the stream into the future. Pure.

Assumption: the exchange's time goes on with ours. An event further ahead than an hour beyond what has passed is kept
back until the next one agrees with it; if the next one does not, it was wrong. So is the very first.
"""

from typing import Final

from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal

Timed = RawQuote | RawTrade | RawFunding
LEAP_MS: Final = 3_600_000


class LeapGuard:
    """Watches the times of one source.

    Args:
        newest_ms: the newest time already published, 0 for none.
    """

    def __init__(self, newest_ms: int = 0) -> None:
        self._newest_ms = newest_ms
        self._at_ms: int | None = None
        self._suspect: Timed | None = None

    def take(self, fact: Timed, boot_ms: int) -> list[Timed | Refusal]:
        """Return what may go on, in order. `boot_ms`: our clock that goes on in a suspend."""
        if self._is_near(fact.ts_ms, boot_ms):
            refused = [] if self._suspect is None else [Refusal("leap", f"ts {self._suspect.ts_ms}")]
            self._suspect = None
            return [*refused, self._believed(fact, boot_ms)]
        suspect, self._suspect = self._suspect, fact
        if suspect is None:
            return []
        if abs(fact.ts_ms - suspect.ts_ms) <= LEAP_MS:
            self._suspect = None
            self._newest_ms = 0
            return [self._believed(suspect, boot_ms), self._believed(fact, boot_ms)]
        return [Refusal("leap", f"ts {suspect.ts_ms}")]

    def _is_near(self, ts_ms: int, boot_ms: int) -> bool:
        if self._newest_ms == 0:
            return False
        if self._at_ms is None:
            self._at_ms = boot_ms
        return ts_ms - self._newest_ms <= boot_ms - self._at_ms + LEAP_MS

    def _believed(self, fact: Timed, boot_ms: int) -> Timed:
        if fact.ts_ms >= self._newest_ms:
            self._newest_ms = fact.ts_ms
            self._at_ms = boot_ms
        return fact
