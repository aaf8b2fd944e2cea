"""What a session can come to that no other test of real processes shows: refused orders, states, alerts of every kind."""

import os
import shutil
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from processes import LAP, QUICK, Desk, eventually, python_path
from provoking import StateWatch
from tape import write_tape

from bus.messages import (
    Candle,
    EventsPage,
    EventsRequest,
    FeedState,
    FeedStatus,
    InfoRequest,
    Message,
    StreamInfo,
    Trade,
)
from bus.sockets import Bus, Publisher, Server
from services.clock import boot_ms
from services.session.keys_file import load_keys
from services.session.locks import FileLock

pytestmark = pytest.mark.timeout(180)

START_MS = 1_750_000_000_000


def change_in(module: str, name: str, value: str) -> str:
    """Return a `sitecustomize.py` that gives something in a module another value the moment it is loaded."""
    tests = str(Path(__file__).parents[1])
    return f"""
import sys
sys.path.append({tests!r})
from crash_hook import Finder, change
sys.meta_path.insert(0, Finder({{{module!r}: [change("{module}:{name}", lambda _: {value})]}}))
"""


PICKY = '''
"""Signals what has to be refused, each at its second of the session."""

from dataclasses import replace

from services.strategy.interface import Side, Strategy

START_MS = 1_750_000_000_000


class Picky(Strategy):
    warmup = 0

    def on_candle(self, context, candle):
        market = context.market
        second = (context.ts_ms - START_MS) // 1000
        plan = {
            27: [market(Side.LONG), market(Side.LONG)],
            28: [replace(context.limit(Side.LONG, 100.0), limit_price=100.00001)],
            29: [market(Side.LONG)],
            30: [market(Side.FLAT)],
            31: [market(Side.SHORT)],
            32: [market(Side.FLAT)],
            39: [replace(market(Side.LONG), stop_bps=9999.0)],
            42: [market(Side.LONG)],
        }
        return plan.get(second, ())
'''
REFUSED = ["duplicate", "invalid", "position_open", "throttled", "no_position", "min_qty", "expired"]


def rejections(desk: Desk) -> list[str]:
    events = desk.events("order_rejected")
    return [event["message"].rpartition(" ")[2] for event in events]


@pytest.mark.provokes(
    "stop_reason end_of_data",
    "rejection duplicate",
    "rejection invalid",
    "rejection position_open",
    "rejection throttled",
    "rejection no_position",
    "rejection min_qty",
    "rejection expired",
)
def test_orders_are_refused_for_each_reason_there_is(desk: Desk) -> None:
    """The first third of the data is history. Then the market falls silent for 20 s, so that an order is due too late."""
    times = [START_MS + 100 * number for number in [*range(421), *range(620, 660)]]
    quotes = ["ts_ms,bid,ask,bid_size,ask_size", *(f"{ts},100.0,100.1,1,1" for ts in times)]
    (desk.directory / "quotes.csv").write_text("\n".join([*quotes, ""]))
    trades = ["ts_ms,price,size,side", *(f"{ts},100.1,1,buy" for ts in times if ts % 1000 == 0)]
    (desk.directory / "trades.csv").write_text("\n".join([*trades, ""]))
    (desk.directory / "picky.py").write_text(PICKY)
    program = desk.session(
        LAP_SOURCE="replay",
        LAP_REPLAY_FILE="quotes.csv:trades.csv",
        LAP_REPLAY_SPEED="max",
        LAP_STRATEGY="picky:Picky",
        LAP_STRATEGY_PARAMS="",
        LAP_MIN_TRADE_INTERVAL_SEC="10",
        LAP_MIN_QTY="2",
        LAP_TP_R="100",
        LAP_STOP_BPS="90",
    )
    assert program.wait(40) == 0
    assert rejections(desk) == REFUSED
    assert [row.split(",")[8] for row in desk.trades()] == ["FLAT"]


