"""The feed over columns: rows of data files become the very events that `services.feed.core` makes of them. Pure.

Candles are reductions over the trades between two borders, synthetic quotes one computation over a column. Rows that
the feed would refuse, times that leap, and holes between candles are left to the feed itself.
"""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from bus.messages import MOST as MOST_OF_ALL
from bus.messages import Candle, StreamInfo
from services.feed.config import HISTORY_CANDLES
from services.feed.core import LATE_MS, MAX_EMPTY_BUCKETS, FeedRules
from services.feed.guards import MOST
from services.numbers import END_MS
from services.replay.columnar.columns import CandleColumns, Columns, Flags, Floats, Ints, QuoteColumns, TradeColumns
from services.replay.columnar.data_arrays_file import DataArrays
from services.replay.columnar.spread import Spread

_NO_INTS = np.empty(0, np.int64)
_NO_FLOATS = np.empty(0, np.float64)
_NO_FLAGS = np.empty(0, np.bool_)


class Ticks(NamedTuple):
    """Rows of quotes and trades in the feed's order.

    Quotes have `a` bid, `b` ask and their sizes in `c` and `d`; trades `a` price, `b` size, and in `c` 1.0 for a buyer.
    """

    ts_ms: Ints
    is_quote: Flags
    a: Floats
    b: Floats
    c: Floats
    d: Floats

    def part(self, wanted: slice | Flags | NDArray[np.intp]) -> "Ticks":
        """Return some of the rows."""
        return Ticks(
            self.ts_ms[wanted], self.is_quote[wanted], self.a[wanted], self.b[wanted], self.c[wanted], self.d[wanted]
        )


def merged(files: list[DataArrays]) -> Ticks | None:
    """Return the rows of files of quotes and trades as the feed merges them; None when the feed would refuse one."""
    in_order = sorted(files, key=lambda file: file.kind != "quotes")
    tables = [_ticks_of(file) for file in in_order]
    ticks = Ticks(*map(np.concatenate, zip(*tables, strict=True))) if len(tables) > 1 else tables[0]
    if not _are_believed(ticks):
        return None
    if len(tables) == 1:
        return ticks
    newest = np.concatenate([np.maximum.accumulate(table.ts_ms) for table in tables])
    return ticks.part(newest.argsort(kind="stable"))


def _ticks_of(file: DataArrays) -> Ticks:
    is_quotes = file.kind == "quotes"
    a, b, c = (np.ascontiguousarray(column) for column in file.numbers.T[:3])
    d = np.ascontiguousarray(file.numbers[:, 3]) if is_quotes else np.zeros(file.ts_ms.size)
    return Ticks(file.ts_ms, np.full(file.ts_ms.size, is_quotes), a, b, c, d)


def _are_believed(ticks: Ticks) -> bool:
    """Tell whether the feed refuses none of the rows (`services.feed.guards`)."""
    ts_ms, is_quote, a, b, c, d = ticks
    if not ts_ms.size or ts_ms.min() < 0 or ts_ms.max() >= END_MS:
        return False
    if not (a.min() > 0.0 and a.max() < MOST and b.min() > 0.0 and b.max() < MOST):  # as with a number that is none
        return False
    if not is_quote.any():
        return not np.isnan(c.min())
    quotes = (a <= b) & (c >= 0.0) & (c < MOST) & (d >= 0.0) & (d < MOST)
    return bool(((quotes | ~is_quote) & (is_quote | ~np.isnan(c))).all())


def tick_columns(ticks: Ticks, info: StreamInfo, rules: FeedRules) -> Columns | None:
    """Return the events of a session that begins with the first row; None where the feed has to look itself.

    Args:
        ticks: believed rows, at least one.
        info: the stream's head; its history is what the first candle follows.
        rules: the settings that shape the stream.
    """
    newest = ticks.ts_ms
    refused = 0
    if (newest[1:] < newest[:-1]).any():
        newest = np.maximum.accumulate(ticks.ts_ms)
        late = newest - ticks.ts_ms > LATE_MS
        refused = int(late.sum())
        ticks, newest = ticks.part(~late), newest[~late]
    buckets = _buckets(ticks, newest, info)
    begun = info.history[-1].close_ms // info.interval_ms if info.history else int(buckets[0])
    closed = _steps(buckets, begun)
    if closed.max() > MAX_EMPTY_BUCKETS:
        return None
    made = _wants_quote(ticks.is_quote, newest, rules.max_quote_age_ms)
    own = closed + 1
    own += made
    own.cumsum(out=own)
    spread = Spread(rules.half_spread_bps, info.tick_size)
    bids, asks = spread.around(ticks.a[_chosen(made)])
    if bids.size and (bids.min() <= 0.0 or asks.max() >= MOST_OF_ALL):
        return None
    candles = _candles(ticks, buckets, closed, own - made, info)
    quotes, trades = _quotes(ticks, newest, own, made, bids, asks), _trades(ticks, newest, own)
    return Columns(info, quotes, trades, candles, refused=refused)


