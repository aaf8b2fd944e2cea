"""The one loop of a service: poll, decode, hand on, beat, stop, drain, exit code.

What a service is made of (its sockets, its core, its files) is its `process.py`; when and in which order it turns is
decided here. The one `except Exception` around our own code is here: our own impossibility ends the process with a
traceback in the log and in `alert.txt`, and the supervisor starts it again.
"""

import argparse
import faulthandler
import gc
import os
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bus.errors import BusError
from bus.messages import Heartbeat, Level, Message, Notice, Shutdown, StopReason
from bus.sockets import Bus, Pollable, Publisher
from services import log, signals
from services.alerts_file import alert, alert_of_crashes
from services.clock import boot_ms, monotonic_ms
from services.link import Link
from services.orphaned import leave_the_report_to_a_child, stop_orphaned
from services.session.keys_file import KeysError, load_or_make_keys
from services.session.state import KillFile, Session, read_session, read_stop, stop_session, write_view

LONGEST_TURN_MS = 250
"""The loop turns at least this often, to beat and to look at its timers."""
LEAST_BEAT_MS = 10
"""More beats than that tell nobody more, and keep a processor busy."""
MOST_BEAT_MS = 1_000
"""Services beat at least once a second, however seldom `heartbeat_interval_sec` has the heartbeat file written."""
LOOK_EVERY_MS = 100
"""A service without a supervisor looks so often for a stop and for the kill file."""
MALFORMED_EVERY_MS = 10_000
MOST_UNHEARD = 100
"""Notices kept for a monitor that is not there (yet), the newest."""
PORT_PATIENCE_MS = 10_000
"""How long a service that was started again waits for its own port."""
CLOSE_MS = 3_000
"""A service that is not done with its end after this long leaves all the same."""
Arrived_co = TypeVar("Arrived_co", covariant=True)


class ConfigError(Exception):
    """A service can not work with its settings; one sentence. Exit code 2."""


class Receiver(Pollable, Protocol[Arrived_co]):
    """What the loop can wait on: a socket of `bus.sockets`."""

    malformed: int

    def receive(self) -> Iterable[Arrived_co]:
        """Yield what has arrived, without waiting; what comes later is looked for when the first is worked off."""


class Shell(Protocol):
    """What a service's `process.py` gives to the loop."""

    def on_turn(self, now_ms: int) -> int:
        """Do what is due; return how many ms may pass until the next turn."""

    def close(self, shutdown: Shutdown) -> bool:
        """End in order; called each turn until it returns true."""


Serve = Callable[[], None]
"""A service with a loop of its own, which calls `Runner.step` a few times a second and ends when told to."""


@dataclass(frozen=True)
class Start:
    """How this process was started.

    Attributes:
        supervised: by a supervisor, through two pipes.
        incarnation: 1, 2, 3 ... under that supervisor.
        because: why the one before ended.
    """

    supervised: bool = False
    incarnation: int = 1
    because: str = ""