class HandMadeFeed:
    """A feed that the test plays on the bus. It breaks a rule that ours keeps: there are trades before any quote."""

    def __init__(self, desk: Desk) -> None:
        ports = desk.json(".lap", "session.json")["ports"]
        self.bus = Bus(load_keys(desk.directory / ".lap"), "feed", boot_ms())
        self._publisher: Publisher = self.bus.publisher(ports["feed"])
        self._server: Server = self.bus.server(ports["feed_rpc"])
        steps = (Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001"))
        self._info = StreamInfo("BTCUSDT", 1_000, "tick", *steps)
        self._events = tuple(self._stream())

    def turn(self) -> None:
        """Answer, and say that all events are out."""
        self._publisher.receive()
        last = self._events[-1]
        self._publisher.send(
            FeedStatus(FeedState.CONNECTED, last.seq, last.ts_ms, 100.0, 3, 1, data_age_ms=0, refused=0, reconnects=0)
        )
        for peer, question in self._server.receive():
            self._server.send(peer, self._answer(question))

    def _answer(self, question: Message) -> Message:
        if isinstance(question, InfoRequest):
            return self._info
        assert isinstance(question, EventsRequest)
        after = question.after_seq
        return EventsPage(after, len(self._events), self._events[after:])

    def _stream(self) -> list[Trade | Candle]:
        def trade(seq: int, at_ms: int) -> Trade:
            return Trade(seq, START_MS + at_ms, 100.0, 1.0, "buy")

        candle = Candle(2, START_MS + 1_000, "BTCUSDT", 1_000, START_MS, 100.0, 100.0, 100.0, 100.0, 1.0)
        return [trade(1, 0), candle, trade(3, 1_000), trade(4, 1_990)]


@pytest.mark.provokes("rejection no_quote")
def test_an_order_before_any_quote_is_refused(desk: Desk) -> None:
    (desk.directory / "eager.py").write_text(
        "from services.strategy.interface import Side, Strategy\n\n\n"
        "class Eager(Strategy):\n    warmup = 0\n\n"
        "    def on_candle(self, context, candle):\n        return (context.market(Side.LONG),)\n"
    )
    env = {**QUICK, "LAP_STRATEGY": "eager:Eager", "LAP_STRATEGY_PARAMS": ""}
    programs = [desk.start(LAP, service, **env) for service in ("broker", "strategy", "monitor")]
    eventually((desk.directory / ".lap" / "bus.key").exists, 30, "the session is open")
    feed = HandMadeFeed(desk)
    try:

        def refused() -> bool:
            feed.turn()
            return rejections(desk) == ["no_quote"]

        eventually(refused, 30, "the order is refused")
    finally:
        feed.bus.close()
    assert desk.lap("kill").returncode == 0
    assert [program.wait(20) for program in programs] == [0, 0, 0]


@pytest.mark.provokes("stop_reason circuit_breaker", "alert event breaker_tripped", "alert the session ends: ...: ...")
def test_the_breaker_ends_the_session(desk: Desk) -> None:
    program = desk.session(
        LAP_SOURCE="replay",
        LAP_REPLAY_FILE=write_tape(desk.directory, 120),
        LAP_REPLAY_SPEED="max",
        LAP_MAX_CONSECUTIVE_LOSSES="1",
    )
    assert program.wait(40) == 5
    assert desk.summary()["stop_reason"] == "circuit_breaker"


@pytest.mark.provokes(
    "state STARTING",
    "state RUNNING",
    "state BACKOFF",
    "state STOPPING",
    "state EXITED",
    "state FATAL",
    "stop_reason restarts_exhausted",
    "alert ... ... (failure ... of this session)",
)
def test_a_service_goes_through_every_state(desk: Desk) -> None:
    watch = StateWatch(desk)
    program = desk.session(LAP_MAX_RESTARTS="2")
    try:
        desk.wait_running()
        pid = 0
        for _ in range(3):
            eventually(lambda pid=pid: desk.service_pid("strategy") not in {0, pid}, 20, "it is back")  # type: ignore[misc]
            pid = desk.service_pid("strategy")
            os.kill(pid, signal.SIGKILL)
        assert program.wait(30) == 6
    finally:
        watch.close()
    desk.states = watch.seen
    assert desk.json(".lap", "strategy.json")["state"] == "FATAL"
    assert desk.json(".lap", "broker.json")["state"] == "EXITED"


def in_its_place(path: Path) -> None:
    """Put a directory where a file is to be written."""
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "occupied").touch()


