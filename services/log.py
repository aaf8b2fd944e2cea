"""A process's own log (`logs/<service>.jsonl`), the file that such logs are, and the stacks of a hung loop.

By the standard library's `logging`, which pyzmq and others bring along in any case.
"""

import faulthandler
import logging
import sys
from itertools import pairwise
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, TextIO

import orjson

from bus.messages import Level
from services.clock import iso
from services.signals import STACKS_SIGNAL

ROTATE_BYTES: Final = 20 * 1024 * 1024
KEEP_FILES: Final = 3

_LOGGER: Final = logging.getLogger("services")
_LOGGER.propagate = False


class LinesFile(RotatingFileHandler):
    """A file of lines that never grows without bound. A disk that takes nothing loses them, and is told of once on stderr.

    Args:
        path: the file; its directory is made.
        most_bytes: of one file; the ones before stay as `.1`, `.2` ...
        keep: so many of those at most.
        fresh: begin a new file for a new session.
    """

    def __init__(self, path: Path, most_bytes: int, keep: int, *, fresh: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=most_bytes, backupCount=keep, encoding="utf-8")
        self._most_bytes = most_bytes
        self._told = False
        if fresh and path.is_file() and path.stat().st_size:
            self.doRollover()

    def write_line(self, text: str) -> None:
        """Append a line."""
        self.handle(logging.LogRecord("", logging.INFO, "", 0, text, None, None))

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Begin a new file. On Windows one that somebody reads can not be moved: it goes on then, and a bit later it is tried again."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None  # the library opens it again then
        path = Path(self.baseFilename)
        names = [f"{path.name}.{number}" for number in range(self.backupCount + 1)]
        try:
            path.replace(path.with_name(names[0]))  # first of all: if it can not be moved, the older ones stay
            for newer, older in reversed(list(pairwise(names))):
                if path.with_name(newer).exists():
                    path.with_name(newer).replace(path.with_name(older))
            self.maxBytes = self._most_bytes
        except PermissionError:
            self.maxBytes += max(1, self._most_bytes // 10)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Tell of the error that is being handled."""
        self._tell(sys.exc_info()[1])

    def close(self) -> None:
        """Close the file; what it can not take any more is lost."""
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        if not self._told:
            self._told = True
            sys.stderr.write(f"{self.baseFilename} can not be written: {getattr(error, 'strerror', error)}\n")


class _JsonLine(logging.Formatter):
    """An event as a line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: `ts, level, pid, message, service`, and the event's name if it has one."""
        line = {
            "ts": iso(int(record.created * 1000)),
            "level": record.levelname,
            "pid": record.process,
            "message": record.getMessage(),
            "service": self._service,
        }
        event = getattr(record, "event", "")
        return orjson.dumps({**line, "event": event} if event else line).decode()


def open_log(log_dir: Path, service: str, *, fresh: bool, to_terminal: bool) -> None:
    """Send this process's log to its file (bounded: `KEEP_FILES` of `ROTATE_BYTES`), and to the terminal when bare."""
    file = LinesFile(log_dir / f"{service}.jsonl", ROTATE_BYTES, KEEP_FILES, fresh=fresh)
    file.setFormatter(_JsonLine(service))
    _LOGGER.addHandler(file)
    _LOGGER.setLevel(logging.INFO)
    if to_terminal:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)-8s %(message)s", "%H:%M:%S"))
        _LOGGER.addHandler(terminal)


def write(level: Level, event: str, text: str) -> None:
    """Log an event; without an `event` it is words for a person alone."""
    _LOGGER.log(getattr(logging, level.value), text, extra={"event": event})


def close_log() -> None:
    """Write out what is left."""
    for handler in list(_LOGGER.handlers):
        _LOGGER.removeHandler(handler)
        handler.close()


def open_stacks(log_dir: Path, service: str) -> TextIO | None:
    """Return the file into which all stacks go whenever the signal of a supervisor comes; None where there is none.

    No thread watches over the time: it would read the stacks while they change, which has been seen to end a process
    that had only slept.
    """
    if STACKS_SIGNAL is None:
        return None
    stacks = (log_dir / f"{service}.stacks.txt").open("a", encoding="utf-8")
    faulthandler.register(STACKS_SIGNAL, stacks)
    return stacks
