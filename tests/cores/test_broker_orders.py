"""From signal to fill in tick mode: arrival, the due tick, the order of several, every rejection."""

import math
from decimal import Decimal
from typing import Any

import pytest
from builders import LATENCY, MINUTE, T0, Bench, signal, stream

from bus.messages import OrderAccepted, OrderRejected, RejectReason, Side, Signal

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
IN = MINUTE + LATENCY


def test_an_order_meets_the_first_tick_at_or_after_its_due_time() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quotes((MINUTE, 101), (IN - 1, 102))
    assert bench.fills == []
    bench.quote(IN, 103, 103.5)
    assert (bench.fills[0].price, bench.fills[0].ts_ms) == (Decimal("103.5"), T0 + IN)


def test_a_trade_is_a_tick_and_fills_at_the_newest_quote() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(SHORT))
    bench.quote(MINUTE, 101, 101.5)
    bench.trade(IN + 7, 90)
    assert (bench.fills[0].price, bench.fills[0].ts_ms) == (Decimal(101), T0 + IN + 7)


def test_an_accepted_order_says_when_it_is_due() -> None:
    bench = Bench()
    bench.enter()
    (accepted,) = bench.of(OrderAccepted)
    assert accepted.client_order_id == f"test-BTCUSDT-{T0 + MINUTE}-LONG"
    assert (accepted.latency_ms, accepted.due_ms, accepted.late) == (LATENCY, T0 + IN, False)


def test_the_drawn_latency_is_within_its_bounds_and_decides_the_due_tick() -> None:
    bench = Bench(latency_min_ms=50, latency_max_ms=500)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quote(MINUTE, 100)
    (accepted,) = bench.of(OrderAccepted)
    assert 50 <= accepted.latency_ms <= 500
    bench.quote(MINUTE + accepted.latency_ms - 1, 100)
    assert bench.fills == []
    bench.quote(MINUTE + accepted.latency_ms, 100)
    assert len(bench.fills) == 1


INVALID: dict[str, dict[str, Any]] = {
    "stop_bps 0": {"stop_bps": 0.0},
    "stop_bps 10000": {"stop_bps": 10_000.0},
    "stop_bps not finite": {"stop_bps": math.nan},
    "tp_r 0": {"tp_r": 0.0},
    "tp_r not finite": {"tp_r": math.inf},
    "limit price 0": {"limit_price": 0.0},
    "limit price off the grid": {"limit_price": 99.95},
    "limit price not finite": {"limit_price": math.inf},
    "another symbol": {"symbol": "ETHUSDT"},
    "unknown entry": {"entry": "iceberg"},
    "not to be carried": {"fault": "stop_bps must be a finite number, was nan"},
}


@pytest.mark.parametrize("fields", INVALID.values(), ids=INVALID)
def test_an_invalid_signal_is_refused_on_arrival_and_uses_up_no_id(fields: dict[str, Any]) -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, **fields), signal(LONG))
    said = bench.quote(MINUTE, 100)
    assert [type(one) for one in said[-2:]] == [OrderRejected, OrderAccepted]
    assert bench.rejections == ["invalid"]


def test_an_unknown_side_is_invalid() -> None:
    bench = Bench()
    bench.quote(0, 100)
    fields = {"symbol": "BTCUSDT", "side": "UP", "ts_ms": T0, "stop_bps": 1.0, "tp_r": 1.0}
    bench.candle(0, Signal(**fields))  # type: ignore[arg-type]
    bench.quote(MINUTE, 100)
    assert bench.rejections == ["invalid"]


def test_the_same_id_is_taken_once_in_a_run() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG), signal(LONG))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 99))
    bench.candle(MINUTE, signal(LONG))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100))
    assert bench.rejections == ["duplicate", "duplicate"]
    assert len(bench.trades) == 1


def test_expired_is_more_than_the_oldest_age_after_due() -> None:
    for late_by, rejections in ((10_000, []), (10_001, ["expired"])):
        bench = Bench(max_order_age_sec=10.0)
        bench.quote(0, 100)
        bench.candle(0, signal(LONG))
        bench.quotes((MINUTE, 100), (IN + late_by, 100))
        assert bench.rejections == rejections


def test_a_fraction_of_a_second_counts_in_the_oldest_age() -> None:
    bench = Bench(max_order_age_sec=0.0015)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quotes((MINUTE, 100), (IN + 2, 100))
    assert bench.rejections == ["expired"]


