"""A finished recording, packed: `events.jsonl.gz` holds the same lines as `events.jsonl`, some 3 to 17 bytes an event.

A short recording stays as it is, to be read with `less`. Whoever reads a recording is told nothing of all this; and
what `gzip events.jsonl` makes by hand is read as well.
"""

import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.feed.recording_lines import RecordingError

PLAIN: Final = "events.jsonl"
PACKED: Final = "events.jsonl.gz"
LEAST_BYTES: Final = 1 << 20
"""A recording shorter than this is not packed."""
MOST_BYTES: Final = 1 << 30
"""Nor is one longer than this: a session's end can not wait for it. `gzip` does it at leisure."""
_HURRY_BYTES: Final = 1 << 26
_CHUNK: Final = 1 << 20


def pack(run_dir: Path) -> None:
    """Pack a finished run's recording; a reader finds it whole at every instant.

    Raises:
        OSError: it can not be written; the plain one is still there.
    """
    plain, packed = run_dir / PLAIN, run_dir / PACKED
    if not plain.exists() or not LEAST_BYTES <= plain.stat().st_size <= MOST_BYTES:
        return
    level = 6 if plain.stat().st_size <= _HURRY_BYTES else 1
    half = run_dir / f".{PACKED}"
    try:
        # Neither name nor time in it: the same recording packs to the same bytes.
        with plain.open("rb") as source, half.open("wb") as target, gzip.GzipFile("", "wb", level, target, 0) as file:
            shutil.copyfileobj(source, file, _CHUNK)
        half.replace(packed)
    except OSError:
        half.unlink(missing_ok=True)
        raise
    with suppress(PermissionError):  # on Windows somebody may be reading it
        plain.unlink()


def place_of(path: Path) -> Path:
    """Return the file that holds a recording: of a run's directory, or of a path that names it plain or packed."""
    directory = path if path.is_dir() else path.parent
    named = PLAIN if path.is_dir() else path.name
    if not (directory / named).exists() and named == PLAIN and (directory / PACKED).exists():
        return directory / PACKED
    return directory / named


def recorded_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a recording, packed or not.

    Raises:
        OSError: it is not there, or not readable.
        RecordingError: what is packed is broken.
    """
    place = place_of(path)
    if place.suffix != ".gz":
        with place.open("rb") as file:
            yield from file
        return
    try:
        with gzip.open(place, "rb") as packed:
            yield from packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(f"{place} is broken: {error}") from None
