"""`logs/alert.txt`: a line for every critical event and unhandled exception of any process, also without a bus."""

import contextlib
import os
import sys
from pathlib import Path

from services.clock import iso, wall_ms


def alert(log_dir: Path, level: str, message: str) -> None:
    """Append `[ISO time] LEVEL message` in one write. A disk that takes nothing is told on stderr, nothing more."""
    line = f"[{iso(wall_ms())}] {level} {' '.join(message.split())}\n".encode()
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(log_dir / "alert.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"alert.txt can not be written ({error.strerror}): {line.decode()}")
