"""One service and what its supervisor makes of it: started, watched by its beats, restarted, ended in order."""

import os
from dataclasses import asdict, dataclass
from math import inf
from queue import Queue

from services.alerts_file import alert
from services.clock import iso, monotonic_ms, wall_ms
from services.session.launcher import this_process
from services.session.state import Session, Stop, write_view
from services.supervision.child import Child, Word
from services.supervision.restarts import RestartPolicy, State

FIRST_BEAT_MS = 30_000
"""The first beat may take this long: imports on a cold disk, a recording to read."""
END_MS = 4_000
"""A service that was told to stop is killed after this long."""
CONFIG_EXIT = 2
MOST_FAILURES = 100
"""Failures told in the view, the newest."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the session can not go on because of a service."""

    is_config: bool
    detail: str


class Keeper:
    """Keeps one service process alive.

    Args:
        service: its name.
        session: the session.
        words: where its children's words go; the supervisor hands them back through `heard`.
    """

    def __init__(self, service: str, session: Session, words: "Queue[Word]") -> None:
        self.service = service
        self.state = State.STARTING
        self.child: Child | None = None
        self._session = session
        self._words = words
        settings = session.settings
        self._beat_timeout_ms = int(settings["heartbeat_timeout_sec"] * 1000)
        self._policy = RestartPolicy(int(settings["max_restarts"]), int(settings["restart_window_sec"] * 1000))
        self._incarnation = 0
        self.restarts = 0
        """How often the service was started again."""
        self._failed_times = 0
        self._because = ""
        self._failures: list[dict[str, str]] = []
        self._start_at_ms = monotonic_ms()
        self._alive_until_ms = 0
        self._me = asdict(this_process())

    def turn(self, now_ms: int) -> Verdict | None:
        """Do what is due: start, notice a hang; return a verdict when there is no way on."""
        if self.child is None:
            return self._start(now_ms) if now_ms >= self.due_ms else None
        if now_ms < self.due_ms:
            return None
        if self.state is State.STOPPING:
            self._end("it did not end in time after it was told to stop")
            return None
        patience_ms = FIRST_BEAT_MS if self.state is State.STARTING else self._beat_timeout_ms
        self._because = f"hung: no beat for {patience_ms / 1000:g} s"
        self._end(self._because)
        return self._failed(now_ms)

    @property
    def due_ms(self) -> float:
        """When something is to be done even if the child says nothing."""
        if self.child is not None:
            return self._alive_until_ms
        return inf if self.state in {State.EXITED, State.FATAL} else self._start_at_ms

    def heard(self, child: Child, word: str, now_ms: int) -> Verdict | None:
        """Take a child's word; a word of an earlier incarnation is past."""
        if child is not self.child:
            return None
        if word:
            self._beat(now_ms)
            return None
        code = child.exit_code
        child.release()
        self.child = None
        if self.state is State.STOPPING:
            self._be(State.EXITED)
            return None
        if code == CONFIG_EXIT and self.state is State.STARTING:  # later it can only be a strategy's own way to exit
            self._be(State.FATAL)
            return Verdict(True, f"{self.service} refused its settings")
        self._because = f"crashed: exit code {code}"
        return self._failed(now_ms)

    def stop(self, stop: Stop, now_ms: int) -> None:
        """Tell the service to end in order; one that is not running just stays away, and what was fatal stays so."""
        if self.child is None:
            if self.state is not State.FATAL:
                self._be(State.EXITED)
            return
        self._be(State.STOPPING)
        self._alive_until_ms = now_ms + END_MS
        self.child.stop(stop)

    def turn_came_late(self, now_ms: int) -> None:
        """Forgive silence while this very process was not running (suspend, SIGSTOP)."""
        if self.child is not None:
            grace = END_MS if self.state is State.STOPPING else self._beat_timeout_ms
            self._alive_until_ms = max(self._alive_until_ms, now_ms + grace)

    def _start(self, now_ms: int) -> Verdict | None:
        self._incarnation += 1
        try:
            self.child = Child(self.service, self._session, self._incarnation, self._because, self._words)
        except OSError as error:  # no handles, no memory, no processes left
            self._because = f"could not be started: {error.strerror}"
            return self._failed(now_ms)
        self._alive_until_ms = now_ms + FIRST_BEAT_MS
        if self._incarnation > 1:
            self.restarts += 1
        self._be(State.STARTING)
        return None

    def _beat(self, now_ms: int) -> None:
        if self.state is State.STOPPING:
            return
        self._alive_until_ms = now_ms + self._beat_timeout_ms
        if self.state is State.STARTING:
            self._be(State.RUNNING)

    def _failed(self, now_ms: int) -> Verdict | None:
        self._failed_times += 1
        text = f"{self.service} {self._because} (failure {self._failed_times} of this session)"
        alert(self._session.log_dir, "CRITICAL", text)
        self._failures = [*self._failures, {"ts": iso(wall_ms()), "because": self._because}][-MOST_FAILURES:]
        delay = self._policy.failed(now_ms, os.urandom(1)[0] / 255)
        if delay is None:
            self._be(State.FATAL)
            return Verdict(False, f"{self.service} {self._because}, and was restarted {self.restarts} times before")
        self._start_at_ms = now_ms + delay
        self._be(State.BACKOFF)
        return None

    def _end(self, because: str) -> None:
        assert self.child is not None
        alert(self._session.log_dir, "CRITICAL", f"{self.service} is killed: {because}")
        self.child.kill()
        self.child.release()
        self.child = None
        if self.state is State.STOPPING:
            self._be(State.EXITED)

    def _be(self, state: State) -> None:
        """Take a state and show it. A full disk hides it; it does not stop the service."""
        self.state = state
        view = {
            "state": state.value,
            "pid": self.child.process.pid if self.child else None,
            "service": asdict(self.child.process) if self.child else None,
            "supervisor": self._me,
            "restarts": self.restarts,
            "failures": self._failures,
        }
        try:
            write_view(self._session, self.service, view)
        except OSError as error:
            alert(self._session.log_dir, "ERROR", f"the view of {self.service} can not be written: {error.strerror}")
