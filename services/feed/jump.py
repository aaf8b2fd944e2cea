"""A lone price far from the market must not become the market. Pure.

Assumption: from one tick to the next neither side of the market moves by `max_jump_pct` percent beyond both of its sides. A tick that is further off
is kept back until one of another instant agrees with it; if the next one does not, it was wrong. So is the very first.
(Trades of one push share its time: they are one word, and do not confirm each other.)
Numbers that can not be believed at all pass by: the core refuses them by their own name.
"""

from typing import Final

from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal
from services.feed.guards import refuse_quote, refuse_trade

Tick = RawQuote | RawTrade
_Sides = tuple[float, float]
MOST_SUSPECTS: Final = 1_000
"""Ticks of one unconfirmed instant that are kept back; so many are believed."""


class JumpGuard:
    """Watches the prices of one source.

    Args:
        max_jump_pct: how far a price may be from the one before it, in percent of that; > 0.
    """

    def __init__(self, max_jump_pct: float) -> None:
        self._share = max_jump_pct / 100
        self._market: _Sides | None = None
        self._suspects: list[Tick] = []

    def take(self, fact: Tick) -> list[Tick | Refusal]:
        """Return what may go on, in order."""
        if (refuse_quote(fact) if isinstance(fact, RawQuote) else refuse_trade(fact)) is not None:
            return [fact]
        if self._is_near(fact, self._market):
            refused = self.forget()
            self._learn(fact)
            return [*refused, fact]
        suspects = self._suspects
        if not suspects or not self._is_near(fact, _sides(suspects[-1])):
            refused = self.forget()
            self._suspects = [fact]
            return [*refused]
        suspects.append(fact)
        if fact.ts_ms == suspects[0].ts_ms and len(suspects) <= MOST_SUSPECTS:
            return []
        self._learn(fact)
        self._suspects = []
        return [*suspects]

    def take_mark(self, fact: RawFunding) -> RawFunding:
        """Return what may be believed of a word on funding: without its mark price if that is far from the market."""
        is_far = self._market is not None and not self._is_within((fact.mark, fact.mark), self._market)
        return fact._replace(mark=0.0) if is_far else fact

    def forget(self) -> list[Refusal]:
        """Nothing will confirm what is kept back any more: return its refusals."""
        suspects, self._suspects = self._suspects, []
        return [_refusal(suspect) for suspect in suspects]

    def _learn(self, fact: Tick) -> None:
        """Take a believed tick for the market; a trade between bid and ask changes neither."""
        low, high = _sides(fact)
        if isinstance(fact, RawQuote) or self._market is None or not self._market[0] <= low <= self._market[1]:
            self._market = low, high

    def _is_near(self, fact: Tick, market: _Sides | None) -> bool:
        return market is not None and self._is_within(_sides(fact), market)

    def _is_within(self, sides: _Sides, market: _Sides) -> bool:
        low, high = market
        return all(low - low * self._share <= side <= high + high * self._share for side in sides)


def _sides(fact: Tick) -> _Sides:
    return (fact.bid, fact.ask) if isinstance(fact, RawQuote) else (fact.price, fact.price)


def _refusal(fact: Tick) -> Refusal:
    low, high = _sides(fact)
    return Refusal("jump", f"a price of {(low + high) / 2:g}, and the next one far from it")
