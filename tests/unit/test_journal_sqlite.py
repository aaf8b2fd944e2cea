"""The journal: what is said is in it, all or nothing, and a restarted broker finds itself there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders import LATENCY, MINUTE, T0, Bench, candle, config, quote, signal, stream, trade

from bus.messages import (
    BreakerTripped,
    Decide,
    Decision,
    DecisionTaken,
    DecisionTimedOut,
    EntriesHalted,
    Message,
    OrderRejected,
    SessionClosed,
    Side,
    StopReason,
    StrategyFailed,
)
from services.broker.core import BrokerCore
from services.broker.errors import JournalError
from services.broker.journal_sqlite import Journal

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
IN = MINUTE + LATENCY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


def rows(path: Path, query: str) -> list[Any]:
    """What a reader of its own sees."""
    with closing(sqlite3.connect(path)) as reader:
        return reader.execute(query).fetchall()


def write_down(journal: Journal, bench: Bench) -> None:
    journal.record(bench.said, bench.core.snapshot())


def a_round_trip() -> Bench:
    bench = Bench(taker_fee_bps=10.0)
    bench.enter()
    bench.quote(IN + 1, 101.5)
    return bench


def commit_often(journal: Journal, path: Path, *, is_quiet: bool) -> int:
    """Commit thousands of times, give the log its chance after each; return the longest it became, in bytes."""
    longest = 0
    for number in range(2_500):
        journal.set_meta("number", str(number))
        journal.checkpoint(is_quiet=is_quiet)
        longest = max(longest, path.with_name("journal.db-wal").stat().st_size)
    return longest


def test_the_write_ahead_log_stays_short_and_waits_for_a_quiet_moment(journal: Journal, path: Path) -> None:
    quiet = commit_often(journal, path, is_quiet=True)
    busy = commit_often(journal, path, is_quiet=False)
    assert quiet < 2_000_000 < busy < 20_000_000
    assert rows(path, "SELECT value FROM meta WHERE key = 'number'") == [("2499",)]


def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert journal.load() is None
    assert (journal.trades(), journal.facts()) == ([], [])


def test_a_round_trip_is_readable_with_any_reader(journal: Journal, path: Path) -> None:
    write_down(journal, a_round_trip())
    assert rows(path, "SELECT side, status, late FROM orders") == [("LONG", "filled", 0)]
    assert rows(path, "SELECT is_entry, qty, price, fee, exit_reason FROM fills ORDER BY id") == [
        (1, "100", "100", "10", None),
        (0, "100", "101.5", "10.15", "TP"),
    ]
    assert rows(path, "SELECT trade_id, pnl, r, equity FROM trades") == [(1, "129.85", "1.2985", "10129.85")]
    assert rows(path, "SELECT ts_ms, balance, equity FROM equity") == [(T0 + MINUTE, "10000", "10000")]
    answer = "json_extract(answer, '$[0].side')"
    assert rows(path, f"SELECT open_ms, seq, answer_seq, {answer} FROM decisions") == [(T0, 2, 2, "LONG")]


def test_the_trades_come_back_as_they_were_said(journal: Journal) -> None:
    bench = a_round_trip()
    write_down(journal, bench)
    assert journal.trades() == bench.trades


def test_the_restarted_broker_is_the_one_it_was(journal: Journal, path: Path) -> None:
    bench = Bench()
    bench.enter()
    write_down(journal, bench)
    journal.close()
    with Journal(path) as again:
        state = again.load()
        assert state is not None
        twin = BrokerCore.restore(bench.config, state, used_ids=again.used_ids())
        assert twin.status() == bench.core.status()


def test_recording_the_same_again_changes_nothing(journal: Journal, path: Path) -> None:
    bench = a_round_trip()
    write_down(journal, bench)
    write_down(journal, bench)
    assert rows(path, "SELECT count(*) FROM fills") == [(2,)]


def test_a_later_state_without_anything_said_is_recorded(journal: Journal) -> None:
    bench = a_round_trip()
    write_down(journal, bench)
    bench.quote(IN + 2, 101)
    journal.record([], bench.core.snapshot())
    state = journal.load()
    assert state is not None
    assert state["last_seq"] == bench.core.last_seq


def test_a_failed_record_leaves_nothing_behind(journal: Journal, path: Path) -> None:
    bench = a_round_trip()
    snapshot = {key: value for key, value in bench.core.snapshot().items() if key != "last_seq"}
    with pytest.raises(KeyError):
        journal.record(bench.said, snapshot)
    assert rows(path, "SELECT count(*) FROM fills") == [(0,)]
    write_down(journal, bench)
    assert rows(path, "SELECT count(*) FROM fills") == [(2,)]


def test_every_refusal_is_written_down_and_counted(journal: Journal, path: Path) -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG), signal(LONG), signal(LONG), signal(SHORT, MINUTE + 1), signal(SHORT, stop_bps=0.0))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 100))
    write_down(journal, bench)
    assert len(bench.of(OrderRejected)) == 4
    counted = rows(path, "SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY reason")
    assert counted == [("duplicate", 2), ("invalid", 1), ("position_open", 1)]
    assert rows(path, "SELECT status FROM orders ORDER BY due_ms") == [("filled",), ("rejected",)]


def test_orders_show_where_they_are(journal: Journal, path: Path) -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(
        0, signal(LONG, limit_price=99.0), signal(SHORT, MINUTE + 1, limit_price=102.0), signal(FLAT, MINUTE + 9)
    )
    bench.quotes((MINUTE, 100), (IN, 100))
    write_down(journal, bench)
    status = "SELECT side, status FROM orders ORDER BY due_ms"
    assert rows(path, status) == [("LONG", "resting"), ("SHORT", "pending"), ("FLAT", "pending")]
    bench.said.clear()
    bench.quotes((IN + 1, 100), (IN + 9, 100))
    write_down(journal, bench)
    assert rows(path, status) == [("LONG", "cancelled"), ("SHORT", "cancelled"), ("FLAT", "cancelled")]


def test_a_flat_that_closed_a_position_is_filled(journal: Journal, path: Path) -> None:
    bench = Bench()
    bench.enter()
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100))
    write_down(journal, bench)
    assert rows(path, "SELECT side, status FROM orders ORDER BY due_ms") == [("LONG", "filled"), ("FLAT", "filled")]


def test_funding_is_written_down(journal: Journal, path: Path) -> None:
    bench = Bench()
    bench.enter()
    bench.funding(IN + 1, 0.001, mark=100.0)
    bench.quote(IN + 2, 100)
    write_down(journal, bench)
    assert rows(path, "SELECT rate, mark, amount FROM funding") == [(0.001, "100", "10")]


def test_facts_come_back_in_the_order_of_happening(journal: Journal) -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.enter()
    facts: list[Message] = [
        EntriesHalted(4, True, "gone"),
        DecisionTimedOut(4, T0),
        EntriesHalted(4, False, "back"),
        EntriesHalted(4, True, "gone"),
        DecisionTaken(4, T0, (signal(LONG),), late=True),
        DecisionTimedOut(4, 0, 5),
        DecisionTaken(4, 0, (signal(LONG),), late=True, tick_seq=5),
        StrategyFailed(4, T0, 0, False, "ValueError: no", "Traceback"),
        StrategyFailed(4, 0, 5, True, "died of it twice"),
    ]
    bench.said += facts
    bench.quote(IN + 1, 99)
    write_down(journal, bench)
    assert journal.facts() == [*facts, *bench.of(BreakerTripped), *bench.of(SessionClosed)]


def test_late_answers_and_time_outs_are_marked(journal: Journal, path: Path) -> None:
    bench = a_round_trip()
    bench.said += [DecisionTimedOut(2, T0), DecisionTaken(3, T0, (), late=True)]
    write_down(journal, bench)
    assert rows(path, "SELECT late, timed_out, answer FROM decisions") == [(1, 1, "[]")]


def test_earlier_questions_come_back_page_by_page(journal: Journal) -> None:
    bench = Bench()
    bench.quote(0, 100)
    for minute in range(4):
        bench.candle(minute * MINUTE)
        bench.quote((minute + 1) * MINUTE, 100 + minute)
    write_down(journal, bench)
    asked = bench.of(Decide)
    assert journal.questions_after(0, 2) == asked[:2]
    assert journal.questions_after(asked[1].seq, 10) == asked[2:]


def test_questions_about_ticks_are_kept_beside_those_about_candles(journal: Journal, path: Path) -> None:
    core = BrokerCore(config(), on_ticks=True)
    core.handle(stream("tick"), 0)
    said: list[Message] = []
    for event in (quote(1, 0, 100), candle(2, 0), quote(3, MINUTE, 100), trade(4, MINUTE, 100)):
        said += core.handle(event, 0)
        while isinstance(asked := said[-1], Decide):
            signals = (signal(LONG, at=0),) if asked.seq == 1 else ()
            said += core.handle(Decision(asked.open_ms, signals, asked.key[1]), 0)
            if not core.waiting:
                break
    journal.record(said, core.snapshot())
    asked_about = [one for one in said if isinstance(one, Decide)]
    assert [one.seq for one in asked_about] == [1, 2, 3, 4]
    assert journal.questions_after(0, 10) == asked_about
    assert journal.questions_after(1, 2) == asked_about[1:3]
    assert journal.answers() == {(0, 1): (signal(LONG, at=0),), (T0, 0): (), (0, 3): (), (0, 4): ()}
    assert rows(path, "SELECT open_ms FROM decisions") == [(T0,)]


def test_a_journal_from_before_there_were_ticks_is_read_and_not_written(path: Path) -> None:
    with Journal(path) as journal:
        write_down(journal, a_round_trip())
        answers = journal.answers()
    with closing(sqlite3.connect(path)) as older:
        older.executescript("DROP TABLE tick_decisions; PRAGMA user_version = 1")
    with Journal(path, read_only=True) as journal:
        assert journal.answers() == answers
    with pytest.raises(JournalError, match="is of version 1, this program writes 2"):
        Journal(path)


def test_used_ids_are_looked_up(journal: Journal) -> None:
    ids = journal.used_ids()
    bench = Bench()
    core = BrokerCore(bench.config, used_ids=ids)
    wanted = f"test-BTCUSDT-{T0 + MINUTE}-LONG"
    assert wanted not in ids
    ids.add(wanted)
    assert wanted in ids
    assert core.snapshot()["used_ids"] is None
    write_down(journal, a_round_trip())
    assert wanted in journal.used_ids()


def test_a_core_over_the_journals_ids_refuses_a_duplicate_after_a_restart(journal: Journal) -> None:
    bench = Bench()
    bench.enter()
    write_down(journal, bench)
    twin = BrokerCore.restore(bench.config, bench.core.snapshot() | {"used_ids": None}, used_ids=journal.used_ids())
    bench.core = twin
    bench.candle(MINUTE, signal(LONG))
    bench.quote(2 * MINUTE, 100)
    assert bench.rejections == ["duplicate"]


def test_meta_and_incidents(journal: Journal, path: Path) -> None:
    assert journal.meta("run_id") is None
    journal.set_meta("run_id", "a")
    journal.set_meta("run_id", "b")
    assert journal.meta("run_id") == "b"
    journal.add_incident(5, "broker", "late_decision", "30 s")
    assert rows(path, "SELECT ts_ms, service, event, detail FROM incidents") == [(5, "broker", "late_decision", "30 s")]


def test_it_is_written_ahead_and_synchronised_normally(journal: Journal) -> None:
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (1,)
    assert journal._db.execute("PRAGMA busy_timeout").fetchone()[0] > 0


def test_a_locked_journal_says_so(journal: Journal, path: Path) -> None:
    journal._db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            write_down(journal, a_round_trip())
    write_down(journal, a_round_trip())


def test_a_full_disk_says_so_and_loses_nothing_that_was_recorded(journal: Journal, path: Path) -> None:
    bench = a_round_trip()
    write_down(journal, bench)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    bench.said = [EntriesHalted(5, True, "x" * 100_000)]
    with pytest.raises(JournalError, match="full"):
        journal.record(bench.said, bench.core.snapshot() | {"emitted": 10**6})
    assert rows(path, "SELECT count(*) FROM fills") == [(2,)]
    assert journal.load() is not None


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_text("this is a diary, not a database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Journal(path)


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    Journal(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="version 99"):
        Journal(path)


def test_an_end_of_the_session_is_a_fact(journal: Journal, path: Path) -> None:
    bench = a_round_trip()
    bench.close(StopReason.KILL)
    write_down(journal, bench)
    assert rows(path, "SELECT kind, seq, json_extract(detail, '$.reason') FROM facts") == [
        ("session_closed", 5, "kill")
    ]
