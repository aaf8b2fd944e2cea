"""`lap top` in a terminal: it attaches, shows, leaves without a trace, and stops the session when it is told to twice."""

import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
from processes import FACTOR, LAP, Desk, environment, eventually

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is a POSIX thing", allow_module_level=True)
import termios


class Terminal:
    """A terminal of 80 by 24 with a program in it."""

    def __init__(self, desk: Desk, *words: str, **env: str) -> None:
        self.ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self.ours, False)
        self._text = ""
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.popen = subprocess.Popen(
            [LAP, *words],
            cwd=desk.directory,
            env=environment({"TERM": "xterm-256color", "LANG": "C.UTF-8", **env}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    def read(self) -> str:
        try:
            while chunk := os.read(self.ours, 65536):
                self._text += chunk.decode("utf-8", "replace")
        except (BlockingIOError, OSError):
            pass
        return self._text

    def shows(self, words: str, seconds: float = 15) -> None:
        eventually(lambda: words in self.read(), seconds, f"{words!r} in\n{self._text[-3000:]}")

    def forget(self) -> None:
        self.read()
        self._text = ""

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.end()


def test_it_watches_a_session_leaves_and_stops_it_when_told_to(desk: Desk, terminals: list[Terminal]) -> None:
    assert desk.lap("top").returncode == 3, "no session yet"
    program = desk.session(LAP_DURATION="5", LAP_MAX_DAILY_DRAWDOWN_PCT="99")
    desk.wait_running()
    first = Terminal(desk, "top", NO_COLOR="1", LC_ALL="C")
    terminals.append(first)
    first.shows("BTCUSDT 1s from mock")
    first.shows("ticks/s")
    assert "\x1b[3" not in first.read().replace("\x1b[39m", ""), "no colour when none is wanted"
    assert first.read().isascii(), "and nothing that such a terminal can not show"
    first.press("q")
    assert first.popen.wait(10 * FACTOR) == 0
    assert termios.tcgetattr(first.theirs) == first.before, "the terminal is as it was"
    assert "\x1b[?1049l" in first.read(), "and its screen too"
    assert program.popen.poll() is None, "the session goes on"

    second = Terminal(desk, "top")
    terminals.append(second)
    second.shows("k kill the session")
    second.press("k")
    second.shows("y: yes, any other key: no")
    second.press("n")
    second.forget()
    second.shows("k kill the session")
    assert not (desk.directory / "kill.txt").exists()
    second.press("ky")
    assert program.wait(20) == 0
    second.shows("ended: kill")
    assert second.popen.wait(10 * FACTOR) == 0
    assert desk.summary()["stop_detail"] == "lap top"


def test_without_a_terminal_that_can_be_drawn_on_it_is_one_look(desk: Desk, terminals: list[Terminal]) -> None:
    desk.session()
    desk.wait_running()
    looked = desk.lap("top")
    assert (looked.returncode, "price" in looked.stdout, "\x1b" in looked.stdout) == (0, True, False)
    dumb = Terminal(desk, "top", TERM="dumb")
    terminals.append(dumb)
    dumb.shows("price")
    assert dumb.popen.wait(10 * FACTOR) == 0
    assert "\x1b" not in dumb.read()
    assert desk.lap("kill").returncode == 0
