"""What a session prints: through one thread and a bounded queue, so that a reader that does not read stops nobody."""

import errno
import io
import os
import sys
import threading
from contextlib import suppress
from queue import Empty, Full, Queue

WAITING_LINES = 2_000
AT_ONCE = 200
CLOSE_S = 0.5
_NOBODY_READS = {errno.EPIPE, errno.EIO, errno.EINVAL, errno.EBADF}
"""The pipe's reader, or the terminal, is gone (EINVAL: the same on Windows)."""


class Printer:
    """Prints lines in order; drops them while the reader takes nothing."""

    def __init__(self) -> None:
        self.reader_is_gone = False
        # Not through sys.stdout: a thread that stands in its buffer would keep the interpreter from its end.
        self._raw: io.RawIOBase = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115 - never closed
        self._encoding = sys.stdout.encoding
        self._lines: Queue[str | None] = Queue(WAITING_LINES)
        self._thread = threading.Thread(target=self._run, daemon=True, name="printer")
        self._thread.start()

    def line(self, text: str) -> None:
        """Print a line, some time soon."""
        try:
            self._lines.put_nowait(text)
        except Full:
            self._drop_oldest(text)

    def close(self) -> None:
        """Print what is waiting, for at most half a second."""
        with suppress(Full):
            self._lines.put(None, timeout=CLOSE_S / 2)
        self._thread.join(CLOSE_S)

    def _drop_oldest(self, text: str) -> None:
        try:
            self._lines.get_nowait()
            self._lines.put_nowait(text)
        except (Empty, Full):
            return

    def _run(self) -> None:
        lines: list[str | None] = []
        while None not in lines:
            lines = self._waiting()
            text = "".join(f"{line}{os.linesep}" for line in lines if line is not None)
            try:
                self._write(text.encode(self._encoding, "backslashreplace"))
            except OSError as error:
                if error.errno in _NOBODY_READS:
                    self.reader_is_gone = True
                    return  # any other trouble, such as a full disk, costs these lines alone

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._raw.write(data) or len(data) :]

    def _waiting(self) -> list[str | None]:
        """Wait for a line; return it and what has come meanwhile."""
        lines = [self._lines.get()]
        while len(lines) < AT_ONCE:
            try:
                lines.append(self._lines.get_nowait())
            except Empty:
                break
        return lines
