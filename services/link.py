"""The service's end of the two pipes to its supervisor. A bare service has none and does without.

A thread does nothing but wait on stdin; what it reads becomes a fact that the loop looks at when it turns.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable

from bus.messages import Shutdown, StopReason
from services.waiting import pause

ORPHAN_MS = 8_000
"""A service without a supervisor has ended after this long, or hangs: in order it takes four seconds at most."""


class Link:
    """Beats and words to the supervisor; its order to stop, or its death, from it.

    Args:
        wake: called from the thread when something came, so that the loop turns at once.
        end_a_hang: called from the thread when the supervisor is gone and the process, long after, is still there.
    """

    def __init__(self, wake: Callable[[], None], end_a_hang: Callable[[], None]) -> None:
        self.order: Shutdown | None = None
        self.supervisor_is_gone = False
        self._wake = wake
        self._end_a_hang = end_a_hang
        self._out = os.dup(1)
        os.dup2(2, 1)  # what anybody prints, a strategy for one, is no word for the supervisor
        sys.stdout = sys.stderr
        if os.name == "posix":
            os.set_blocking(self._out, False)
        threading.Thread(target=self._listen, daemon=True, name="link to the supervisor").start()

    def beat(self) -> None:
        """Tell the supervisor that the main loop turned."""
        self._write(b"beat\n")

    def say(self, text: str) -> None:
        """Have a line printed."""
        self._write(f"say {' '.join(text.split())}\n".encode())

    def _write(self, data: bytes) -> None:
        # A supervisor that does not read (stopped) or is gone must not hold up a service.
        with contextlib.suppress(OSError):
            os.write(self._out, data)

    def _listen(self) -> None:
        # Not through sys.stdin: its buffer's lock, held by a waiting thread, breaks the interpreter's end.
        rest = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(0, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
        self.supervisor_is_gone = True
        self._wake()
        pause(ORPHAN_MS)
        self._end_a_hang()

    def _take(self, line: bytes) -> None:
        verb, _, content = line.partition(b" ")
        if verb == b"stop":
            with contextlib.suppress(ValueError, KeyError, TypeError):
                data = json.loads(content)
                self.order = Shutdown(StopReason(data["reason"]), str(data["detail"]))
                self._wake()