class Runner:
    """A service's loop, its publisher, and its words to supervisor and people.

    Args:
        service: the service's name.
        session: the session it works in.
        start: how this process was started.

    Raises:
        ConfigError: the service's port is taken, or the key file can not be used.
    """

    def __init__(self, service: str, session: Session, start: Start) -> None:
        self.service = service
        self.session = session
        self.ready = False
        self.overhear: Callable[[Notice], None] | None = None
        """Also hears this service's own notices: the monitor writes down everybody's."""
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self.link = Link(self.waker(), self._end_a_hang) if start.supervised else None
        self._start = start
        try:
            patience_ms = 0 if self.is_first else PORT_PATIENCE_MS
            self.bus = Bus(load_or_make_keys(session.state_dir), service, boot_ms(), patience_ms=patience_ms)
            self.publisher: Publisher = self.bus.publisher(session.ports[service])
        except (BusError, KeysError) as error:
            raise ConfigError(str(error)) from None
        self._poller = self.bus.poller()
        self._poller.register_descriptor(self._woken.fileno())
        self._inputs: list[tuple[Receiver[Any], Callable[[Any], None]]] = []
        self._shutdown: Shutdown | None = None
        self._beat_every_ms = min(
            MOST_BEAT_MS, max(LEAST_BEAT_MS, int(session.settings["heartbeat_interval_sec"] * 1000))
        )
        self._next_beat_ms = 0
        self._told_ready = False
        self._unheard: deque[Notice] = deque(maxlen=MOST_UNHEARD)
        self._malformed_told = 0
        self._next_malformed_ms = 0
        self._next_look_ms = 0
        self._stacks = log.open_stacks(session.log_dir, service)
        self._handlers: dict[type, Callable[[Any], None]] = {Shutdown: self.stop}
        self._kill_file = KillFile(session)
        self.listen(self.publisher, self.hear)
        if service != "monitor":
            self.subscribe("monitor", [Shutdown])

    @property
    def is_first(self) -> bool:
        """Whether the service has not run before under its supervisor."""
        return self._start.incarnation == 1

    def listen(self, receiver: Receiver[Arrived_co], handler: Callable[[Arrived_co], None]) -> None:
        """Call `handler` with each thing that arrives at a socket."""
        self._poller.register(receiver)
        self._inputs.append((receiver, handler))

    def subscribe(
        self, service: str, topics: Iterable[type[Message]], handler: Callable[[Any], None] | None = None
    ) -> None:
        """Listen to topics of another service; without a handler the loop's own (`on`) are called."""
        self.listen(self.bus.subscriber(self.session.ports[service], topics), handler or self.hear)

    def on(self, message: type[Message], handler: Callable[[Any], None]) -> None:
        """Name the handler for a class of messages."""
        self._handlers[message] = handler

    def hear(self, message: Message) -> None:
        """Hand a message to the handler named for its class."""
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message)

    def waker(self) -> Callable[[], None]:
        """Return a function that makes the loop turn at once; it may be called from any thread."""

        def wake() -> None:
            try:
                self._waker.send(b"!")
            except OSError:
                return  # a full buffer wakes the loop as well; a closed one has no loop

        return wake

    def notice(self, level: Level, event: str, text: str, *, incident: bool = False) -> None:
        """Tell people: the log, the monitor's system log, and the alert file when it is critical."""
        log.write(level, event, text)
        if level is Level.CRITICAL:
            alert(self.session.log_dir, level.value, f"{self.service}: {text}")
        notice = Notice(self.service, level, event, text, incident)
        self._unheard.append(notice)
        self._pass_on_notices()
        if self.overhear is not None:
            self.overhear(notice)

    def _pass_on_notices(self) -> None:
        """Publish what was noticed, as soon as somebody listens: a service speaks before the monitor has subscribed."""
        if self._unheard and self.publisher.has_subscriber(Notice):
            for notice in self._unheard:
                self.publisher.send(notice)
            self._unheard.clear()

    def stop(self, shutdown: Shutdown) -> None:
        """Begin the service's end; the first reason holds."""
        if self._shutdown is None:
            self._shutdown = shutdown

    @property
    def malformed(self) -> int:
        """How many frames were no messages, over all sockets."""
        return sum(receiver.malformed for receiver, _ in self._inputs)

    def run(self, shell: Shell | Serve) -> int:
        """Turn until the session stops; return the process's exit code."""
        self._tell_of_start()
        gc.freeze()  # what start-up has made stays: collecting garbage need not look at it in the middle of a decision
        if callable(shell):
            shell()
        else:
            self._loop(shell)
        self.bus.close()
        if self._makes_the_report:
            assert self._shutdown is not None
            stop = stop_session(self.session, self._shutdown.reason, self.service, self._shutdown.detail)
            leave_the_report_to_a_child(self.session, stop)
        return 0

    @property
    def _makes_the_report(self) -> bool:
        """Whether there is no supervisor to do it: it is dead, or there never was one; then it is the broker's to do."""
        return self.service == "broker" if self.link is None else self.link.supervisor_is_gone

    def step(self) -> Shutdown | None:
        """Turn once without waiting, for a service whose loop is somebody else's; return the order to stop."""
        self._turn(lambda _: 0)
        return self._shutdown

    def _loop(self, shell: Shell) -> None:
        while self._shutdown is None:
            self._turn(shell.on_turn)
        deadline = monotonic_ms() + CLOSE_MS
        while not shell.close(self._shutdown) and monotonic_ms() < deadline:
            self._turn(shell.on_turn)

    def _turn(self, on_turn: Callable[[int], int]) -> None:
        """Do what is due for what has arrived, then see to the house, then wait for more: who waits for us waits least."""
        now_ms = monotonic_ms()
        was_stopping = self._shutdown is not None
        may_wait_ms = on_turn(now_ms)
        self._beat(now_ms)
        self._look_at_orders()
        self._pass_on_notices()
        if self._shutdown is not None and not was_stopping:
            return  # the session has ended: nothing to wait for
        wait_ms = max(0, min(LONGEST_TURN_MS, may_wait_ms, self._next_beat_ms - now_ms))
        readable = self._poller.wait(wait_ms)
        if self._woken.fileno() in readable:
            self._woken.recv(65536)
            self._look_at_orders()
        for receiver, handler in self._inputs:
            if receiver in readable:
                for arrived in receiver.receive():
                    handler(arrived)

    def _beat(self, now_ms: int) -> None:
        is_news = self.ready != self._told_ready or self.publisher.has_newcomer
        if now_ms < self._next_beat_ms and not is_news:
            return
        self._told_ready = self.ready
        self.publisher.has_newcomer = False
        self._next_beat_ms = now_ms + self._beat_every_ms
        self.publisher.send(Heartbeat(self.service, os.getpid(), boot_ms(), self.ready))
        if self.link is not None:
            self.link.beat()
        self._tell_of_malformed(now_ms)

    def _tell_of_malformed(self, now_ms: int) -> None:
        """Say how many frames were no messages, when there are more of them, at most every ten seconds."""
        if self.malformed > self._malformed_told and now_ms >= self._next_malformed_ms:
            self._malformed_told = self.malformed
            self._next_malformed_ms = now_ms + MALFORMED_EVERY_MS
            self.notice(Level.WARNING, "malformed_frames", f"{self.malformed} frames were no messages, and dropped")

    def _look_at_orders(self) -> None:
        if self.link is None:
            self._look_around()
        elif self.link.order is not None:
            self.stop(self.link.order)
        elif self.link.supervisor_is_gone and self._shutdown is None:
            stop = stop_orphaned(self.session, self.service)
            self.stop(Shutdown(stop.reason, stop.detail))

    def _look_around(self) -> None:
        now_ms = monotonic_ms()
        if signals.received:
            stop = stop_session(self.session, StopReason.SIGNAL, self.service, f"signal {signals.received[0]}")
            self.stop(Shutdown(stop.reason, stop.detail))
        elif now_ms >= self._next_look_ms:
            self._next_look_ms = now_ms + LOOK_EVERY_MS
            if (said := read_stop(self.session)) is not None:
                self.stop(Shutdown(said.reason, said.detail))
            elif (words := self._kill_file.words(now_ms)) is not None:
                stop = stop_session(self.session, StopReason.KILL, self.service, words)
                self.stop(Shutdown(stop.reason, stop.detail))

    def _end_a_hang(self) -> None:
        """End this process from the link's thread: the loop does not come round, and nobody else is there to end it."""
        stop = stop_orphaned(self.session, self.service)
        if self._stacks is not None:
            faulthandler.dump_traceback(self._stacks)
        alert(self.session.log_dir, "CRITICAL", f"{self.service} hangs, has no supervisor any more, and ends itself")
        leave_the_report_to_a_child(self.session, stop)
        os._exit(1)

    def _tell_of_start(self) -> None:
        if self._start.incarnation > 1:
            log.write(Level.ERROR, "service_restarted", f"{self.service} was started again ({self._start.because})")
        else:
            self.notice(Level.INFO, "service_started", f"{self.service} started, pid {os.getpid()}")