def _steps(values: Ints, before: int) -> Ints:
    """Return by how much each value is more than the one before it."""
    steps = np.empty_like(values)
    steps[:1] = values[:1] - before
    np.subtract(values[1:], values[:-1], out=steps[1:])
    return steps


def _chosen(rows: Flags) -> slice | Flags:
    """Return what chooses the same rows: all of them without a copy."""
    return slice(None) if rows.all() else rows


def _buckets(ticks: Ticks, newest: Ints, info: StreamInfo) -> Ints:
    """Return the candle in progress at each row, counted in intervals; before the first trade of all there is none."""
    buckets = newest // info.interval_ms
    if info.history:
        return np.maximum(buckets, info.history[-1].close_ms // info.interval_ms)
    first_trade = int((~ticks.is_quote).argmax()) if not ticks.is_quote.all() else ticks.is_quote.size
    buckets[:first_trade] = buckets[first_trade] if first_trade < buckets.size else 0
    return buckets


def _wants_quote(is_quote: Flags, newest: Ints, max_quote_age_ms: float) -> Flags:
    """Tell which rows are trades without a fresh quote."""
    if not is_quote.any():
        return np.ones(is_quote.size, np.bool_)
    places = np.maximum.accumulate(np.where(is_quote, np.arange(is_quote.size), -1))
    return ~is_quote & ((places < 0) | (newest - newest[places] > max_quote_age_ms))


def _quotes(ticks: Ticks, newest: Ints, own: Ints, made: Flags, bids: Floats, asks: Floats) -> QuoteColumns:
    real = ticks.is_quote
    nothing = np.zeros(bids.size)
    if not real.any():
        seqs, times = own[_chosen(made)] - 1, newest[_chosen(made)]
        return QuoteColumns(seqs, times, bids, asks, nothing, nothing, np.ones(bids.size, np.bool_))
    seq = np.concatenate([own[real], own[made] - 1])
    order = seq.argsort()

    def both(of_real: Floats, of_made: Floats) -> Floats:
        return np.concatenate([of_real[real], of_made])[order]

    return QuoteColumns(
        seq[order],
        np.concatenate([newest[real], newest[made]])[order],
        both(ticks.a, bids),
        both(ticks.b, asks),
        both(ticks.c, nothing),
        both(ticks.d, nothing),
        (np.arange(seq.size) >= own[real].size)[order],
    )


def _trades(ticks: Ticks, newest: Ints, own: Ints) -> TradeColumns:
    if not ticks.is_quote.any():
        return TradeColumns(own, newest, ticks.a, ticks.b, ticks.c == 1.0)
    is_trade = ~ticks.is_quote
    return TradeColumns(own[is_trade], newest[is_trade], ticks.a[is_trade], ticks.b[is_trade], ticks.c[is_trade] == 1.0)


def _candles(ticks: Ticks, buckets: Ints, closed: Ints, tick_seq: Ints, info: StreamInfo) -> CandleColumns:
    """Return the candles that the rows close.

    Args:
        ticks: the rows.
        buckets: the candle in progress at each row.
        closed: how many candles each row closes.
        tick_seq: the number of each row's first tick (a synthetic quote, if it has one).
        info: the stream's head.
    """
    closers = np.flatnonzero(closed != 0)  # of flags, which is several times quicker
    count = int(closed.sum())
    if not count:
        return _candle_columns(info, _NO_INTS, _NO_INTS, np.empty((0, 5)))
    behind = np.repeat(closed[closers], closed[closers])  # of the candles that one row closes
    place = np.arange(count) - np.repeat(closed[closers].cumsum() - closed[closers], closed[closers])
    seq = np.repeat(tick_seq[closers], closed[closers]) - behind + place
    numbers = np.repeat(buckets[closers], closed[closers]) - behind + place
    trades = _chosen(~ticks.is_quote)
    prices, sizes, where = ticks.a[trades], ticks.b[trades], buckets[trades] - numbers[0]
    starts = np.flatnonzero(_steps(where, -1) != 0)
    traded = where[starts]
    is_over = traded < count  # the last candle is still in progress
    starts, traded = starts[is_over], traded[is_over]
    close = np.full(count, np.nan)
    ends = np.append(starts[1:], where.searchsorted(count))[: starts.size] - 1
    close[traded] = prices[ends]
    newest = np.maximum.accumulate(np.where(np.isnan(close), -1, np.arange(count)))
    before = info.history[-1].close if info.history else np.nan
    close = np.where(newest >= 0, close[newest], before)
    bars = np.stack([close] * 5, axis=1)  # flat, where nothing was traded
    if traded.size:
        whole = prices[: ends[-1] + 1]
        bars[traded, 0] = prices[starts]
        bars[traded, 1] = np.maximum.reduceat(whole, starts)
        bars[traded, 2] = np.minimum.reduceat(whole, starts)
    # Added up in the order of the trades, as the feed does.
    bars[:, 4] = np.bincount(where, sizes, count)[:count] if where.size else 0.0
    return _candle_columns(info, seq, numbers * info.interval_ms, bars)


def _candle_columns(info: StreamInfo, seq: Ints, open_ms: Ints, bars: Floats) -> CandleColumns:
    """Return complete candles; `bars` has by row: open, high, low, close, volume."""
    first, high, low, close, volume = (np.ascontiguousarray(bars[:, place]) for place in range(5))
    complete = np.ones(seq.size, np.bool_)
    close_ms = open_ms + info.interval_ms
    return CandleColumns(
        info.symbol, info.interval_ms, seq, close_ms, open_ms, first, high, low, close, volume, complete
    )


def candle_columns(open_ms: Ints, numbers: Floats, info: StreamInfo) -> Columns | None:
    """Return the events of a source of candles of the session's interval; None where the feed has to look itself.

    Args:
        open_ms: open times.
        numbers: by row: open, high, low, close, volume.
        info: the stream's head; the first candle follows its history.
    """
    if not are_candles_believed(open_ms, numbers, info.interval_ms):
        return None
    if info.history and open_ms.size and info.history[-1].close_ms != open_ms[0]:
        return None
    candles = _candle_columns(info, np.arange(1, open_ms.size + 1), open_ms, numbers)
    quotes = QuoteColumns(_NO_INTS, _NO_INTS, _NO_FLOATS, _NO_FLOATS, _NO_FLOATS, _NO_FLOATS, _NO_FLAGS)
    return Columns(info, quotes, TradeColumns(_NO_INTS, _NO_INTS, _NO_FLOATS, _NO_FLOATS, _NO_FLAGS), candles)


def are_candles_believed(open_ms: Ints, numbers: Floats, interval_ms: int) -> bool:
    """Tell whether candles follow each other without a hole and the feed refuses none (`services.feed.guards`)."""
    if not open_ms.size or open_ms[0] < 0 or open_ms[-1] >= END_MS or open_ms[0] % interval_ms:
        return False
    prices, volume = numbers[:, :4], numbers[:, 4]
    is_fine = (prices > 0.0).all() and (prices < MOST).all() and (volume >= 0.0).all() and (volume < MOST).all()
    return bool(is_fine and (numbers[:, 1] >= numbers[:, 2]).all() and (np.diff(open_ms) == interval_ms).all())


def history_of(candles: CandleColumns, start_ms: int) -> tuple[Candle, ...]:
    """Return the newest candles that close at or before `start_ms`, as history."""
    end = int((candles.open_ms + candles.interval_ms).searchsorted(start_ms, "right"))
    found = (candles.event(place) for place in range(max(0, end - HISTORY_CANDLES), end))
    return tuple(replace(candle, seq=0, ts_ms=candle.close_ms) for candle in found)
