"""Sessions that are made to crash, and what must hold of what they leave: all that an uncrashed twin left, the same.

The twin and the crashed one play the same data file to its end, so that both see the same last event.
"""

import atexit
import csv
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import count, pairwise
from pathlib import Path
from shutil import copyfile
from threading import Lock
from types import MappingProxyType
from typing import Any

import orjson
from crash_hook import ORDER
from processes import LAP, Desk, Program, desk_in, eventually, python_path
from tape import write_tape

from bus.messages import Message
from services.feed.recording_file import read_all
from services.session.ports_tcp import is_free

FILES = {"config.json", "journal.db", "seal.json", "summary.html", "summary.json", "trades.csv"}
STARTING_BALANCE = 10_000
SETTINGS = {
    "LAP_SOURCE": "replay",
    "LAP_INTERVAL": "1s",
    "LAP_SEED": "7",
    "LAP_STRATEGY_PARAMS": "fast=3,slow=8",
    "LAP_MIN_TRADE_INTERVAL_SEC": "1",
    "LAP_STOP_BPS": "8",
    "LAP_MAX_CONSECUTIVE_LOSSES": "1000",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_STARTING_BALANCE": str(STARTING_BALANCE),
}
LIMITS = {"LAP_STRATEGY": "waves:Waves", "LAP_STRATEGY_PARAMS": "", "LAP_LIMIT_TTL_SEC": "3", "LAP_STOP_BPS": "20"}
"""Instead of crossings: limit orders and FLAT, by a strategy of the desk's own."""
STRATEGY = '''
"""Limit orders on both sides in turn, left by FLAT if nothing else closed them. What it does hangs on how many candles
it has seen, so that one that was not told them all again gives itself away."""

from services.strategy.interface import Side, Strategy


class Waves(Strategy):
    warmup = 1
    seen = 0

    def on_candle(self, context, candle):
        self.seen += 1
        turn, step = divmod(self.seen, 9)
        side = Side.LONG if turn % 2 else Side.SHORT
        if step == 0:
            return (context.limit(side, round(candle.close - side.sign * (turn % 3) * 6, 1), "wave"),)
        if step == 7 and context.account is not None and context.account.side is not Side.FLAT:
            return (context.market(Side.FLAT, "over"),)
        if step == 8 and context.account is not None and context.account.side is Side.FLAT:
            return (context.market(Side.FLAT, "for nothing"),)
        if step == 2 and turn % 5 == 0:
            return (context.market(Side.FLAT, "never mind"),)
        return ()
'''
LIVE_SPEED, SLOW_SPEED = "60", "15"
"""How much faster the market goes. On a busy machine much of it has passed before all services stand: no test may
depend on how far behind the feed the others are, but those that go slowly."""


@dataclass(frozen=True)
class Play:
    """What a session plays: how much of the tape, and by which strategy."""

    name: str
    seconds: int
    settings: Mapping[str, str]

    def session(self, desk: Desk, speed: str, start: str = "run", **env: str) -> Program:
        """Start it on a desk."""
        files = write_tape(desk.directory, self.seconds)
        (desk.directory / "waves.py").write_text(STRATEGY)
        replay = {"LAP_REPLAY_FILE": files, "LAP_REPLAY_SPEED": speed, "LAP_BUS_PORT": str(own_ports())}
        settings = {**SETTINGS, **self.settings, **replay, **env}
        return desk.honcho(**settings) if start == "honcho" else desk.start(LAP, "run", **settings)


PLAYS: Mapping[str, Play] = {
    play.name: play
    for play in (
        Play("cross LONG", 330, {}),
        Play("cross SHORT", 370, {}),
        Play("cross FLAT", 320, {}),
        Play("limits", 370, LIMITS),
    )
}
"""By what they trade, and by what they hold when the tape ends: a limit order rests at the end of the last."""


