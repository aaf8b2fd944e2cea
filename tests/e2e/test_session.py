"""A session from its start to each of its ends, in real processes."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from processes import LAP, Desk, Program, eventually

pytestmark = pytest.mark.timeout(180)

FILES = {"config.json", "journal.db", "events.jsonl", "trades.csv", "summary.json", "summary.html"}
HEADER = (
    "trade_id,symbol,side,qty,entry_ts,entry_price,exit_ts,exit_price,exit_reason,fees,funding,pnl,r,equity,"
    "client_order_id,latency_ms"
)
SUMMARY_KEYS = {
    "run_id",
    "source",
    "symbol",
    "interval",
    "strategy",
    "seed",
    "started_at",
    "ended_at",
    "stop_reason",
    "candle_count",
    "tick_count",
    "last_ts",
    "last_close",
    "starting_balance",
    "ending_balance",
    "net_pnl",
    "fees",
    "trades",
    "wins",
    "losses",
    "win_rate",
    "profit_factor",
    "expectancy_r",
    "max_drawdown_pct",
    "exposure_pct",
    "restarts",
    "incidents",
}


def ends_whole(desk: Desk, program: Program, reason: str) -> None:
    """What every stop leaves: all files, one reason everywhere, no process."""
    assert {entry.name for entry in desk.run_dir.iterdir()} >= FILES
    summary = desk.summary()
    assert set(summary) >= SUMMARY_KEYS
    assert summary["stop_reason"] == reason
    assert (desk.run_dir / "trades.csv").read_text().splitlines()[0] == HEADER
    assert summary["trades"] == len(desk.trades())
    assert (summary["restarts"], summary["incidents"]) == (0, [])
    assert not (desk.directory / "kill.txt").exists()
    assert [event["stop_reason"] for event in desk.events("session_stopped")] == [reason]
    eventually(lambda: not program.family(), 5, "no process is left")


def test_honcho_and_lap_run_end_by_themselves_with_the_same_files_and_trades(tmp_path: Path) -> None:
    """The same seed, twice: the same trades up to the last one, which the session's end may cut."""
    kinds, trades = [], []
    for name in ("honcho", "run"):
        directory = tmp_path / name
        directory.mkdir()
        desk = Desk(directory)
        try:
            start = desk.honcho if name == "honcho" else desk.session
            program = start(LAP_DURATION="0.3")
            assert program.wait(60) == 0, program.output()
            ends_whole(desk, program, "duration")
            kinds.append(sorted(str(entry.relative_to(directory)) for entry in directory.rglob("*") if entry.is_file()))
            trades.append(desk.trades())
        finally:
            for started in desk.programs:
                started.end()
    names = [{name.split("/")[-1] for name in kind if not name.startswith(("output", "Procfile"))} for kind in kinds]
    assert names[0] == names[1]
    shorter = min(len(trades[0]), len(trades[1])) - 1
    assert shorter >= 1
    assert trades[0][:shorter] == trades[1][:shorter]


@pytest.mark.provokes("stop_reason kill")
@pytest.mark.parametrize("way", ["touch", "mkdir", "lap kill"])
def test_the_kill_switch_stops_everything_and_closes_the_position(desk: Desk, way: str) -> None:
    program = desk.session(LAP_TP_R="1000", LAP_STOP_BPS="900", LAP_RISK_PCT="1")
    desk.wait_running()
    eventually(lambda: (desk.json("logs", "heartbeat.json") or {}).get("position") is not None, 60, "a position")
    if way == "touch":
        (desk.directory / "kill.txt").touch()
    elif way == "mkdir":
        (desk.directory / "kill.txt").mkdir()
    else:
        killed = desk.lap("kill", "--reason", "enough")
        assert killed.returncode == 0, killed.stderr
    assert program.wait(10) == 0
    ends_whole(desk, program, "kill")
    assert desk.trades()[-1].split(",")[8] == "KILL"
    if way == "lap kill":
        assert "enough" in json.dumps(desk.json(".lap", "stop.json"))


def test_status_tells_of_a_session_and_of_none(desk: Desk) -> None:
    assert desk.lap("status").returncode == 3
    program = desk.session()
    desk.wait_running()
    seen = json.loads(desk.lap("status", "--json").stdout)
    assert seen["running"] is True
    assert set(seen["services"]) == {"feed", "strategy", "broker", "monitor"}
    assert all(service["pid"] and service["restarts"] == 0 for service in seen["services"].values())
    assert seen["price"] > 0
    told = desk.lap("status")
    assert told.returncode == 0
    assert seen["run_id"] in told.stdout
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    after = desk.lap("status", "--json")
    assert (after.returncode, json.loads(after.stdout)) == (3, {"running": False})
    assert desk.lap("kill").returncode == 3
    assert not (desk.directory / "kill.txt").exists()


