"""The report's reading of the journal as the broker writes it: whole, left by a killed broker, torn, or not there."""

import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from report_builders import SECOND, START, closed, fill

from bus.messages import (
    Account,
    Candle,
    Decide,
    DecisionTimedOut,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    RejectReason,
    SessionClosed,
    Side,
    Signal,
    StopReason,
    StrategyFailed,
    StreamInfo,
)
from bus.messages import Trade as Print
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.journal_sqlite import Journal
from services.report.journal_reader_sqlite import read_journal
from services.report.run import AcceptedOrder, JournalFacts, OpenPosition, Refusal
from services.settings import resolve

SIGNAL = Signal(symbol="BTCUSDT", side=Side.LONG, ts_ms=START, stop_bps=30.0, tp_r=1.5)


def snapshot(**more: Any) -> dict[str, Any]:
    """A broker's state after its first events, as the broker itself tells it, with some of it changed."""
    core = BrokerCore(BrokerConfig.from_settings({**resolve({}, Path(), {}).values, "seed": 7}))
    core.handle(StreamInfo("BTCUSDT", 60_000, "tick", Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001")), 0)
    core.handle(Print(1, START, 100.0, 1.0, "buy"), 0)
    core.handle(Print(2, START + SECOND, 101.5, 1.0, "buy"), 0)
    return {**core.snapshot(), "emitted": 1, **more}


HELD = {
    "side": "SHORT",
    "qty": "0.5",
    "entry_price": "100",
    "entry_ts": START + SECOND,
    "entry_fee": "0.03",
}


def write(path: Path, messages: list[Message], **state: Any) -> None:
    with Journal(path) as journal:
        journal.record(messages, snapshot(**state))


def test_a_whole_journal_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    trades = [closed("9.75", equity="10009.75"), closed("-10", trade_id=2, side=Side.SHORT, equity="9999.75")]
    rejected = [
        OrderRejected(f"order-{number}", 2, START, SIGNAL, reason)
        for number, reason in enumerate([RejectReason.THROTTLED, RejectReason.MIN_QTY, RejectReason.THROTTLED])
    ]
    messages: list[Message] = [
        *trades,
        fill(),
        fill(is_entry=False, price="119.99"),
        *rejected,
        OrderAccepted("order-9", 2, SIGNAL, 120, START + 120, late=False),
        OrderCancelled("order-9", 2, START + SECOND, "session ends"),
        SessionClosed(2, START + SECOND, StopReason.KILL, Decimal("9999.75"), kept=False),
    ]
    write(path, messages, balance="9999.75", last_close=101.5, candle_count=3)
    with Journal(path) as journal:
        journal.add_incident(START + 5, "broker", "late", "an answer came late")
    facts = read_journal(path)
    assert facts == JournalFacts(
        starting_balance=Decimal(10000),
        tick_size=Decimal("0.1"),
        ending_balance=Decimal("9999.75"),
        trades=trades,
        equity=[],
        bars=[],
        fills=[fill(), fill(is_entry=False, price="119.99")],
        orders=[AcceptedOrder("order-9", START, 120, late=False)],
        refusals=[Refusal(START, "LONG", reason) for reason in ("throttled", "min_qty", "throttled")],
        unanswered=[],
        rejections={"throttled": 2, "min_qty": 1},
        cancelled=1,
        incidents=[
            {"ts": "2026-11-23T05:00:00.005Z", "service": "broker", "event": "late", "message": "an answer came late"}
        ],
        first_ts=START,
        last_ts=START + SECOND,
        last_close=101.5,
        ticks=2,
        candles=3,
        stop_reason=StopReason.KILL,
        problems=[],
    )


def test_the_candles_decided_on_are_read_with_those_told_as_history_and_those_not_answered(tmp_path: Path) -> None:
    money, none = Decimal(10000), Decimal(0)
    account = Account(money, money, none, Side.FLAT, none, none, none, none, 0, 0, halted=False)
    candles = [
        Candle(number, at, "BTCUSDT", 1000, at, 100.0, 102.0, 99.0, 101.0, 5.0, complete=number != 2)
        for number, at in enumerate((START, START + SECOND, START + 2 * SECOND), 1)
    ]
    first, second = Decide(START, (candles[0],), account), Decide(START + 2 * SECOND, tuple(candles[1:]), account)
    failed = StrategyFailed(2, START, 0, is_poison=False, detail="ValueError: no")
    write(tmp_path / "journal.db", [first, failed, second, DecisionTimedOut(3, START + 2 * SECOND)])
    facts = read_journal(tmp_path / "journal.db")
    assert facts.bars == [(START + number * SECOND, 100.0, 102.0, 99.0, 101.0, 5.0, number != 1) for number in range(3)]
    assert facts.unanswered == [START + 2 * SECOND]
    assert facts.failed == 1
    assert facts.equity == [(START + SECOND, 10000.0), (START + 3 * SECOND, 10000.0)]


def test_an_open_position_is_marked_at_the_side_it_could_be_left(tmp_path: Path) -> None:
    write(tmp_path / "journal.db", [], position=HELD, quote=[97.0, 98.0])
    facts = read_journal(tmp_path / "journal.db")
    assert facts.position == OpenPosition(Side.SHORT, Decimal("0.5"), Decimal(100), START + SECOND, Decimal("1.00"))
    assert facts.entry_fees_open == Decimal("0.03")


def test_what_a_killed_broker_left_in_the_log_beside_the_file_is_read(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with Journal(tmp_path / "journal.db") as journal:
        journal.record([closed()], snapshot())
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(tmp_path / name, left / name)
    facts = read_journal(left / "journal.db")
    assert (facts.trades, facts.problems, facts.stop_reason) == ([closed()], [], None)


def test_a_journal_that_is_still_written_is_read(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        journal.record([closed()], snapshot())
        assert read_journal(tmp_path / "journal.db").trades == [closed()]


def test_a_missing_and_an_empty_journal_say_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert read_journal(path) == JournalFacts(problems=["There is no journal.db: nothing is known of trades."])
    path.touch()
    assert read_journal(path) == JournalFacts(problems=["journal.db is empty: nothing is known of trades."])


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 100, b"SQLite format 3\0" * 9])
def test_a_file_that_is_no_journal_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    facts = read_journal(tmp_path / "journal.db")
    assert facts.trades == []
    assert len(facts.problems) == 1
    assert "trades, state, equity" in facts.problems[0]


def test_a_journal_cut_off_in_the_middle_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    trades = [closed(trade_id=number) for number in range(1, 2001)]
    write(path, list(trades))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    facts = read_journal(path)
    assert facts.problems
    assert list(facts.trades) == trades[: len(facts.trades)]


def test_a_garbled_row_ends_its_table_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [closed(), closed(trade_id=2, equity="10020"), closed(trade_id=3)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE trades SET pnl = 'much' WHERE trade_id = 3")
        connection.execute("UPDATE state SET snapshot = '{'")
    connection.close()
    facts = read_journal(path)
    assert [trade.trade_id for trade in facts.trades] == [1, 2]
    assert (facts.starting_balance, facts.ending_balance) == (None, Decimal(10020))
    assert facts.problems == [
        "journal.db: trades, state can not be read to the end (a row is garbled); figures may be incomplete."
    ]


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [closed()])
    before = path.read_bytes()
    read_journal(path)
    assert path.read_bytes() == before
