"""The tape of data files, read as a whole; the one place of this room that opens files.

Rows that could not have come from a market are refused, with the file. Candles become a path of four trades: open, low
and high (low first in a rising candle, high first in a falling one), close, a quarter of the volume each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias

from services.data_file.files import DataFileError, read_rows
from services.data_file.rows import BadRowError, Makers, spacing_ms
from services.exchange.config import ExchangeError
from services.exchange.market import MINUTE_MS, Event, Quote, Trade
from services.exchange.protocol import decimal_text

_MOST_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The events of some files, merged, and the finest grids seen in them (decimals of prices and sizes)."""

    events: list[Event]
    price_decimals: int
    size_decimals: int


class _Candle(NamedTuple):
    ts_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


_Row: TypeAlias = Quote | Trade | _Candle


def read_data_files(paths: Sequence[Path]) -> DataFiles:
    """Read the files and merge them by time, quotes before trades of the same millisecond, else in file order.

    Raises:
        ExchangeError: A file cannot be read or used; the text is one sentence that names file and line.
    """
    try:
        rows = list(read_rows(paths, _MAKERS))
    except DataFileError as error:
        raise ExchangeError(str(error)) from None
    events = [row for row in rows if not isinstance(row, _Candle)] or _expanded(
        [row for row in rows if isinstance(row, _Candle)]
    )
    if not events:
        raise ExchangeError(f"no events in {', '.join(map(str, paths))}")
    events.sort(key=_time_and_kind)
    return DataFiles(events, _decimals(map(_prices, rows)), _decimals(map(_sizes, rows)))


def _time_and_kind(event: Event) -> tuple[int, bool]:
    return event.ts_ms, isinstance(event, Trade)


def _trade(ts_ms: int, price: float, size: float, side: str) -> Trade:
    _check_prices(price=price)
    _check_sizes(size=size)
    if size == 0.0:
        raise BadRowError("size must be greater than 0, got 0")
    if side not in {"buy", "sell"}:
        raise BadRowError(f"side must be buy or sell, got {side[:40]!r}")
    return Trade(ts_ms, price, size, side)


def _quote(ts_ms: int, bid: float, ask: float, bid_size: float, ask_size: float) -> Quote:
    _check_prices(bid=bid, ask=ask)
    _check_sizes(bid_size=bid_size, ask_size=ask_size)
    return Quote(ts_ms, bid, ask, bid_size, ask_size)


def _candle(ts_ms: int, open_: float, high: float, low: float, close: float, volume: float) -> _Candle:
    _check_prices(open=open_, high=high, low=low, close=close)
    _check_sizes(volume=volume)
    if high < max(open_, low, close) or low > min(open_, close):
        raise BadRowError("high and low must enclose open and close")
    return _Candle(ts_ms, open_, high, low, close, volume)


def _check_prices(**prices: float) -> None:
    for name, price in prices.items():
        if not (isfinite(price) and price > 0.0):
            raise BadRowError(f"{name} must be finite and greater than 0, got {price:g}")


def _check_sizes(**sizes: float) -> None:
    for name, size in sizes.items():
        if not (isfinite(size) and size >= 0.0):
            raise BadRowError(f"{name} must be finite and at least 0, got {size:g}")


def _refuse(sentence: str) -> NoReturn:
    raise ExchangeError(sentence)


# Quotes without sizes are of one coin each: a level of size 0 would be none to many a client.
_MAKERS: Makers[_Row] = Makers(_trade, _quote, _candle, _refuse, unsized=1.0)


def _expanded(candles: Sequence[_Candle]) -> list[Event]:
    interval_ms = spacing_ms(sorted({candle.ts_ms for candle in candles})) or MINUTE_MS
    events: list[Event] = []
    before = 0.0
    for candle in candles:
        if candle.volume == 0:
            continue  # nothing was traded, so there is no trade to tell of
        rising = candle.close >= candle.open
        path = (candle.open, *((candle.low, candle.high) if rising else (candle.high, candle.low)), candle.close)
        offsets = (0, interval_ms // 3, 2 * interval_ms // 3, interval_ms - 1)
        for price, offset_ms in zip(path, offsets, strict=True):
            side = "buy" if price >= before else "sell"
            events.append(Trade(candle.ts_ms + offset_ms, price, candle.volume / 4, side))
            before = price
    return events


def _prices(row: _Row) -> tuple[float, ...]:
    return (row.price,) if isinstance(row, Trade) else row[1:3] if isinstance(row, Quote) else row[1:5]


def _sizes(row: _Row) -> tuple[float, ...]:
    return (row.size,) if isinstance(row, Trade) else row[3:5] if isinstance(row, Quote) else row[5:6]


def _decimals(rows: Iterable[tuple[float, ...]]) -> int:
    places = (len(decimal_text(number).partition(".")[2]) for row in rows for number in row)
    return min(max(places, default=0), _MOST_DECIMALS)
