"""Processes that die, hang or are left alone: the session goes on, or ends in order and says why."""

import os
import signal
import sys

import pytest
from crashing import crash_order
from processes import LAP, QUICK, Desk, eventually

pytestmark = pytest.mark.timeout(180)
SERVICES = ("feed", "strategy", "broker", "monitor")


def replaced(desk: Desk, service: str, pid: int) -> bool:
    now = desk.service_pid(service)
    state = (desk.json(".lap", f"{service}.json") or {}).get("state")
    return now not in {0, pid} and state == "RUNNING"


@pytest.mark.parametrize("service", ["feed", "strategy", "broker", "monitor"])
def test_a_killed_service_is_started_again_and_the_session_goes_on(desk: Desk, service: str) -> None:
    program = desk.session()
    desk.wait_running()
    pid = desk.service_pid(service)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: replaced(desk, service, pid), 20, f"{service} is back")
    closed = len(desk.events("trade_closed"))
    desk.wait_trades(closed + 1)
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    summary = desk.summary()
    assert summary["stop_reason"] == "kill"
    assert summary["restarts"] == 1 or summary["restarts"][service] == 1
    assert any(service in str(incident) for incident in summary["incidents"])


@pytest.mark.provokes("alert ... is killed: ...")
def test_a_hung_service_is_killed_and_started_again(desk: Desk) -> None:
    program = desk.session(LAP_HEARTBEAT_INTERVAL_SEC="0.5", LAP_HEARTBEAT_TIMEOUT_SEC="2")
    desk.wait_running()
    pid = desk.service_pid("strategy")
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: replaced(desk, "strategy", pid), 20, "the strategy is back")
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    assert "hung" in (desk.directory / "logs" / "alert.txt").read_text()


def test_a_service_that_crashes_too_often_ends_the_session(desk: Desk) -> None:
    program = desk.session(LAP_MAX_RESTARTS="1")
    desk.wait_running()
    pid = desk.service_pid("feed")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: replaced(desk, "feed", pid), 20, "the feed is back")
    os.kill(desk.service_pid("feed"), signal.SIGKILL)
    assert program.wait(30) == 6
    assert desk.summary()["stop_reason"] == "restarts_exhausted"
    assert "restarts_exhausted" in (desk.directory / "logs" / "alert.txt").read_text()


