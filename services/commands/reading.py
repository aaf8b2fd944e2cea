"""`lap logs`: the logs of all processes as one, in the order of time, once or as they grow."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.text import Text

from bus.ports import ALL_SERVICES
from services.clock import iso
from services.commands.log_lines import LEVELS, LogLine, Merger, is_at_least, parse
from services.session.state import Session
from services.waiting import is_there, pause

REFUSED = 2
FOLLOW_EVERY_MS = 200
LAST_BYTES = 50_000_000
"""Of each log at most so much is read."""
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def logs_command(log_dir: Path, session: Session | None, service: str, level: str, *, follow: bool) -> int:
    """Show the logs of a session (the running one, or the last); return the exit code: 0, or 2 for a wrong word.

    Args:
        log_dir: where the logs are.
        session: whose lines are shown; None shows all that there are.
        service: only this one's; empty: all.
        level: only what matters at least so much; empty: all.
        follow: go on until interrupted.
    """
    wanted = level.upper() or LEVELS[0]
    if service and service not in ALL_SERVICES:
        return _refuse(f"--service must be one of {', '.join(ALL_SERVICES)}, was {service!r}")
    if wanted not in LEVELS:
        return _refuse(f"--level must be one of {', '.join(LEVELS)}, was {level!r}")
    tails = [Tail(log_dir / f"{name}.jsonl", name) for name in ("system", *ALL_SERVICES)]
    if not follow and not any(is_there(tail.path) for tail in tails):
        return _refuse(f"there are no logs in {log_dir}")

    def is_wanted(line: LogLine) -> bool:
        is_ours = session is None or (line.run_id or session.run_id) == session.run_id
        is_new = session is None or line.ts >= iso(session.started_ms)
        return is_ours and is_new and service in {"", line.service} and is_at_least(line, wanted)

    try:
        _show(tails, is_wanted, follow=follow)
    except (KeyboardInterrupt, BrokenPipeError):
        with contextlib.suppress(OSError):
            sys.stdout.close()
    return 0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave what is to be done to the command: whoever read had enough, which is no failure."""
        raise BrokenPipeError


def _show(tails: "Iterable[Tail]", is_wanted: Callable[[LogLine], bool], *, follow: bool) -> None:
    console = _Console(highlight=False, soft_wrap=True)
    merger = Merger()
    while True:
        for line in merger.merge(line for tail in tails for line in tail.fresh() if is_wanted(line)):
            console.print(_worded(line))
        if not follow:
            return
        pause(FOLLOW_EVERY_MS)


def _worded(line: LogLine) -> Text:
    """`06:49:38.033 INFO     broker    fill              SHORT 0.8257 enters at 60548.1`."""
    style = _STYLES.get(line.level, "")
    return Text.assemble(
        (line.ts[11:23], "dim"),
        " ",
        (f"{line.level:<8}", style),
        " ",
        (f"{line.service:<9}", "cyan"),
        " ",
        (f"{line.event:<18}", "bold" if line.event else ""),
        " ",
        (line.message.rstrip().replace("\n", "\n" + " " * 14), style),
    )


class Tail:
    """What is new in a file since the last look; a file that was rotated begins anew."""

    def __init__(self, path: Path, service: str) -> None:
        self.path = path
        self._service = service
        self._at: int | None = None
        self._inode = 0

    def fresh(self) -> Iterator[LogLine]:
        """Yield whole lines that were added."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            if self._at is None:
                self._at = max(0, found.st_size - LAST_BYTES)
            elif found.st_ino != self._inode:
                yield from self._rest()
                self._at = 0
            elif found.st_size < self._at:
                self._at = 0
            self._inode = found.st_ino
            yield from self._lines(file, self._at)

    def _rest(self) -> Iterator[LogLine]:
        """Yield what came into the file before it was rotated, after the last look."""
        with contextlib.suppress(OSError), self.path.with_name(f"{self.path.name}.1").open("rb") as file:
            if os.fstat(file.fileno()).st_ino == self._inode:
                yield from self._lines(file, self._at or 0)

    def _lines(self, file: BinaryIO, begin: int) -> Iterator[LogLine]:
        file.seek(begin)
        self._at = begin
        for text in file:
            if not text.endswith(b"\n"):
                break
            self._at += len(text)
            if (line := parse(text, self._service)) is not None:
                yield line


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return REFUSED
