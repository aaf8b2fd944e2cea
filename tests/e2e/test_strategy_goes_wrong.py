"""Strategies that go wrong in real sessions: each ends as the documents say, the books right, and so does its replay."""

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from crashing import check_books, kill, own_ports
from processes import Desk, Program, desk_in, eventually

from bus.messages import Quote, Trade
from services.feed.recording_file import read_all

pytestmark = pytest.mark.timeout(600)

BUSY = {
    "LAP_STOP_BPS": "4",
    "LAP_RISK_PCT": "0.1",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_MAX_RESTARTS": "10",
    "LAP_HEARTBEAT_INTERVAL_SEC": "0.5",
    "LAP_HEARTBEAT_TIMEOUT_SEC": "4",
    "LAP_DECISION_TIMEOUT_SEC": "120",
}
"""A trade every few seconds, and a hang that is soon seen."""


def began(desk: Desk, strategy: str, params: Mapping[str, object], **env: str) -> Program:
    shutil.copy(Path(__file__).parents[1] / "strategies.py", desk.directory / "strategies.py")
    named = {"LAP_STRATEGY": f"strategies:{strategy}", "LAP_STRATEGY_PARAMS": json.dumps(params)}
    return desk.session(**{**BUSY, **named, "LAP_BUS_PORT": str(own_ports()), **env})


def wrong(desk: Desk, plan: Sequence[str], forever: bool = False, **env: str) -> Program:
    return began(desk, "GoesWrong", {"plan": list(plan), "at": 3, "forever": forever}, **env)


def killed(desk: Desk, program: Program) -> Desk:
    assert desk.lap("kill").returncode == 0
    assert program.wait(60) == 0
    assert desk.summary()["stop_reason"] == "kill"
    return desk


def survives(desk: Desk) -> Desk:
    """All that a session outlives, one after the other."""
    plan = ("prints", "raises", "gives_text", "changes_the_candle", "forces_the_account", "leaves", "kills", "hangs")
    program = wrong(desk, plan)
    eventually(lambda: len(desk.events("candle_poisoned")) == 2, 120, "two candles are given up")
    desk.wait_trades(len(desk.events("trade_closed")) + 1, 60)
    return killed(desk, program)


def too_often(desk: Desk) -> Desk:
    program = wrong(desk, ("raises",), forever=True, LAP_MAX_STRATEGY_ERRORS="2")
    assert program.wait(90) == 1
    return desk


def leaks(desk: Desk) -> Desk:
    settings = {"LAP_MAX_STRATEGY_MEMORY_MB": "384", "LAP_MAX_STRATEGY_ERRORS": "2"}
    program = wrong(desk, ("leaks",), forever=True, **settings)
    assert program.wait(120) == 1
    return desk


def clock(desk: Desk) -> Desk:
    program = wrong(desk, ("reads_the_clock",), forever=True)
    desk.wait_trades(4, 120)  # two come before it goes wrong, and one of the clock's may be the same in a replay
    return killed(desk, program)


def ticks(desk: Desk) -> Desk:
    """Decides on ticks, and each side of the barrier dies once."""
    program = began(desk, "OnTicks", {})
    desk.wait_trades(1, 60)
    for service in ("strategy", "broker"):
        pid = desk.service_pid(service)
        assert kill(pid, signal.SIGKILL)
        eventually(lambda service=service, pid=pid: desk.service_pid(service) not in {0, pid}, 30, f"{service} is back")  # type: ignore[misc]
        desk.wait_trades(len(desk.events("trade_closed")) + 1, 60)
    return killed(desk, program)


SESSIONS: Mapping[str, Callable[[Desk], Desk]] = {
    one.__name__: one for one in (survives, ticks, leaks, too_often, clock)
}


def played(session: Callable[[Desk], Desk], directory: Path) -> Desk:
    with desk_in(directory) as desk:
        try:
            return session(desk)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{desk.show()}") from error


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Desk]]]:
    """All sessions, some at a time: they wait most of their lives."""
    directory = tmp_path_factory.mktemp("strategies")
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(played, one, directory / name) for name, one in SESSIONS.items()}


def incidents(desk: Desk) -> list[str]:
    return [row["event"] for row in desk.summary()["incidents"]]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_books_are_right(name: str, sessions: dict[str, Future[Desk]]) -> None:
    desk = sessions[name].result()
    assert desk.trades()
    check_books(desk)


@pytest.mark.parametrize("name", sorted(SESSIONS.keys() - {"clock"}))
def test_a_replay_makes_the_same_trades(name: str, sessions: dict[str, Future[Desk]]) -> None:
    replayed = sessions[name].result().lap("replay", "latest", "--check")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_a_session_outlives_faults_and_tells_each(sessions: dict[str, Future[Desk]]) -> None:
    desk = sessions["survives"].result()
    assert incidents(desk).count("strategy_failed") == len(("raises", "gives_text", "changes_the_candle", "leaves"))
    assert incidents(desk).count("candle_poisoned") == len(("kills", "hangs"))
    assert desk.summary()["restarts"] >= 2 * len(("kills", "hangs"))
    logged = (desk.directory / "logs" / "strategy.jsonl").read_text()
    assert "in raises" in logged, "the traceback is in the strategy's own log"
    assert "in hangs" in (desk.directory / "logs" / "strategy.stacks.txt").read_text()
    assert "say a word of the strategy's own" in desk.programs[0].output().splitlines()


@pytest.mark.parametrize("name", ["too_often", "leaks"])
def test_more_failures_than_allowed_end_the_session_in_order(name: str, sessions: dict[str, Future[Desk]]) -> None:
    desk = sessions[name].result()
    assert desk.summary()["stop_reason"] == "internal_error"
    assert incidents(desk).count("strategy_failed") == 3
    assert "internal_error" in (desk.directory / "logs" / "alert.txt").read_text()
    assert (desk.run_dir / "summary.html").exists()


def test_a_replay_tells_of_a_strategy_that_reads_the_clock(sessions: dict[str, Future[Desk]]) -> None:
    replayed = sessions["clock"].result().lap("replay", "latest", "--check")
    assert replayed.returncode == 1
    assert "it is not a function of its inputs" in replayed.stderr


def test_one_that_decides_on_ticks_is_asked_about_each(sessions: dict[str, Future[Desk]]) -> None:
    desk = sessions["ticks"].result()
    assert desk.summary()["restarts"] >= 2
    with closing(sqlite3.connect(f"file:{desk.run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
        asked = [
            seq for (seq,) in journal.execute("SELECT seq FROM tick_decisions WHERE answer IS NOT NULL ORDER BY seq")
        ]
        (last_seq,) = journal.execute("SELECT last_seq FROM state").fetchone()
    _, *events = read_all(desk.run_dir)
    ticks = [event.seq for event in events if isinstance(event, Quote | Trade) and event.seq <= last_seq]
    assert asked == ticks
