"""One session, and the same numbers wherever one looks: journal, csv, json, html, heartbeat, status, metrics."""

import csv
import json
import re
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from processes import Desk, desk_in, eventually
from prometheus_client.parser import text_string_to_metric_families

NAMES = {
    "lap_price": "price",
    "lap_equity": "equity",
    "lap_balance": "balance",
    "lap_candle_index": "candle_idx",
    "lap_session_elapsed_seconds": "elapsed",
}
STATUS = ("price", "equity", "balance", "position", "candle_idx", "counts", "halted", "feed", "market_ts")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> dict[str, float]:
    """Samples without labels, by name; none while nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (URLError, OSError):
        return {}
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def agree(desk: Desk, port: int, seen: list[dict[str, Any]]) -> bool:
    """Whether heartbeat, metrics and `lap status` could be had of the same moment; then they must say the same."""
    beat = desk.json("logs", "heartbeat.json")
    metrics = scrape(port)
    status = json.loads(desk.lap("status", "--json").stdout)
    after = desk.json("logs", "heartbeat.json")
    if not (metrics.get("lap_session_elapsed_seconds") == beat["elapsed"] == after["elapsed"]):
        return False
    assert {name: metrics[name] for name in NAMES} == {name: beat[key] for name, key in NAMES.items()}
    assert metrics["lap_trades_total"] == beat["counts"]["trades"]
    assert metrics["lap_orders_rejected_total"] == beat["counts"]["rejected"]
    assert {key: status[key] for key in STATUS} == {key: beat[key] for key in STATUS}
    seen.append(status)
    return bool(status["counts"]["trades"])


def reader(run_dir: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{run_dir / 'journal.db'}?mode=ro", uri=True, isolation_level=None)


class Session:
    """A session that has run, with what was seen on the way."""

    def __init__(self, desk: Desk, seen: Sequence[dict[str, Any]] = ()) -> None:
        self.desk = desk
        self.seen = seen
        self.run_dir: Path = desk.run_dir
        self.summary: dict[str, Any] = desk.summary()
        self.beat: dict[str, Any] = desk.json("logs", "heartbeat.json")
        with (self.run_dir / "trades.csv").open() as file:
            self.rows = list(csv.DictReader(file))

    def journal(self, query: str) -> list[Any]:
        with closing(reader(self.run_dir)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Runs under the eyes of two who hang: a reader of the metrics that says nothing, one of the journal that never ends."""
    with desk_in(tmp_path_factory.mktemp("desk")) as desk:
        port = free_port()
        program = desk.session(
            LAP_METRICS_PORT=str(port),
            LAP_DURATION="0.4",
            LAP_HEARTBEAT_INTERVAL_SEC="3",
            LAP_MAX_DAILY_DRAWDOWN_PCT="90",
        )
        desk.wait_running()
        seen: list[dict[str, Any]] = []
        with socket.create_connection(("127.0.0.1", port)), closing(reader(desk.run_dir)) as hanging:
            assert hanging.execute("BEGIN; ").execute("SELECT count(*) FROM trades").fetchone() is not None
            eventually(partial(agree, desk, port, seen), 20, "heartbeat, metrics and status of the same moment")
            assert program.wait(60) == 0, program.output()
        yield Session(desk, seen)


def test_the_journal_and_the_csv(session: Session) -> None:
    booked = session.journal("SELECT trade_id, pnl, r, equity, exit_reason FROM trades ORDER BY trade_id")
    listed = [(int(row["trade_id"]), row["pnl"], row["r"], row["equity"], row["exit_reason"]) for row in session.rows]
    assert len(listed) >= 1
    assert [(number, Decimal(pnl), Decimal(r), Decimal(equity), why) for number, pnl, r, equity, why in booked] == [
        (number, Decimal(pnl), Decimal(r), Decimal(equity), why) for number, pnl, r, equity, why in listed
    ]