@pytest.mark.provokes(
    "alert the view of ... can not be written: ...",
    "alert heartbeat.json can not be written: ...",
    "alert ... can not go on: ...",
)
def test_what_can_not_be_shown_stops_nothing_and_a_key_that_others_can_read_is_refused(desk: Desk) -> None:
    program = desk.session(LAP_MAX_RESTARTS="1")
    desk.wait_running()
    pid = desk.service_pid("strategy")
    in_its_place(desk.directory / ".lap" / "strategy.json")
    in_its_place(desk.directory / "logs" / "heartbeat.json")
    alerts = desk.directory / "logs" / "alert.txt"
    eventually(lambda: alerts.exists() and "heartbeat.json" in alerts.read_text(), 20, "it is told")
    desk.wait_trades(1)
    (desk.directory / ".lap" / "bus.key").chmod(0o644)
    os.kill(pid, signal.SIGKILL)
    assert program.wait(30) == 6
    assert desk.summary()["stop_reason"] == "restarts_exhausted"
    assert "chmod 600" in alerts.read_text()


@pytest.mark.provokes(
    "alert the report can not be written: ...; make it with 'lap report'",
    "alert closing the session failed: exit code ...",
)
def test_a_report_that_can_not_be_written_can_be_made_later(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    page = desk.run_dir / "summary.html"
    in_its_place(page)
    assert desk.lap("kill").returncode == 0
    assert program.wait(20) == 0
    assert "lap report" in program.output()
    shutil.rmtree(page)
    assert desk.lap("report").returncode == 0
    assert desk.summary()["stop_reason"] == "kill"
    assert page.exists()


HURRY = change_in("services.supervision.supervisor", "DONE_MS", "1_500")
IMPOSSIBLE = change_in("services.monitor.status", "status_line", "lambda *_: 1 / 0")


def hooked(desk: Desk, hook: str) -> dict[str, str]:
    """Return the environment in which every Python process begins with a hook."""
    directory = desk.directory / "hook"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(hook)
    return {"PYTHONPATH": python_path(directory)}


@pytest.mark.provokes("alert the report took too long; make it with 'lap report'")
def test_a_report_that_takes_too_long_holds_up_nobody(desk: Desk) -> None:
    """Somebody else holds the lock under which sessions are closed; the supervisor's patience is shortened."""
    program = desk.session(**hooked(desk, HURRY))
    desk.wait_running()
    lock = FileLock(desk.directory / ".lap" / "closing.lock")
    assert lock.try_acquire()
    try:
        assert desk.lap("kill").returncode == 0
        assert program.wait(20) == 0
    finally:
        lock.release()
    assert desk.lap("report").returncode == 0
    assert desk.session(LAP_DURATION="0.1").wait(40) == 0


@pytest.mark.provokes("stop_reason config", "alert ... can not start: ...")
def test_a_market_that_the_simulated_exchange_has_not_refuses_the_session(desk: Desk) -> None:
    program = desk.session("--source", "demo", "--symbol", "BTC.P")
    assert program.wait(60) == 2
    assert "Traceback" not in program.output()
    assert desk.summary()["stop_reason"] == "config"


@pytest.mark.provokes("alert ... failed: ...: ...")
def test_our_own_impossibility_ends_a_service_and_is_told(desk: Desk) -> None:
    program = desk.session(**hooked(desk, IMPOSSIBLE), LAP_MAX_RESTARTS="0")
    assert program.wait(40) == 6
    alerts = (desk.directory / "logs" / "alert.txt").read_text()
    assert "monitor failed: ZeroDivisionError" in alerts
    assert "restarts_exhausted" in alerts
    assert desk.summary()["stop_reason"] == "restarts_exhausted"
