"""In which candle or tick the strategy's process is, on disk: so that the next process knows what the last one died of.

Two small writes a call into a file of the state directory, never flushed: the death of a process loses nothing of them.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from bus.messages import QuestionKey

MOST_DEATHS: Final = 2
"""A call that so many processes have died in is not tried again."""
NAME: Final = "strategy.attempt"
_RECORD: Final = 64


class AttemptsFile:
    """The call that runs, in the file's first record; then a record for each call that a process died in.

    A disk that takes nothing forgets deaths, and holds nobody up.

    Args:
        state_dir: the session's; the file of an earlier session is gone from it.
    """

    def __init__(self, state_dir: Path) -> None:
        self._fd = os.open(state_dir / NAME, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        running, *died = _read(self._fd) or [((0, 0), 0)]
        self._deaths: dict[QuestionKey, int] = dict(died)
        if running[1]:
            self._deaths[running[0]] = self._deaths.get(running[0], 0) + 1
            for row, (key, deaths) in enumerate(self._deaths.items(), 1):
                self._write(row, key, deaths)
            self._write(0, running[0], 0)

    def begin(self, key: QuestionKey) -> bool:
        """Take note that the strategy is about to be called; false when it must not be: two died of it."""
        if self._deaths.get(key, 0) >= MOST_DEATHS:
            return False
        self._write(0, key, 1)
        return True

    def end(self) -> None:
        """Take note that the call came back."""
        self._write(0, (0, 0), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _write(self, row: int, key: QuestionKey, count: int) -> None:
        record = f"{key[0]} {key[1]} {count}".ljust(_RECORD - 1).encode() + b"\n"
        with contextlib.suppress(OSError):
            os.lseek(self._fd, row * _RECORD, os.SEEK_SET)
            os.write(self._fd, record)


def _read(fd: int) -> list[tuple[QuestionKey, int]]:
    lines = os.read(fd, os.fstat(fd).st_size).decode("ascii", "replace").splitlines()
    numbers = [line.split() for line in lines]
    return [((int(row[0]), int(row[1])), int(row[2])) for row in numbers if len(row) == 3 and "".join(row).isdecimal()]
