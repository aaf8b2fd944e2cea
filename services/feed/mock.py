"""The built-in market: a seeded walk with fat tails. Pure: times, prices and sizes are functions of the seed.

Assumptions: the price at the start of each minute is a chain of fat-tailed returns (about 20 bps a minute, pulled a
little towards the start price); within a minute a rougher walk is bent so that it ends where the next minute begins.
Some eight events a second, in clusters; quotes one or two ticks wide and wider in rough moments; trades hit the
newest quote. Only add, multiply, divide and square root: the same bits on every machine. A minute can be made without the events
of the minutes before it, so a restarted feed is where it was within milliseconds.
"""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from math import sqrt
from struct import unpack
from typing import Final

from bus.messages import Candle
from services.feed.facts import RawQuote, RawTrade

START_MS: Final = 1_735_689_600_000
"""The walk's first instant: 2025-01-01 00:00:00 UTC, a whole day, so that every interval's first candle is whole."""
START_PRICE: Final = 60_000.0
MINUTE_MS: Final = 60_000

_MINUTE_SIGMA: Final = 0.0020
_STEP_SIGMA: Final = 0.00010
_PULL: Final = 1 / 2_880
_GAPS_MS: Final = (0, 1, 5, 20, 40, 80, 120, 160, 200, 240, 280, 320)
_WIDTHS: Final = (0.6, 0.6, 0.6, 0.6, 0.9, 0.9, 1.6, 3.2)


class MockMarket:
    """The walk of one seed.

    Args:
        seed: any whole number.
        tick_size: the price grid.
        symbol: the name its history candles carry; it does not change the walk.
    """

    def __init__(self, seed: int, tick_size: Decimal, symbol: str) -> None:
        self._seed = seed
        self._ticks = _Grid(tick_size)
        self._symbol = symbol
        self._minutes = [START_PRICE]

    def facts(self, from_ms: int = START_MS) -> Iterator[RawQuote | RawTrade]:
        """Yield quotes and trades in order, without end, from the first one at or after `from_ms` on."""
        minute = max(0, from_ms - START_MS) // MINUTE_MS
        while True:
            for fact in self._minute_facts(minute):
                if fact.ts_ms >= from_ms:
                    yield fact
            minute += 1

    def history(self, interval_ms: int, count: int) -> tuple[Candle, ...]:
        """Return the `count` candles before the start, oldest first; the last one closes at the start price."""
        sigma = _MINUTE_SIGMA * sqrt(interval_ms / MINUTE_MS)
        close = self._ticks.nearest(START_PRICE)
        candles = []
        for back in range(1, count + 1):
            words = self._words(f"history:{interval_ms}:{back}")
            open_ms = START_MS - back * interval_ms
            open_ = self._ticks.nearest(close / (1.0 + _bounded(sigma * _bell(words, 0))))
            high = self._ticks.nearest(max(open_, close) * (1.0 + sigma * words[5] / 98_304.0))
            low = self._ticks.nearest(min(open_, close) * (1.0 - _bounded(sigma * words[6] / 98_304.0)))
            volume = round((1 + words[7]) * interval_ms / 1e8, 4)
            end_ms = open_ms + interval_ms
            prices = (open_, max(high, open_, close), min(low, open_, close), close)
            candles.append(Candle(0, end_ms, self._symbol, interval_ms, open_ms, *prices, volume))
            close = open_
        return tuple(reversed(candles))

    def _price_at(self, minute: int) -> float:
        while len(self._minutes) <= minute:
            price = self._minutes[-1]
            words = self._words(f"minute:{len(self._minutes)}")
            step = _MINUTE_SIGMA * _bell(words, 0) + _PULL * (START_PRICE / price - 1.0)
            self._minutes.append(price * (1.0 + _bounded(step)))
        return self._minutes[minute]

    def _minute_facts(self, minute: int) -> list[RawQuote | RawTrade]:
        """Return a minute's events: a rough walk of relative steps, bent to end at the next minute's price."""
        begin, end = self._price_at(minute), self._price_at(minute + 1)
        draws = self._draws(minute)
        walk = 0.0
        path = []
        for _, words in draws:
            walk += _STEP_SIGMA * _bell(words, 0)
            path.append(walk)
        start_ms = START_MS + minute * MINUTE_MS
        facts: list[RawQuote | RawTrade] = []
        quote = RawQuote(start_ms, 0.0, 0.0, 0.0, 0.0)
        for (offset_ms, words), rough in zip(draws, path, strict=True):
            part = offset_ms / MINUTE_MS
            middle = begin + (end - begin) * part + begin * (rough - walk * part)
            # A minute begins with a quote, so that it needs none of the minutes before it.
            if not facts or words[5] % 8 < 5:
                quote = self._quote(start_ms + offset_ms, middle, words)
                facts.append(quote)
            else:
                facts.append(_print(start_ms + offset_ms, quote, words))
        return facts

    def _draws(self, minute: int) -> list[tuple[int, tuple[int, ...]]]:
        draws: list[tuple[int, tuple[int, ...]]] = []
        offset_ms = 0
        while offset_ms < MINUTE_MS:
            words = self._words(f"event:{minute}:{len(draws)}")
            draws.append((offset_ms, words))
            offset_ms += _GAPS_MS[words[6] % len(_GAPS_MS)]
        return draws

    def _quote(self, ts_ms: int, middle: float, words: tuple[int, ...]) -> RawQuote:
        ticks = max(1, self._ticks.below(middle))
        width = 1 + (words[7] % 16 == 0) + (words[4] % 64 == 0) * 3
        sizes = (_lots(words[8]), _lots(words[9]))
        return RawQuote(ts_ms, self._ticks.price(ticks), self._ticks.price(ticks + width), *sizes)

    def _words(self, name: str) -> tuple[int, ...]:
        """Return 16 draws of 0..65535 that belong to a name."""
        return unpack(">16H", sha256(f"{self._seed}:{name}".encode()).digest())


class _Grid:
    """Doubles on a price grid: each the nearest to its decimal."""

    def __init__(self, tick_size: Decimal) -> None:
        self._tick_size = tick_size
        self._step = float(tick_size)
        exponent = tick_size.normalize().as_tuple().exponent
        self._places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        self._units = int(tick_size.scaleb(self._places))
        self._scale = 10**self._places

    def below(self, price: float) -> int:
        return int(price / self._step)

    def price(self, ticks: int) -> float:
        # A quotient of two whole numbers is the double nearest to the decimal.
        quotient: float = ticks * self._units / self._scale
        return quotient

    def nearest(self, price: float) -> float:
        return self.price(max(1, int(price / self._step + 0.5)))


def _bell(words: tuple[int, ...], at: int) -> float:
    """Return a draw around 0 with fat tails: a bell of four draws, its width drawn too."""
    bell = (words[at] + words[at + 1] + words[at + 2] + words[at + 3]) / 37_838.0 - 3.463_960_6
    return bell * _WIDTHS[words[at + 4] % len(_WIDTHS)]


def _bounded(step: float) -> float:
    return max(-0.2, min(0.2, step))


def _lots(word: int) -> float:
    return (1 + word * word // 65_536) / 10_000


def _print(ts_ms: int, quote: RawQuote, words: tuple[int, ...]) -> RawTrade:
    buys = words[7] & 1
    size = (1 + words[8] // (1 + words[9] % 64)) / 10_000
    return RawTrade(ts_ms, quote.ask if buys else quote.bid, size, "buy" if buys else "sell")
