"""Can a session be trusted: what speaks against it, in words, and where it stands on the time line."""

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pytest
from report_builders import SECOND, START, bar, closed, run

from bus.messages import StopReason
from services.report.quality import Grade, balance_error, quality_of
from services.report.run import AcceptedOrder
from services.report.timeline import Spell, has_own_clock, timeline, unix_ms

ORDER = AcceptedOrder("order-1", START + 9 * SECOND, 100, late=True)


def bars(count: int, lost: int) -> list[Any]:
    """Candles, the first of which is incomplete, as a session begins within it, and `lost` more."""
    return [bar(minute, complete=minute > lost) for minute in range(count)]


@pytest.mark.parametrize(
    ("known", "grade", "reason"),
    [
        ({}, Grade.GOOD, ""),
        ({"reason": StopReason.KILL}, Grade.GOOD, ""),
        ({"reason": StopReason.CIRCUIT_BREAKER}, Grade.GOOD, ""),
        ({"bars": bars(20, 0)}, Grade.GOOD, ""),
        ({"restarts": {"feed": 2, "broker": 0}}, Grade.CARE, "Services were restarted (feed 2 x)"),
        ({"feed": {"reconnects": 3}}, Grade.CARE, "lost and found again 3 x"),
        ({"feed": {"stale_sec": 12.4}}, Grade.CARE, "no market data for 12 s"),
        ({"feed": {"stale_sec": 1.0}}, Grade.CARE, "no market data for 1 s"),
        ({"feed": {"stale_sec": 0.9}}, Grade.GOOD, ""),
        ({"feed": {"refused": 12}}, Grade.GOOD, ""),
        ({"feed": {"refused": 13}}, Grade.CARE, "13 were not believed, and 1,234 were"),
        ({"feed": {"refused": 1_234}}, Grade.CARE, "1,234 were not believed, and 1,234 were"),
        ({"feed": {"refused": 1_235}}, Grade.BAD, "1,235 were not believed, and 1,234 were"),
        ({"tick_size": Decimal("0.5")}, Grade.GOOD, ""),
        ({"tick_size": Decimal("0.6")}, Grade.CARE, "A tick (0.6) is 59 bps of the price"),
        ({"bars": bars(20, 2)}, Grade.CARE, "Data was lost in 2 of 20 candles."),
        ({"unanswered": [START]}, Grade.CARE, "did not answer in time for 1 candle."),
        ({"failed": 2}, Grade.CARE, "The strategy failed 2 x"),
        ({"orders": [ORDER]}, Grade.CARE, "1 order came late"),
        ({"rejections": {"expired": 4}}, Grade.CARE, "4 orders waited too long"),
        ({"rejections": {"halted": 4, "throttled": 9}}, Grade.CARE, "4 orders met a halt"),
        ({"rejections": {"invalid": 1}}, Grade.CARE, "1 signal could not be an order"),
        ({"reason": StopReason.STALE_DATA}, Grade.CARE, "fell silent"),
        ({"reason": StopReason.FEED_LOST}, Grade.CARE, "was lost"),
        ({"bars": bars(20, 3)}, Grade.BAD, "Data was lost in 3 of 20 candles."),
        ({"in_order": False}, Grade.BAD, "did not end in order"),
        ({"problems": ["journal.db is empty"]}, Grade.BAD, "could not be read whole"),
        ({"ending_balance": Decimal(10001)}, Grade.BAD, "do not balance: +1 more"),
    ],
)
def test_each_fact_against_a_session_has_its_weight_and_its_sentence(
    known: dict[str, Any], grade: Grade, reason: str
) -> None:
    quality = quality_of(run(**known))
    assert quality.grade is grade
    assert len(quality.reasons) == (1 if reason else 0)
    assert all(reason in said for said in quality.reasons)


def test_the_gravest_reason_decides_and_all_are_told() -> None:
    quality = quality_of(run(restarts={"feed": 1}, in_order=False, bars=bars(10, 1)))
    assert quality.grade is Grade.BAD
    assert len(quality.reasons) == 3


def test_books_balance_with_an_open_position_and_an_account_taken_over() -> None:
    books = run([closed("10")], ending_balance=Decimal("10009.5"), open_costs=Decimal("0.5")).facts
    assert balance_error(books) == 0
    assert balance_error(replace(books, open_costs=Decimal(0))) == Decimal("-0.5")
    assert balance_error(replace(books, starting_balance=None)) == 0
    assert balance_error(replace(books, ending_balance=None)) == 0


def test_incidents_lost_data_and_late_orders_share_one_line_of_time() -> None:
    example = run(
        incidents=[
            {"ts": "2026-11-23T05:00:20.000Z", "event": "service_failed", "message": "feed crashed"},
            {"ts": "2026-11-23T06:00:00.000Z", "event": "data_stale", "seconds": 4.0, "market_ts": START + 5 * SECOND},
            {"ts": "nonsense", "event": "feed_lost"},
        ],
        bars=[bar(0, complete=False), bar(1, complete=False), bar(2, complete=False), bar(3)],
        orders=[ORDER],
    )
    assert timeline(example, example.end.incidents) == [
        Spell("stale data", START + 5 * SECOND, START + 9 * SECOND, "data_stale"),
        Spell("decisions", START + 9 * SECOND, START + 9 * SECOND, "order-1 came late"),
        Spell("restarts", START + 20 * SECOND, START + 20 * SECOND, "feed crashed"),
        Spell("lost data", START + 60 * SECOND, START + 180 * SECOND, "data was lost in 2 candles"),
    ]


def test_a_simulated_market_has_a_clock_of_its_own() -> None:
    """Its first event is reckoned to be the session's start."""
    incident = {"ts": "2026-11-23T05:00:20.000Z", "event": "service_failed", "message": "feed crashed"}
    example = run(first_ts=START - 86_400_000, last_ts=START - 86_400_000 + 100 * SECOND)
    assert [spell.begin_ms for spell in timeline(example, [incident])] == [START - 86_400_000 + 20 * SECOND]


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-11-23", "2026-11-23T05:00:00"])
def test_what_is_no_instant_has_no_place(text: str | None) -> None:
    assert unix_ms(text) is None


def test_what_went_wrong_is_counted() -> None:
    counts = {
        "restarts": 3,
        "reconnects": 4,
        "refused_events": 5,
        "stale_sec": 6.5,
        "incomplete_candles": 2,
        "known_candles": 20,
        "unanswered_candles": 1,
        "late_orders": 1,
        "expired_orders": 7,
        "halted_orders": 8,
    }
    bad_day = run(
        restarts={"feed": 2, "broker": 1},
        feed={"reconnects": 4, "refused": 5, "stale_sec": 6.5},
        bars=bars(20, 2),
        unanswered=[START],
        orders=[ORDER, replace(ORDER, late=False)],
        rejections={"expired": 7, "halted": 8},
    )
    assert {name: asdict(quality_of(bad_day))[name] for name in counts} == counts
    assert {name: asdict(quality_of(run()))[name] for name in counts} == dict.fromkeys(counts, 0)


def test_a_run_of_an_unknown_start_has_no_clock_to_reckon_from() -> None:
    unknown = replace(run(), started_at="")
    assert not has_own_clock(unknown)
    assert timeline(unknown, [{"ts": "2026-11-23T05:00:20.000Z", "event": "service_failed"}]) == []
