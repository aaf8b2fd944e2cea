"""What one session leaves to the next with `on_stop = keep`, on disk."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import LATENCY, MINUTE, Bench, config, settings

from bus.messages import ExitReason, StopReason
from services.broker.errors import CarryOverError
from services.broker.finishing import carry_fault, finish_journal, open_core, read_carried
from services.broker.journal_sqlite import Journal
from services.file_names import JOURNAL
from services.session.state import CARRY_FILE


def kept_by(directory: Path) -> dict[str, Any]:
    """Leave in `directory` what a session with an open position kept."""
    bench = Bench(on_stop="keep")
    bench.enter()
    bench.close(StopReason.DURATION)
    left = bench.core.carry_over()
    (directory / CARRY_FILE).write_text(json.dumps(left))
    return left


@pytest.mark.parametrize("had_begun", [True, False])
@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
def test_a_kept_position_outlives_a_session_that_never_saw_a_price(
    tmp_path: Path, on_stop: str, had_begun: bool
) -> None:
    left = kept_by(tmp_path)
    with Journal(tmp_path / JOURNAL) as journal:
        if had_begun:
            open_core(config(on_stop=on_stop), journal, read_carried(tmp_path))
    finish_journal(tmp_path, tmp_path, settings(on_stop=on_stop), StopReason.FEED_LOST)
    assert read_carried(tmp_path) == left


def test_without_keep_a_session_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / JOURNAL):
        pass
    finish_journal(tmp_path, tmp_path, settings(), StopReason.DURATION)
    assert read_carried(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "\x00"])
def test_what_can_not_be_read_is_no_fresh_account(tmp_path: Path, content: str) -> None:
    (tmp_path / CARRY_FILE).write_text(content)
    with pytest.raises(CarryOverError, match="delete it to begin with a fresh account"):
        read_carried(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        *({"balance": "0"}, {"balance": "-89999.6"}),
        *({"balance": "much"}, {"balance": "NaN"}, {"position": {}}, {"symbol": "ETHUSDT"}),
        *({"streak": {}}, {"day": "x"}, {"last_entry_ts": "x"}, {"base": "NaN"}, {"base": "Infinity"}),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    with Journal(tmp_path / JOURNAL) as journal, pytest.raises(CarryOverError, match=r"delete carry\.json"):
        open_core(config(), journal, {**kept_by(tmp_path), **changes})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, ""),
        ("{", "can not be read"),
        ("[" * 100_000, "can not be read"),
        ("[]", "is broken"),
        ('{"symbol": "BTCUSDT"}', "is broken"),
    ],
)
def test_whether_a_session_can_take_over_is_known_before_it_begins(
    tmp_path: Path, content: str | None, says: str
) -> None:
    kept_by(tmp_path)
    if content is not None:
        (tmp_path / CARRY_FILE).write_text(content)
    fault = carry_fault(settings(), tmp_path)
    assert says in fault
    assert bool(fault) == bool(says)
    assert (
        "the kept position is of BTCUSDT, not of ETHUSDT" in carry_fault(settings(symbol="ETHUSDT"), tmp_path) or says
    )


@pytest.mark.parametrize(
    ("reason", "exit_reason"),
    [
        (StopReason.KILL, ExitReason.KILL),
        (StopReason.STALE_DATA, ExitReason.STALE_DATA),
        (StopReason.DURATION, ExitReason.SESSION_END),
    ],
)
def test_the_position_of_a_broker_that_was_killed_is_closed_for_the_stops_reason(
    tmp_path: Path, reason: StopReason, exit_reason: ExitReason
) -> None:
    bench = Bench()
    bench.enter()
    bench.quote(MINUTE + LATENCY + 1, 100.5)
    with Journal(tmp_path / JOURNAL) as journal:
        journal.record(bench.said, bench.core.snapshot())
    finish_journal(tmp_path, tmp_path, settings(), reason)
    with Journal(tmp_path / JOURNAL, read_only=True) as journal:
        (trade,) = journal.trades()
    assert (trade.exit_reason, trade.exit_price, trade.pnl) == (exit_reason, Decimal("100.5"), Decimal(50))
    assert read_carried(tmp_path) is None


def test_without_a_journal_there_are_no_books_to_close(tmp_path: Path) -> None:
    left = kept_by(tmp_path)
    finish_journal(tmp_path, tmp_path, settings(), StopReason.KILL)
    assert not (tmp_path / JOURNAL).exists()
    assert read_carried(tmp_path) == left
