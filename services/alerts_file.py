"""`logs/alert.txt`: a line for every critical event and unhandled exception of any process, also without a bus."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from services.clock import iso, monotonic_ms, wall_ms

ALERTS_FILE = "alert.txt"
SAME_EVERY_MS = 60_000
"""The same message is written at most this often by one process; the next one says how many were left out."""
MOST_KINDS = 1_000

_told: dict[str, tuple[int | None, int]] = {}


def alert(log_dir: Path, level: str, message: str) -> None:
    """Append `[ISO time] LEVEL message` in one write. A disk that takes nothing is told on stderr, nothing more."""
    message = _limited(message, monotonic_ms())
    if not message:
        return
    line = f"[{iso(wall_ms())}] {level} {' '.join(message.split())}\n".encode()
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(log_dir / ALERTS_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"alert.txt can not be written ({error.strerror}): {line.decode()}")


def alerts_size(log_dir: Path) -> int:
    """Return how many bytes of alerts there are."""
    try:
        return (log_dir / ALERTS_FILE).stat().st_size
    except OSError:
        return 0


def alert_of_crashes(log_dir: Path, process: str) -> None:
    """Tell of an exception that nobody handles, in any thread of this process, before Python does."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        alert(log_dir, "CRITICAL", f"{process} failed: {kind.__name__}: {error}")
        sys.__excepthook__(kind, error or kind(), trace)

    sys.excepthook = tell
    threading.excepthook = lambda failed: tell(*failed[:3])


def _limited(message: str, now_ms: int) -> str:
    """Return what is to be written of a message: nothing while the same was written a moment ago."""
    last_ms, left_out = _told.get(message, (None, 0))
    if last_ms is not None and now_ms - last_ms < SAME_EVERY_MS:
        _told[message] = (last_ms, left_out + 1)
        return ""
    if len(_told) >= MOST_KINDS:
        _told.clear()
    _told[message] = (now_ms, 0)
    return f"{message} (and {left_out} times before)" if left_out else message
