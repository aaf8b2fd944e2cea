"""The watch over ticks. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from math import inf, isinf

import numpy as np

from bus.messages import Candle, MarketEvent
from services.broker.band import Band
from services.broker.passage import DeskView, Passage
from services.broker.prices import TwoSided
from services.replay.columnar.columns import Columns, Ints, Table
from services.replay.columnar.watch import first_after, first_outside


class TickWatch:
    """Over ticks. Between two ticks there may be candles and funding times: a run, with one question at its end."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._count = columns.count
        self._known = 1, (0, 0, 0)
        """Of the last look for places: the number, and what was found."""
        self._woken = -inf, (0, 0)
        """Of the last look for a time: the time, and the places of the first quote and trade at or after it."""
        funded = np.array([funding.seq for funding in columns.fundings], np.int64)
        others = np.sort(np.concatenate([columns.candles.seq, funded]))
        is_first = np.diff(others, prepend=-1) != 1
        starts, ends = others[is_first], others[np.roll(is_first, -1)] if others.size else others
        lows = columns.candles.seq.searchsorted(starts)
        highs = columns.candles.seq.searchsorted(ends, "right")
        has_funding = funded.searchsorted(starts) != funded.searchsorted(ends, "right")
        is_asked = (highs > lows) & (ends < columns.count)
        # Of few items, each asked for often: a list is quicker than an array.
        self._starts: list[int] = starts.tolist()
        self._ends: list[int] = ends.tolist()
        self._stops: list[int] = starts[has_funding | (ends == columns.count)].tolist()
        self._begins: list[int] = starts[is_asked].tolist()
        self._lasts: list[int] = ends[is_asked].tolist()
        self._lows, self._highs = lows[is_asked], highs[is_asked]
        self._newest = columns.quotes.seq.searchsorted(starts[is_asked]) - 1
        self._candles: list[int] = columns.candles.seq.tolist()
        self._fundings: list[int] = funded.tolist()

    @property
    def questions(self) -> int:
        """How many questions the stream has."""
        return len(self._begins)

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
        return self._lasts[place]

    def quote(self, place: int) -> TwoSided | None:
        """Return the newest quote when a question is asked, None without one."""
        newest = int(self._newest[place])
        return self._columns.quotes.event(newest) if newest >= 0 else None

    def questions_until(self, seq: int) -> int:
        """Return how many questions begin at or before event `seq`; that is the place of the first one behind it."""
        return bisect_right(self._begins, seq)

    def begin(self, place: int) -> int:
        """Return the first event that has to be worked off one by one for a question to be asked."""
        return self._begins[place]

    def until(self, seq: int, view: DeskView) -> int:
        """Return the first event behind `seq` that may matter."""
        band, quotes, trades = view.band, self._columns.quotes.seq, self._columns.trades.seq
        until = self._count + 1
        stop = bisect_right(self._stops, seq)
        if stop < len(self._stops):
            until = self._stops[stop]
        if view.bars_left is not None:
            until = min(until, self._after_bars(seq, max(1, view.bars_left)))
        quote, trade, _ = self._places(seq + 1)
        late_quote, late_trade = self._places_of_time(band.wake_ms)
        waking_quote, waking_trade = max(quote, late_quote), max(trade, late_trade)
        if waking_quote < quotes.size:
            until = min(until, quotes.item(waking_quote))
        if waking_trade < trades.size:
            until = min(until, trades.item(waking_trade))
        return self._first_quote_outside(quote, until, band)

    def _places(self, seq: int) -> tuple[int, int, int]:
        """Return the place of the first quote, trade and candle whose number is `seq` or more."""
        known, places = self._known
        if seq != known:
            candle = bisect_left(self._candles, seq)
            ticks = seq - 1 - candle - bisect_left(self._fundings, seq)
            quote = self._quote_from(seq, (ticks + 1) // 2)  # right, where each trade has a quote before it
            places = quote, ticks - quote, candle
            self._known = seq, places
        return places

    def _quote_from(self, seq: int, guess: int) -> int:
        """Return the place of the first quote whose number is `seq` or more."""
        seqs = self._columns.quotes.seq
        is_right = 0 < guess < seqs.size and seqs.item(guess) >= seq > seqs.item(guess - 1)
        return guess if is_right else int(seqs.searchsorted(seq))

    def _places_of_time(self, wake_ms: float) -> tuple[int, int]:
        """Return the place of the first quote and trade whose time is not before `wake_ms`."""
        known, places = self._woken
        if wake_ms != known:
            columns = self._columns
            places = first_after(columns.quotes.ts_ms, 0, wake_ms), first_after(columns.trades.ts_ms, 0, wake_ms)
            self._woken = wake_ms, places
        return places

    def _after_bars(self, seq: int, bars: int) -> int:
        """Return the tick after the `bars`-th candle behind `seq`."""
        last = bisect_right(self._candles, seq) + bars - 1
        if last >= len(self._candles):
            return self._count + 1
        return self._ends[bisect_right(self._starts, self._candles[last]) - 1] + 1

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
        end = self._places(until)[0]
        place = first_outside(bounds, begin, end)
        return until if place == end else quotes.seq.item(place)

    def before(self, seq: int) -> int:
        """Return the last event up to `seq` after which no question is open."""
        run = bisect_right(self._starts, seq) - 1
        return self._starts[run] - 1 if run >= 0 and seq <= self._ends[run] else seq

    def is_whole(self, seq: int) -> bool:
        """Tell whether no candle waits for its question after event `seq`."""
        return self.before(seq) == seq

    def event(self, seq: int) -> MarketEvent:
        """Return the event of a number."""
        columns = self._columns
        places: Iterable[tuple[Table, int]] = zip(columns.tables, self._places(seq), strict=True)
        for table, place in places:
            if place < table.seq.size and table.seq.item(place) == seq:
                return table.event(place)
        return columns.fundings[bisect_left(self._fundings, seq)]

    def passage(self, seq: int, until: int) -> Passage:
        """Return what is left of the events behind `seq` and before `until`."""
        quotes, trades, candles = self._columns.tables
        first_quote, first_trade, first_candle = self._places(seq + 1)
        quote, trade, candle = self._places(until)
        has_quote, has_trade, has_candle = quote > first_quote, trade > first_trade, candle > first_candle
        times = (
            quotes.ts_ms.item(quote - 1) if has_quote else 0,
            trades.ts_ms.item(trade - 1) if has_trade else 0,
            candles.ts_ms.item(candle - 1) if has_candle else 0,
        )
        return Passage(
            seq=until - 1,
            ts_ms=max(times),
            ticks=quote - first_quote + trade - first_trade,
            candles=candle - first_candle,
            quote=quotes.event(quote - 1) if has_quote else None,
            price=trades.price.item(trade - 1) if has_trade else None,
            close=candles.close.item(candle - 1) if has_candle else None,
            volume=candles.volume.item(candle - 1) if has_candle else None,
        )
