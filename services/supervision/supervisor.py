"""Keeps services alive and brings the session to an orderly end: what `lap feed` ... and `lap run` are.

Light on purpose (no zmq, no settings library): it may be there four times. Its watch is made of facts on disk, in
pipes and in the process table, so that it works with the bus or the monitor dead: the stop file (the first stop wins),
the kill file, the launcher, its own signals, and its children's beats.
"""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from queue import Empty, Queue

from bus.words import StopReason
from services import signals
from services.alerts_file import alert
from services.clock import monotonic_ms
from services.file_names import PAGE
from services.session.launcher import Launcher, OutputWatch, Process
from services.session.locks import FileLock
from services.session.state import (
    KillFile,
    Session,
    Stop,
    is_done,
    kill_words,
    read_stop,
    read_views,
    remove_kill_file,
    stop_session,
)
from services.supervision.child import Word
from services.supervision.keeper import Keeper, Verdict
from services.supervision.messenger import Messenger
from services.supervision.printer import Printer
from services.waiting import pause

TURN_MS = 500
"""How often facts that nobody announces are looked for: each look wakes a sleeping laptop's core. What is due has its own time."""
LATE_MS = 1_500
"""A turn that comes this much late was no turn of a running machine: all patience begins anew."""
LOOK_AT_PEERS_MS = 2_000
SIGNAL_PATIENCE_MS = 300
"""After SIGTERM: time to see whether honcho only passes on that another supervisor died."""
DONE_MS = 30_000
DONE_LOOK_MS = 50
MOST_CLOSINGS = 3
"""How often the closing child is started: one that was killed at the report left it for the next."""


