"""A market drawn by hand: straight lines from price to price, leaps, silences, losses of data, funding.

Times are UTC times of day on `DAY`, the day after when they go back. Every step is a quote a tenth wide with the price
as its bid, and a trade a fifth of a second later: at the bid, then at the ask, in turns.
"""

from collections.abc import Sequence

from bus.messages import MarketEvent, StreamInfo
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import DataLost, Fact, RawCandle, RawFunding, RawQuote, RawTrade

DAY_MS = 86_400_000
DAY = 19_783 * DAY_MS
"""2024-03-01, 00:00 UTC."""
STEP_MS = 10_000
TRADE_AFTER_MS = 200
TICK = 0.1


def ms_of(clock: str) -> int:
    """The instant of `hh:mm` or `hh:mm:ss` on `DAY`, in ms."""
    hours, minutes, *seconds = clock.split(":")
    return DAY + (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds[0]) * 1000 if seconds else 0)


class MarketPath:
    """Draws the raw facts of a market from left to right."""

    def __init__(self, clock: str, price: float) -> None:
        self.facts: list[Fact] = []
        self._ms = ms_of(clock)
        self._price = price
        self._steps = 0

    def to(self, clock: str, price: float | None = None, every_ms: int = STEP_MS) -> "MarketPath":
        """Go straight on to a price (none: stay), a tick every so often; the end itself is the next line's begin."""
        until_ms = self._later(clock)
        first_ms, first = self._ms, self._price
        last = first if price is None else price
        for at_ms in range(first_ms, until_ms, every_ms):
            self._tick(at_ms, first + (last - first) * (at_ms - first_ms) / (until_ms - first_ms))
        self._ms, self._price = until_ms, last
        return self

    def leap(self, price: float) -> "MarketPath":
        """Be at another price at once."""
        self._price = price
        return self

    def silence(self, clock: str) -> "MarketPath":
        """Let time pass without a tick."""
        self._ms = self._later(clock)
        return self

    def lose(self) -> "MarketPath":
        """Lose the source until the next tick."""
        self.facts.append(DataLost())
        return self

    def fund(self, rate: float, mark: float, clock: str) -> "MarketPath":
        """Hear that funding will be settled at a time; a `mark` of 0 says nothing of the mark price."""
        self.facts.append(RawFunding(self._ms, rate, mark, None, self._later(clock)))
        return self

    def _later(self, clock: str) -> int:
        at_ms = ms_of(clock)
        return at_ms if at_ms >= self._ms else at_ms + DAY_MS

    def _tick(self, at_ms: int, price: float) -> None:
        bid = round(price, 1)
        ask = round(bid + TICK, 1)
        self._steps += 1
        is_buy = self._steps % 2 == 0
        self.facts.append(RawQuote(at_ms, bid, ask, 5.0, 4.0))
        trade_ms = at_ms + TRADE_AFTER_MS
        self.facts.append(RawTrade(trade_ms, ask if is_buy else bid, 2.0, "buy" if is_buy else "sell"))


def candles_of(clock: str, *rows: Sequence[float]) -> list[Fact]:
    """Minute candles from a time on: open, high, low, close; an empty place is a hole in the source."""
    first_ms = ms_of(clock)
    found: list[Fact] = []
    for index, row in enumerate(rows):
        if row:
            first, high, low, last = map(float, row)
            found.append(RawCandle(first_ms + index * 60_000, first, high, low, last, 1_000.0))
    return found


def events_of(info: StreamInfo, facts: list[Fact]) -> list[MarketEvent]:
    """What the feed's core makes of the facts."""
    core = FeedCore(info, FeedRules())
    return [event for fact in facts for event in core.take(fact)]
