"""Who started the session, and whether it is still there: honcho, `lap run`, or a shell."""

import os
import select
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Process:
    """A process that can not be mistaken for a later one with the same pid."""

    pid: int
    created: float

    @property
    def is_alive(self) -> bool:
        """Whether it is still running (a zombie is not)."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


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
    return Launcher(data["kind"], Process(data["head"]["pid"], data["head"]["created"]))


def this_process() -> Process:
    """Return this process."""
    return identify(os.getpid())


def identify(pid: int) -> Process:
    """Return the process with a pid; one that is gone was created at 0."""
    try:
        return Process(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Process(pid, 0.0)


def find_launcher() -> Launcher:
    """Return who started this process: the highest honcho among its ancestors, else its parent."""
    parents = psutil.Process().parents()
    chain = [Process(parent.pid, parent.create_time()) for parent in parents]
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
    named = any(Path(word).name in {"honcho", "honcho.exe"} for word in words[:3])
    return named or words[1:3] == ["-m", "honcho"]


class OutputWatch:
    """Tells when the reader of honcho's output is gone (Linux): honcho's loop is dead then, its process stays."""

    def __init__(self, launcher: Launcher) -> None:
        self._poll: select.poll | None = None
        if launcher.kind == "honcho" and sys.platform == "linux":
            self._open(f"/proc/{launcher.head.pid}/fd/1")
        elif launcher.kind == "run" and sys.platform != "win32":
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


def alive(processes: Sequence[Process]) -> list[Process]:
    """Return those that are still running."""
    return [process for process in processes if process.is_alive]