class Supervisor:
    """One parent process of one service, or of all of them.

    Args:
        session: the session that it works in.
        services: the services to keep.
        launcher: who started this process; its end is this one's.
    """

    def __init__(self, session: Session, services: Sequence[str], launcher: Launcher) -> None:
        self._session = session
        self._launcher = launcher
        self._name = " ".join(("lap", services[0] if len(services) == 1 else "run"))
        self._words: Queue[Word] = Queue(10_000)
        self._keepers = {service: Keeper(service, session, self._words) for service in services}
        self._printer = Printer()
        self._output = OutputWatch(launcher)
        # One of them sends alerts on: the one that keeps the monitor.
        self._messenger = Messenger(session, self._printer.line) if "monitor" in services else None
        self._stop: Stop | None = None
        self._last_turn_ms = self._last_look_at_peers_ms = monotonic_ms()
        self._kill_file = KillFile(session)
        self._signal_since_ms: int | None = None

    def run(self) -> int:
        """Keep the services until the session stops; return the exit code."""
        while self._stop is None or any(keeper.child for keeper in self._keepers.values()):
            self._turn(monotonic_ms())
            self._hear()
        code = self._finish(self._stop)
        if self._messenger is not None:
            self._messenger.close()
        self._printer.close()
        return code

    def _turn(self, now_ms: int) -> None:
        if now_ms - self._last_turn_ms > TURN_MS + LATE_MS:
            self._forgive(now_ms)
        self._last_turn_ms = now_ms
        if self._stop is None:
            self._watch(now_ms)
        if self._stop is None:
            self._pass_on(read_stop(self._session), now_ms)
        if self._messenger is not None:
            self._messenger.turn(now_ms)
        for keeper in self._keepers.values():
            self._judge(keeper.turn(now_ms))

    def _watch(self, now_ms: int) -> None:
        self._watch_signals(now_ms)
        self._watch_launcher()
        if (words := self._kill_file.words(now_ms)) is not None:
            self._say_stop(StopReason.KILL, words)
        if now_ms - self._last_look_at_peers_ms >= LOOK_AT_PEERS_MS:
            self._last_look_at_peers_ms = now_ms
            self._watch_peers()

    def _watch_signals(self, now_ms: int) -> None:
        if signals.hung_up():
            self._say_stop(StopReason.ORPHANED, "the terminal is gone")
        elif signals.received:
            self._signal_since_ms = self._signal_since_ms or now_ms
            self._watch_peers()
            if self._launcher.kind != "honcho" or now_ms - self._signal_since_ms >= SIGNAL_PATIENCE_MS:
                self._say_stop(StopReason.SIGNAL, f"signal {signals.received[0]}")

    def _watch_launcher(self) -> None:
        if not self._launcher.is_alive:
            self._say_stop(StopReason.ORPHANED, f"{self._launcher.kind} is gone")
        elif self._output.reader_is_gone or self._printer.reader_is_gone:
            self._say_stop(StopReason.ORPHANED, "the reader of the output is gone")

    def _watch_peers(self) -> None:
        """Stop when another supervisor is dead: honcho notices only once its service is gone too, and that may hang."""
        dead = self._dead_peers() if self._launcher.kind == "honcho" else []
        if dead:
            self._say_stop(StopReason.INTERNAL_ERROR, f"the supervisor of {', '.join(dead)} is gone")

    def _dead_peers(self) -> list[str]:
        """Services whose supervisor is gone though the session goes on."""
        views = read_views(self._session)
        held = {name: view["supervisor"] for name, view in views.items() if name not in self._keepers}
        return [name for name, data in held.items() if not Process(**data).is_alive]

    def _say_stop(self, reason: StopReason, detail: str) -> None:
        # What holds is passed on at once: on a disk that takes nothing there is no file to read it from.
        if self._stop is None:
            self._pass_on(stop_session(self._session, reason, self._name, detail), monotonic_ms())

    def _pass_on(self, stop: Stop | None, now_ms: int) -> None:
        if stop is None:
            return
        self._stop = stop
        for keeper in self._keepers.values():
            keeper.stop(stop, now_ms)

    def _judge(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        reason = StopReason.CONFIG if verdict.is_config else StopReason.RESTARTS_EXHAUSTED
        self._say_stop(reason, verdict.detail)

    def _forgive(self, now_ms: int) -> None:
        self._kill_file.forget()
        self._signal_since_ms = None
        for keeper in self._keepers.values():
            keeper.turn_came_late(now_ms)

    def _hear(self) -> None:
        """Take the children's words until something is due, for at most one turn's time."""
        until_ms = min(self._last_turn_ms + TURN_MS, *(keeper.due_ms for keeper in self._keepers.values()))
        if self._signal_since_ms is not None and self._stop is None:
            until_ms = min(until_ms, self._signal_since_ms + SIGNAL_PATIENCE_MS)
        while (wait_ms := until_ms - monotonic_ms()) > 0:
            try:
                child, word = self._words.get(timeout=wait_ms / 1000)
            except Empty:
                return
            verb, _, text = word.partition(" ")
            if verb in {"say", "show"}:
                self._printer.line(text)
            if verb == "show":
                continue
            if not word and self._stop is None:  # it may have heard of the stop before its supervisor did
                self._pass_on(read_stop(self._session), monotonic_ms())
                if (words := kill_words(self._session)) is not None:
                    self._say_stop(StopReason.KILL, words)
            self._judge(self._keepers[child.service].heard(child, word, monotonic_ms()))
            if not word:
                return

    def _finish(self, stop: Stop) -> int:
        """Wait until the report stands; whoever kept the broker makes it."""
        deadline = monotonic_ms() + DONE_MS
        tries = 0
        while not is_done(self._session) and monotonic_ms() < deadline:
            if tries < MOST_CLOSINGS and ("broker" in self._keepers or self._broker_is_abandoned()):
                tries += 1
                self._close_session(stop, deadline)
            elif "broker" in self._keepers:
                break  # nobody else would come to make it
            else:
                pause(DONE_LOOK_MS)
        if "broker" in self._keepers:
            with contextlib.suppress(OSError):  # it has stopped the session, with a report or without
                remove_kill_file(self._session)
            self._printer.line(f"session {self._session.run_id} ended: {stop.reason.value} ({stop.detail})")
            page = self._session.run_dir / PAGE
            no_report = f"no report could be made (see alert.txt); try again with 'lap report {self._session.run_id}'"
            self._printer.line(f"report: {page}" if page.is_file() else no_report)
        return stop.code

    def _broker_is_abandoned(self) -> bool:
        """Whether the broker's supervisor is gone: then somebody else makes the report."""
        return not FileLock(self._session.state_dir / "broker.lock").is_taken

    def _close_session(self, stop: Stop, deadline: int) -> None:
        """Run the closing child: it finishes what a dead broker left, writes the report, says done."""
        try:
            with signals.held_back():  # an impatient second Ctrl-C is not for the report
                ended = subprocess.run(
                    [sys.executable, "-P", "-m", "services.closing", str(self._session.state_dir), stop.to_json()],
                    stdin=subprocess.DEVNULL,
                    timeout=max(1, deadline - monotonic_ms()) / 1000,
                    check=False,
                    creationflags=signals.OWN_CONSOLE,
                )
        except subprocess.TimeoutExpired:
            alert(self._session.log_dir, "CRITICAL", "the report took too long; make it with 'lap report'")
        except OSError as error:
            alert(self._session.log_dir, "CRITICAL", f"the report could not be started: {error.strerror}")
        else:
            if ended.returncode:
                alert(self._session.log_dir, "CRITICAL", f"closing the session failed: exit code {ended.returncode}")
