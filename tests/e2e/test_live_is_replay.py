"""Live = replay: whatever happened to a session, `lap replay --check` makes the same `trades.csv` out of its run."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from crashing import crash_order, kill, own_ports
from processes import Desk, Program, desk_in, eventually

pytestmark = pytest.mark.timeout(900)

HASH_SEEDS = ("0", "1", "random")
EAGER = '''
"""Signals on every candle, one side after the other."""

from services.strategy.interface import Side, Strategy


class Eager(Strategy):
    warmup = 1
    seen = 0

    def on_candle(self, context, candle):
        self.seen += 1
        return (context.market(Side.LONG if self.seen % 2 else Side.SHORT, "eager"),)
'''

BUSY = {
    "LAP_STRATEGY": "eager:Eager",
    "LAP_STRATEGY_PARAMS": "",
    "LAP_STOP_BPS": "4",
    "LAP_RISK_PCT": "0.1",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
}
"""A trade every few seconds."""


def test_a_recorded_run_can_be_a_session_again_as_the_market_it_was(desk: Desk) -> None:
    env = {"LAP_SOURCE": "mock", "LAP_SYMBOL": "ETHUSDT", "LAP_INTERVAL": "1s", "LAP_DURATION": "0.1"}
    assert desk.lap("run", **env).returncode == 0
    events = (desk.run_dir / "events.jsonl").read_bytes()
    again = {"LAP_SOURCE": "replay", "LAP_REPLAY_FILE": f"runs/{desk.run_dir.name}", "LAP_REPLAY_SPEED": "max"}
    assert desk.lap("run", **again).returncode == 0
    told = desk.summary()
    assert (told["symbol"], told["interval"], told["stop_reason"]) == ("ETHUSDT", "1s", "end_of_data")
    assert (desk.run_dir / "events.jsonl").read_bytes() == events
    other = desk.lap("run", **again, LAP_SYMBOL="BTCUSDT")
    assert other.returncode == 2, other
    assert "the recording was made with symbol ETHUSDT" in other.stdout + other.stderr


def test_after_a_hole_of_a_hundred_thousand_candles_the_strategy_is_still_asked(desk: Desk) -> None:
    """A laptop that slept for a day over candles of a second: all of them are one question."""
    tick, minute = 300, 60_000
    times = [*range(0, 4 * minute, tick), *range(1_800 * minute, 1_810 * minute, tick)]
    rows = (f"{1723161240000 + ms},{61800 + ms // 3_000 % 9},0.01,buy" for ms in times)
    (desk.directory / "trades.csv").write_text("\n".join(["ts_ms,price,size,side", *rows]))
    settings = {"LAP_REPLAY_FILE": "trades.csv", "LAP_REPLAY_SPEED": "max", "LAP_DURATION": "inf"}
    program = desk.session("--source", "replay", **settings)
    assert program.wait(120) == 0
    summary = desk.summary()
    assert (summary["stop_reason"], summary["candle_count"] > 100_000) == ("end_of_data", True)
    assert (summary["restarts"], summary["quality"]["unanswered_candles"]) == (0, 0)
    assert desk.lap("replay", "latest", "--check").returncode == 0


def mock(desk: Desk) -> None:
    program = desk.session(**ports(), LAP_DURATION="0.4")
    ends(desk, program, 0, "duration")


def demo(desk: Desk) -> None:
    program = desk.session("--source", "demo", **ports(), LAP_DURATION="0.7", LAP_SOURCE="")
    ends(desk, program, 0, "duration")


def restarts(desk: Desk) -> None:
    (desk.directory / "eager.py").write_text(EAGER)
    program = desk.session(**ports(), **BUSY)
    desk.wait_running()
    for service in ("broker", "strategy", "feed"):
        desk.wait_trades(len(desk.events("trade_closed")) + 1)
        pid = desk.service_pid(service)
        assert kill(pid, signal.SIGKILL)
        eventually(lambda service=service, pid=pid: desk.service_pid(service) not in {0, pid}, 20, f"{service} is back")  # type: ignore[misc]
    desk.wait_trades(len(desk.events("trade_closed")) + 1)
    assert desk.lap("kill").returncode == 0
    ends(desk, program, 0, "kill")
    assert desk.summary()["restarts"] == 3


def killed(desk: Desk) -> None:
    """Stopped by the kill file with a position open."""
    program = desk.session(**ports(), LAP_TP_R="1000", LAP_STOP_BPS="900")
    eventually(lambda: (desk.json("logs", "heartbeat.json") or {}).get("position") is not None, 60, "a position")
    (desk.directory / "kill.txt").write_text("enough\n")
    ends(desk, program, 0, "kill")
    assert "KILL" in desk.trades()[-1]


def widowed(desk: Desk) -> None:
    """The broker dies in the stop, with a position open: the books are closed without it."""
    order = crash_order(desk, ["broker, within the commit of the end"], "LONG", 0)
    program = desk.session(**ports(), **order, LAP_TP_R="1000", LAP_STOP_BPS="900")
    eventually(lambda: (desk.json("logs", "heartbeat.json") or {}).get("position") is not None, 60, "a position")
    (desk.directory / "kill.txt").write_text("enough\n")
    ends(desk, program, 0, "kill")
    assert "KILL" in desk.trades()[-1]


def breaker(desk: Desk) -> None:
    program = desk.session(**ports(), LAP_MAX_CONSECUTIVE_LOSSES="1")
    ends(desk, program, 5, "circuit_breaker")
    assert asked(desk, "SELECT count(*) FROM incidents WHERE event = 'breaker_tripped'") == 1
    assert [line["service"] for line in desk.events("breaker_tripped")] == ["broker"]
    assert [incident["event"] for incident in desk.summary()["incidents"]] == ["breaker_tripped"]


def late(desk: Desk) -> None:
    """The strategy answers after the broker has stopped waiting; later the monitor is gone for so long that entries halt.

    Each service stands still together with its supervisor, which would start it again otherwise.
    """
    (desk.directory / "eager.py").write_text(EAGER)
    program = desk.honcho(
        **ports(),
        **BUSY,
        LAP_HEARTBEAT_INTERVAL_SEC="0.5",
        LAP_HEARTBEAT_TIMEOUT_SEC="2",
        LAP_DECISION_TIMEOUT_SEC="7.5",
    )
    desk.wait_running()
    desk.wait_trades(1)
    with standing_still(desk, "strategy"):
        eventually(lambda: bool(desk.events("decision_timed_out")), 40, "the broker goes on without an answer")
    eventually(lambda: bool(desk.events("decision_late")), 20, "the answer comes after all")
    with standing_still(desk, "monitor"):
        eventually(lambda: refused(desk, "halted") > 0, 40, "the broker misses the monitor and takes no entry")
    eventually(lambda: bool(desk.events("entries_halted")), 20, "the monitor is back")
    desk.wait_trades(len(desk.events("trade_closed")) + 2)
    assert desk.lap("kill").returncode == 0
    ends(desk, program, 0, "kill")
    assert asked(desk, "SELECT count(*) FROM orders WHERE late") >= 1
    assert asked(desk, "SELECT count(DISTINCT kind) FROM facts") == len(
        {"decision_timed_out", "decision_late", "entries_halted", "session_closed"}
    )


SESSIONS: dict[str, Callable[[Desk], None]] = {
    "mock": mock,
    "demo": demo,
    "restarts": restarts,
    "killed": killed,
    "widowed": widowed,
    "breaker": breaker,
    "late": late,
}


class standing_still:  # noqa: N801 - used as a function
    """A service and its supervisor, stopped for a while and then let go on."""

    def __init__(self, desk: Desk, service: str) -> None:
        view = desk.json(".lap", f"{service}.json")
        self._pids = (int(view["supervisor"]["pid"]), int(view["service"]["pid"]))

    def __enter__(self) -> None:
        for pid in self._pids:
            assert kill(pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        for pid in self._pids:
            kill(pid, signal.SIGCONT)


def ports() -> dict[str, str]:
    return {"LAP_BUS_PORT": str(own_ports())}


def asked(desk: Desk, question: str) -> int:
    """Ask the journal, also of a running session."""
    with closing(sqlite3.connect(f"file:{desk.run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
        return int(journal.execute(question).fetchone()[0])


def refused(desk: Desk, reason: str) -> int:
    return asked(desk, f"SELECT count(*) FROM rejections WHERE reason = '{reason}'")


def ends(desk: Desk, program: Program, code: int, reason: str) -> None:
    assert program.wait(90) == code
    assert desk.summary()["stop_reason"] == reason
    assert desk.trades()


def played(session: Callable[[Desk], None], directory: Path) -> Desk:
    with desk_in(directory) as desk:
        try:
            session(desk)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{desk.show()}") from error
        return desk


@pytest.fixture(scope="module")
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Desk]]]:
    """The sessions that are asked for, side by side: they wait most of their lives."""
    directory = tmp_path_factory.mktemp("sessions")
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    names = {call.params.get("name") for call in calls} & set(SESSIONS) | {"mock"}
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(played, SESSIONS[name], directory / name) for name in SESSIONS if name in names}


@pytest.mark.parametrize("hash_seed", HASH_SEEDS)
@pytest.mark.parametrize("name", SESSIONS)
def test_a_replay_makes_the_same_trades(name: str, hash_seed: str, sessions: dict[str, Future[Desk]]) -> None:
    desk = sessions[name].result()
    replayed = desk.lap("replay", "latest", "--check", "--out", f"out {hash_seed}", PYTHONHASHSEED=hash_seed)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert (desk.directory / f"out {hash_seed}" / "trades.csv").read_bytes() == (
        desk.run_dir / "trades.csv"
    ).read_bytes()


@pytest.mark.parametrize("place", ["a price", "a bracket", "the end"])
@pytest.mark.parametrize("name", ["events.jsonl", "journal.db"])
def test_a_changed_byte_is_found_and_named(
    name: str, place: str, tmp_path: Path, sessions: dict[str, Future[Desk]]
) -> None:
    desk = sessions["mock"].result()
    run = tmp_path / "changed"
    shutil.copytree(desk.run_dir, run)
    content = bytearray((run / name).read_bytes())
    middle = len(content) // 2
    at = {"a price": content.index(b"1", middle), "a bracket": content.index(b"]", middle), "the end": len(content) - 1}
    content[at[place]] ^= 0x01 if place == "a price" else 0xFF
    (run / name).write_bytes(content)
    replayed = desk.lap("replay", str(run), "--check")
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert name in replayed.stderr
    assert os.linesep.join(replayed.stderr.splitlines()[1:]) == "", "one sentence"
