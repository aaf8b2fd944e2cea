"""A service process as its supervisor holds it: two pipes and a pid.

The child's stdout carries its words, one a line: `beat` (the main loop turned), `say TEXT` (that, and a text to be
printed), `show TEXT` (somebody printed it there, which is no sign of the loop's life). Its stdin carries `stop JSON`; end of
file there tells it that the supervisor is gone. Its stderr is the supervisor's own.
"""

import contextlib
import json
import subprocess
import sys
import threading
from queue import Queue

from services import signals
from services.session.launcher import Process, identify
from services.session.state import Session, Stop

STACKS_S = 0.05
"""How long a process that is to be killed may write down where it is."""
Word = tuple["Child", str]
"""What a child said; an empty text is the end of its output."""


class Child:
    """One incarnation of a service.

    Args:
        service: its name; the process is `python -m services.<name>`.
        session: the session it works in.
        incarnation: 1, 2, 3 ...: which start this is under this supervisor.
        because: why the incarnation before ended, for the log; empty at the first start.
        words: where its words are put, by a thread that does nothing else.
    """

    def __init__(self, service: str, session: Session, incarnation: int, because: str, words: "Queue[Word]") -> None:
        self.service = service
        with signals.held_back():
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", f"services.{service}"),
                    *("--supervised", "--state-dir", str(session.state_dir)),
                    *("--incarnation", str(incarnation), "--because", because),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=session.root,
                creationflags=signals.OWN_CONSOLE,
            )
        self.process: Process = identify(self._popen.pid)
        threading.Thread(target=self._listen, args=(words,), daemon=True, name=f"words of {service}").start()

    @property
    def exit_code(self) -> int | None:
        """How it ended (a negative signal number when killed), or None while it lives."""
        return self._popen.poll()

    def stop(self, stop: Stop) -> None:
        """Tell it to end in order."""
        order = json.dumps({"reason": stop.reason.value, "detail": stop.detail})
        with contextlib.suppress(OSError, ValueError):
            assert self._popen.stdin is not None
            self._popen.stdin.write(f"stop {order}\n".encode())
            self._popen.stdin.flush()

    def kill(self) -> None:
        """End it now, after a moment in which it may leave its stacks, and wait until it is gone."""
        if signals.STACKS_SIGNAL is not None and self._popen.poll() is None:
            self._popen.send_signal(signals.STACKS_SIGNAL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(STACKS_S)
        self._popen.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(5)

    def release(self) -> None:
        """Let go of its pipes once it has ended."""
        with contextlib.suppress(OSError):
            assert self._popen.stdin is not None
            self._popen.stdin.close()

    def _listen(self, words: "Queue[Word]") -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as output:
            for line in output:
                words.put((self, line.decode("utf-8", "replace").rstrip("\n")))
        self._popen.wait()
        words.put((self, ""))