Compose = Callable[[Runner, Session], Shell | Serve]


def main(service: str, compose: Compose, *, has_threads: bool = False) -> None:
    """Run a service's process, supervised or bare, and exit with its code.

    Args:
        service: the service's name.
        compose: builds the service from a runner; the composition root of its room.
        has_threads: whether the service may leave threads behind that are in the middle of a request. An orderly end of the
            interpreter would take OpenSSL away under them, and the process die of it.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=f"The bare {service} service in the foreground, for debugging: no supervisor, ends on Ctrl-C.",
    )
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--state-dir", help=argparse.SUPPRESS)
    parser.add_argument("--incarnation", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--because", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    start = Start(arguments.supervised, arguments.incarnation, arguments.because)
    signals.ignore() if start.supervised else signals.catch()
    session = _find_session(service, start, arguments.state_dir)
    log.open_log(session.log_dir, service, fresh=start.incarnation == 1, to_terminal=not start.supervised)
    alert_of_crashes(session.log_dir, service)
    code = _run(service, session, start, compose)
    log.close_log()
    if has_threads:
        os._exit(code)
    sys.exit(code)


def _find_session(service: str, start: Start, state_dir: str | None) -> Session:
    if start.supervised and state_dir:
        session = read_session(Path(state_dir))
        if session is not None:
            return session
        sys.stderr.write(f"{state_dir}/session.json is gone\n")
        sys.exit(1)  # no word on the settings
    # A supervised service finds its session open: only a bare one pays for what opening takes.
    from services.session.launcher import find_launcher, this_process  # noqa: PLC0415
    from services.session.opening import RefusedError, open_session, take_role  # noqa: PLC0415

    try:
        session = open_session(find_launcher(), {}, Path.cwd()).session
        take_role(session, service)
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.code)
    me = asdict(this_process())
    view = {"state": "RUNNING", "pid": os.getpid(), "service": me, "supervisor": me, "restarts": 0, "failures": []}
    write_view(session, service, view)
    return session


def _run(service: str, session: Session, start: Start, compose: Compose) -> int:
    try:
        runner = Runner(service, session, start)
        return runner.run(compose(runner, session))
    except ConfigError as error:
        if start.incarnation > 1:  # what was good for the one before is good: a full disk, a port not free yet
            alert(session.log_dir, "CRITICAL", f"{service} can not go on: {error}")
            return 1
        if start.supervised:
            stop_session(session, StopReason.CONFIG, service, str(error))  # the report shall say what it was
        os.write(2, f"{error}\n".encode())
        alert(session.log_dir, "CRITICAL", f"{service} can not start: {error}")
        return 2
    except Exception as error:  # noqa: BLE001 - the one place: our own impossibility, told and ended
        log.write(Level.CRITICAL, "", traceback.format_exc())
        alert(session.log_dir, "CRITICAL", f"{service} failed: {type(error).__name__}: {error}")
        return 1
