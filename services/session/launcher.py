"""Who started the session, and whether it is still there: honcho, `lap run`, or a shell."""

import contextlib
import os
import re
import select
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

_INTERPRETER = re.compile(r"(python|pypy|py)[\d.]*w?(\.exe)?", re.IGNORECASE)
_WITH_VALUE = re.compile(r"-[^-cmWX]*([cmWX])(.*)", re.DOTALL)
"""An option of the interpreter that has a value, attached or in the next word; others may come before it in the same word."""


@dataclass(frozen=True)
class Process:
    """A process that can not be mistaken for a later one with the same pid.

    Attributes:
        pid: its number.
        created: when it was started, in seconds: on Linux since the boot, elsewhere since the epoch.
        boot: which boot that was (Linux), else empty.
    """

    pid: int
    created: float
    boot: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether it is still running (a zombie is not). What can not be looked at, for want of a handle, is."""
        try:
            now = _look(self.pid)
        except OSError:
            return True
        return now is not None and now.boot == self.boot and abs(now.created - self.created) < 1

    def kill(self) -> None:
        """End it now, if it is still there."""
        if self.is_alive:
            with contextlib.suppress(psutil.Error):
                psutil.Process(self.pid).kill()


@dataclass(frozen=True)
class Launcher:
    """Who holds a session's processes together.

    Attributes:
        kind: `honcho`, `run` (`lap run`) or `shell` (a service started by hand).
        head: the process whose end is the launcher's end.
        chain: every link from this process's parent up to the head; any of them gone means orphaned.
    """

    kind: str
    head: Process
    chain: tuple[Process, ...] = ()

    @property
    def is_alive(self) -> bool:
        """Whether every link is still there; a shell may go, what it started by hand stays."""
        return self.kind == "shell" or all(link.is_alive for link in (self.head, *self.chain))

    def to_dict(self) -> dict[str, Any]:
        """Return it as `session.json` has it."""
        return {"kind": self.kind, "head": asdict(self.head)}


def launcher_of_dict(data: Mapping[str, Any]) -> Launcher:
    """Return the launcher that `session.json` names."""
    return Launcher(data["kind"], Process(**data["head"]))


def this_process() -> Process:
    """Return this process."""
    return identify(os.getpid())


def identify(pid: int) -> Process:
    """Return the process with a pid; one that is gone was created at 0."""
    try:
        return _look(pid) or Process(pid, 0.0)
    except OSError:
        return Process(pid, 0.0)


def _look(pid: int) -> Process | None:
    """Return the process that has a pid now; None when there is none, or what is left of it is a zombie.

    Not psutil's time on Linux: that counts from the epoch, by way of the boot's wall time, which moves when the wall
    clock is set. Every process would be taken for another one then.

    Raises:
        OSError: it can not be looked at.
    """
    try:
        if sys.platform == "linux":
            state, *more = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return None if state in {b"Z", b"X"} else Process(pid, int(more[18]) / _ticks_a_second(), _boot())
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else Process(pid, _created(process))
    except (FileNotFoundError, ProcessLookupError, psutil.Error):
        return None


def _created(process: psutil.Process) -> float:
    """Return when it was created, the same however the wall clock is set meanwhile.

    On macOS psutil's `create_time` moves with it, by another amount in each process that asks. What psutil itself tells
    processes apart by does not.
    """
    ident = vars(process).get("_ident") if sys.platform == "darwin" else None
    return float(ident[1]) if ident else process.create_time()


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@cache
def _ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK")


def find_launcher() -> Launcher:
    """Return who started this process: the highest honcho among its ancestors, else its parent."""
    parents = psutil.Process().parents()
    chain = [identify(parent.pid) for parent in parents]
    honchos = [index for index, parent in enumerate(parents) if _is_honcho(parent)]
    if honchos:
        links = chain[: honchos[-1] + 1]
        return Launcher("honcho", links[-1], tuple(links[:-1]))
    return Launcher("shell", chain[0] if chain else this_process())


def run_launcher() -> Launcher:
    """Return the launcher that `lap run` is to its services."""
    return Launcher("run", this_process())


def _is_honcho(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return _program_of(words) in {"honcho", "honcho.exe"}


def _program_of(words: Sequence[str]) -> str:
    """Return the name of what a command line runs: of the script or the module, where it runs an interpreter.

    Not of what it is about: an editor that was given a directory called honcho is not to be ended with a session.
    """
    program = Path(words[0]).name if words else ""
    if not _INTERPRETER.fullmatch(program):
        return program
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            return Path(word).name
        if (option := _WITH_VALUE.match(word)) is not None:
            letter, attached = option.groups()
            value = attached or next(rest, "")
            if letter in "cm":
                return value if letter == "m" else ""
    return ""


class OutputWatch:
    """Tells when the reader of honcho's output is gone (Linux): honcho's loop is dead then, its process stays."""

    def __init__(self, launcher: Launcher) -> None:
        self._poll: select.poll | None = None
        if launcher.kind == "honcho" and sys.platform == "linux":
            self._open(f"/proc/{launcher.head.pid}/fd/1")
        elif launcher.kind == "run" and sys.platform == "linux":
            self._watch(1)

    @property
    def reader_is_gone(self) -> bool:
        """Whether what is printed can reach nobody any more."""
        return self._poll is not None and any(flags & select.POLLERR for _, flags in self._poll.poll(0))

    def _open(self, path: str) -> None:
        try:
            self._watch(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
        except OSError:
            self._poll = None

    def _watch(self, fd: int) -> None:
        self._poll = select.poll()
        self._poll.register(fd, 0)
