"""Bounded waiting for facts that nobody announces (a file, a lock, a process), and small atomic files."""

import contextlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.clock import monotonic_ms

_NEVER = threading.Event()


def pause(ms: float) -> None:
    """Let some milliseconds pass between two looks at the same thing."""
    _NEVER.wait(ms / 1000)


def wait_until(holds: Callable[[], bool], timeout_ms: int, every_ms: float = 20) -> bool:
    """Look until something holds, at most `timeout_ms`; return whether it did."""
    deadline = monotonic_ms() + timeout_ms
    while not holds():
        if monotonic_ms() >= deadline:
            return False
        pause(every_ms)
    return True


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace a file as a whole: readers see the old one or the new one.

    Args:
        path: the file.
        data: its whole content.
        private: readable by its owner alone (POSIX); else as the umask has it.

    Raises:
        OSError: the disk is full, the directory is gone or not writable; it names the file.
    """
    try:
        temp = _temp(path, data, private=private)
        try:
            _insist(lambda: temp.replace(path))
        except OSError:
            temp.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_first(path: Path, data: bytes) -> bool:
    """Create a private file as a whole unless it exists; of several writers exactly one succeeds and learns so."""
    temp = _temp(path, data, private=True)
    try:
        if os.name == "nt":
            _insist(lambda: temp.rename(path))  # refuses a name that is taken, also on a disk that has no links
        else:
            os.link(temp, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):  # whoever holds it does not change what was done
            temp.unlink(missing_ok=True)
    return True


def is_there(path: Path) -> bool:
    """Tell whether something of that name exists. A name that no file can have (it is too long) is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or None when it is absent or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _temp(path: Path, data: bytes, *, private: bool) -> Path:
    temp = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    return temp


def _insist(move: Callable[[], object]) -> None:
    """Move a file, which fails on Windows while a reader or a virus scanner has one of the two open; they are quick."""
    for _ in range(50):
        try:
            move()
        except PermissionError:
            if os.name != "nt":
                raise
            pause(10)
        else:
            return
    move()
