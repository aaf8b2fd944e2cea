"""Watches `alert.txt` and has what is new in it sent to `alert_urls`. Light: the sending is a child of its own.

The file is the queue, and how far each address has been told is all there is to know: whichever process wrote an alert,
with the bus alive or dead, it goes out from here, everything that came meanwhile in one message. What an address did not
take is sent to it again, at longer and longer intervals. Nothing here waits for a server.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable

from services import signals
from services.alerts_file import ALERTS_FILE, alert, alerts_size
from services.clock import monotonic_ms
from services.session.state import Session

PAUSE_MS = 10_000
MOST_PAUSE_MS = 300_000
LAST_WORD_MS = 5_000
MOST_BYTES = 8_000
"""Of a message; what is more is in the file."""
MOST_AT_ONCE = 12_000
"""Bytes of all messages together: as much as a pipe takes whose reader has only just been started."""


class Messenger:
    """Sends a session's alerts on.

    Args:
        session: whose `alert_urls`; without any, nothing is done at all.
        tell: prints a line.
    """

    def __init__(self, session: Session, tell: Callable[[str], None]) -> None:
        self._urls = list(session.settings.get("alert_urls") or ())
        self._log_dir = session.log_dir
        self._path = session.log_dir / ALERTS_FILE
        self._title = f"laptop-agents {session.settings['symbol']} {session.run_id}"
        self._root = session.root
        self._tell = tell
        self._told = [session.alerts_from] * len(self._urls)
        self._next_ms = 0
        self._pause_ms = PAUSE_MS
        self._child: subprocess.Popen[bytes] | None = None
        self._under_way: dict[int, int] = {}

    def turn(self, now_ms: int) -> None:
        """Send what is new, unless something is on its way."""
        if self._child is not None and self._child.poll() is not None:
            self._complain(self._hear_out(self._child))
        if self._child is None and self._urls and now_ms >= self._next_ms:
            self._send(now_ms)

    def close(self) -> None:
        """Send the last words; wait for them a moment. Say so when somebody was not told everything."""
        deadline = monotonic_ms() + LAST_WORD_MS
        for _ in range(2):  # what is on its way, then what came after it
            self._finish(deadline)
            if monotonic_ms() < deadline:
                self._next_ms = 0
                self.turn(monotonic_ms())
        self._finish(deadline)
        size = alerts_size(self._log_dir)
        if missed := sum(told < size for told in self._told):
            self._tell(f"alerts were not sent to {missed} of the {len(self._urls)} alert_urls: {self._path} has them")

    def _finish(self, deadline: int) -> None:
        """Wait for what is on its way, and end it then; nobody needs an alert of what was not taken any more."""
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(max(0, deadline - monotonic_ms()) / 1000)
            self._child.kill()
            self._child.wait()
            self._hear_out(self._child)

    def _text(self, begin: int, end: int) -> str:
        """Return what the file has there, its end if that is much."""
        begin = max(begin, end - min(MOST_BYTES, MOST_AT_ONCE // len(self._urls)))
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(begin)
            return file.read(end - begin).decode("utf-8", "replace")
        return ""

    def _send(self, now_ms: int) -> None:
        size = alerts_size(self._log_dir)
        behind = [place for place, told in enumerate(self._told) if told < size]
        if not behind:
            return
        self._next_ms = now_ms + self._pause_ms
        self._under_way = dict.fromkeys(behind, size)
        letters = [{"url": self._urls[place], "body": self._text(self._told[place], size)} for place in behind]
        wanted = {"title": self._title, "letters": letters}
        with contextlib.suppress(OSError):  # no process to be had, or a pipe that takes no more: it is tried again
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "services.supervision.notifying"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=self._root,
                creationflags=signals.OWN_CONSOLE,
            )
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps(wanted, ensure_ascii=False).encode())
            self._child.stdin.close()

    def _hear_out(self, child: "subprocess.Popen[bytes]") -> list[int]:
        """Note which letters were taken; return the places of the addresses that did not take theirs."""
        assert child.stdout is not None
        with child.stdout as output:
            taken = {int(word) for word in output.read().split() if word.isdigit()}  # a plugin may print, too
        self._child = None
        missed = []
        for number, (place, size) in enumerate(self._under_way.items()):
            if number in taken:
                self._told[place] = size
            else:
                missed.append(place)
        return missed

    def _complain(self, missed: list[int]) -> None:
        """Make an alert of the first failure after a success, for the addresses that work; then try more seldom."""
        if not missed:
            self._pause_ms = PAUSE_MS
            return
        if self._pause_ms == PAUSE_MS:
            numbers = ", ".join(str(place + 1) for place in missed)
            text = f"alerts can not be sent to no. {numbers} of the {len(self._urls)} alert_urls; it is tried again"
            alert(self._log_dir, "CRITICAL", text)
            self._tell(text)
        self._pause_ms = min(2 * self._pause_ms, MOST_PAUSE_MS)
