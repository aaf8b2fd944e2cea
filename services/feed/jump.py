"""A lone price far from the market must not become the market. Pure.

Assumption: from one tick to the next the price moves by less than `max_jump_pct` percent. A tick that is further off
is kept back until one of another instant agrees with it; if the next one does not, it was wrong. So is the very first.
(Trades of one push share its time: they are one word, and do not confirm each other.)
Numbers that can not be believed at all pass by: the core refuses them by their own name.
"""

from typing import Final

from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal
from services.feed.guards import refuse_quote, refuse_trade

Tick = RawQuote | RawTrade
MOST_SUSPECTS: Final = 1_000
"""Ticks of one unconfirmed instant that are kept back; so many are believed."""


class JumpGuard:
    """Watches the prices of one source.

    Args:
        max_jump_pct: how far a price may be from the one before it, in percent of that; > 0.
    """

    def __init__(self, max_jump_pct: float) -> None:
        self._share = max_jump_pct / 100
        self._price = 0.0
        self._suspects: list[Tick] = []

    def take(self, fact: Tick) -> list[Tick | Refusal]:
        """Return what may go on, in order."""
        if (refuse_quote(fact) if isinstance(fact, RawQuote) else refuse_trade(fact)) is not None:
            return [fact]
        if self._is_near(fact, self._price):
            refused = self.forget()
            self._price = _price(fact)
            return [*refused, fact]
        suspects = self._suspects
        if not suspects or not self._is_near(fact, _price(suspects[-1])):
            refused = self.forget()
            self._suspects = [fact]
            return [*refused]
        suspects.append(fact)
        if fact.ts_ms == suspects[0].ts_ms and len(suspects) <= MOST_SUSPECTS:
            return []
        self._price = _price(fact)
        self._suspects = []
        return [*suspects]

    def take_mark(self, fact: RawFunding) -> RawFunding:
        """Return what may be believed of a word on funding: without its mark price if that is far from the market."""
        far = self._price and abs(fact.mark - self._price) > self._price * self._share
        return fact._replace(mark=0.0) if far else fact

    def forget(self) -> list[Refusal]:
        """Nothing will confirm what is kept back any more: return its refusals."""
        suspects, self._suspects = self._suspects, []
        return [_refusal(suspect) for suspect in suspects]

    def _is_near(self, fact: Tick, price: float) -> bool:
        sides = fact[1:3] if isinstance(fact, RawQuote) else fact[1:2]
        return price > 0.0 and all(abs(side - price) <= price * self._share for side in sides)


def _price(fact: Tick) -> float:
    return (fact.bid + fact.ask) / 2 if isinstance(fact, RawQuote) else fact.price


def _refusal(fact: Tick) -> Refusal:
    return Refusal("jump", f"a price of {_price(fact):g}, and the next one far from it")
