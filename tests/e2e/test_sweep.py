"""`lap sweep` on real clusters: the same table whoever works, dies, or is stopped; and nothing listens to the outside."""

import os
import signal
import socket
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from processes import BIN, LAP, Desk, Program, eventually
from sweep_builders import CALM, candles

pytestmark = pytest.mark.timeout(120)

SETTINGS = tuple(word for setting in CALM for word in ("--set", setting))
NO_NAME_SPACES = 77
ALONE = """
ip link set lo up || exit 77
python=$1; shift
"$python" -c "
import socket, subprocess, sys
with socket.create_server(('127.0.0.1', 8787)):
    sys.exit(subprocess.call(sys.argv[1:]))
" "$@"
"""
SLOW_STRATEGY = """
from services.strategy.built_in.sma_cross import SmaCross

class Slow(SmaCross):
    def on_candle(self, context, candle):
        sum(range(5_000))  # so that a sweep has a middle in which it can be disturbed
        return super().on_candle(context, candle)
"""
SLOW = ("--strategy", "slow_of_sweep:Slow")
GRID_40 = (*SLOW, "--range", "fast=2:5", "--range", "slow=12:21", *SETTINGS)
GRID_200 = (*SLOW, "--range", "fast=2:11", "--range", "slow=12:31", *SETTINGS)
OWN_STRATEGY = """
from dataclasses import dataclass

from numbers_of_mine import WARMUP
from services.strategy.interface import Side, Strategy

@dataclass(frozen=True)
class Params:
    every: int = 7
    shy: float = 1.0

class Mine(Strategy):
    params: Params
    warmup = WARMUP
    def on_candle(self, context, candle):
        if self.params.shy > 2.5:
            raise ValueError("too shy")
        if candle.open_ms // 60_000 % self.params.every:
            return None
        return context.market(Side.LONG if candle.close > candle.open else Side.SHORT)
"""


def market(desk: Desk, count: int) -> Path:
    """A file of candles, and beside it a strategy that takes its time."""
    (desk.directory / "slow_of_sweep.py").write_text(SLOW_STRATEGY)
    return candles(desk.directory, count)


def done_runs(desk: Desk, out: str) -> int:
    """How many runs are in the results by now."""
    path = desk.directory / out / "sweep.db"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def listening(program: Program) -> set[str]:
    """The addresses on which a program and its children listen."""
    found = set()
    for process in program.family():
        with suppress(psutil.Error):  # one may just have ended
            found |= {one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN}
    return found


def finished(desk: Desk, *words: str, code: int = 0) -> str:
    """Sweep to the end; return what was printed."""
    sweep = desk.start(LAP, "sweep", *words)
    assert sweep.wait(90) == code, sweep.output()
    return sweep.output()


def own_table(desk: Desk, data: Path, *words: str, code: int = 0) -> bytes:
    """The table as one process makes it, without a cluster."""
    finished(desk, str(data), *words, "--workers", "0", "--out", "own", code=code)
    return table(desk, "own")


def table(desk: Desk, out: str) -> bytes:
    return (desk.directory / out / "runs.csv").read_bytes()


def cluster(desk: Desk) -> tuple[Program, Program, Program]:
    """A scheduler and two workers that nobody starts again, each a process of its own."""
    file = desk.directory / "cluster.json"
    dask = (str(BIN / "dask"),)
    here = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
    place = {"DASK_TEMPORARY_DIRECTORY": str(desk.directory)}
    scheduler = desk.start(*dask, "scheduler", "--port", "0", *here, **place)
    eventually(file.exists, 30, "the scheduler is there")
    worker = (*dask, "worker", "--nthreads", "1", "--no-nanny", *here)
    return scheduler, desk.start(*worker, **place), desk.start(*worker, **place)


def test_a_scheduler_and_two_workers_make_the_table_of_one_process_though_one_is_killed(desk: Desk) -> None:
    """And when the scheduler is killed, another sweep ends in one sentence, what is done being kept."""
    data = market(desk, 400)
    scheduler, first, _ = cluster(desk)
    sweep = desk.start(LAP, "sweep", str(data), *GRID_200, "--scheduler", "cluster.json", "--out", "there")
    eventually(lambda: done_runs(desk, "there") >= 40, 60, "a fifth is done")
    os.kill(first.pid, signal.SIGKILL)
    assert done_runs(desk, "there") < 200, "in the middle"
    assert sweep.wait(90) == 0
    assert done_runs(desk, "there") == 200
    assert own_table(desk, data, *GRID_200) == table(desk, "there")
    assert "Of 200 trials the best has net_pnl" in sweep.output()
    assert "distributed" not in sweep.output(), "nothing of the cluster's log"

    other = desk.start(
        LAP, "sweep", str(data), *GRID_200, "--set", "seed=1", "--scheduler", "cluster.json", "--out", "lost"
    )
    eventually(lambda: done_runs(desk, "lost") >= 3, 60, "some runs of another sweep are done")
    os.kill(scheduler.pid, signal.SIGKILL)
    assert other.wait(60) == 1
    assert other.output().endswith("the same command goes on\n")
    assert other.output().count("\n") == 1
    assert 3 <= done_runs(desk, "lost") < 200


