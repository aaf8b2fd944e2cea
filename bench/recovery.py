"""How long things take when something breaks: p50, p99 and max over many trials, against real processes.

`make bench-recovery` (about nine minutes on an idle machine; TRIALS=n for fewer, PARTS="kills hangs ends" for some of it).
Each row is measured from the signal, or the kill file's appearance, to a fact: a heartbeat of a new incarnation that says it is
ready, the broker's last word on the bus, or the process table without the session. The report's own time, which an end
includes, is the life of the child that makes it.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from processes import Desk, Program

from bus.messages import Heartbeat, Message, SessionClosed
from bus.sockets import Bus, Subscriber
from services.session.keys_file import load_keys

TRIALS = int(os.environ.get("TRIALS", "30"))
PATIENCE_S = 60.0
PARTS = os.environ.get("PARTS", "kills hangs ends").split()
HEARTBEAT_TIMEOUT_S = 1.0
SETTINGS = {
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_MAX_RESTARTS": "1000",
    "LAP_RESTART_WINDOW_SEC": "0.05",
    "LAP_HEARTBEAT_INTERVAL_SEC": "0.25",
    "LAP_HEARTBEAT_TIMEOUT_SEC": str(HEARTBEAT_TIMEOUT_S),
}


@contextmanager
def session(source: str) -> Iterator[tuple[Desk, Program, Bus]]:
    """A running session in a directory of its own, and a peer on its bus."""
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place))
        program = desk.session(LAP_SOURCE=source, **SETTINGS)
        desk.wait_running()
        bus = Bus(load_keys(Path(place) / ".lap"), "bench", 1)
        try:
            yield desk, program, bus
        finally:
            bus.close()
            program.end()


def listen(desk: Desk, bus: Bus, service: str, topics: list[type[Message]]) -> Subscriber:
    port = desk.json(".lap", "session.json")["ports"][service]
    return bus.subscriber(port, topics)


def seconds_until(subscriber: Subscriber, holds: Callable[[Message], bool], since: float) -> float:
    """Wait on the bus for a message; return how long it took."""
    while time.perf_counter() - since < PATIENCE_S:
        subscriber.socket.poll(100)
        if any(holds(message) for message in subscriber.receive()):
            return time.perf_counter() - since
    raise AssertionError("it did not come")


def seconds_until_gone(program: Program, since: float) -> tuple[float, float]:
    """Wait until nothing of a session is left; return how long it took, and how much of it the report took."""
    services, reporting = {process.pid for process in program.family()}, [0.0, 0.0]
    while family := program.family():
        now = time.perf_counter()
        if now - since > PATIENCE_S:
            raise AssertionError(program.output())
        if any(is_reporting(process) for process in family if process.pid not in services):
            reporting = [reporting[0] or now, now]
    program.popen.wait(5)
    return time.perf_counter() - since, reporting[1] - reporting[0]


def is_reporting(process: psutil.Process) -> bool:
    try:
        return "services.closing" in process.cmdline()
    except psutil.Error:
        return False


def is_ready_again(old_pid: int, message: Message) -> bool:
    return isinstance(message, Heartbeat) and message.ready and message.pid != old_pid


def restarts(source: str, service: str, number: signal.Signals) -> list[float]:
    """From a signal to a service to its next incarnation, ready."""
    times = []
    with session(source) as (desk, _, bus):
        heartbeats = listen(desk, bus, service, [Heartbeat])
        for _ in range(TRIALS):
            pid = desk.service_pid(service)
            seconds_until(heartbeats, lambda m: isinstance(m, Heartbeat) and m.ready, time.perf_counter())
            since = time.perf_counter()
            os.kill(pid, number)
            times.append(seconds_until(heartbeats, partial(is_ready_again, pid), since))
    return times


def ends(source: str, end: Callable[[Desk, Program], None]) -> tuple[list[float], list[float], list[float]]:
    """From the order to stop to the broker's last word, to an empty process table; and the report's part of that."""
    closed, gone, report = [], [], []
    for _ in range(TRIALS):
        with session(source) as (desk, program, bus):
            words = listen(desk, bus, "broker", [SessionClosed, Heartbeat])
            seconds_until(words, lambda m: isinstance(m, Heartbeat), time.perf_counter())
            since = time.perf_counter()
            end(desk, program)
            closed.append(seconds_until(words, lambda m: isinstance(m, SessionClosed), since))
            all_gone, its_report = seconds_until_gone(program, since)
            gone.append(all_gone)
            report.append(its_report)
    return closed, gone, report


def touch_kill_file(desk: Desk, _: Program) -> None:
    (desk.directory / "kill.txt").touch()


def press_ctrl_c(_: Desk, program: Program) -> None:
    os.killpg(program.pid, signal.SIGINT)


def row(what: str, times: list[float], target: str = "") -> None:
    ranked = sorted(times)
    p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    figures = f"{statistics.median(ranked):8.3f} {p99:8.3f} {ranked[-1]:8.3f}"
    print(f"{what:<44} {len(times):>4} {figures}   {target}", flush=True)


def kills() -> None:
    for source in ("mock", "demo"):
        for service in ("feed", "strategy", "broker", "monitor"):
            row(f"{source}: kill -9 of {service} to working again", restarts(source, service, signal.SIGKILL), "0.8")


def hangs() -> None:
    for source in ("mock", "demo"):
        times = restarts(source, "strategy", signal.SIGSTOP)
        row(f"{source}: hang of strategy to restart", times, f"{HEARTBEAT_TIMEOUT_S + 1:g}")


def all_ends() -> None:
    for source, target in (("mock", "2"), ("demo", "3")):
        closed, gone, report = ends(source, touch_kill_file)
        row(f"{source}: kill file to no more entries", closed, "0.2")
        row(f"{source}: kill file to all gone", gone, f"{target} + report")
        row("  the report in it", report)
        _, gone, report = ends(source, press_ctrl_c)
        row(f"{source}: Ctrl-C to all gone with report", gone, f"{target} + report")
        row("  the report in it", report)


def main() -> int:
    print(f"{'seconds':<44} {'n':>4} {'p50':>8} {'p99':>8} {'max':>8}   to reach at p99")
    for name, part in {"kills": kills, "hangs": hangs, "ends": all_ends}.items():
        if name in PARTS:
            part()
    return 0


if __name__ == "__main__":
    sys.exit(main())
