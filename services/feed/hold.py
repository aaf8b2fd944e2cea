"""Keeping ticks back after a (re)connect until REST has told what was missed. Pure.

On a connection's first tick REST is asked; until it answers, for 5 s at most, whatever comes is kept back in order.
Then come the fetched candles, then what was kept. At the start the same is done until the stream's head is known.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from services.feed.facts import Backfill, Fact, RawCandle, RawQuote, RawTrade

HOLD_MS: Final = 5_000
MOST_HELD: Final = 100_000
"""Facts kept back at most; past that they go on without an answer."""


class Question(NamedTuple):
    """What REST is to be asked: the candles closed before `first_ms`, from the one that was open at `since_ms`."""

    first_ms: int
    since_ms: int


class Hold:
    """Lets facts through, or keeps them.

    Args:
        asks: whether REST has candles to ask for; without, nothing is ever kept back.
        last_ms: the newest tick's time before the start, 0 for none.
    """

    def __init__(self, *, asks: bool, last_ms: int = 0) -> None:
        self._asks = asks
        self._last_ms = last_ms
        self._armed = False
        self._held: list[Fact] = []
        self._until_ms: int | None = None

    def arm(self) -> None:
        """A connection has opened: its first tick asks."""
        self._armed = self._asks

    def reached(self, ts_ms: int) -> None:
        """Candles up to `ts_ms` are known: a loss before it needs no bridge."""
        self._last_ms = max(self._last_ms, ts_ms)

    def take(self, fact: Fact, now_ms: int) -> tuple[list[Fact], Question | None]:
        """Return what goes on now, and what to ask REST, if this is the tick that asks."""
        question = None
        if isinstance(fact, RawQuote | RawTrade):
            if self._armed and self._until_ms is None:
                question = Question(fact.ts_ms, self._last_ms)
                self._until_ms = now_ms + HOLD_MS
            self._armed = False
            self._last_ms = max(self._last_ms, fact.ts_ms)
        if self._until_ms is None:
            return [fact], question
        self._held.append(fact)
        return (self.release() if len(self._held) >= MOST_HELD else []), question

    def answered(self, candles: Sequence[RawCandle]) -> list[Fact]:
        """REST has answered: return the candles and everything that was kept back."""
        if self._until_ms is None:
            return []  # too late: the ticks are through
        return [Backfill(tuple(candles)), *self.release()]

    def overdue(self, now_ms: int) -> list[Fact]:
        """Return what was kept back for too long."""
        return self.release() if self._until_ms is not None and now_ms >= self._until_ms else []

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long facts may still be kept back, None when none are."""
        return None if self._until_ms is None else max(0, self._until_ms - now_ms)

    def release(self) -> list[Fact]:
        """Let everything go on."""
        held, self._held, self._until_ms = self._held, [], None
        return held
