"""Candles from trades. Pure.

A bucket is `floor(ts_ms / interval) * interval`. It closes when a tick of any kind at or after its end arrives; one
without trades is flat at the close before it. Where there is no close before (no history, no trade yet) there is no
candle. After a loss of data everything from the bucket in progress up to and with the bucket of the next tick is
incomplete; what closed in between is taken from fetched candles where there are some.
"""

from collections.abc import Iterable
from sys import float_info
from typing import NamedTuple

from bus.messages import Candle
from services.feed.facts import RawCandle
from services.feed.gaps import Gap
from services.feed.guards import refuse_candle
from services.numbers import END_MS


class Bar(NamedTuple):
    """A closed candle before it has a number."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    complete: bool


def flat(open_ms: int, price: float, *, complete: bool) -> Bar:
    """Return the bar of a bucket without trades."""
    return Bar(open_ms, price, price, price, price, 0.0, complete)


def added(volume: float, size: float) -> float:
    """Return the sum, kept finite: a source that sends the largest doubles gets no infinite volume out of us."""
    return min(volume + size, float_info.max)


class CandleBuilder:
    """Builds the candles of one interval.

    Args:
        interval_ms: length of a bucket.
        previous: the newest closed candle before the first tick, if any is known.
    """

    def __init__(self, interval_ms: int, previous: Candle | None = None) -> None:
        self._interval_ms = interval_ms
        self._close: float | None = None
        self._traded = False
        self._open = self._high = self._low = self._volume = 0.0
        self._lost = False
        self._torn_ms = -1
        self._fetched: dict[int, RawCandle] = {}
        self.open_ms: int | None = None
        """Open time of the bucket in progress, None before the first."""
        self.due_ms: int = END_MS
        """A tick at or after this time needs `close_before`."""
        self.gaps: list[Gap] = []
        """Losses that are over, for whoever tells people; theirs to empty."""
        if previous is not None:
            self.follow(previous)

    def follow(self, closed: Candle) -> None:
        """Begin the bucket after a candle that is closed."""
        self._begin(closed.close_ms, closed.close)

    def lose(self) -> None:
        """Data was lost from here on until the next tick."""
        self._lost = True
        self.due_ms = 0

    def fetched(self, rows: Iterable[RawCandle]) -> int:
        """Take closed candles to bridge the loss with; return how many were not believable."""
        rows = tuple(rows)
        good = [row for row in rows if refuse_candle(row, self._interval_ms) is None]
        self._fetched = {row.open_ms: row for row in good}
        return len(rows) - len(good)

    def empty_buckets(self, ts_ms: int) -> int:
        """Return how many buckets a tick at `ts_ms` would close."""
        return 0 if self.open_ms is None else max(0, (ts_ms - self.open_ms) // self._interval_ms)

    def close_before(self, ts_ms: int) -> list[Bar]:
        """Close the buckets that end at or before a tick at `ts_ms`, oldest first."""
        bars: list[Bar] = []
        first_ms, fetched = self.open_ms, self._fetched
        if self.open_ms is not None:
            while self.open_ms + self._interval_ms <= ts_ms:
                bar = self._finished(self.open_ms)
                bars.append(bar)
                self._begin(bar.open_ms + self._interval_ms, bar.close)
        if self._lost:
            self._lost = False
            self._torn_ms = self._bucket(ts_ms)
            self._fetched = {}
            self.due_ms = END_MS if self.open_ms is None else self.open_ms + self._interval_ms
            count = sum(bar.open_ms in fetched for bar in bars)
            self.gaps.append(Gap(self._torn_ms if first_ms is None else first_ms, self._torn_ms, count))
        return bars

    def trade(self, ts_ms: int, price: float, size: float) -> None:
        """Take a trade into the bucket in progress; `close_before` has been called for its time."""
        if self.open_ms is None:
            self.open_ms = self._bucket(ts_ms)
            self.due_ms = self.open_ms + self._interval_ms
        if not self._traded:
            self._traded = True
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume = added(self._volume, size)

    def _bucket(self, ts_ms: int) -> int:
        return ts_ms // self._interval_ms * self._interval_ms

    def _begin(self, open_ms: int, close: float) -> None:
        self.open_ms = open_ms
        self.due_ms = 0 if self._lost else open_ms + self._interval_ms
        self._close = close
        self._traded = False
        self._volume = 0.0

    def _finished(self, open_ms: int) -> Bar:
        row = self._fetched.get(open_ms) if self._lost else None
        if row is not None:
            return Bar(*row, complete=False)
        complete = not self._lost and open_ms != self._torn_ms
        assert self._close is not None, "a bucket in progress has a close before it or a trade in it"
        if not self._traded:
            return flat(open_ms, self._close, complete=complete)
        return Bar(open_ms, self._open, self._high, self._low, self._close, self._volume, complete)
