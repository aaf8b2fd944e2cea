"""Rows of data files, read: which kind a header names, and what a row says. Pure.

Columns may come in any order: trades `ts_ms,price,size,side`, quotes `ts_ms,bid,ask[,bid_size,ask_size]`, candles
`ts_ms,open,high,low,close,volume`. A text that is no number makes a bad row; a number that can not be believed is
the core's business.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from services.feed.facts import RawCandle, RawQuote, RawTrade

Row: TypeAlias = RawQuote | RawTrade | RawCandle
RowReader: TypeAlias = Callable[[Sequence[str]], Row]

TRADES: Final = "trades"
QUOTES: Final = "quotes"
CANDLES: Final = "candles"
_NEEDED: Final = {
    TRADES: ("ts_ms", "price", "size", "side"),
    QUOTES: ("ts_ms", "bid", "ask"),
    CANDLES: ("ts_ms", "open", "high", "low", "close", "volume"),
}


class BadRowError(ValueError):
    """A header or a row that can not be read; the message says what is wrong, not where."""


def kind_of(header: Sequence[str]) -> str:
    """Return which kind of data a header's columns hold.

    Raises:
        BadRowError: they are of no kind.
    """
    names = _names(header)
    for kind, needed in _NEEDED.items():
        if all(name in names for name in needed):
            return kind
    shown = ",".join(names)[:80]
    raise BadRowError(f"its columns are neither trades, quotes nor candles: {shown}")


def reader_of(header: Sequence[str]) -> RowReader:
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
    read = {TRADES: _trade, QUOTES: _quote, CANDLES: _candle}[kind](at)

    def checked(row: Sequence[str]) -> Row:
        if len(row) != width:
            raise BadRowError(f"{len(row)} columns, expected {width}")
        return read(row)

    return checked


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().lower().removeprefix("\ufeff") for name in header]


def _trade(at: Mapping[str, int]) -> RowReader:
    ts, price, size, side = (at[name] for name in _NEEDED[TRADES])

    def read(row: Sequence[str]) -> RawTrade:
        try:
            return RawTrade(int(row[ts]), float(row[price]), float(row[size]), row[side].strip().lower())
        except ValueError:
            raise _complaint(row, at) from None

    return read


def _quote(at: Mapping[str, int]) -> RowReader:
    ts, bid, ask = (at[name] for name in _NEEDED[QUOTES])
    bid_size, ask_size = at.get("bid_size"), at.get("ask_size")

    def read(row: Sequence[str]) -> RawQuote:
        try:
            return RawQuote(
                int(row[ts]),
                float(row[bid]),
                float(row[ask]),
                0.0 if bid_size is None else float(row[bid_size]),
                0.0 if ask_size is None else float(row[ask_size]),
            )
        except ValueError:
            raise _complaint(row, at) from None

    return read


def _candle(at: Mapping[str, int]) -> RowReader:
    places = [at[name] for name in _NEEDED[CANDLES]]

    def read(row: Sequence[str]) -> RawCandle:
        try:
            return RawCandle(int(row[places[0]]), *(float(row[place]) for place in places[1:]))
        except ValueError:
            raise _complaint(row, at) from None

    return read


def _complaint(row: Sequence[str], at: Mapping[str, int]) -> BadRowError:
    """Name the first column that does not read."""
    for name, place in at.items():
        if name == "ts_ms":
            if not _reads(int, row[place]):
                return BadRowError(f"ts_ms is no whole number of ms: {row[place][:40]!r}")
        elif name in _NUMBERS and not _reads(float, row[place]):
            return BadRowError(f"{name} is no number: {row[place][:40]!r}")
    return BadRowError("a row that does not read")


_NUMBERS: Final = frozenset({"price", "size", "bid", "ask", "bid_size", "ask_size", *_NEEDED[CANDLES][1:]})


def _reads(kind: type[int] | type[float], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
