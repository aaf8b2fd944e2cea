"""`logs/system.jsonl`: the session's events, one JSON object a line, written by the monitor alone."""

from pathlib import Path
from typing import Any, Final

import orjson

from services.log import LinesFile

MAX_BYTES: Final = 10 * 1024 * 1024
KEEP_FILES: Final = 5


class SystemLog:
    """Appends events.

    Args:
        path: the file.
        fresh: begin a new file; the session before stays as `system.jsonl.1`, and so on.
    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self._file = LinesFile(path, MAX_BYTES, KEEP_FILES, fresh=fresh)

    def write(self, event: dict[str, Any]) -> None:
        """Append an event; a full disk never stops the monitor."""
        self._file.write_line(orjson.dumps(event, default=str).decode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
