"""The seal of a finished run: checksums of its recording and its journal, so that a changed byte is found and named.

`seal.json`: SHA-256 of `journal.db`, and of the recording's lines in blocks, whether it is packed by now or not.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from services.feed.packed_file import PLAIN as EVENTS_FILE
from services.feed.packed_file import recorded_lines
from services.feed.recording_lines import RecordingError
from services.file_names import JOURNAL
from services.waiting import read_json, write_atomic

SEAL_FILE: Final = "seal.json"
BLOCK_LINES: Final = 1_000


def seal_run(run_dir: Path) -> None:
    """Write a finished run's seal.

    Raises:
        OSError: it can not be written.
    """
    write_atomic(run_dir / SEAL_FILE, json.dumps(_seal_of(run_dir)).encode())


def changed_since_sealed(run_dir: Path) -> str:
    """Return one sentence on what is not as it was sealed; empty when all is, or nothing was sealed."""
    if not (run_dir / SEAL_FILE).exists():
        return ""
    sealed = read_json(run_dir / SEAL_FILE)
    if not isinstance(sealed, dict) or not isinstance(sealed.get("events"), list) or "journal" not in sealed:
        return f"{SEAL_FILE} is broken: what the session left can not be told any more"
    now = _seal_of(run_dir)
    if sealed["events"] and not now["events"]:
        return f"{EVENTS_FILE} is not there any more"
    if sealed["events"] != now["events"]:
        return _changed_block(sealed["events"], now["events"])
    if sealed["journal"] and not now["journal"]:
        return f"{JOURNAL} is not there any more"
    if sealed["journal"] != now["journal"]:
        return f"{JOURNAL} is not the one that the session left: its checksum differs"
    return ""


def _seal_of(run_dir: Path) -> dict[str, Any]:
    return {"journal": _file_hash(run_dir / JOURNAL), "events": list(_block_hashes(run_dir))}


def _changed_block(sealed: list[str], now: list[str]) -> str:
    for index, digest in enumerate(sealed):
        if index >= len(now) or now[index] != digest:
            first = index * BLOCK_LINES + 1
            lines = f"lines {first} to {first + BLOCK_LINES - 1}"
            return f"{EVENTS_FILE} is not the one that was recorded: {lines} differ"
    return f"{EVENTS_FILE} is not the one that was recorded: lines were added"


def _file_hash(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _block_hashes(run_dir: Path) -> Iterator[str]:
    digest, lines = hashlib.sha256(), 0
    try:
        for line in recorded_lines(run_dir):
            digest.update(line)
            lines += 1
            if lines == BLOCK_LINES:
                yield digest.hexdigest()
                digest, lines = hashlib.sha256(), 0
    except FileNotFoundError:
        return
    except RecordingError as error:
        yield str(error)
        return
    if lines:
        yield digest.hexdigest()
