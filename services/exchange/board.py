"""One symbol's state as the exchange shows it, and the pushes that follow from the passing of market time. Pure.

Trades and quotes are pushed one by one as they happen (trades of one millisecond in one frame); everything else on a
grid of market time, so that the wire is a function of the tape. Mark price is the middle of the newest quote.
"""

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import NamedTuple

from services.exchange import funding
from services.exchange.candles import WS_INTERVALS, Bar, Chart, open_of
from services.exchange.instruments import Instrument
from services.exchange.market import DAY_MS, MINUTE_MS, Event, Quote, Tape, Trade
from services.exchange.protocol import (
    DEPTHS,
    decimal_text,
    depth_frame,
    iso_seconds,
    kline_frame,
    push_frame,
    trade_frame,
)

# Milliseconds between the pushes of the channels that have a timer; a candle's is 500.
_PERIODS_MS = {
    "ticker": 1400,
    "tickers": 1000,
    "price": 500,
    "depth_book5": 310,
    "depth_book15": 310,
    "depth_books": 1000,
}
_KLINE_PERIOD_MS = 500
_PHASE_MS = 137  # the grid is not aligned to anything a client could floor to
_NO_LAST_MS = 2_000
_JUMP_EVERY = 3


class Push(NamedTuple):
    """A frame for the subscribers of a channel; `ts_ms` is the one inside."""

    channel: str
    symbol: str
    ts_ms: int
    frame: str


class Ticker(NamedTuple):
    """The last 24 hours: prices, volume in base coin, turnover in quote currency."""

    last: float
    day: Bar


