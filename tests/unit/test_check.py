"""`lap check`: every setting has a row, and what would keep a session from starting is told with advice."""

from pathlib import Path

import psutil
import pytest

from services.commands.check import CheckRow, run_checks, strategy_fault
from services.settings import resolve


def rows(cwd: Path, /, running: str = "", problem: str = "", **options: str) -> dict[str, CheckRow]:
    found = run_checks(
        resolve(options, cwd, {}), cwd, online=False, running=lambda: running, load_strategy=lambda _: problem
    )
    assert all(row.ok == (not row.advice) for row in found)
    return {row.name: row for row in found}


def test_a_fresh_directory_is_well_and_stays_as_it_was(tmp_path: Path) -> None:
    found = rows(tmp_path, stop_bps="25")
    assert [name for name, row in found.items() if not row.ok] == []
    assert found["stop_bps"] == CheckRow("stop_bps", "25", "--set stop_bps", ok=True)
    assert found["tp_r"] == CheckRow("tp_r", "1.5", "default", ok=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_directory_belongs_is_not_well(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    row = rows(tmp_path, log_dir="taken/logs")["log_dir is writable"]
    assert (row.ok, row.advice) == (False, f"{tmp_path / 'taken'} is a file; move it or set log_dir.")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no such directory on this system")
def test_a_directory_that_can_not_be_written_is_not_well() -> None:
    # nobody, not even root, makes files there
    row = rows(Path("/proc/self"))["runs_dir is writable"]
    assert not row.ok
    assert row.advice.startswith("Nothing can be written into /proc/self (")


def test_a_kill_file_is_told_with_the_way_to_clear_it(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").touch()
    row = rows(tmp_path, kill_file="stop.txt")["kill file is absent"]
    assert row.advice == f"A session would refuse to start; delete {tmp_path / 'stop.txt'} to go on."
    assert row.origin == "--set kill_file"


def test_data_that_no_session_could_replay_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "two.csv").write_text("ts_ms,open,high,low,close,volume\n0,1,1,1,1,1\n60000,1,1,1,1,1\n")
    row = rows(tmp_path, source="replay", replay_file="empty.csv")["replay_file can be replayed"]
    assert (row.advice, row.origin) == ("empty.csv is empty; correct replay_file.", "--set replay_file")
    assert rows(tmp_path, source="replay", replay_file="two.csv")["replay_file can be replayed"].ok
    assert "replay_file can be replayed" not in rows(tmp_path)


def test_nobody_is_told_to_delete_a_directory_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    row = rows(tmp_path, kill_file="mine")["kill file is absent"]
    assert not row.ok
    assert "delete" not in row.advice


def test_an_address_that_no_alert_can_reach_is_told_without_its_secret(tmp_path: Path) -> None:
    row = rows(tmp_path, alert_urls="json://secret@a/, foo://secret/5")["alert_urls are of known kinds"]
    assert row.advice.startswith("No. 2 of them is of no known kind")
    assert "secret" not in f"{row.value}{row.advice}"
    assert rows(tmp_path, alert_urls="json://secret@a/")["alert_urls are of known kinds"].ok


def test_a_running_session_is_told(tmp_path: Path) -> None:
    row = rows(tmp_path, running="20261123-051800, pid 4711")["no session is running"]
    assert (row.ok, row.value) == (False, "20261123-051800, pid 4711")


def test_a_strategy_that_does_not_load_is_told(tmp_path: Path) -> None:
    row = rows(tmp_path, problem="there is no module named 'my'", strategy="my.rules:Rules")["strategy loads"]
    assert (row.ok, row.value, row.origin) == (False, "my.rules:Rules", "--set strategy")
    assert row.advice == "there is no module named 'my'; correct strategy or strategy_params."


def test_names_that_no_file_can_have_are_no_reason_to_fall_over(tmp_path: Path) -> None:
    too_long = "x" * 300
    assert rows(tmp_path, kill_file=too_long, state_dir=too_long)["kill file is absent"].ok


GOOD = """
from services.strategy.built_in.sma_cross import SmaCross
print("imported")
class Good(SmaCross):
    pass
"""


@pytest.mark.parametrize(
    ("strategy", "module", "fault"),
    [
        ("sma_cross", "", ""),
        ("good:Good", GOOD, ""),
        ("sma_crosss", "", "no strategy is called 'sma_crosss'"),
        ("asks:Asks", "input()", "strategy asks:Asks can not be imported: EOFError"),
        ("leaves:Leaves", "import os; print(1, flush=True); os._exit(0)", "ended the process that loaded it (code 0)"),
    ],
)
def test_a_strategy_is_loaded_in_a_process_of_its_own(tmp_path: Path, strategy: str, module: str, fault: str) -> None:
    (tmp_path / f"{strategy.partition(':')[0]}.py").write_text(module)
    found = strategy_fault({"strategy": strategy, "strategy_params": {}}, tmp_path)
    assert fault in found
    assert bool(fault) == bool(found)


@pytest.mark.parametrize("module", ["while True: pass", "import threading; threading.Event().wait()"])
def test_a_strategy_that_never_finishes_loading_is_told_and_leaves_no_process(tmp_path: Path, module: str) -> None:
    (tmp_path / "hangs.py").write_text(module)
    found = strategy_fault({"strategy": "hangs:Hangs", "strategy_params": {}}, tmp_path, within_ms=1_000)
    assert found == "strategy hangs:Hangs had not finished loading after 1 s: its module may wait for something"
    assert psutil.Process().children() == []