@pytest.mark.provokes("stop_reason signal")
def test_ctrl_c_ends_in_order(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    os.killpg(program.pid, signal.SIGINT)
    assert program.wait(10) == 0
    assert desk.summary()["stop_reason"] == "signal"
    eventually(lambda: not program.family(), 5, "no process is left")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_it_starts_is_no_error(desk: Desk, how: signal.Signals) -> None:
    program = desk.session()
    eventually((desk.directory / ".lap" / "start.lock").exists, 20, "the settings are being resolved")
    os.killpg(program.pid, how)
    assert program.wait(20) == 0, program.output()
    assert "Traceback" not in program.output()
    eventually(lambda: not program.family(), 5, "no process is left")


def test_ctrl_c_at_honcho_ends_in_order(desk: Desk) -> None:
    program = desk.honcho()
    desk.wait_running()
    os.kill(program.pid, signal.SIGINT)
    assert program.wait(10) in {0, 130}
    eventually(lambda: not program.family(), 5, "no process is left")
    assert desk.summary()["stop_reason"] == "signal"


@pytest.mark.provokes("stop_reason orphaned")
@pytest.mark.parametrize("way", ["honcho", "run"])
def test_a_launcher_killed_with_9_leaves_an_orderly_end(desk: Desk, way: str) -> None:
    program = desk.honcho() if way == "honcho" else desk.session()
    desk.wait_running()
    os.kill(program.pid, signal.SIGKILL)
    eventually(lambda: not program.family(), 20, "no process is left")
    summary = desk.summary()
    assert summary["stop_reason"] == "orphaned"
    assert "orphaned" in str(desk.json(".lap", "stop.json"))
    assert_its_end_was_told_once(desk, "orphaned")
    again = desk.session(LAP_DURATION="0.1")
    assert again.wait(60) == 0, again.output()


BUSY = """
from pathlib import Path

from services.strategy.interface import Strategy


class Busy(Strategy):
    warmup = 0

    def on_candle(self, context, candle):
        if context.account is not None:
            Path("busy").touch()
            while True:
                pass
"""


@pytest.mark.provokes("alert ... hangs, has no supervisor any more, and ends itself")
def test_a_service_that_hangs_when_its_launcher_is_killed_does_not_stay(desk: Desk) -> None:
    """Nobody is there to end it; its own patience is shortened."""
    (desk.directory / "busy.py").write_text(BUSY)
    impatient = crash_order(desk, [], "FLAT", 0, {"services.link:ORPHAN_MS": 1_000})
    program = desk.session(**impatient, LAP_STRATEGY="busy:Busy", LAP_STRATEGY_PARAMS="")
    eventually((desk.directory / "busy").exists, 30, "the strategy hangs")
    os.kill(program.pid, signal.SIGKILL)
    eventually(lambda: not program.family(), 20, "no process is left")
    assert desk.summary()["stop_reason"] == "orphaned"


@pytest.mark.chaos
def test_a_broker_that_stands_still_while_its_supervisor_dies_is_ended_by_the_others(desk: Desk) -> None:
    """Not even honcho notices: it waits for the end of an output that the broker holds."""
    program = desk.honcho()
    desk.wait_running()
    desk.wait_trades(1)
    os.kill(desk.service_pid("broker"), signal.SIGSTOP)
    os.kill(desk.json(".lap", "broker.json")["supervisor"]["pid"], signal.SIGKILL)
    program.wait(40)
    eventually(lambda: not program.family(), 20, "no process is left")
    assert desk.summary()["stop_reason"] == "internal_error"
    assert_its_end_was_told_once(desk, "internal_error")
    assert len(desk.trades()) >= 1


def test_a_launcher_killed_together_with_the_broker_leaves_a_report(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    desk.wait_trades(1)
    broker = desk.service_pid("broker")
    os.kill(program.pid, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)
    eventually(lambda: not program.family(), 20, "no process is left")
    assert desk.summary()["stop_reason"] == "orphaned"
    assert len(desk.trades()) >= 1
    assert desk.session(LAP_DURATION="0.05").wait(40) == 0


@pytest.mark.provokes("stop_reason internal_error")
@pytest.mark.parametrize("service", ["broker", "strategy"])
def test_a_supervisor_killed_with_9_ends_the_session_in_order(desk: Desk, service: str) -> None:
    program = desk.honcho()
    desk.wait_running()
    supervisor = desk.json(".lap", f"{service}.json")["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    program.wait(20)
    eventually(lambda: not program.family(), 20, "no process is left")
    assert desk.summary()["stop_reason"] == "internal_error"
    assert_its_end_was_told_once(desk, "internal_error")


def assert_its_end_was_told_once(desk: Desk, reason: str) -> None:
    lines = (desk.directory / "logs" / "alert.txt").read_text().splitlines()
    assert sum(f"the session ends: {reason}" in line for line in lines) == 1, lines


@pytest.mark.provokes("alert lap kill --force: killed ...")
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing can be stopped for a while here")
def test_what_does_not_end_is_named_and_killed_on_demand(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    os.kill(program.pid, signal.SIGSTOP)
    waited = desk.lap("kill", "--timeout", "0.5")
    assert waited.returncode == 1
    assert "feed (supervisor)" in waited.stderr
    forced = desk.lap("kill", "--timeout", "0", "--force")
    assert forced.returncode == 0, forced.stderr
    assert "summary.html" in forced.stdout
    eventually(lambda: not program.family(), 5, "no process is left")
    assert not (desk.directory / "kill.txt").exists()
    assert desk.summary()["stop_reason"] == "kill"
    assert desk.lap("replay", "latest", "--check").returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing can be stopped for a while here")
def test_force_closes_the_books_of_a_session_that_is_frozen_as_a_whole(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    desk.wait_trades(1)
    for process in program.family():
        process.suspend()
    forced = desk.lap("kill", "--timeout", "0", "--force", "--reason", "it hangs")
    assert forced.returncode == 0, forced.stderr
    summary = desk.summary()
    assert (summary["stop_reason"], summary["stop_detail"]) == ("kill", "it hangs")
    assert summary["trades"] >= 1
    assert desk.lap("status").returncode == 3


def test_a_session_that_lost_everybody_is_picked_up_by_the_next(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    crashed = desk.run_dir
    desk.wait_trades(1)
    family = program.family()
    for process in family:
        process.suspend()  # as a power cut: nobody sees another one go
    for process in family:
        process.kill()
    program.wait(10)
    assert not (crashed / "summary.json").exists()
    again = desk.session(LAP_DURATION="0.1")
    assert again.wait(60) == 0, again.output()
    assert crashed.name in again.output()
    assert (crashed / "summary.json").exists()
    assert desk.run_dir != crashed


def test_many_services_started_by_hand_are_one_session(desk: Desk) -> None:
    env = {"LAP_SOURCE": "mock", "LAP_INTERVAL": "1s", "LAP_DURATION": "0.2"}
    programs = [desk.start(LAP, service, **env) for service in SERVICES]
    assert [program.wait(60) for program in programs] == [0, 0, 0, 0]
    assert len([entry for entry in (desk.directory / "runs").iterdir() if entry.name != "latest"]) == 1


def test_bare_services_are_a_session_that_all_can_see_and_one_of_them_can_end(desk: Desk) -> None:
    by_hand = "'{}' -m services.{}; exit $?"  # each below a shell of its own, as in a terminal of its own
    programs = [desk.start("sh", "-c", by_hand.format(sys.executable, service), **QUICK) for service in SERVICES]
    desk.wait_running()
    feed = desk.service_pid("feed")
    assert f"pid {feed}" in desk.lap("status").stdout
    refused = desk.lap("run", **QUICK)
    assert refused.returncode == 2
    assert "is already running here" in refused.stderr
    os.kill(feed, signal.SIGINT)
    assert [program.wait(20) for program in programs] == [0, 0, 0, 0]
    eventually((desk.run_dir / "summary.json").exists, 20, "the report")
    assert desk.summary()["stop_reason"] == "signal"


def test_bare_services_obey_the_kill_file_without_a_monitor(desk: Desk) -> None:
    programs = [desk.start(sys.executable, "-m", f"services.{service}", **QUICK) for service in ("feed", "broker")]
    eventually(lambda: all(desk.service_pid(service) for service in ("feed", "broker")), 20, "both are there")
    killed = desk.lap("kill", "--timeout", "20")
    assert (killed.returncode, [program.wait(20) for program in programs]) == (0, [0, 0]), killed
    eventually((desk.run_dir / "summary.json").exists, 20, "the report")
    assert desk.summary()["stop_reason"] == "kill"
