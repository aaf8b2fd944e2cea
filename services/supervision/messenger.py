"""Watches `alert.txt` and has what is new in it sent to `alert_urls`. Light: the sending is a child of its own.

The file is the queue: whichever process wrote an alert, with the bus alive or dead, it goes out from here, at most once
every `PAUSE_MS`, everything that came meanwhile in one message. Nothing here waits for a server.
"""

import contextlib
import json
import subprocess
import sys

from services import signals
from services.clock import monotonic_ms
from services.session.state import Session

PAUSE_MS = 10_000
LAST_WORD_MS = 5_000
MOST_BYTES = 8_000
"""Of a message; what is more is in the file."""


class Messenger:
    """Sends a session's alerts on.

    Args:
        session: whose `alert_urls`; without any, nothing is done at all.
    """

    def __init__(self, session: Session) -> None:
        self._urls = list(session.settings.get("alert_urls") or ())
        self._path = session.log_dir / "alert.txt"
        self._title = f"laptop-agents {session.settings['symbol']} {session.run_id}"
        self._root = session.root
        self._offset = self._size()
        self._next_ms = 0
        self._child: subprocess.Popen[bytes] | None = None

    def turn(self, now_ms: int) -> None:
        """Send what is new, unless something is on its way."""
        if not self._urls or now_ms < self._next_ms or (self._child is not None and self._child.poll() is None):
            return
        text = self._new_text()
        if text:
            self._next_ms = now_ms + PAUSE_MS
            self._send(text)

    def close(self) -> None:
        """Send the last words; wait for them a moment."""
        if not self._urls:
            return
        deadline = monotonic_ms() + LAST_WORD_MS
        for _ in range(2):  # what is on its way, then what came after it
            if self._child is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(max(0, deadline - monotonic_ms()) / 1000)
                if self._child.poll() is None:
                    self._child.kill()
            self._next_ms = 0
            self.turn(monotonic_ms())

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _new_text(self) -> str:
        if self._size() <= self._offset:
            return ""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
            self._offset += len(data)
            return data[-MOST_BYTES:].decode("utf-8", "replace")
        return ""

    def _send(self, text: str) -> None:
        with contextlib.suppress(OSError):  # no process to be had, or a pipe that takes no more: the file has it all
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "services.supervision.notifying"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=self._root,
                creationflags=signals.OWN_CONSOLE,
            )
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps({"urls": self._urls, "title": self._title, "body": text}).encode())
            self._child.stdin.close()
