"""The service's end of the two pipes to its supervisor. A bare service has none and does without.

A thread does nothing but wait on stdin; what it reads becomes a fact that the loop looks at when it turns.
"""

import contextlib
import io
import json
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

from bus.messages import Shutdown, StopReason
from services.waiting import pause

ORPHAN_MS = 8_000
"""A service without a supervisor has ended after this long, or hangs: in order it takes four seconds at most."""

MOST_SHOWN = 2_000
"""Bytes of a printed line that are passed on at once, so that it and other words do not mix; what is longer becomes several."""
SHOW_PATIENCE_S = 0.05


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
        self._reads = True
        os.dup2(2, 1)  # what a library's C code prints is no word for the supervisor
        if os.name == "posix":
            os.set_blocking(self._out, False)
        sys.stdout = sys.stderr = io.TextIOWrapper(
            _Shown(self._show), encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True
        )
        threading.Thread(target=self._listen, daemon=True, name="link to the supervisor").start()

    def beat(self) -> None:
        """Tell the supervisor that the main loop turned."""
        self._write(b"beat\n")

    def say(self, text: str) -> None:
        """Have a line printed."""
        self._write(f"say {' '.join(text.split())}\n".encode())

    def _show(self, data: bytes) -> None:
        """Pass on what was printed. A supervisor that is only slower than who prints is waited for, one that stands still once."""
        try:
            os.write(self._out, data)
            self._reads = True
        except BlockingIOError:
            self._reads = self._reads and bool(select.select([], [self._out], [], SHOW_PATIENCE_S)[1])
            if self._reads:
                self._write(data)
        except OSError:
            return

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


class _Shown(io.RawIOBase):
    """What somebody prints in a service, a strategy for one: lines that the supervisor shows.

    A console that stands still (Ctrl-S, a marked text, a line that is down), or is gone, would hold up or fail who prints.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._rest = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def write(self, data: Any) -> int:
        text = bytes(data)
        *lines, self._rest = (self._rest + text).split(b"\n")
        if len(self._rest) > MOST_SHOWN:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            for begin in range(0, max(1, len(line)), MOST_SHOWN):
                self._write(b"show %s\n" % line[begin : begin + MOST_SHOWN])
        return len(text)