def test_without_a_quote_there_is_no_fill() -> None:
    bench = Bench()
    bench.candle(0, signal(LONG))
    bench.trade(MINUTE, 100)
    bench.trade(IN, 100)
    assert bench.rejections == ["no_quote"]


def test_an_entry_while_a_position_is_open_is_refused() -> None:
    bench = Bench()
    bench.enter()
    bench.candle(MINUTE, signal(SHORT, 2 * MINUTE))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100))
    assert bench.rejections == ["position_open"]


def test_position_open_also_when_this_very_tick_closed_it() -> None:
    bench = Bench()
    bench.enter()
    bench.candle(MINUTE, signal(SHORT, 2 * MINUTE))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 99))
    assert bench.exits == [("SL", "99")]
    assert bench.rejections == ["position_open"]


def test_flat_and_an_entry_on_one_tick_do_not_reverse() -> None:
    bench = Bench()
    bench.enter()
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE), signal(SHORT, 2 * MINUTE))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100))
    assert bench.exits == [("FLAT", "100")]
    assert bench.rejections == ["position_open"]


def test_flat_leaves_an_entry_that_is_not_yet_due() -> None:
    bench = Bench()
    bench.enter()
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE), signal(SHORT, 2 * MINUTE + 1))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100), (2 * MINUTE + LATENCY + 1, 100))
    assert bench.exits == [("FLAT", "100")]
    assert bench.fills[-1].is_entry


@pytest.mark.parametrize(("gap_ms", "rejections"), [(59_999, ["throttled"]), (60_000, [])])
def test_throttled_counts_from_the_last_entry_fill(gap_ms: int, rejections: list[str]) -> None:
    bench = Bench(min_trade_interval_sec=60.0)
    bench.enter()
    bench.quote(IN + 1, 99)
    bench.candle(MINUTE, signal(LONG, IN + gap_ms - LATENCY))
    bench.quotes((2 * MINUTE, 100), (IN + gap_ms, 100))
    assert bench.rejections == rejections


def test_a_size_below_the_least_is_refused() -> None:
    bench = Bench(info=stream(least="100.0001"))  # 100 would be bought
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quotes((MINUTE, 100), (IN, 100))
    assert bench.rejections == ["min_qty"]


def test_a_price_that_rounds_to_nothing_buys_nothing() -> None:
    bench = Bench(info=stream(tick="1"))
    bench.quote(0, 0.5)
    bench.candle(0, signal(SHORT))
    bench.quotes((MINUTE, 0.5), (IN, 0.5))
    assert bench.rejections == ["min_qty"]


@pytest.mark.parametrize(
    ("fields", "rejections"),
    [({"limit_price": 1e300}, ["min_qty"]), ({"tp_r": 1e60}, []), ({"stop_bps": 1e-300}, [])],
    ids=["a limit of 301 digits buys nothing", "a target of 62 digits", "a stop nearer than a tick"],
)
def test_a_signal_beyond_all_reason_is_worked_off_like_any_other(fields: dict[str, Any], rejections: list[str]) -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, **fields))
    bench.quotes((MINUTE, 100), (IN, 100))
    assert (bench.rejections, len(bench.fills)) == (rejections, 1 - len(rejections))


def test_the_first_reason_that_holds_is_said() -> None:
    bench = Bench(min_trade_interval_sec=3600.0, max_order_age_sec=1.0)
    bench.enter()
    bench.candle(MINUTE, signal(LONG, 2 * MINUTE))
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + 1_101, 100))  # expired, a position is open, throttled
    assert bench.rejections == ["expired"]


def test_several_due_at_one_tick_go_by_due_then_id() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(SHORT, MINUTE), signal(LONG, MINUTE), signal(SHORT, MINUTE - 1))
    bench.quotes((MINUTE, 100), (IN, 100))
    assert bench.fills[0].client_order_id == f"test-BTCUSDT-{T0 + MINUTE - 1}-SHORT"
    refused = [one.client_order_id[-5:] for one in bench.of(OrderRejected)]
    assert refused == ["-LONG", "SHORT"]


def test_a_rejection_tells_the_order_and_the_tick() -> None:
    bench = Bench()
    bench.enter()
    wanted = signal(SHORT, 2 * MINUTE)
    bench.candle(MINUTE, wanted)
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY + 5, 100))
    (refused,) = bench.of(OrderRejected)
    assert refused == OrderRejected(
        f"test-BTCUSDT-{wanted.ts_ms}-SHORT",
        bench.core.last_seq,
        T0 + 2 * MINUTE + LATENCY + 5,
        wanted,
        RejectReason.POSITION_OPEN,
    )
