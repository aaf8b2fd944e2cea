"""A stream of market events as columns: one array a field, so that a run of events is looked through in one go. Pure.

The events are those of the feed, numbered 1, 2, 3 ... without a hole; each kind has a table of its own, in order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bus.messages import Candle, Funding, MarketEvent, Quote, StreamInfo, Trade

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Table: TypeAlias = "QuoteColumns | TradeColumns | CandleColumns"


@dataclass(frozen=True, slots=True, eq=False)
class QuoteColumns:
    """Quotes; the fields are those of `Quote`."""

    seq: Ints
    ts_ms: Ints
    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    synthetic: Flags

    def event(self, place: int) -> Quote:
        """Return the quote at a place, counted from 0."""
        return Quote(
            self.seq.item(place),
            self.ts_ms.item(place),
            self.bid.item(place),
            self.ask.item(place),
            self.bid_size.item(place),
            self.ask_size.item(place),
            self.synthetic.item(place),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TradeColumns:
    """Trades; `is_buy` tells the aggressor."""

    seq: Ints
    ts_ms: Ints
    price: Floats
    size: Floats
    is_buy: Flags

    def event(self, place: int) -> Trade:
        """Return the trade at a place, counted from 0."""
        side = "buy" if self.is_buy[place] else "sell"
        price, size = self.price.item(place), self.size.item(place)
        return Trade(self.seq.item(place), self.ts_ms.item(place), price, size, side)


@dataclass(frozen=True, slots=True, eq=False)
class CandleColumns:
    """Candles of one symbol and interval; the other fields are those of `Candle`."""

    symbol: str
    interval_ms: int
    seq: Ints
    ts_ms: Ints
    open_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    complete: Flags

    def event(self, place: int) -> Candle:
        """Return the candle at a place, counted from 0."""
        return Candle(
            self.seq.item(place),
            self.ts_ms.item(place),
            self.symbol,
            self.interval_ms,
            self.open_ms.item(place),
            self.open.item(place),
            self.high.item(place),
            self.low.item(place),
            self.close.item(place),
            self.volume.item(place),
            self.complete.item(place),
        )


def place_from(seqs: Ints, seq: int) -> int:
    """Return the place of the first event whose number is `seq` or more."""
    guess = seq - 1
    if 0 <= guess < seqs.size and seqs.item(guess) == seq:
        return guess  # all events before it are of this kind
    return int(seqs.searchsorted(seq))


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A whole stream.

    Attributes:
        info: its head.
        quotes, trades, candles: the tables.
        fundings: in order; there are few.
        refused: rows of data files that are no events: they came too late.
    """

    info: StreamInfo
    quotes: QuoteColumns
    trades: TradeColumns
    candles: CandleColumns
    fundings: tuple[Funding, ...] = ()
    refused: int = 0

    @property
    def tables(self) -> tuple[QuoteColumns, TradeColumns, CandleColumns]:
        """Those that hold columns: all events but the fundings."""
        return self.quotes, self.trades, self.candles

    @property
    def count(self) -> int:
        """How many events there are, which is the last one's number."""
        return self.quotes.seq.size + self.trades.seq.size + self.candles.seq.size + len(self.fundings)

    @property
    def last_ts_ms(self) -> int:
        """Event time of the end, 0 without an event."""
        return max((int(table.ts_ms[-1]) for table in self.tables if table.ts_ms.size), default=0)

    def event(self, seq: int) -> MarketEvent:
        """Return the event of a number, from 1 to `count`."""
        for table in self.tables:
            place = place_from(table.seq, seq) if table.seq.size else 0
            if place < table.seq.size and table.seq.item(place) == seq:
                return table.event(place)
        return next(funding for funding in self.fundings if funding.seq == seq)

    def events(self) -> Iterator[MarketEvent]:
        """Return all events in order."""
        streams: list[Iterable[MarketEvent]] = [map(table.event, range(table.seq.size)) for table in self.tables]
        return merge(self.fundings, *streams, key=attrgetter("seq"))


def columns_of(info: StreamInfo, events: Iterable[MarketEvent]) -> Columns | None:
    """Return a stream's events as columns; None when their numbers are not 1, 2, 3 ... or their candles mixed."""
    quotes: list[Quote] = []
    trades: list[Trade] = []
    candles: list[Candle] = []
    fundings: list[Funding] = []
    for seq, event in enumerate(events, 1):
        if event.seq != seq:
            return None
        match event:
            case Quote():
                quotes.append(event)
            case Trade():
                trades.append(event)
            case Candle():
                candles.append(event)
            case Funding():
                fundings.append(event)
    if any((one.symbol, one.interval_ms) != (info.symbol, info.interval_ms) for one in candles):
        return None
    return Columns(info, _quotes_of(quotes), _trades_of(trades), _candles_of(info, candles), tuple(fundings))


def _quotes_of(quotes: Sequence[Quote]) -> QuoteColumns:
    return QuoteColumns(
        _ints(one.seq for one in quotes),
        _ints(one.ts_ms for one in quotes),
        _floats(one.bid for one in quotes),
        _floats(one.ask for one in quotes),
        _floats(one.bid_size for one in quotes),
        _floats(one.ask_size for one in quotes),
        _flags(one.synthetic for one in quotes),
    )


def _trades_of(trades: Sequence[Trade]) -> TradeColumns:
    return TradeColumns(
        _ints(one.seq for one in trades),
        _ints(one.ts_ms for one in trades),
        _floats(one.price for one in trades),
        _floats(one.size for one in trades),
        _flags(one.aggressor == "buy" for one in trades),
    )


def _candles_of(info: StreamInfo, candles: Sequence[Candle]) -> CandleColumns:
    return CandleColumns(
        info.symbol,
        info.interval_ms,
        _ints(one.seq for one in candles),
        _ints(one.ts_ms for one in candles),
        _ints(one.open_ms for one in candles),
        _floats(one.open for one in candles),
        _floats(one.high for one in candles),
        _floats(one.low for one in candles),
        _floats(one.close for one in candles),
        _floats(one.volume for one in candles),
        _flags(one.complete for one in candles),
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _floats(values: Iterable[float]) -> Floats:
    return np.fromiter(values, np.float64)


def _flags(values: Iterable[bool]) -> Flags:
    return np.fromiter(values, np.bool_)