def test_the_status_and_the_journal(session: Session) -> None:
    """What `lap status` said on the way is what the journal has of that moment."""
    for seen in session.seen:
        closed = seen["counts"]["trades"]
        balance = session.journal(f"SELECT equity FROM trades WHERE trade_id = {closed}") or [[10_000]]
        entry = session.journal(
            f"SELECT side, qty, price, sl, tp, fee FROM fills WHERE trade_id = {closed + 1} AND is_entry"
        )
        held = seen["position"]
        paid = Decimal(entry[0][5]) if held else Decimal(0)
        assert seen["balance"] == pytest.approx(float(Decimal(balance[0][0]) - paid))
        if held:
            assert held["side"] == entry[0][0]
            levels = [held[name] for name in ("qty", "entry_price", "sl", "tp")]
            assert levels == [float(Decimal(value)) for value in entry[0][1:5]]


def test_the_csv_and_the_json(session: Session) -> None:
    pnls = [Decimal(row["pnl"]) for row in session.rows]
    found = session.summary
    assert (found["trades"], found["wins"], found["losses"]) == (
        len(pnls),
        sum(pnl > 0 for pnl in pnls),
        sum(pnl < 0 for pnl in pnls),
    )
    assert found["net_pnl"] == pytest.approx(float(sum(pnls)))
    assert found["fees"] == pytest.approx(float(sum(Decimal(row["fees"]) for row in session.rows)))
    assert found["ending_balance"] == pytest.approx(float(session.rows[-1]["equity"]))
    assert sum(found["rejections"].values()) == session.journal("SELECT count(*) FROM rejections")[0][0]
    assert found["gross_pnl"] - found["slippage"] - found["fees"] - found["funding"] == pytest.approx(found["net_pnl"])


def test_the_json_and_the_page(session: Session) -> None:
    text = (session.run_dir / "summary.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    drawn = json.loads(found[1])
    figures = dict(re.findall(r'<dt>([^<]*)</dt><dd class="[^"]*">([^<]*)<', text))
    summary = session.summary
    assert figures["Net result"] == f"{summary['net_pnl']:+,.2f}"
    assert figures["Balance"] == f"{summary['ending_balance']:,.2f}"
    assert figures["Trades"] == str(summary["trades"])
    assert [trade[8] for trade in drawn["trades"]] == pytest.approx([float(row["pnl"]) for row in session.rows])
    assert drawn["equity"]["value"][-1] == pytest.approx(summary["ending_balance"])
    assert len(drawn["bars"]["t"]) == summary["candle_count"]
    assert text.count("<tr data-trade=") == summary["trades"]
    assert len(text) < 2_000_000, "small enough to send"


def test_the_last_heartbeat_and_the_json(session: Session) -> None:
    beat, summary = session.beat, session.summary
    assert beat["equity"] == beat["balance"] == summary["ending_balance"]
    assert beat["counts"]["trades"] == summary["trades"]
    assert beat["counts"]["rejected"] == sum(summary["rejections"].values())
    assert beat["candle_idx"] == summary["candle_count"]
    assert beat["position"] is None


def test_the_log_and_the_json(session: Session) -> None:
    closed = session.desk.events("trade_closed")
    assert [event["market_ts"] for event in closed] == [int(row["exit_ts"]) for row in session.rows]
    assert len(session.desk.events("order_rejected")) == sum(session.summary["rejections"].values())


def test_nothing_speaks_against_the_session(session: Session) -> None:
    quality = session.summary["quality"]
    assert (quality["grade"], quality["reasons"]) == ("good", [])
    assert quality["known_candles"] == session.summary["candle_count"]


def test_a_session_that_was_killed_has_a_report_that_says_so(desk: Desk) -> None:
    program = desk.session(LAP_DURATION="5", LAP_MAX_DAILY_DRAWDOWN_PCT="90")
    desk.wait_running()
    desk.wait_trades(1)
    for process in program.family():  # all at once: who notices that another is gone would still end in order
        process.suspend()
    program.end()
    made = desk.lap("report", "--quiet")
    assert made.returncode == 0, made.stderr
    killed = Session(desk)
    quality = killed.summary["quality"]
    assert (quality["grade"], quality["reasons"][0]) == ("bad", "It did not end in order.")
    assert len(killed.rows) == killed.journal("SELECT count(*) FROM trades")[0][0] == killed.summary["trades"] >= 1
    text = (killed.run_dir / "summary.html").read_text(encoding="utf-8")
    assert "This session can not be trusted." in text
