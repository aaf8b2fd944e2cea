"""`logs/system.jsonl`: the session's events, one JSON object a line, written by the monitor alone.

Rotated between sessions and by size within one (stdlib's rotating handler), so it never grows without bound.
"""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import orjson

MAX_BYTES = 10 * 1024 * 1024
KEEP_FILES = 5


class SystemLog:
    """Appends events.

    Args:
        path: the file.
        fresh: begin a new file; the session before stays as `system.jsonl.1`, and so on.
    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEEP_FILES, encoding="utf-8")
        if fresh and path.exists() and path.stat().st_size:
            self._handler.doRollover()

    def write(self, event: dict[str, Any]) -> None:
        """Append an event. A full disk loses it, and says so on stderr; it never stops the monitor."""
        line = orjson.dumps(event, default=str).decode()
        self._handler.handle(logging.LogRecord("system", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
