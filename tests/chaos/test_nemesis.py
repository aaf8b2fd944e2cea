"""The nemesis: every kind of harm at random on real sessions, one after the other, each ended in another way.

The seed is printed; `CHAOS_SEED` sets it. `SECONDS` says how long it goes on, and that the seed is a new one each time: the
short sample of the ordinary run draws the same each time. Whatever was done, of what is left all must hold that holds of
a session left in peace.
"""

import csv
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from bus_peer import Listener
from crashing import PLAYS, Twin, Twins, check_books, check_left, check_recording, own_ports, reasons_told
from nemesis import Draws, Nemesis
from processes import FACTOR, LAP, Desk, Program, desk_in, eventually, python_path

from services.clock import monotonic_ms
from services.replay.script import read_script

SAMPLE_SECONDS, SAMPLE_SEED = 60, 2
SECONDS = float(os.environ.get("SECONDS", SAMPLE_SECONDS))
LONGEST_STORM_S = 14

pytestmark = pytest.mark.timeout(int(SECONDS * 3 * FACTOR) + 600)

UNTIRING = {
    "LAP_MAX_RESTARTS": "10000",
    "LAP_RESTART_WINDOW_SEC": "0.5",
    "LAP_HEARTBEAT_INTERVAL_SEC": "0.5",
    "LAP_HEARTBEAT_TIMEOUT_SEC": "4",
}
LIVE = {
    "LAP_SOURCE": "bitunix",
    "LAP_INTERVAL": "1s",
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_STRATEGY_PARAMS": "fast=2,slow=5",
    "LAP_MIN_TRADE_INTERVAL_SEC": "1",
    "LAP_STOP_BPS": "8",
    "LAP_MAX_CONSECUTIVE_LOSSES": "1000",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_WS_MAX_RETRIES": "1000",
    "LAP_WS_BACKOFF_MIN_SEC": "0.1",
    "LAP_WS_BACKOFF_MAX_SEC": "0.5",
}
WEATHER = ("drop", "gap=10", "mute", "duplicate=5", "reorder=5", "garbage=10", "flood=1000/s", "http=500", "delay=300")
"""What the exchange does of its own, each for a second."""
FILES = {"config.json", "journal.db", "seal.json", "summary.html", "summary.json", "trades.csv"}


@dataclass(frozen=True)
class End:
    """How a session is ended, and what it must say: `codes` of the launcher (negative: it was killed itself)."""

    act: Callable[[Desk, Program], None]
    reason: str
    codes: frozenset[int]


def _touch_kill_file(desk: Desk, _: Program) -> None:
    (desk.directory / "kill.txt").touch()


def _signal_all(number: signal.Signals) -> Callable[[Desk, Program], None]:
    return lambda _, program: os.killpg(program.pid, number)


def _signal_launcher(number: signal.Signals) -> Callable[[Desk, Program], None]:
    return lambda _, program: os.kill(program.pid, number)


def _kill_supervisor(service: str) -> Callable[[Desk, Program], None]:
    def act(desk: Desk, _: Program) -> None:
        os.kill(desk.json(".lap", f"{service}.json")["supervisor"]["pid"], signal.SIGKILL)

    return act


ANY_CODE = frozenset(range(-64, 256))
ENDS: Mapping[str, Mapping[str, End]] = {
    "run": {
        "kill file": End(_touch_kill_file, "kill", frozenset({0})),
        "Ctrl-C": End(_signal_all(signal.SIGINT), "signal", frozenset({0})),
        "SIGTERM": End(_signal_launcher(signal.SIGTERM), "signal", frozenset({0})),
        "closed terminal": End(_signal_all(signal.SIGHUP), "orphaned", frozenset({8})),
        "launcher killed": End(_signal_launcher(signal.SIGKILL), "orphaned", frozenset({-9})),
    },
    "honcho": {
        "kill file": End(_touch_kill_file, "kill", frozenset({0})),
        "Ctrl-C": End(_signal_launcher(signal.SIGINT), "signal", frozenset({0, 130})),
        "launcher killed": End(_signal_launcher(signal.SIGKILL), "orphaned", frozenset({-9})),
        **{
            f"supervisor of {service} killed": End(_kill_supervisor(service), "internal_error", ANY_CODE)
            for service in ("feed", "strategy", "broker", "monitor")
        },
    },
}
CODES = {"duration": 0, "end_of_data": 0, "kill": 0, "signal": 0, "orphaned": 8, "internal_error": 1}


