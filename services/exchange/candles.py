"""Candles of the market: the intervals the exchange has, and a chart that grows with the trades. Pure.

Everything is put together from minutes: those before the walk's start come from the tape, later ones from its trades.
Buckets are floored from the epoch; a week begins on Monday, a month is the calendar's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.exchange.market import DAY_MS, MINUTE_MS, Event, Tape, Trade

HOUR_MS = 60 * MINUTE_MS
WEEK_MS = 7 * DAY_MS
MONTH_MS = -1  # no fixed length
_MONDAY_MS = 4 * DAY_MS  # the epoch was a Thursday

INTERVALS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": WEEK_MS,
    "1M": MONTH_MS,
}
# The same intervals as the WebSocket's channels spell them.
WS_INTERVALS = {
    spelling: INTERVALS[name]
    for name, spelling in zip(
        INTERVALS,
        [
            "1min",
            "3min",
            "5min",
            "15min",
            "30min",
            "60min",
            "2h",
            "4h",
            "6h",
            "8h",
            "12h",
            "1day",
            "3day",
            "1week",
            "1month",
        ],
        strict=True,
    )
}


@dataclass(slots=True)
class Bar:
    """A candle: volume in base coin, turnover in quote currency."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float

    def add(self, price: float, size: float) -> None:
        """Take one more trade in."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += size
        self.turnover += price * size

    def join(self, later: "Bar") -> None:
        """Take in the bar that follows."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.turnover += later.turnover


def open_of(interval_ms: int, ts_ms: int) -> int:
    """Return the open time of the bucket that holds `ts_ms`."""
    if interval_ms == MONTH_MS:
        day = datetime.fromtimestamp(ts_ms // 1000, UTC)
        return _ms(day.year, day.month)
    offset_ms = _MONDAY_MS if interval_ms == WEEK_MS else 0
    return (ts_ms - offset_ms) // interval_ms * interval_ms + offset_ms


def shifted(interval_ms: int, open_ms: int, buckets: int) -> int:
    """Return the open time of the bucket that many later (earlier, if negative)."""
    if interval_ms != MONTH_MS:
        return open_ms + buckets * interval_ms
    day = datetime.fromtimestamp(open_ms // 1000, UTC)
    year, month = divmod(day.year * 12 + day.month - 1 + buckets, 12)
    return _ms(year, month + 1)


def _ms(year: int, month: int) -> int:
    return int(datetime(max(year, 1970), month, 1, tzinfo=UTC).timestamp()) * 1000


def bar_of(open_ms: int, events: Iterable[Event]) -> Bar | None:
    """Return the bar of the trades among `events`, None without one."""
    bar: Bar | None = None
    for event in events:
        if isinstance(event, Trade):
            if bar is None:
                bar = Bar(open_ms, event.price, event.price, event.price, event.price, 0.0, 0.0)
            bar.add(event.price, event.size)
    return bar


class Chart:
    """The candles of a tape as they stand at `now_ms`; nothing later is ever shown."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._closed: dict[int, Bar | None] = {}
        self._forming: Bar | None = None
        self.now_ms = tape.start_ms - 1

    def begin(self, now_ms: int) -> None:
        """Stand at `now_ms`, with the trades of the running minute up to there taken in."""
        open_ms = open_of(MINUTE_MS, now_ms)
        self.now_ms = now_ms
        self._forming = bar_of(open_ms, self._tape.events(open_ms, now_ms + 1))

    def add(self, trade: Trade) -> None:
        """Take the next trade in."""
        open_ms = trade.ts_ms // MINUTE_MS * MINUTE_MS
        bar = self._forming
        if bar is None or bar.open_ms != open_ms:
            if bar is not None:
                self._closed[bar.open_ms] = bar
            bar = self._forming = Bar(open_ms, trade.price, trade.price, trade.price, trade.price, 0.0, 0.0)
        bar.add(trade.price, trade.size)

    def bar(self, from_ms: int, to_ms: int) -> Bar | None:
        """Return the one bar of all minutes of `[from_ms, to_ms)`, None if nothing was traded."""
        whole: Bar | None = None
        first_ms = max(from_ms, open_of(MINUTE_MS, self._tape.listed_ms))
        for open_ms in range(first_ms, min(to_ms, self.now_ms + 1), MINUTE_MS):
            minute = self._minute(open_ms)
            if minute is None:
                continue
            if whole is None:
                whole = replace(minute, open_ms=from_ms)
            else:
                whole.join(minute)
        return whole

    def running(self, interval_ms: int) -> Bar | None:
        """Return the bar that is forming now."""
        open_ms = open_of(interval_ms, self.now_ms)
        return self.bar(open_ms, self.now_ms + 1)

    def bars(self, interval_ms: int, first_open_ms: int, end_ms: int) -> list[Bar]:
        """Return the bars that open in `[first_open_ms, end_ms)`, oldest first; empty buckets are left out."""
        found = []
        open_ms = max(first_open_ms, open_of(interval_ms, self._tape.listed_ms))
        while open_ms < min(end_ms, self.now_ms + 1):
            following_ms = shifted(interval_ms, open_ms, 1)
            bar = self.bar(open_ms, following_ms)
            if bar is not None:
                found.append(bar)
            open_ms = following_ms
        return found

    def _minute(self, open_ms: int) -> Bar | None:
        if self._forming is not None and self._forming.open_ms == open_ms:
            return self._forming
        if open_ms + MINUTE_MS > self.now_ms + 1:
            return None
        if open_ms not in self._closed:
            self._closed[open_ms] = self._drawn(open_ms)
        return self._closed[open_ms]

    def _drawn(self, open_ms: int) -> Bar | None:
        if open_ms + MINUTE_MS > self._tape.start_ms:
            return bar_of(open_ms, self._tape.events(open_ms, open_ms + MINUTE_MS))
        minute = self._tape.past(open_ms)
        if minute is None:
            return None
        turnover = minute.volume * (minute.open + minute.high + minute.low + minute.close) / 4
        return Bar(open_ms, minute.open, minute.high, minute.low, minute.close, minute.volume, turnover)
