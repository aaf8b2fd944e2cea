"""Rows of data files, read: which kind a header names, and what a row says. Pure.

Columns may come in any order, and others beside them: trades `ts_ms,price,size,side`, quotes
`ts_ms,bid,ask[,bid_size,ask_size]`, candles `ts_ms,open,high,low,close,volume`. A text that is no number, or a time that
is none, makes a bad row; whether a number can be believed is the business of whoever asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Generic, TypeAlias, TypeVar

from services.numbers import END_MS

TRADES: Final = "trades"
QUOTES: Final = "quotes"
CANDLES: Final = "candles"
NEEDED: Final = {
    TRADES: ("ts_ms", "price", "size", "side"),
    QUOTES: ("ts_ms", "bid", "ask"),
    CANDLES: ("ts_ms", "open", "high", "low", "close", "volume"),
}
SIZES: Final = ("bid_size", "ask_size")
_NUMBERS: Final = frozenset({"price", "size", "bid", "ask", *SIZES, *NEEDED[CANDLES][1:]})

RowT = TypeVar("RowT", bound=tuple[Any, ...])
RowReader: TypeAlias = Callable[[Sequence[str]], RowT]


class BadRowError(Exception):
    """A header or a row that can not be used; the message says what is wrong, not where."""


@dataclass(frozen=True, slots=True)
class Makers(Generic[RowT]):
    """What becomes of rows. What is made of one begins with its `ts_ms`.

    Attributes:
        trade: takes time in ms, price, size, and `buy` or `sell` (or whatever stood there) in lower case.
        quote: takes time, bid, ask, and the sizes of both.
        candle: takes open time, open, high, low, close, volume.
        bad: takes a sentence on a row that does not read, with file and line; what it makes does not begin with a time.
        unsized: stands for a quote's sizes where there are no columns for them.

    Each may raise `BadRowError`.
    """

    trade: Callable[[int, float, float, str], RowT]
    quote: Callable[[int, float, float, float, float], RowT]
    candle: Callable[[int, float, float, float, float, float], RowT]
    bad: Callable[[str], RowT]
    unsized: float = 0.0


def kind_of(header: Sequence[str]) -> str:
    """Return which kind of data a header's columns hold.

    Raises:
        BadRowError: they are of no kind.
    """
    names = _names(header)
    for kind, needed in NEEDED.items():
        if all(name in names for name in needed):
            return kind
    shown = ",".join(names)[:80]
    *most, last = (f"{kind} ({','.join(needed)})" for kind, needed in NEEDED.items())
    raise BadRowError(f"its columns are neither {', '.join(most)} nor {last}: {shown}")


def reader_of(header: Sequence[str], makers: Makers[RowT]) -> RowReader[RowT]:
    """Return what reads the rows under a header.

    Raises:
        BadRowError: its columns are of no kind, or one comes twice.
    """
    names = _names(header)
    kind = kind_of(header)
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise BadRowError(f"column {twice[0]} comes twice")
    at = {name: place for place, name in enumerate(names)}
    width = len(names)
    read = {TRADES: _trades, QUOTES: _quotes, CANDLES: _candles}[kind](at, makers)

    def checked(row: Sequence[str]) -> RowT:
        if len(row) != width:
            raise BadRowError(f"{len(row)} columns, expected {width}")
        try:
            return read(row)
        except ValueError:
            raise _complaint(row, at) from None

    return checked


def spacing_ms(open_times: Sequence[int]) -> int | None:
    """Return the interval of candles: the smallest positive spacing of their open times; None with less than two."""
    steps = [later - earlier for earlier, later in pairwise(open_times) if later > earlier]
    return min(steps, default=None)


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().lower().removeprefix("\ufeff") for name in header]


def _trades(at: Mapping[str, int], makers: Makers[RowT]) -> RowReader[RowT]:
    ts, price, size, side = (at[name] for name in NEEDED[TRADES])
    make = makers.trade

    def read(row: Sequence[str]) -> RowT:
        return make(_time(row[ts]), float(row[price]), float(row[size]), row[side].strip().lower())

    return read


def _quotes(at: Mapping[str, int], makers: Makers[RowT]) -> RowReader[RowT]:
    ts, bid, ask = (at[name] for name in NEEDED[QUOTES])
    bid_size, ask_size = (at.get(name) for name in SIZES)
    make, unsized = makers.quote, makers.unsized

    def read(row: Sequence[str]) -> RowT:
        return make(
            _time(row[ts]),
            float(row[bid]),
            float(row[ask]),
            unsized if bid_size is None else float(row[bid_size]),
            unsized if ask_size is None else float(row[ask_size]),
        )

    return read


def _candles(at: Mapping[str, int], makers: Makers[RowT]) -> RowReader[RowT]:
    ts, *places = (at[name] for name in NEEDED[CANDLES])
    make = makers.candle

    def read(row: Sequence[str]) -> RowT:
        open_, high, low, close, volume = (float(row[place]) for place in places)
        return make(_time(row[ts]), open_, high, low, close, volume)

    return read


def _time(text: str) -> int:
    # ISO texts, fractions and seconds are other people's files: refused rather than guessed at.
    ts_ms = int(text)
    if not 0 <= ts_ms < END_MS:
        raise ValueError
    return ts_ms


def _complaint(row: Sequence[str], at: Mapping[str, int]) -> BadRowError:
    """Name the first column that does not read."""
    for name, place in at.items():
        if name == "ts_ms":
            if not _reads(_time, row[place]):
                return BadRowError(f"ts_ms is no time in whole ms: {row[place][:40]!r}")
        elif name in _NUMBERS and not _reads(float, row[place]):
            return BadRowError(f"{name} is no number: {row[place][:40]!r}")
    return BadRowError("a row that does not read")


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
