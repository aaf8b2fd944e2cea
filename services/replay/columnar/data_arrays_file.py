"""Data files as arrays of numbers: the same rows as `services.data_file` reads, in one go. Shell: it reads files.

Plain files (digits, `buy` and `sell`) are read as the JSON they nearly are, which gives the same doubles as reading
text by text. Whatever is otherwise (quotes, blanks, rows that do not read) goes through the reader of all others.
"""

import gzip
import zlib
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from services.data_file.files import file_kind, read_rows
from services.data_file.rows import CANDLES, NEEDED, QUOTES, SIZES, TRADES, Makers
from services.numbers import END_MS
from services.replay.columnar.columns import Floats, Ints

_PLAIN: Final = b"0123456789.,-eE\n"
_SIDE_NUMBERS: Final = {"buy": 1.0, "sell": 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class DataArrays:
    """One file's rows.

    Attributes:
        kind: `trades`, `quotes` or `candles`.
        ts_ms: the first column (candles: the open time).
        numbers: by row: price, size, 1.0 for `buy`; bid, ask, bid_size, ask_size; open, high, low, close, volume. A
            side that is neither is not a number.
        unread: how many rows did not read, and are left out.
    """

    kind: str
    ts_ms: Ints
    numbers: Floats
    unread: int = 0


def read_arrays(path: Path) -> DataArrays:
    """Return a file's rows.

    Raises:
        DataFileError: it is not there, not readable, or of no known kind.
    """
    kind = file_kind(path)
    return _at_once(path, kind) or _row_by_row(path, kind)


def _at_once(path: Path, kind: str) -> DataArrays | None:
    """Read a plain file; None when it is not plain."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    except (OSError, EOFError, zlib.error):
        return None  # the other reader says what is wrong
    head, _, body = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").partition(b"\n")
    names = [name.strip().lower() for name in head.decode("utf-8", "replace").split(",")]
    if len(set(names)) < len(names) or not set(NEEDED[kind]).issubset(names):  # in quotes they are none of these
        return None
    body = body.strip(b"\n")
    if kind == TRADES:
        found = _with_numbers_for_sides(body) if names[-1] == "side" else None
        if found is None:
            return None
        body = found
    if body.translate(None, _PLAIN) or not body:
        return None
    try:
        rows = orjson.loads(b"[[%s]]" % body.replace(b"\n", b"],["))
    except orjson.JSONDecodeError:
        return None
    if set(map(len, rows)) != {len(names)} or {type(row[names.index("ts_ms")]) for row in rows} != {int}:
        return None
    table = np.array(rows, np.float64)
    ts_ms = table[:, names.index("ts_ms")]
    if ts_ms.min() < 0 or ts_ms.max() >= END_MS:
        return None
    wanted = [*NEEDED[kind][1:], *(SIZES if kind == QUOTES else ())]
    missing = np.zeros(len(rows))
    columns = [table[:, names.index(name)] if name in names else missing for name in wanted]
    # Columns in one piece each: whoever takes one out copies nothing.
    return DataArrays(kind, ts_ms.astype(np.int64), np.array(columns).T)


def _with_numbers_for_sides(body: bytes) -> bytes | None:
    """Return rows with 1 and 0 for the sides in their last column; None where one has another there, or a side elsewhere."""
    rows = body + b"\n"
    at_their_place = rows.count(b",buy\n") + rows.count(b",sell\n")
    if not at_their_place == rows.count(b"buy") + rows.count(b"sell") == rows.count(b"\n"):
        return None
    return body.replace(b"buy", b"1").replace(b"sell", b"0")


def _row_by_row(path: Path, kind: str) -> DataArrays:
    rows = list(read_rows([path], _NUMBERS))
    read = [row for row in rows if row]
    width = {TRADES: 4, QUOTES: 5, CANDLES: 6}[kind]
    table = np.array(read, np.float64).reshape(len(read), width)
    return DataArrays(kind, table[:, 0].astype(np.int64), table[:, 1:], len(rows) - len(read))


def _as_it_is(*numbers: float) -> tuple[float, ...]:
    return numbers


def _trade(ts_ms: int, price: float, size: float, side: str) -> tuple[float, ...]:
    return ts_ms, price, size, _SIDE_NUMBERS.get(side, nan)


_NUMBERS: Final[Makers[tuple[float, ...]]] = Makers(_trade, _as_it_is, _as_it_is, lambda _: ())
