"""Signals as facts: noted the moment they come, read by the loop when it turns. Imported before anything else."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Final

STACKS_SIGNAL: Final[int | None] = getattr(signal, "SIGUSR1", None)
"""Has a service write down where it is; None where there is no such signal (Windows)."""
OWN_CONSOLE: Final = 0x0800_0000 if sys.platform == "win32" else 0
"""Flag for a new process (`CREATE_NO_WINDOW`): neither a Ctrl-C nor the closing of our window reaches it on Windows."""
received: list[int] = []
"""Numbers of the signals that came, in order."""


def catch() -> None:
    """Note SIGINT, SIGTERM and, unless they are ignored (nohup), SIGHUP or SIGBREAK, instead of dying of them."""
    signal.signal(signal.SIGINT, _note)
    signal.signal(signal.SIGTERM, _note)
    for name in ("SIGHUP", "SIGBREAK"):  # a closed terminal; Ctrl-Break or a closed window on Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _note)


def ignore() -> None:
    """Leave the end to the supervisor: terminals and honcho signal the whole group, services too."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)
            if hasattr(signal, "pthread_sigmask"):  # held back since before it began (`held_back`)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back meanwhile, and for good from a process that is started meanwhile (POSIX).

    A Ctrl-C reaches the whole group, and a Python that has only just begun would die of it. Ours are not lost: they come
    when this is over.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hung_up() -> bool:
    """Whether the terminal is gone."""
    return getattr(signal, "SIGHUP", None) in received


def _note(number: int, _frame: object) -> None:
    received.append(number)
