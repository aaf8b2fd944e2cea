"""`lap top`: the running session, live in a terminal.

It reads the files that the session writes anyway, and nothing else: it is no part of the bus, and can attach, leave,
be stopped or hang without any service noticing. The one thing it can do is what `touch kill.txt` does.
"""

import locale
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from services.clock import monotonic_ms
from services.commands.glance import glance, lines
from services.commands.log_lines import LogLine
from services.commands.reading import Tail
from services.commands.top_view import Look, ended, picture
from services.session.state import Session, ask_to_stop, read_stop, remove_kill_file
from services.waiting import pause

LOOK_EVERY_MS = 500
KEPT = 200
RATED_AFTER_MS = 2_000
"""The counts are renewed each second: over less than this a rate says nothing."""
QUESTION = "stop the session, close its position? y: yes, any other key: no"
_RATED = ("ticks", "worked_seq")


class Watch:
    """What is remembered from one look to the next: prices, rates, events."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tail = Tail(session.log_dir / "system.jsonl", "system")
        self._prices: deque[float] = deque(maxlen=KEPT)
        self._events: deque[LogLine] = deque(maxlen=KEPT)
        self._counted: deque[tuple[int, Mapping[str, float]]] = deque(maxlen=20)

    def look(self, question: str = "", *, is_plain: bool = False) -> Look:
        """Look at the session's files."""
        seen = glance(self._session)
        if seen["price"]:
            self._prices.append(seen["price"])
        if seen.get("counts"):
            self._counted.append((monotonic_ms(), seen["counts"]))
        self._events.extend(line for line in self._tail.fresh() if line.run_id == self._session.run_id)
        return Look(seen, list(self._prices), self._rates(), list(self._events), question, is_plain)

    def _rates(self) -> dict[str, float]:
        if not self._counted:
            return {}
        (begin, before), (end, now) = self._counted[0], self._counted[-1]
        if end - begin < RATED_AFTER_MS:
            return {}
        return {name: (now.get(name, 0) - before.get(name, 0)) * 1000 / (end - begin) for name in _RATED}


def top_command(session: Session, is_running: Callable[[Session], bool]) -> int:
    """Show the session until it ends or somebody leaves; return the exit code."""
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal or not sys.stdin.isatty():
        sys.stdout.write("\n".join(lines(glance(session))) + "\n")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with _keys() as key_within, Live(console=console, screen=True, auto_refresh=False) as live:
            return _watch(session, is_running, live, key_within)
    except KeyboardInterrupt:
        return 0
    finally:
        if not is_running(session):
            stop = read_stop(session)
            for line in ended(glance(session), stop.reason.value if stop else ""):
                console.print(line, highlight=False, soft_wrap=True)


def _watch(
    session: Session, is_running: Callable[[Session], bool], live: Live, key_within: Callable[[int], str]
) -> int:
    watch, question, has_asked = Watch(session), "", False
    is_plain = not _takes_all(live.console.encoding)
    while is_running(session):
        size = live.console.size
        look = watch.look(question, is_plain=is_plain)
        live.update(Group(*picture(look, size.width, size.height)), refresh=True)
        key = key_within(LOOK_EVERY_MS)
        if question:
            question = question if not key else ""
            if key in {"y", "Y"}:
                has_asked = True
                ask_to_stop(session, "lap top")
        elif key == "k":
            question = QUESTION
        elif key in {"q", "Q"}:
            return 0
    if has_asked:  # the session's end may have come just before
        with suppress(OSError):
            remove_kill_file(session)
    return 0


def _takes_all(encoding: str) -> bool:
    """Whether more than ASCII can be shown: the output's encoding, and on POSIX what the terminal's locale asks for.

    Python writes UTF-8 also where the locale is `C`.
    """
    asked = [encoding] if sys.platform == "win32" else [encoding, locale.getencoding()]
    return all(name.lower().startswith("utf") for name in asked)


@contextmanager
def _keys() -> Iterator[Callable[[int], str]]:
    """Take keys as they are pressed; the terminal is as it was afterwards."""
    if sys.platform == "win32":
        yield _windows_key
        return
    import termios  # noqa: PLC0415 - there is none on Windows
    import tty  # noqa: PLC0415

    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)
    try:
        yield lambda ms: _posix_key(stdin, ms)
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _posix_key(stdin: int, ms: int) -> str:
    """Wait for a key for some time; a terminal that is gone is a wish to leave."""
    ready, _, _ = select.select([stdin], [], [], ms / 1000)
    if not ready:
        return ""
    return os.read(stdin, 1).decode("ascii", "ignore") or "q"


def _windows_key(ms: int) -> str:
    import msvcrt  # noqa: PLC0415 - exists there alone

    functions: Any = msvcrt
    deadline = monotonic_ms() + ms
    while monotonic_ms() < deadline:
        if functions.kbhit():
            return str(functions.getwch())
        pause(20)
    return ""
