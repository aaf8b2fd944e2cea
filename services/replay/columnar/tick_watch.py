"""The watch over ticks. Pure."""

from math import isinf

import numpy as np

from bus.messages import Candle
from services.broker.band import Band
from services.broker.passage import DeskView, Passage
from services.broker.prices import TwoSided
from services.replay.columnar.columns import Columns, Ints, Table
from services.replay.columnar.watch import first_after, first_outside


class TickWatch:
    """Over ticks. Between two ticks there may be candles and funding times: a run, with one question at its end."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._known = 1, (0, 0, 0)
        """Of the last look for places: the number, and what was found; the next number is looked for most often."""
        funded = np.array([funding.seq for funding in columns.fundings], np.int64)
        others = np.sort(np.concatenate([columns.candles.seq, funded]))
        is_first = np.diff(others, prepend=-1) != 1
        starts, ends = others[is_first], others[np.roll(is_first, -1)] if others.size else others
        lows = columns.candles.seq.searchsorted(starts)
        highs = columns.candles.seq.searchsorted(ends, "right")
        has_funding = funded.searchsorted(starts) != funded.searchsorted(ends, "right")
        is_asked = (highs > lows) & (ends < columns.count)
        self._starts, self._ends = starts, ends
        self._stops = starts[has_funding | (ends == columns.count)]
        self._begins, self._lasts = starts[is_asked], ends[is_asked]
        self._lows, self._highs = lows[is_asked], highs[is_asked]
        self._newest = columns.quotes.seq.searchsorted(self._begins) - 1

    @property
    def questions(self) -> int:
        """How many questions the stream has."""
        return int(self._begins.size)

    def last_candles(self) -> Ints:
        """Return, for each question, the place of the candle asked about among all candles."""
        last: Ints = self._highs - 1
        return last

    def open_ms(self, place: int) -> int:
        """Return when a question's candle opened, which names the question."""
        return int(self._columns.candles.open_ms[self._highs[place] - 1])

    def candles(self, place: int) -> tuple[Candle, ...]:
        """Return a question's candles."""
        return tuple(map(self._columns.candles.event, range(int(self._lows[place]), int(self._highs[place]))))

    def asked_after(self, place: int) -> int:
        """Return the number of the last event before a question."""
        return int(self._lasts[place])

    def quote(self, place: int) -> TwoSided | None:
        """Return the newest quote when a question is asked, None without one."""
        newest = int(self._newest[place])
        return self._columns.quotes.event(newest) if newest >= 0 else None

    def questions_until(self, seq: int) -> int:
        """Return how many questions begin at or before event `seq`; that is the place of the first one behind it."""
        return int(self._begins.searchsorted(seq, "right"))

    def begin(self, place: int) -> int:
        """Return the first event that has to be worked off one by one for a question to be asked."""
        return int(self._begins[place])

    def until(self, seq: int, view: DeskView) -> int:
        """Return the first event behind `seq` that may matter."""
        columns, band = self._columns, view.band
        until = columns.count + 1
        stop = int(self._stops.searchsorted(seq, "right"))
        if stop < self._stops.size:
            until = int(self._stops[stop])
        if view.bars_left is not None:
            until = min(until, self._after_bars(seq, max(1, view.bars_left)))
        quote, trade, _ = self._places(seq + 1)
        ticks: tuple[tuple[Table, int], ...] = ((columns.quotes, quote), (columns.trades, trade))
        for table, begin in ticks:
            place = first_after(table.ts_ms, begin, band.wake_ms)
            if place < table.seq.size:
                until = min(until, table.seq.item(place))
        return self._first_quote_outside(quote, until, band)

    def _places(self, seq: int) -> tuple[int, int, int]:
        """Return the place of the first quote, trade and candle whose number is `seq` or more."""
        known, places = self._known
        if seq != known:
            quotes, trades, candles = (table.seq for table in self._columns.tables)
            if seq == known + 1:
                quote, trade, candle = places
                places = (
                    quote + (quote < quotes.size and quotes.item(quote) == known),
                    trade + (trade < trades.size and trades.item(trade) == known),
                    candle + (candle < candles.size and candles.item(candle) == known),
                )
            else:
                places = (
                    int(quotes.searchsorted(seq)),
                    int(trades.searchsorted(seq)),
                    int(candles.searchsorted(seq)),
                )
            self._known = seq, places
        return places

    def _after_bars(self, seq: int, bars: int) -> int:
        """Return the tick after the `bars`-th candle behind `seq`."""
        columns = self._columns
        last = int(columns.candles.seq.searchsorted(seq, "right")) + bars - 1
        if last >= columns.candles.seq.size:
            return columns.count + 1
        return int(self._ends[self._starts.searchsorted(columns.candles.seq[last], "right") - 1]) + 1

    def _first_quote_outside(self, begin: int, until: int, band: Band) -> int:
        quotes = self._columns.quotes
        bounds = [
            (quotes.bid, True, band.bid_low),
            (quotes.bid, False, band.bid_high),
            (quotes.ask, True, band.ask_low),
            (quotes.ask, False, band.ask_high),
        ]
        bounds = [bound for bound in bounds if not isinf(bound[2])]
        if not bounds:
            return until
        end = int(quotes.seq.searchsorted(until))
        place = first_outside(bounds, begin, end)
        return until if place == end else quotes.seq.item(place)

    def before(self, seq: int) -> int:
        """Return the last event up to `seq` after which no question is open."""
        run = int(self._starts.searchsorted(seq, "right")) - 1
        return int(self._starts[run]) - 1 if run >= 0 and seq <= self._ends[run] else seq

    def is_whole(self, seq: int) -> bool:
        """Tell whether no candle waits for its question after event `seq`."""
        return self.before(seq) == seq

    def passage(self, seq: int, until: int) -> Passage:
        """Return what is left of the events behind `seq` and before `until`."""
        columns = self._columns
        begins, ends = self._places(seq + 1), self._places(until)
        had = [end > begin for begin, end in zip(begins, ends, strict=True)]
        last_quote, last_trade, last_candle = (end - 1 for end in ends)
        newest = max(
            table.ts_ms.item(end - 1) for table, end, has in zip(columns.tables, ends, had, strict=True) if has
        )
        return Passage(
            seq=until - 1,
            ts_ms=newest,
            ticks=ends[0] - begins[0] + ends[1] - begins[1],
            candles=ends[2] - begins[2],
            quote=columns.quotes.event(last_quote) if had[0] else None,
            price=columns.trades.price.item(last_trade) if had[1] else None,
            close=columns.candles.close.item(last_candle) if had[2] else None,
            volume=columns.candles.volume.item(last_candle) if had[2] else None,
        )
