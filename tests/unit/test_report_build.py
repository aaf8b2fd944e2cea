"""The report from a run's directory: three files, whole, however the run ended."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from report_builders import START, closed, run

from bus.messages import SessionClosed, StopReason
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.journal_sqlite import Journal
from services.report import journal_reader_sqlite
from services.report.build import LostJournalError, build_report, remake_report, write_report
from services.settings import resolve

SETTINGS = {**resolve({"source": "mock"}, Path(), {}).values, "seed": 7}
END = {
    "reason": "kill",
    "code": 0,
    "detail": "lunch",
    "by": "monitor",
    "ended_at_ms": START,
    "restarts": {"feed": 1},
    "incidents": [{"ts": "2026-11-23T05:00:00.000Z", "service": "feed", "event": "restart", "message": "it crashed"}],
}


def run_dir(parent: Path, *, closed_by: StopReason | None = StopReason.KILL) -> Path:
    directory = parent / "20261123-050000"
    directory.mkdir()
    config = {"run_id": directory.name, "seed": 7, "started_at": "2026-11-23T04:50:00.000Z", "settings": SETTINGS}
    (directory / "config.json").write_text(json.dumps({**config, "origins": {"source": "--source"}}))
    trade = closed("10", equity="10010")
    state = {**BrokerCore(BrokerConfig.from_settings(SETTINGS)).snapshot(), "emitted": 2, "balance": "10010"}
    end = [SessionClosed(1, START, closed_by, trade.equity, kept=False)] if closed_by else []
    with Journal(directory / "journal.db") as journal:
        journal.record([trade, *end], state)
    return directory


def figures(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return found


def test_a_session_that_goes_on_is_not_told_to_be_broken(tmp_path: Path) -> None:
    directory = run_dir(tmp_path, closed_by=None)
    remake_report(directory, is_running=True)
    told = figures(directory)
    assert (told["stop_reason"], told["exit_code"], told["quality"]["grade"]) == (None, None, "care")
    assert "still goes on" in (directory / "summary.html").read_text()
    remake_report(directory)
    assert figures(directory)["stop_reason"] == "internal_error"


def test_three_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    directory = run_dir(tmp_path)
    assert build_report(directory, END) == directory / "summary.html"
    names = {path.name for path in directory.iterdir()}
    assert names - {"journal.db-shm", "journal.db-wal"} == {
        "config.json",
        "end.json",
        "journal.db",
        "summary.html",
        "summary.json",
        "trades.csv",
    }
    assert (directory / "trades.csv").read_text().count("\n") == 2
    found = figures(directory)
    assert (found["stop_reason"], found["stop_detail"], found["restarts"]) == ("kill", "lunch", 1)
    assert found["incidents"] == END["incidents"]
    assert (found["started_at"], found["ended_at"]) == ("2026-11-23T04:50:00.000Z", "2026-11-23T05:00:00.000Z")
    assert (found["source"], found["seed"], found["net_pnl"], found["notes"]) == ("mock", 7, 10.0, [])
    assert "lunch" in (directory / "summary.html").read_text()


def test_made_again_without_being_told_it_is_the_same(tmp_path: Path) -> None:
    directory = run_dir(tmp_path)
    build_report(directory, END)
    before = [(directory / name).read_bytes() for name in ("trades.csv", "summary.json", "summary.html")]
    build_report(directory)
    assert [(directory / name).read_bytes() for name in ("trades.csv", "summary.json", "summary.html")] == before


def test_without_the_sessions_word_the_journals_counts(tmp_path: Path) -> None:
    directory = run_dir(tmp_path, closed_by=StopReason.CIRCUIT_BREAKER)
    build_report(directory)
    found = figures(directory)
    assert (found["stop_reason"], found["exit_code"]) == ("circuit_breaker", 5)
    assert found["notes"] == ["How the session ended is known from the broker's journal alone."]
    assert not (directory / "end.json").exists()


def test_a_crashed_run_says_that_it_did_not_end_in_order(tmp_path: Path) -> None:
    directory = run_dir(tmp_path, closed_by=None)
    os.utime(directory / "journal.db", (START / 1000, START / 1000))
    build_report(directory)
    found = figures(directory)
    assert (found["stop_reason"], found["trades"]) == ("internal_error", 1)
    assert "did not end in order" in found["notes"][0]


@pytest.mark.parametrize("torn", [None, b"", b"garbage" * 1000])
def test_without_a_readable_journal_there_is_a_report_that_says_so(tmp_path: Path, torn: bytes | None) -> None:
    directory = run_dir(tmp_path)
    for path in directory.glob("journal.db*"):
        path.unlink()
    if torn is not None:
        (directory / "journal.db").write_bytes(torn)
    build_report(directory, END)
    found = figures(directory)
    assert (found["stop_reason"], found["starting_balance"], found["ending_balance"]) == ("kill", 10000.0, 10000.0)
    assert len(found["notes"]) == 1
    assert "journal.db" in (directory / "summary.html").read_text()
    assert (directory / "trades.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("torn", [None, b"", b"nonsense" * 1000])
def test_a_report_that_knows_more_than_its_journal_is_left_as_it_is(tmp_path: Path, torn: bytes | None) -> None:
    directory = run_dir(tmp_path)
    build_report(directory, END)
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "journal.db"}
    (directory / "journal.db").unlink()
    if torn is not None:
        (directory / "journal.db").write_bytes(torn)
    with pytest.raises(LostJournalError, match=r"trades\.csv has 1 trade more: the report is left as it is"):
        remake_report(directory)
    assert {name: (directory / name).read_bytes() for name in before} == before
    (directory / "trades.csv").unlink()
    assert remake_report(directory) == directory / "summary.html"
    assert remake_report(directory) == directory / "summary.html", "nothing is lost by making it once more"


def test_a_journal_that_another_program_holds_leaves_the_report_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_reader_sqlite, "BUSY_TIMEOUT_SEC", 0.05)
    directory = run_dir(tmp_path)
    build_report(directory, END)
    before = {
        path.name: path.read_bytes() for path in directory.iterdir() if path.name.startswith(("trades", "summary"))
    }
    with closing(sqlite3.connect(directory / "journal.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")  # as a run is left
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LostJournalError, match="another program holds"):
            remake_report(directory)
        other.execute("ROLLBACK")
    assert {name: (directory / name).read_bytes() for name in before} == before
    assert remake_report(directory) == directory / "summary.html"


def test_an_empty_directory_gives_a_report_too(tmp_path: Path) -> None:
    build_report(tmp_path)
    found = figures(tmp_path)
    assert (found["run_id"], found["seed"], found["source"]) == (tmp_path.name, None, None)
    assert len(found["notes"]) == 3


@pytest.mark.parametrize(
    "end",
    [
        {},
        {"reason": "tired"},
        {"reason": ["kill"], "ended_at_ms": "now", "restarts": 3, "incidents": "none", "detail": None},
        {"reason": None, "restarts": {"feed": "often"}, "incidents": [5]},
    ],
)
def test_an_end_that_is_not_as_it_should_be_counts_as_an_internal_error(tmp_path: Path, end: Mapping[str, Any]) -> None:
    directory = run_dir(tmp_path, closed_by=None)
    build_report(directory, end)
    assert figures(directory)["stop_reason"] == "internal_error"


def test_settings_whose_origin_is_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    directory = run_dir(tmp_path)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "origins": dict.fromkeys(config["settings"], 5)}))
    build_report(directory, END)
    assert figures(directory)["stop_reason"] == "kill"


@pytest.mark.parametrize(("by", "grade"), [("monitor", "good"), ("a supervisor", "bad")])
def test_a_strategy_that_fails_too_often_ends_a_session_in_order(tmp_path: Path, by: str, grade: str) -> None:
    """An internal error that the monitor tells of is one; any other is a session that broke."""
    directory = run_dir(tmp_path, closed_by=None)
    build_report(directory, {"reason": "internal_error", "by": by})
    assert figures(directory)["quality"]["grade"] == grade


def test_a_run_can_be_written_elsewhere(tmp_path: Path) -> None:
    assert write_report(run([closed()]), tmp_path) == tmp_path / "summary.html"
    assert {path.name for path in tmp_path.iterdir()} == {"trades.csv", "summary.json", "summary.html"}


def test_the_command_takes_the_end_from_its_input(tmp_path: Path) -> None:
    directory = run_dir(tmp_path)
    command = [sys.executable, "-P", "-m", "services.report", str(directory)]
    done = subprocess.run(command, input=json.dumps(END), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{directory / 'summary.html'}\n", "")
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert figures(directory)["stop_reason"] == "kill"


def test_the_command_says_in_one_line_that_a_directory_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "services.report", str(tmp_path / "gone")]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"the report of {tmp_path / 'gone'} can not be written: No such file or directory\n"