class Board:
    """What one symbol's market shows at `now_ms`, moved on by `advance`."""

    def __init__(self, instrument: Instrument, tape: Tape, seed: int) -> None:
        self.instrument = instrument
        self.tape = tape
        self.chart = Chart(tape)
        self.quote: Quote | None = None
        self._last: float | None = None
        self._seed = seed
        self._second = (-1, "")
        self.now_ms = tape.start_ms - 1

    def seek(self, now_ms: int) -> None:
        """Stand at `now_ms` as if everything up to there had been pushed."""
        self.now_ms = now_ms
        self.chart.begin(now_ms)
        self.quote = self._last = None
        for event in self.tape.events(now_ms - MINUTE_MS, now_ms + 1):
            if isinstance(event, Quote):
                self.quote = event
            else:
                self._last = event.price

    def advance(
        self, now_ms: int, wanted: Collection[str], *, nanoseconds: bool = False, kline_fault: str = ""
    ) -> list[Push]:
        """Move on to `now_ms`; return the pushes of the wanted channels on the way, in the order of time."""
        pushes: list[Push] = []
        for mark_ms, channel in self._marks(now_ms, wanted):
            pushes += self._pass(mark_ms, wanted, nanoseconds=nanoseconds)
            pushes += self._timed(channel, kline_fault)
        pushes += self._pass(now_ms, wanted, nanoseconds=nanoseconds)
        return pushes

    def next_ms(self, wanted: Iterable[str]) -> int | None:
        """Return when something is to be pushed next, None at the end of the tape."""
        following = self.tape.next_ms(self.now_ms)
        if following is None:
            return None
        return min(
            [following, *(self._mark_after(self.now_ms, period) for period in map(_period_ms, wanted) if period)]
        )

    def snapshot(self, channel: str) -> list[Push]:
        """Return what a new subscriber sees at once: the state now, nothing for trades."""
        if channel == "trade":
            return []
        return self._timed(channel, "")

    def ticker(self) -> Ticker | None:
        """Return the last 24 hours, None if nothing was ever traded."""
        day = self.chart.bar(open_of(MINUTE_MS, self.now_ms) + MINUTE_MS - DAY_MS, self.now_ms + 1)
        if day is None:
            return None
        return Ticker(day.close if self._last is None else self._last, day)

    def mark(self) -> float | None:
        """Return the mark price, None while there is no price."""
        if self.quote is not None:
            return round((self.quote.bid + self.quote.ask) / 2, self.instrument.price_decimals)
        ticker = self.ticker()
        return None if ticker is None else ticker.last

    def index(self) -> float | None:
        """Return the index price: a little above the mark price."""
        mark = self.mark()
        return None if mark is None else round(mark * 1.0002, self.instrument.price_decimals)

    def rate_pct(self, funding_ms: int) -> float:
        """Return the funding rate of a funding time, in percent."""
        return funding.rate_pct(self._seed, self.instrument.symbol, funding_ms)

    def levels(self, depth: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Return bids and asks, best first: the quote, and made-up levels a tick apart behind it."""
        quote = self.quote
        if quote is None:
            return [], []
        return (
            self._side(quote.bid, quote.bid_size, -1, depth),
            self._side(quote.ask, quote.ask_size, 1, depth),
        )

    def _side(self, best: float, size: float, step: int, depth: int) -> list[tuple[float, float]]:
        scale, lots = self.instrument.price_scale, self.instrument.size_scale
        rows = [(best, size)]
        first = round(best * scale)
        for ticks in range(first + step, first + step * depth, step):
            if ticks > 0:
                notional = 5_000 + ticks * 7_919 % 40_009
                rows.append((ticks / scale, max(1, int(notional / best * lots)) / lots))
        return rows

    def _marks(self, to_ms: int, wanted: Collection[str]) -> list[tuple[int, str]]:
        marks = []
        for channel in wanted:
            period_ms = _period_ms(channel)
            if period_ms:
                first_ms = self._mark_after(self.now_ms, period_ms)
                marks += [(mark_ms, channel) for mark_ms in range(first_ms, to_ms + 1, period_ms)]
        return sorted(marks)

    def _mark_after(self, ts_ms: int, period_ms: int) -> int:
        first_ms = self.tape.start_ms + _PHASE_MS
        return first_ms + max(0, (ts_ms - first_ms) // period_ms + 1) * period_ms

    def _pass(self, to_ms: int, wanted: Collection[str], *, nanoseconds: bool) -> list[Push]:
        events = self.tape.events(self.now_ms + 1, to_ms + 1)
        self.now_ms = max(self.now_ms, to_ms)
        pushes: list[Push] = []
        for (is_trade, ts_ms), run in groupby(events, _kind_and_time):
            for event in (last := list(run)):
                self._take(event)
            if is_trade and "trade" in wanted:
                trades = [event for event in last if isinstance(event, Trade)]
                frame = trade_frame(self.instrument.symbol, trades, self._iso(ts_ms), nanoseconds=nanoseconds)
                pushes.append(self._push("trade", ts_ms, frame))
            elif not is_trade and "depth_book1" in wanted:
                pushes += [self._best(event, ts_ms) for event in last if isinstance(event, Quote)]
        self.chart.now_ms = self.now_ms
        return pushes

    def _take(self, event: Event) -> None:
        if isinstance(event, Quote):
            self.quote = event
        else:
            self._last = event.price
            self.chart.add(event)

    def _best(self, quote: Quote, ts_ms: int) -> Push:
        bids, asks = [(quote.bid, quote.bid_size)], [(quote.ask, quote.ask_size)]
        return self._push("depth_book1", ts_ms, depth_frame("depth_book1", self.instrument.symbol, ts_ms, bids, asks))

    def _timed(self, channel: str, kline_fault: str) -> list[Push]:
        symbol, now_ms = self.instrument.symbol, self.now_ms
        if "_kline_" in channel:
            return self._kline(channel, kline_fault)
        if channel in DEPTHS:
            bids, asks = self.levels(DEPTHS[channel])
            return [self._push(channel, now_ms, depth_frame(channel, symbol, now_ms, bids, asks))] if bids else []
        data = {"ticker": self._ticker_data, "tickers": self._tickers_data, "price": self._price_data}[channel]()
        return [] if data is None else [self._push(channel, now_ms, push_frame(channel, symbol, now_ms, data))]

    def _kline(self, channel: str, fault: str) -> list[Push]:
        interval_ms, symbol, now_ms = WS_INTERVALS[channel.rpartition("_")[2]], self.instrument.symbol, self.now_ms
        bar = self.chart.running(interval_ms)
        open_ms = open_of(interval_ms, now_ms)
        pushes = []
        if bar is not None and not _left_out(fault, interval_ms, now_ms):
            pushes.append(self._push(channel, now_ms, kline_frame(channel, symbol, now_ms, bar)))
            if fault == "duplicate":
                pushes *= 2
        if fault == "late" and now_ms - open_ms < _KLINE_PERIOD_MS:
            before = self.chart.bar(open_of(interval_ms, open_ms - 1), open_ms)
            if before is not None:
                pushes.append(self._push(channel, open_ms - 1, kline_frame(channel, symbol, open_ms - 1, before)))
        return pushes

    def _ticker_data(self) -> dict[str, str] | None:
        ticker = self.ticker()
        if ticker is None:
            return None
        day = ticker.day
        return {
            "s": self.instrument.symbol,
            "o": decimal_text(day.open),
            "la": decimal_text(ticker.last),
            "h": decimal_text(day.high),
            "l": decimal_text(day.low),
            "b": decimal_text(round(day.volume, 8)),
            "q": decimal_text(round(day.turnover, 5)),
            "r": decimal_text(round((ticker.last / day.open - 1) * 100, 10)),
        }

    def _tickers_data(self) -> list[dict[str, str]] | None:
        row = self._ticker_data()
        if row is None:
            return None
        if self.quote is not None:
            row["bd"], row["bv"] = decimal_text(self.quote.bid), decimal_text(self.quote.bid_size)
            row["ak"], row["av"] = decimal_text(self.quote.ask), decimal_text(self.quote.ask_size)
        return [row]

    def _price_data(self) -> dict[str, str] | None:
        mark, index = self.mark(), self.index()
        if mark is None or index is None:
            return None
        last_ms = funding.last_ms(self.now_ms)
        return {
            "ip": decimal_text(index),
            "mp": decimal_text(mark),
            "fr": decimal_text(self.rate_pct(last_ms)),
            "ft": iso_seconds(last_ms) + "Z",
            "nft": iso_seconds(last_ms + funding.INTERVAL_MS) + "Z",
        }

    def _push(self, channel: str, ts_ms: int, frame: str) -> Push:
        return Push(channel, self.instrument.symbol, ts_ms, frame)

    def _iso(self, ts_ms: int) -> str:
        # One text a second, not one a trade.
        if self._second[0] != ts_ms // 1000:
            self._second = (ts_ms // 1000, iso_seconds(ts_ms))
        return self._second[1]


def _kind_and_time(event: Event) -> tuple[bool, int]:
    return isinstance(event, Trade), event.ts_ms


def _period_ms(channel: str) -> int:
    return _KLINE_PERIOD_MS if "_kline_" in channel else _PERIODS_MS.get(channel, 0)


def _left_out(fault: str, interval_ms: int, now_ms: int) -> bool:
    if fault == "no_last":
        return open_of(interval_ms, now_ms + _NO_LAST_MS) != open_of(interval_ms, now_ms)
    return fault == "jump" and interval_ms > 0 and now_ms // interval_ms % _JUMP_EVERY == 0
