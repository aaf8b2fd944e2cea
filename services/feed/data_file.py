"""Data files: trades, quotes or candles as CSV, plain or gzipped, several merged by time.

Quotes come before trades of the same millisecond, the files' own order otherwise. What a header or a row means is
`data_rows`'; errors are one sentence with file and line.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import TextIO

from services.feed.candle_source import spacing_ms
from services.feed.data_rows import CANDLES, QUOTES, BadRowError, Row, kind_of, reader_of
from services.feed.facts import RawCandle, Refusal
from services.feed.guards import refuse_time

LEAP_MS = 366 * 86_400_000
"""A row that is later than the newest by more than this does not stretch a file."""


class DataFileError(Exception):
    """A data file that can not be used, or (when asked to be strict) a bad row in it; one sentence."""


@dataclass(frozen=True, slots=True)
class DataSpan:
    """What a look over data files found: first and last time (ms), rows, and for candles their interval."""

    first_ms: int
    last_ms: int
    rows: int
    is_candles: bool
    interval_ms: int | None


def read_rows(paths: Sequence[Path]) -> Iterator[Row | Refusal]:
    """Yield the rows of one or several files, merged by time; a row that does not read is a `bad_row`.

    Raises:
        DataFileError: a file is not there, not readable, of no known kind, or candles are given with ticks.
    """
    kinds = {path: file_kind(path) for path in paths}
    if CANDLES in kinds.values() and len(set(kinds.values())) > 1:
        raise DataFileError("candles can not be merged with trades or quotes: give files of one sort")
    in_order = sorted(paths, key=lambda path: kinds[path] != QUOTES)
    if len(in_order) == 1:
        return _rows(in_order[0])
    return _merged([_timed(_rows(path), place) for place, path in enumerate(in_order)])


def read_rows_strictly(paths: Sequence[Path]) -> Iterator[Row]:
    """Yield the same rows, and stop at the first bad one.

    Raises:
        DataFileError: also for a bad row.
    """
    for row in read_rows(paths):
        if isinstance(row, Refusal):
            raise DataFileError(row.detail)
        yield row


def file_kind(path: Path) -> str:
    """Return `trades`, `quotes` or `candles`.

    Raises:
        DataFileError: the file is not there, not readable, empty, or of no known kind.
    """
    for _, header in _lines(path):
        try:
            return kind_of(header)
        except BadRowError as error:
            raise DataFileError(f"{path.name} line 1: {error}") from None
    raise DataFileError(f"{path.name} is empty")


def look_over(paths: Sequence[Path]) -> DataSpan:
    """Read files once, to know how far they reach.

    Raises:
        DataFileError: as `read_rows`, and when no row has a time.
    """
    first_ms = last_ms = rows = 0
    opens: set[int] = set()
    is_candles = False
    for row in read_rows(paths):
        if isinstance(row, Refusal) or refuse_time(row[0]) is not None:
            continue
        ts_ms = row[0]
        if rows and ts_ms - last_ms > LEAP_MS:
            continue
        first_ms = ts_ms if rows == 0 else min(first_ms, ts_ms)
        last_ms = max(last_ms, ts_ms)
        rows += 1
        if isinstance(row, RawCandle):
            is_candles = True
            opens.add(ts_ms)
    if rows == 0:
        names = ", ".join(path.name for path in paths)
        raise DataFileError(f"{names} has no rows that can be read")
    return DataSpan(first_ms, last_ms, rows, is_candles, spacing_ms(sorted(opens)) if is_candles else None)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    try:
        with _open(path) as file:
            reader = csv.reader(file)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except FileNotFoundError:
        raise DataFileError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path.name} can not be read: {error}") from None


def _open(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path) -> Iterator[Row | Refusal]:
    lines = _lines(path)
    for line, header in lines:
        try:
            read = reader_of(header)
        except BadRowError as error:
            raise DataFileError(f"{path.name} line {line}: {error}") from None
        break
    else:
        raise DataFileError(f"{path.name} is empty")
    for line, row in lines:
        try:
            yield read(row)
        except BadRowError as error:
            yield Refusal("bad_row", f"{path.name} line {line}: {error}")


_Timed = tuple[int, int, int, Row | Refusal]


def _timed(rows: Iterable[Row | Refusal], place: int) -> Iterator[_Timed]:
    """Give each row its place in the merge; a bad row goes with the row before it.

    Time alone decides between files, so a row that is late within its own file stays where the file has it.
    """
    newest_ms = 0
    for count, row in enumerate(rows):
        if not isinstance(row, Refusal) and refuse_time(row[0]) is None:
            newest_ms = max(newest_ms, row[0])
        yield newest_ms, place, count, row


def _merged(files: Sequence[Iterator[_Timed]]) -> Iterator[Row | Refusal]:
    for _, _, _, row in merge(*files, key=lambda timed: timed[:3]):
        yield row
