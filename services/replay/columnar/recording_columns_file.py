"""A recording as columns, read in one go. Shell: it reads files.

Each table is one piece of JSON. Whatever is not exactly as the feed writes it is left to the reader that reads line by
line and says what is wrong.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from bus.errors import MalformedFrameError
from bus.messages import MOST, Candle, Funding, MarketEvent, Quote, StreamInfo, Trade
from bus.topics import NAMES
from services.feed.packed_file import recorded_lines
from services.feed.recording_lines import message_of
from services.replay.columnar.columns import CandleColumns, Columns, Floats, QuoteColumns, TradeColumns

_KINDS: Final[dict[type[MarketEvent], tuple[type, ...]]] = {
    Quote: (int, int, float, float, float, float, bool),
    Trade: (int, int, float, float, str),
    Candle: (int, int, str, int, int, float, float, float, float, float, bool),
    Funding: (int, int, str, float, float),
}
"""The types of the fields, in their order."""
_TOPICS: Final = {NAMES[kind].encode(): kind for kind in _KINDS}
_ARRAYS: Final[dict[type, Any]] = {int: np.int64, float: np.float64, bool: np.bool_, str: np.str_}


def read_columns(path: Path) -> Columns | None:
    """Return a run's recording, by its directory or its file; None when it has to be read line by line.

    Raises:
        OSError: it is not there, or not readable.
        RecordingError: what is packed is broken.
    """
    bodies: dict[type, list[bytes]] = {kind: [] for kind in _KINDS}
    numbers: dict[type, list[int]] = {kind: [] for kind in _KINDS}
    lines = recorded_lines(path)
    info = _head(next(lines, b""))
    for number, line in enumerate(lines, 1):
        topic, _, body = line.partition(b"|")
        kind = _TOPICS.get(topic)
        if kind is None or not body.endswith(b"\n"):
            return None
        bodies[kind].append(body)
        numbers[kind].append(number)
    tables = {kind: _table(kind, bodies[kind], numbers[kind]) for kind in _KINDS}
    if info is None or any(table is None for table in tables.values()):
        return None
    return _columns(info, {kind: table for kind, table in tables.items() if table is not None}, bodies[Funding])


def _head(line: bytes) -> StreamInfo | None:
    try:
        message = message_of(line)
    except MalformedFrameError:
        return None
    return message if isinstance(message, StreamInfo) else None


def _table(kind: type, bodies: list[bytes], numbers: list[int]) -> list[NDArray[Any]] | None:
    """Return a table's columns; None when a row is not of the right types, or not numbered by its line."""
    types = _KINDS[kind]
    try:
        rows = orjson.loads(b"[%s]" % b",".join(bodies))
    except orjson.JSONDecodeError:
        return None
    if not rows:
        return [np.empty(0, _ARRAYS[each]) for each in types]
    if {type(row) for row in rows} != {list} or {len(row) for row in rows} != {len(types)}:
        return None
    columns = list(zip(*rows, strict=True))
    if any(set(map(type, column)) != {each} for column, each in zip(columns, types, strict=True)):
        return None
    arrays = [np.array(column, _ARRAYS[each]) for column, each in zip(columns, types, strict=True)]
    return arrays if np.array_equal(arrays[0], numbers) else None


def _columns(info: StreamInfo, tables: dict[type, list[NDArray[Any]]], fundings: list[bytes]) -> Columns | None:
    """Return the tables as a stream; None where a message would refuse its fields, or candles are not the stream's."""
    quotes, trades = QuoteColumns(*tables[Quote]), tables[Trade]
    seq, ts_ms, symbols, intervals, *numbers = tables[Candle]
    candles = CandleColumns(info.symbol, info.interval_ms, seq, ts_ms, *numbers)
    times = (quotes.ts_ms, trades[1], ts_ms, candles.open_ms)
    prices = (quotes.bid, quotes.ask, trades[2], trades[3], candles.open, candles.high, candles.low, candles.close)
    sizes = (quotes.bid_size, quotes.ask_size, candles.volume)
    is_fine = (
        all(_within(each, 0.0, is_open=True) for each in prices)
        and all(_within(each, 0.0, is_open=False) for each in sizes)
        and all((each >= 0).all() for each in times)
        and bool((quotes.bid <= quotes.ask).all() and (candles.high >= candles.low).all())
        and bool(np.isin(trades[4], ["buy", "sell"]).all())
        and bool((symbols == info.symbol).all() and (intervals == info.interval_ms).all())
    )
    if not is_fine:
        return None
    try:
        funded = [message_of(NAMES[Funding].encode() + b"|" + body) for body in fundings]
    except MalformedFrameError:
        return None
    return Columns(
        info,
        quotes,
        TradeColumns(trades[0], trades[1], trades[2], trades[3], trades[4] == "buy"),
        candles,
        tuple(message for message in funded if isinstance(message, Funding)),
    )


def _within(column: Floats, least: float, *, is_open: bool) -> bool:
    above = column > least if is_open else column >= least
    return bool((above & (column < MOST)).all())