def test_the_files_of_a_running_session_are_as_the_contract_says(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    desk.wait_trades(1)
    beat = desk.json("logs", "heartbeat.json")
    assert set(beat) >= {
        "ts",
        "unix_ts",
        "run_id",
        "symbol",
        "elapsed",
        "remaining",
        "candle_idx",
        "price",
        "position",
        "equity",
        "services",
    }
    for service in ("feed", "strategy", "broker", "monitor"):
        assert beat["services"][service]["pid"] == desk.service_pid(service)
        assert beat["services"][service]["age"] < 10
        assert (desk.directory / "logs" / f"{service}.jsonl").exists()
    session = desk.json(".lap", "session.json")
    assert session["run_id"] == beat["run_id"] == desk.run_dir.name
    for line in (desk.directory / "logs" / "system.jsonl").read_bytes().splitlines():
        assert {"ts", "level", "service", "pid", "event", "message"} <= set(json.loads(line))
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    ends_whole(desk, program, "kill")


@pytest.mark.provokes("stop_reason duration")
def test_the_report_can_be_made_again(desk: Desk) -> None:
    program = desk.session(LAP_DURATION="0.2")
    assert program.wait(60) == 0, program.output()
    before = {name: (desk.run_dir / name).read_bytes() for name in ("trades.csv", "summary.json", "summary.html")}
    for name in before:
        (desk.run_dir / name).unlink()
    made = desk.lap("report")
    assert made.returncode == 0, made.stderr
    assert {name: (desk.run_dir / name).read_bytes() for name in before} == before
    assert desk.lap("report", "nonsense").returncode == 2


def test_the_demo_session_trades_over_the_exchanges_own_protocol(desk: Desk) -> None:
    program = desk.session("--source", "demo", "--duration", "0.5", LAP_SOURCE="")
    assert program.wait(90) == 0, program.output()
    ends_whole(desk, program, "duration")
    with (desk.run_dir / "trades.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 1
    assert desk.summary()["source"] == "demo"
    assert any("warms up live" in note for note in desk.summary()["notes"])
    assert desk.summary()["tick_count"] > 100


def test_orders_and_books_agree_with_each_other(desk: Desk) -> None:
    """Money identity over a whole session: what the rows say is what the balance did."""
    program = desk.session(LAP_DURATION="0.4")
    assert program.wait(90) == 0, program.output()
    with (desk.run_dir / "trades.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2
    balance = Decimal(10000)
    for row in rows:
        balance += Decimal(row["pnl"])
        assert Decimal(row["equity"]) == balance
    assert [row["trade_id"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    assert len({row["client_order_id"] for row in rows}) == len(rows)


def test_the_session_prints_a_line_a_second_and_where_the_report_is(desk: Desk) -> None:
    program = desk.session(LAP_DURATION="0.15")
    assert program.wait(60) == 0
    lines = program.output().splitlines()
    assert any(line.startswith("BTCUSDT ") and "left" in line for line in lines)
    report = next(line.removeprefix("report: ") for line in lines if line.startswith("report: "))
    assert Path(report).exists()


def test_help_and_version_are_there(desk: Desk) -> None:
    assert desk.lap("--version").stdout.startswith("laptop-agents ")
    for words in (["--help"], ["run", "--help"], ["feed", "--help"], ["kill", "--help"], ["exchange", "--help"]):
        shown = desk.lap(*words)
        assert shown.returncode == 0, words
        assert "sage" in shown.stdout


def test_a_session_whose_state_is_elsewhere_is_found_by_commands_that_are_told_where(desk: Desk) -> None:
    where = ("--set", "state_dir=there")
    program = desk.session(*where, "--set", "runs_dir=kept")
    desk.wait_running()
    run_id = desk.json("there", "session.json")["run_id"]
    for words in (("status", "--json"), ("top",), ("logs", "--service", "monitor")):
        looked = desk.lap(*words, *where)
        assert (looked.returncode, run_id in looked.stdout) == (0, True), looked
    checked = desk.lap("check", *where, "--set", "stop_bps=25")
    assert (checked.returncode, f"NO  no session is running   {run_id}" in checked.stdout) == (2, True), checked
    dashboard = desk.start(LAP, "dashboard", *where, PYTHONUNBUFFERED="1")
    eventually(lambda: "token=" in dashboard.output(), 20, "the dashboard's address")
    for command in ("status", "top", "dashboard", "kill"):
        assert desk.lap(command).returncode == 3, "nothing runs in .lap"
    wrong = desk.lap("kill", "--set", "stop_bps=25")
    assert (wrong.returncode, wrong.stderr) == (2, "--set takes state_dir=VALUE here, was 'stop_bps=25'\n")
    killed = desk.lap("kill", *where)
    assert (killed.returncode, program.wait(10), dashboard.wait(20)) == (0, 0, 0), killed
    page = desk.directory / "kept" / run_id / "summary.html"
    page.unlink()
    assert desk.lap("report", *where).stdout.strip() == str(page)
    assert desk.lap("replay", "latest", "--check", *where).returncode == 0
    assert desk.lap("report").returncode == 2