@dataclass(frozen=True)
class Twin:
    """What an uncrashed session left."""

    trades: bytes
    recording: Sequence[Message]
    tables: Mapping[str, list[Any]]

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(self.trades.decode().splitlines()))

    def moment_of(self, side: str) -> int:
        """An event time well within the session at which the account stands on a side, ms."""
        held = [(int(row["entry_ts"]), int(row["exit_ts"]), row["side"]) for row in self.rows]
        if side == "FLAT":
            spans = [(one[1], other[0]) for one, other in pairwise(held)]
        else:
            spans = [(begin, end) for begin, end, which in held if which == side]
        begin, end = max(spans[len(spans) // 3 :], key=lambda span: span[1] - span[0])
        return (begin + end) // 2


class Twins:
    """The twins of all plays, each made once, when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._found: dict[str, Twin] = {}
        self._lock = Lock()

    def of(self, play: Play) -> Twin:
        with self._lock:
            if play.name not in self._found:
                self._found[play.name] = self._make(play)
            return self._found[play.name]

    def _make(self, play: Play) -> Twin:
        with desk_in(self._directory / play.name) as desk:
            program = play.session(desk, "max")
            assert program.wait(60) == 0, desk.show()
            assert desk.summary()["restarts"] == 0
            return left_by(desk)


def left_by(desk: Desk) -> Twin:
    """Read what a session left."""
    run_dir = desk.run_dir
    with closing(sqlite3.connect(f"file:{run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
        tables = {
            "orders": journal.execute("SELECT * FROM orders ORDER BY client_order_id").fetchall(),
            "fills": [row[1:] for row in journal.execute("SELECT * FROM fills ORDER BY 1")],
            "rejections": journal.execute("SELECT client_order_id, seq, reason FROM rejections").fetchall(),
            "decisions": journal.execute("SELECT open_ms, answer FROM decisions ORDER BY open_ms").fetchall(),
        }
    return Twin((run_dir / "trades.csv").read_bytes(), list(read_all(run_dir)), tables)


def crash_order(
    desk: Desk,
    points: Sequence[str],
    side: str,
    from_ms: int,
    constants: Mapping[str, object] = MappingProxyType({}),
    doubled: Sequence[str] = (),
) -> dict[str, str]:
    """Lay out what kills the services at named points; return the environment that makes them do so.

    Args:
        desk: where the session will run.
        points: their names in `crash_hook.POINTS`.
        side: on which the account stands then.
        from_ms: the event time from which on the feed is meant.
        constants: `module:NAME` and the value it is to have.
        doubled: `module:Class.method` that is to be called twice each time.
    """
    hook, marks = desk.directory / "hook", desk.directory / "marks"
    hook.mkdir()
    marks.mkdir()
    copyfile(Path(__file__).with_name("crash_hook.py"), hook / "sitecustomize.py")
    order = {"points": points, "side": side, "from_ms": from_ms, "marks": str(marks)}
    more = {"constants": dict(constants), "doubled": list(doubled)}
    return {"PYTHONPATH": python_path(hook), ORDER: orjson.dumps({**order, **more}).decode()}


def check_left(desk: Desk, program: Program, twin: Twin, reason: str = "end_of_data") -> None:
    """What must hold of a session that was crashed, whatever was crashed in it."""
    assert {entry.name for entry in desk.run_dir.iterdir()} >= FILES
    check_books(desk)
    check_recording(desk)
    left = left_by(desk)
    assert left.trades.decode() == twin.trades.decode()
    assert left.tables == twin.tables
    assert left.recording == twin.recording
    assert reasons_told(desk) == {reason}
    eventually(lambda: not program.family(), 10, "no process is left")
    replayed = desk.lap("replay", "latest", "--check")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def reasons_told(desk: Desk) -> set[str]:
    """Why the session stopped, by everybody who says so."""
    places = (
        desk.json(".lap", "stop.json"),
        desk.json("runs", "latest", "end.json"),
        {"reason": desk.summary()["stop_reason"]},
        *({"reason": event["stop_reason"]} for event in desk.events("session_stopped")),
    )
    with closing(sqlite3.connect(f"file:{desk.run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
        facts = journal.execute("SELECT detail FROM facts WHERE kind = 'session_closed'").fetchall()
    assert len(facts) == 1, "the books are closed once"
    return {place["reason"] for place in (*places, orjson.loads(facts[0][0]))}


def check_books(desk: Desk) -> None:
    """Money identity along the trades; every id once."""
    with (desk.run_dir / "trades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    balance = Decimal(STARTING_BALANCE)
    for row in rows:
        balance += Decimal(row["pnl"])
        assert Decimal(row["equity"]) == balance, row
    assert [int(row["trade_id"]) for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["client_order_id"] for row in rows}) == len(rows)


def check_recording(desk: Desk) -> None:
    """Every event once, in order, none missing."""
    _, *events = read_all(desk.run_dir)
    assert [getattr(event, "seq", None) for event in events] == list(range(1, len(events) + 1))


_BLOCK = 9
"""A session's eight ports, and one that is held for as long as these tests run: others that run beside them see by it
that the block is given, also while nobody listens on the eight yet."""
_blocks: Iterator[int] = count(os.getpid() * 7)
_blocks_lock = Lock()


def own_ports() -> int:
    """Return the first of eight free ports that no other session of these tests is given.

    Sessions that start at the same instant and draw their ports could draw the same ones: a chance that is small for
    a person, and not for hundreds of sessions.
    """
    with _blocks_lock:
        while True:
            first = 10_000 + next(_blocks) % 1_200 * _BLOCK
            if all(map(is_free, range(first, first + _BLOCK - 1))) and _holds(first + _BLOCK - 1):
                return first


def _holds(port: int) -> bool:
    holder = socket.socket()
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return False
    atexit.register(holder.close)
    return True


def kill(pid: int, how: signal.Signals) -> bool:
    """Send a signal; false when the process has just gone."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return False
    return True
