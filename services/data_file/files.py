"""Data files on the disk: plain or gzipped, several merged by time. Errors are one sentence with file and line.

Quotes come before trades of the same millisecond, the files' own order otherwise.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from services.data_file.rows import CANDLES, QUOTES, BadRowError, Makers, RowT, kind_of, reader_of, spacing_ms

LEAP_MS = 366 * 86_400_000
"""A row that is later than the newest by more than this does not stretch a file."""


class DataFileError(Exception):
    """A data file that can not be used; one sentence."""


@dataclass(frozen=True, slots=True)
class DataSpan:
    """What a look over data files found: first and last time (ms), rows, and for candles their interval.

    The interval is the smallest positive spacing of open times; `closest_ms` is the first candle so close to another.
    """

    first_ms: int
    last_ms: int
    rows: int
    is_candles: bool
    interval_ms: int | None
    closest_ms: int | None = None


def read_rows(paths: Sequence[Path], makers: Makers[RowT]) -> Iterator[RowT]:
    """Yield what is made of the rows of one or several files, merged by time.

    Raises:
        DataFileError: a file is not there, not readable, of no known kind, or candles are given with ticks.
    """
    kinds = {path: file_kind(path) for path in paths}
    if CANDLES in kinds.values() and len(set(kinds.values())) > 1:
        raise DataFileError("candles can not be merged with trades or quotes: give files of one sort")
    in_order = sorted(paths, key=lambda path: kinds[path] != QUOTES)
    if len(in_order) == 1:
        return _rows(in_order[0], makers)
    return _merged([_timed(_rows(path, makers), place) for place, path in enumerate(in_order)])


def file_kind(path: Path) -> str:
    """Return `trades`, `quotes` or `candles`.

    Raises:
        DataFileError: the file is not there, not readable, empty, or of no known kind.
    """
    for _, header in _lines(path):
        if any(sign in name for name in header for sign in _NO_TEXT):
            raise DataFileError(f"{path.name} is no text in UTF-8")
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
    complaint = ""
    opens: set[int] = set()
    is_candles = file_kind(paths[0]) == CANDLES
    for row in read_rows(paths, _TIMES):
        (ts_ms,) = row
        if isinstance(ts_ms, str):
            complaint = complaint or ts_ms
            continue
        if rows and ts_ms - last_ms > LEAP_MS:
            continue
        first_ms = ts_ms if rows == 0 else min(first_ms, ts_ms)
        last_ms = max(last_ms, ts_ms)
        rows += 1
        if is_candles:
            opens.add(ts_ms)
    if rows == 0:
        names = ", ".join(path.name for path in paths)
        raise DataFileError(f"{names} has no rows that can be read{complaint and '; '}{complaint}")
    refuse_seconds(first_ms)
    in_order = sorted(opens)
    interval_ms = spacing_ms(in_order)
    closest_ms = next((later for earlier, later in pairwise(in_order) if later - earlier == interval_ms), None)
    return DataSpan(first_ms, last_ms, rows, is_candles, interval_ms, closest_ms)


def refuse_seconds(first_ms: int) -> None:
    """Refuse a first time that is one of our days in seconds.

    Raises:
        DataFileError: it is.
    """
    if _SECONDS[0] <= first_ms < _SECONDS[1]:
        raise DataFileError(f"ts_ms must be milliseconds, {first_ms} looks like seconds")


_SECONDS = (946_684_800, 4_102_444_800)
"""The years 2000 to 2100 in seconds. As milliseconds they are days of 1970."""


def _time_alone(ts_ms: int, *_: object) -> tuple[int | str]:
    return (ts_ms,)


_NO_TEXT = ("\0", "\ufffd")
"""What a byte becomes that belongs to no text, and one half of a wider character."""

_TIMES: Makers[tuple[int | str]] = Makers(_time_alone, _time_alone, _time_alone, lambda complaint: (complaint,))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                text = line.rstrip("\r\n")
                if text:
                    # Each line by itself: a quotation mark too many spoils its own row alone.
                    yield number, next(csv.reader([text])) if '"' in text else text.split(",")
    except FileNotFoundError:
        raise DataFileError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise DataFileError(f"{path.name} can not be read: {error}") from None


def _open(path: Path) -> TextIO:
    """Open a file as text; a byte that is none spoils its own row alone."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _rows(path: Path, makers: Makers[RowT]) -> Iterator[RowT]:
    lines = _lines(path)
    for line, header in lines:
        try:
            read = reader_of(header, makers)
        except BadRowError as error:
            raise DataFileError(f"{path.name} line {line}: {error}") from None
        break
    else:
        raise DataFileError(f"{path.name} is empty")
    for line, row in lines:
        try:
            yield read(row)
        except BadRowError as error:
            yield makers.bad(f"{path.name} line {line}: {error}")


def _timed(rows: Iterable[RowT], place: int) -> Iterator[tuple[int, int, int, RowT]]:
    """Give each row its place in the merge; a bad row goes with the row before it.

    Time alone decides between files, so a row that is late within its own file stays where the file has it.
    """
    newest_ms = 0
    for count, row in enumerate(rows):
        if row and type(row[0]) is int:
            newest_ms = max(newest_ms, row[0])
        yield newest_ms, place, count, row


def _merged(files: Sequence[Iterator[tuple[int, int, int, RowT]]]) -> Iterator[RowT]:
    for _, _, _, row in merge(*files, key=lambda timed: timed[:3]):
        yield row