def test_a_cluster_here_draws_what_one_process_draws_and_brings_the_strategy_along(desk: Desk) -> None:
    """Samplers, a strategy of two files, and runs that raise: the same for two workers and for none."""
    data = market(desk, 300)
    (desk.directory / "numbers_of_mine.py").write_text("WARMUP = 2\n")
    (desk.directory / "mine_of_sweep.py").write_text(OWN_STRATEGY)
    words = ("--strategy", "mine_of_sweep:Mine", "--range", "every=2:6", "--range", "shy=1.0:3.0", "--trials", "25")
    told = finished(desk, str(data), *words, *SETTINGS, "--workers", "2", "--out", "two", code=1)
    assert told.startswith("trial  every  "), "nothing but the table and what it is worth"
    assert "failed, the first (" in told
    assert "ValueError: too shy" in told
    assert own_table(desk, data, *words, *SETTINGS, code=1) == table(desk, "two")


def test_a_sweep_that_was_stopped_and_killed_goes_on_and_ends_with_the_same_table(desk: Desk) -> None:
    data = market(desk, 1500)
    words = (str(data), *GRID_40, "--out", "parts", "--workers")
    first = desk.start(LAP, "sweep", *words, "2")
    eventually(lambda: done_runs(desk, "parts") >= 3, 60, "some runs are done")
    assert listening(first) == {"127.0.0.1"}
    os.kill(first.pid, signal.SIGINT)
    assert first.wait(30) == 130
    kept = done_runs(desk, "parts")
    assert first.output() == f"stopped; {kept} of 40 runs are done, the same command goes on\n"
    eventually(lambda: not first.family(), 10, "no worker is left")

    second = desk.start(LAP, "sweep", *words, "2")
    eventually(lambda: done_runs(desk, "parts") >= kept + 3, 60, "more runs are done")
    os.kill(second.pid, signal.SIGKILL)
    eventually(lambda: not second.family(), 10, "its workers have noticed")
    assert kept + 3 <= done_runs(desk, "parts") < 40

    finished(desk, *words, "1")
    left = {path.name for path in (desk.directory / "parts").iterdir()}
    assert left == {"runs.csv", "sweep.db", "sweep.html", "sweep.lock"}
    assert own_table(desk, data, *GRID_40) == table(desk, "parts")


def test_an_address_without_a_scheduler_is_told_in_one_sentence(desk: Desk) -> None:
    """One where nobody listens, one where somebody else does, and two that are none."""
    data = market(desk, 300)
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        addresses = [f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in (other, nobody)]
        words = (str(data), *GRID_40, "--scheduler")
        sweeps = {one: desk.start(LAP, "sweep", *words, one, "--out", one[-5:]) for one in addresses}
        for address, sweep in sweeps.items():
            assert sweep.wait(60) == 2, sweep.output()
            assert sweep.output().startswith(f"no scheduler answers at {address}: ")
            assert sweep.output().count("\n") == 1
    for address in ("nowhere", "http://127.0.0.1:80"):
        told = f"--scheduler takes tcp://host:port, tls://host:port or a scheduler's file, was {address!r}\n"
        assert finished(desk, *words, address, "--out", "out", code=2) == told


def test_it_needs_no_network_and_no_port_of_its_own(desk: Desk) -> None:
    """In a network name space with loopback alone, where Dask's usual port is taken."""
    data = market(desk, 300)
    (desk.directory / "alone.sh").write_text(ALONE)
    words = (LAP, "sweep", str(data), *GRID_40, "--out", "out", "--workers", "1")
    alone = desk.start("unshare", "--user", "--map-root-user", "--net", "sh", "alone.sh", str(BIN / "python"), *words)
    code = alone.wait(60)
    if code == NO_NAME_SPACES or "unshare" in alone.output():
        pytest.skip("this system gives no network name space")
    assert code == 0, alone.output()
    assert own_table(desk, data, *GRID_40) == table(desk, "out")