class Round:
    """One session under the nemesis.

    Args:
        desk: where.
        draws: what decides of everything.
        twins: what uncrashed sessions left.
    """

    def __init__(self, desk: Desk, draws: Draws, twins: Twins) -> None:
        self._desk = desk
        self._draws = draws
        self._twins = twins
        self._start = ("run", "honcho")[draws.below(2)]
        names = [*ENDS[self._start], "none"]
        self.end = names[draws.below(len(names))]
        self._twin: Twin | None = None
        self._exchange: Program | None = None
        self.name = ""

    def play(self) -> Nemesis:
        """Start, harm, end, check; return who did it."""
        jump = self._desk.directory / "jump"
        hook = self._desk.directory / "hook"
        hook.mkdir()
        shutil.copyfile(Path(__file__).parents[1] / "jumping_clock.py", hook / "sitecustomize.py")
        more = {"PYTHONPATH": python_path(hook), "JUMP_FILE": str(jump), **UNTIRING}
        program = self._tape(more) if self._draws.below(2) else self._live(more)
        nemesis = Nemesis(self._desk, program, self._draws, self._exchange, jump)
        try:
            self._desk.wait_running(40)
            listener = Listener(self._desk)
            until_ms = monotonic_ms() + 1000 * (4 + self._draws.below(LONGEST_STORM_S - 4))
            nemesis.storm(lambda: monotonic_ms() >= until_ms)
            self._check(program, self._bring_to_an_end(program), listener)
        except AssertionError as error:
            deeds = ", ".join(nemesis.deeds)
            raise AssertionError(f"{self.name}, end: {self.end}\n{deeds}\n{error}\n{self._desk.show()}") from error
        return nemesis

    def _tape(self, more: Mapping[str, str]) -> Program:
        play = PLAYS[("cross LONG", "limits")[self._draws.below(2)]]
        self.name = f"{play.name} from a file under {self._start}"
        self._twin = self._twins.of(play)
        return play.session(self._desk, "20", self._start, **more)

    def _live(self, more: Mapping[str, str]) -> Program:
        self.name = f"the exchange under {self._start}"
        port = own_ports()
        faults = [f"{WEATHER[self._draws.below(len(WEATHER))]}@{at}s+1s" for at in range(6, 30, 3)]
        words = [word for fault in faults for word in ("--fault", fault)]
        exchange = self._desk.start(LAP, "exchange", "--port", str(port), *words)
        eventually(lambda: "listening" in exchange.output(), 30, "the exchange listens")
        self._exchange = exchange
        urls = {
            "LAP_BITUNIX_WS_URL": f"ws://127.0.0.1:{port}/public/",
            "LAP_BITUNIX_REST_URL": f"http://127.0.0.1:{port}",
        }
        settings = {**LIVE, **urls, "LAP_BUS_PORT": str(own_ports()), **more}
        return self._desk.honcho(**settings) if self._start == "honcho" else self._desk.session(**settings)

    def _bring_to_an_end(self, program: Program) -> End:
        """End it, unless it has come to its end by itself; return what it must say."""
        if self.end == "none" and self._exchange is not None:
            self.end = "kill file"
        chosen = ENDS[self._start].get(self.end)
        codes = frozenset({0})
        if chosen is None or program.popen.poll() is not None or self._desk.json(".lap", "stop.json") is not None:
            self.end = "none"
        else:
            chosen.act(self._desk, program)
            reason = (self._desk.json(".lap", "stop.json") or {}).get("reason")
            if reason != "end_of_data":  # it may have come to its end in the same moment
                program.wait(60)
                if (self._desk.json(".lap", "stop.json") or {}).get("reason") != "end_of_data":
                    return chosen
            codes |= chosen.codes  # what was done too late to be the reason was done all the same
        program.wait(90)
        return End(_touch_kill_file, "end_of_data", codes)

    def _check(self, program: Program, end: End, listener: Listener) -> None:
        eventually(lambda: not program.family(), 30, "no process is left")
        listener.close()
        assert listener.heard
        assert listener.holes == []
        assert program.wait(5) in end.codes
        assert {entry.name for entry in self._desk.run_dir.iterdir()} >= FILES
        # The broker may have come to the end of the data in the moment in which somebody else stopped the session.
        assert {end.reason} <= reasons_told(self._desk) <= {end.reason, "end_of_data"}
        assert self._codes_told(program) == {CODES[end.reason]}
        assert not (self._desk.directory / "kill.txt").exists()
        check_books(self._desk)
        check_recording(self._desk)
        self._check_exactly_once()
        replayed = self._desk.lap("replay", "latest", "--check")
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        if self._twin is not None and self._is_undisturbed():
            self._check_twin(self._twin, program, end)

    def _codes_told(self, program: Program) -> set[int]:
        """The codes in the files, and those of the supervisors, as honcho tells them; of the killed there is none."""
        told = {self._desk.json(".lap", "stop.json")["code"], self._desk.json("runs", "latest", "end.json")["code"]}
        return told | {int(code) for code in re.findall(r"stopped \(rc=(\d+)\)", program.output())}

    def _check_exactly_once(self) -> None:
        """No order is filled twice, none that was filled is anything else."""
        with closing(sqlite3.connect(f"file:{self._desk.run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
            entries = journal.execute("SELECT client_order_id FROM fills WHERE is_entry").fetchall()
            filled = journal.execute("SELECT client_order_id FROM orders WHERE status = 'filled'").fetchall()
            open_ones = journal.execute(
                "SELECT client_order_id FROM orders WHERE status IN ('pending', 'resting')"
            ).fetchall()
        assert len(entries) == len(set(entries))
        assert set(entries) <= set(filled)
        assert open_ones == []

    def _is_undisturbed(self) -> bool:
        """Whether no wall-clock fact but the end touched the trading: a monitor long gone halts entries, and may."""
        script = read_script([self._desk.run_dir], {}, self._desk.directory)
        return [type(fact).__name__ for fact in script.facts] == ["SessionClosed"]

    def _check_twin(self, twin: Twin, program: Program, end: End) -> None:
        """At the same end everything is as the twin's; before it, all trades but the one that the end closed."""
        if end.reason == "end_of_data":
            check_left(self._desk, program, twin)
            return
        with (self._desk.run_dir / "trades.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        natural = [row for row in rows if row["exit_reason"] in {"SL", "TP", "FLAT"}]
        assert len(natural) >= len(rows) - 1
        assert natural == twin.rows[: len(natural)]


def test_whatever_is_done_to_a_session_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = int.from_bytes(os.urandom(4), "big") if "SECONDS" in os.environ else SAMPLE_SEED
    seed = int(os.environ.get("CHAOS_SEED") or drawn)
    twins = Twins(tmp_path / "twins")
    until_ms = monotonic_ms() + int(SECONDS * 1000)
    kinds: set[str] = set()
    number = 0
    while monotonic_ms() < until_ms:
        directory = tmp_path / f"round {number}"
        with desk_in(directory) as desk:
            played = Round(desk, Draws(seed + number), twins)
            try:
                nemesis = played.play()
            except AssertionError as error:
                raise AssertionError(f"CHAOS_SEED={seed + number}: {error}") from error
        with capsys.disabled():
            text = f"{played.name}, {len(nemesis.deeds)} deeds, then: {played.end}"
            sys.stdout.write(f"\nCHAOS_SEED={seed + number}: {text}")
        kinds |= nemesis.kinds()
        shutil.rmtree(directory)
        number += 1
    assert "killed" in kinds
    assert len(kinds) > 2
