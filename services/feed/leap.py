"""A single frame with an absurd time must not carry the stream into the future, nor begin it in the past. Pure.

Assumption: the exchange's time goes on with ours. An event further ahead than a minute beyond what has passed is kept
back until one of another instant agrees with it; if the next one does not, it was wrong. So is the very first. (Trades
of one push share its time: they are one word, and do not confirm each other.) A minute, because what is believed makes
all that is older late: one wrong frame must not outlast the patience with a source that says nothing.
"""

from typing import Final

from services.feed.facts import RawQuote, RawTrade, Refusal

Tick = RawQuote | RawTrade
LEAP_MS: Final = 60_000
AGREE_MS: Final = 3_600_000
"""So far apart two events may be and still confirm each other: a market that is played faster has holes that wide."""
MOST_SUSPECTS: Final = 1_000
"""Events of one unconfirmed instant that are kept back; more are refused."""
MOST_DOUBTED: Final = 3
"""First events that may be stale; a source whose events are all that far apart is believed then."""


class LeapGuard:
    """Watches the times of one source.

    Args:
        newest_ms: the newest time already published, 0 for none.
    """

    def __init__(self, newest_ms: int = 0) -> None:
        self._newest_ms = newest_ms
        self._at_ms: int | None = None
        self._suspects: list[Tick] = []
        self._suspected_at_ms = 0
        self._doubted = 0

    def take(self, fact: Tick, boot_ms: int) -> list[Tick | Refusal]:
        """Return what may go on, in order. `boot_ms`: our clock that goes on in a suspend."""
        if self._is_near(fact.ts_ms, boot_ms):
            return [*self.forget(), self._believed(fact, boot_ms)]
        if self._suspects and fact.ts_ms == self._suspects[0].ts_ms:
            if len(self._suspects) >= MOST_SUSPECTS:
                return [_refusal(fact)]
            self._suspects.append(fact)
            return []
        if self._suspects and self._agrees(fact.ts_ms, boot_ms):
            confirmed, self._suspects = [*self._suspects, fact], []
            self._newest_ms = 0
            return [self._believed(event, boot_ms) for event in confirmed]
        refused = self.forget()
        self._suspects, self._suspected_at_ms = [fact], boot_ms
        self._doubted += 1
        return [*refused]

    def forget(self) -> list[Refusal]:
        """Nothing will confirm what is kept back any more: return its refusals."""
        suspects, self._suspects = self._suspects, []
        return [_refusal(suspect) for suspect in suspects]

    def _is_near(self, ts_ms: int, boot_ms: int) -> bool:
        if self._newest_ms == 0:
            return False
        if self._at_ms is None:
            self._at_ms = boot_ms
        return ts_ms - self._newest_ms <= boot_ms - self._at_ms + LEAP_MS

    def _agrees(self, ts_ms: int, boot_ms: int) -> bool:
        apart_ms = abs(ts_ms - self._suspects[0].ts_ms)
        if self._newest_ms or self._doubted > MOST_DOUBTED:
            return apart_ms <= AGREE_MS
        return apart_ms <= LEAP_MS + boot_ms - self._suspected_at_ms

    def _believed(self, fact: Tick, boot_ms: int) -> Tick:
        if fact.ts_ms >= self._newest_ms:
            self._newest_ms = fact.ts_ms
            self._at_ms = boot_ms
        return fact


def _refusal(fact: Tick) -> Refusal:
    return Refusal("leap", f"ts {fact.ts_ms}")
