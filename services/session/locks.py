"""Locks on empty files: held by a living process, free the moment it is gone, however it went."""

import os
import sys
from pathlib import Path

from services.clock import monotonic_ms
from services.waiting import pause

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FileLock:
    """An exclusive lock on a file of its own. The file stays; the lock goes with the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; a lock that this object holds already stays held."""
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(fd)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def acquire(self, timeout_ms: int) -> bool:
        """Take the lock, waiting at most `timeout_ms`; false when it stayed taken."""
        deadline = monotonic_ms() + timeout_ms
        while not self.try_acquire():
            if monotonic_ms() >= deadline:
                return False
            pause(20)
        return True

    def release(self) -> None:
        """Let go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def is_taken(self) -> bool:
        """Whether somebody holds it now."""
        if self._fd is not None:
            return True
        if not self.path.exists() or not self.try_acquire():
            return self.path.exists()
        self.release()
        return False


def _lock(fd: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
