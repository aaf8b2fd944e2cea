"""A single frame with an absurd time must not carry the stream into the future. Pure.

Assumption: the exchange's time goes on with ours. An event further ahead than an hour beyond what has passed is kept
back until one of another instant agrees with it; if the next one does not, it was wrong. So is the very first. (Trades
of one push share its time: they are one word, and do not confirm each other.)
"""

from typing import Final

from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal

Timed = RawQuote | RawTrade | RawFunding
LEAP_MS: Final = 3_600_000
MOST_SUSPECTS: Final = 1_000
"""Events of one unconfirmed instant that are kept back; more are refused."""


class LeapGuard:
    """Watches the times of one source.

    Args:
        newest_ms: the newest time already published, 0 for none.
    """

    def __init__(self, newest_ms: int = 0) -> None:
        self._newest_ms = newest_ms
        self._at_ms: int | None = None
        self._suspects: list[Timed] = []

    def take(self, fact: Timed, boot_ms: int) -> list[Timed | Refusal]:
        """Return what may go on, in order. `boot_ms`: our clock that goes on in a suspend."""
        if self._is_near(fact.ts_ms, boot_ms):
            return [*self.forget(), self._believed(fact, boot_ms)]
        if self._suspects and fact.ts_ms == self._suspects[0].ts_ms and len(self._suspects) < MOST_SUSPECTS:
            self._suspects.append(fact)
            return []
        if self._suspects and abs(fact.ts_ms - self._suspects[0].ts_ms) <= LEAP_MS:
            confirmed, self._suspects = [*self._suspects, fact], []
            self._newest_ms = 0
            return [self._believed(event, boot_ms) for event in confirmed]
        refused = self.forget()
        self._suspects = [fact]
        return [*refused]

    def forget(self) -> list[Refusal]:
        """Nothing will confirm what is kept back any more: return its refusals."""
        suspects, self._suspects = self._suspects, []
        return [Refusal("leap", f"ts {suspect.ts_ms}") for suspect in suspects]

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
