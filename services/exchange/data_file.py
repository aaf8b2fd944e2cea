"""Reads data files (`.csv`, `.csv.gz`): trades, quotes or candles, told apart by their columns.

The one place of this room that opens files. Candles become a path of four trades: open, then the nearer to it of low
and high (low first in a rising candle), close, a quarter of the volume each.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TextIO, cast

from services.exchange.config import ExchangeError
from services.exchange.market import MINUTE_MS, Event, Quote, Trade

_TRADES = ("ts_ms", "price", "size", "side")
_QUOTES = ("ts_ms", "bid", "ask")
_SIZED_QUOTES = (*_QUOTES, "bid_size", "ask_size")
_CANDLES = ("ts_ms", "open", "high", "low", "close", "volume")
_LAST_MS = 10**13  # the year 2286
_MOST_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The events of some files, merged, and the finest grids seen in them (decimals of prices and sizes)."""

    events: list[Event]
    price_decimals: int
    size_decimals: int


@dataclass(frozen=True, slots=True)
class _Candle:
    ts_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class _BadRowError(Exception):
    """A row that cannot be used; the text says why, without file and line."""


class _Grid:
    """Counts decimals while it reads numbers."""

    def __init__(self) -> None:
        self.price_decimals = 0
        self.size_decimals = 0

    def price(self, name: str, text: str) -> float:
        number = _number(name, text)
        if number <= 0:
            raise _BadRowError(f"{name} must be greater than 0, got {text}")
        self.price_decimals = max(self.price_decimals, _decimals(text))
        return number

    def size(self, name: str, text: str, *, zero: bool) -> float:
        number = _number(name, text)
        if number < 0 or (number == 0 and not zero):
            raise _BadRowError(f"{name} must be {'at least' if zero else 'greater than'} 0, got {text}")
        self.size_decimals = max(self.size_decimals, _decimals(text))
        return number


def read_data_files(paths: Sequence[Path]) -> DataFiles:
    """Read the files and merge them by time, quotes before trades of the same millisecond, else in file order.

    Raises:
        ExchangeError: A file cannot be read or used; the text is one sentence that names file and line.
    """
    grid = _Grid()
    ticks: list[Event] = []
    candles: list[_Candle] = []
    for path in paths:
        for row in _rows(path, grid):
            if isinstance(row, _Candle):
                candles.append(row)
            else:
                ticks.append(row)
    if ticks and candles:
        raise ExchangeError("candles cannot be given together with trades or quotes")
    events = ticks or _expanded(candles)
    if not events:
        raise ExchangeError(f"no events in {', '.join(map(str, paths))}")
    events.sort(key=_time_and_kind)
    return DataFiles(events, grid.price_decimals, grid.size_decimals)


def _time_and_kind(event: Event) -> tuple[int, bool]:
    return event.ts_ms, isinstance(event, Trade)


def _rows(path: Path, grid: _Grid) -> Iterator[Event | _Candle]:
    line = 0
    try:
        with _open(path) as file:
            reader = csv.reader(file)
            read = _reader_of(path, [name.strip().lower() for name in next(reader, [])], grid)
            for row in reader:
                line = reader.line_num
                if row:
                    yield read(row)
    except _BadRowError as error:
        raise ExchangeError(f"{path}, line {line}: {error}") from None
    except csv.Error as error:
        raise ExchangeError(f"{path}, line {line + 1}: {error}") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ExchangeError(f"cannot read {path}: {reason}") from None


def _open(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _reader_of(path: Path, header: list[str], grid: _Grid) -> Callable[[list[str]], Event | _Candle]:
    kinds: dict[frozenset[str], tuple[tuple[str, ...], Callable[[_Grid, list[str]], Event | _Candle]]] = {
        frozenset(_TRADES): (_TRADES, _trade),
        frozenset(_QUOTES): (_QUOTES, _quote),
        frozenset(_SIZED_QUOTES): (_SIZED_QUOTES, _quote),
        frozenset(_CANDLES): (_CANDLES, _candle),
    }
    found = kinds.get(frozenset(header))
    if found is None or len(header) != len(found[0]):
        raise ExchangeError(
            f"{path}: the columns must be {','.join(_TRADES)} or {','.join(_QUOTES)}[,bid_size,ask_size]"
            f" or {','.join(_CANDLES)}, got {','.join(header) or 'nothing'}"
        )
    names, read = found
    order = [header.index(name) for name in names]

    def read_row(row: list[str]) -> Event | _Candle:
        if len(row) != len(order):
            raise _BadRowError(f"expected {len(order)} columns, got {len(row)}")
        return read(grid, [row[index].strip() for index in order])

    return read_row


def _trade(grid: _Grid, row: list[str]) -> Trade:
    side = row[3].lower()
    if side not in {"buy", "sell"}:
        raise _BadRowError(f"side must be buy or sell, got {row[3]!r}")
    return Trade(_time(row[0]), grid.price("price", row[1]), grid.size("size", row[2], zero=False), side)


def _quote(grid: _Grid, row: list[str]) -> Quote:
    ts_ms, bid, ask = _time(row[0]), grid.price("bid", row[1]), grid.price("ask", row[2])
    if len(row) == len(_QUOTES):
        return Quote(ts_ms, bid, ask, 1.0, 1.0)
    return Quote(ts_ms, bid, ask, grid.size("bid_size", row[3], zero=True), grid.size("ask_size", row[4], zero=True))


def _candle(grid: _Grid, row: list[str]) -> _Candle:
    open_, high, low, close = (grid.price(name, text) for name, text in zip(_CANDLES[1:5], row[1:5], strict=True))
    if high < max(open_, low, close) or low > min(open_, close):
        raise _BadRowError("high and low must enclose open and close")
    return _Candle(_time(row[0]), open_, high, low, close, grid.size("volume", row[5], zero=True))


def _expanded(candles: list[_Candle]) -> list[Event]:
    times = sorted({candle.ts_ms for candle in candles})
    interval_ms = min((later - earlier for earlier, later in pairwise(times)), default=MINUTE_MS)
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


def _time(text: str) -> int:
    # ISO texts, floats and seconds are other people's files: refused rather than guessed at.
    if not (text.isascii() and text.isdigit() and int(text) < _LAST_MS):
        raise _BadRowError(f"ts_ms must be whole milliseconds since 1970, got {text!r}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _BadRowError(f"{name} must be a number, got {text!r}") from None
    if not isfinite(number):
        raise _BadRowError(f"{name} must be finite, got {text}")
    return number


def _decimals(text: str) -> int:
    return min(len(text.partition(".")[2].rstrip("0")), _MOST_DECIMALS)
