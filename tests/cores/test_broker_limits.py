"""Limit entries in tick mode: reached at once, reached later, judged again, out of time."""

from decimal import Decimal
from typing import Any

import pytest
from builders import LATENCY, MINUTE, T0, Bench, signal, stream

from bus.messages import OrderCancelled, OrderResting, Side, Signal

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
IN = MINUTE + LATENCY


def resting(side: Side, limit: float, at_due: float = 100.0, **changes: Any) -> Bench:
    """A bench with one limit order, just after its due tick at `at_due`."""
    bench = Bench(**changes)
    bench.quote(0, at_due)
    bench.candle(0, signal(side, limit_price=limit))
    bench.quotes((MINUTE, at_due), (IN, at_due))
    return bench


@pytest.mark.parametrize(("side", "limit"), [(LONG, 100.0), (LONG, 101.0), (SHORT, 100.0), (SHORT, 99.0)])
def test_reached_on_the_due_tick_it_is_a_market_order(side: Side, limit: float) -> None:
    bench = resting(side, limit, taker_fee_bps=10.0, maker_fee_bps=1.0)
    (fill,) = bench.fills
    assert (fill.price, fill.liquidity, fill.fee) == (Decimal(100), "taker", fill.qty * 100 * 10 / 10_000)


@pytest.mark.parametrize(("side", "limit", "price"), [(LONG, 100.0, "100"), (SHORT, 100.0, "100")])
def test_slippage_never_takes_it_beyond_its_limit(side: Side, limit: float, price: str) -> None:
    bench = resting(side, limit, slip_bps=100.0)
    assert bench.fills[0].price == Decimal(price)


@pytest.mark.parametrize(
    ("side", "limit", "near", "there"),
    [(LONG, 99.0, (98.9, 99.1), (98.9, 99.0)), (SHORT, 101.0, (100.9, 101.1), (101.0, 101.1))],
)
def test_reached_later_it_fills_at_its_limit_as_maker(
    side: Side, limit: float, near: tuple[float, float], there: tuple[float, float]
) -> None:
    bench = resting(side, limit, slip_bps=100.0, taker_fee_bps=10.0, maker_fee_bps=1.0)
    bench.quote(IN + 1, *near)
    assert bench.fills == []
    bench.quote(IN + 2, *there)
    (fill,) = bench.fills
    assert (fill.price, fill.base_price, fill.liquidity) == (Decimal(str(limit)), Decimal(str(limit)), "maker")
    assert fill.fee == fill.qty * fill.price / 10_000


def test_a_gap_through_the_limit_still_fills_at_the_limit() -> None:
    bench = resting(LONG, 99.0)
    bench.quote(IN + 1, 98.5)
    assert bench.fills[0].price == 99
    bench.quote(IN + 2, 98)  # its stop is 98.01, rounded to 98.0
    assert bench.exits == [("SL", "98")]


def test_a_resting_order_says_until_when() -> None:
    bench = resting(LONG, 99.0, limit_ttl_sec=5.0)
    (said,) = bench.of(OrderResting)
    assert (said.ts_ms, said.until_ms) == (T0 + IN, T0 + IN + 5_000)


def test_out_of_time_it_is_cancelled_before_any_fill() -> None:
    bench = resting(LONG, 99.0, limit_ttl_sec=5.0)
    bench.quote(IN + 4_999, 99.1)
    assert bench.cancellations == []
    bench.quote(IN + 5_000, 99)
    assert (bench.fills, len(bench.cancellations)) == ([], 1)


def test_without_time_to_live_it_is_cancelled_on_its_due_tick() -> None:
    bench = resting(LONG, 101.0, limit_ttl_sec=0.0)
    assert (bench.fills, len(bench.cancellations)) == ([], 1)


def test_it_is_judged_on_its_due_tick_with_the_limit_for_its_size() -> None:
    bench = resting(LONG, 50.0, info=stream(least="250"))  # 100 / 0.5 = 200 at the limit
    assert (bench.rejections, bench.of(OrderResting)) == (["min_qty"], [])


def test_it_is_judged_again_when_it_is_reached() -> None:
    bench = Bench(min_trade_interval_sec=30.0)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, MINUTE), signal(LONG, MINUTE - 1, limit_price=99.5))
    bench.quotes((MINUTE, 100), (IN, 100))  # the limit rests, the market order fills
    bench.quote(IN + 1, 99.5)
    assert bench.rejections == ["position_open"]
    assert len(bench.fills) == 1


def test_reached_on_the_tick_that_stops_the_position_it_is_refused() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, MINUTE), signal(LONG, MINUTE - 1, limit_price=99.0))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 99))
    assert bench.exits == [("SL", "99")]
    assert bench.rejections == ["position_open"]


def test_it_is_throttled_but_never_expired_when_reached_later() -> None:
    throttled = Bench(min_trade_interval_sec=60.0, max_order_age_sec=1.0)
    throttled.quote(0, 100)
    throttled.candle(0, signal(LONG, MINUTE), signal(LONG, MINUTE - 1, limit_price=98.0))
    throttled.quotes((MINUTE, 100), (IN, 100), (IN + 1, 99), (IN + 30_000, 98))
    assert throttled.rejections == ["throttled"]
    old = resting(LONG, 99.0, max_order_age_sec=1.0)
    old.quote(IN + 30_000, 99)
    assert len(old.fills) == 1


def test_it_is_sized_anew_at_the_fill() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, MINUTE), signal(LONG, MINUTE - 1, limit_price=50.0))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 99))  # lost 100: the balance is 9,900
    bench.quote(IN + 2, 50)
    assert bench.fills[-1].qty == 198  # 99 at risk / 0.5


def test_flat_cancels_resting_limits() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, limit_price=99.0), signal(FLAT, MINUTE + 1))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 100), (IN + 2, 99))
    ended = [one.client_order_id.split("-")[-1] for one in bench.of(OrderCancelled)]
    assert (ended, bench.fills, bench.rejections) == (["LONG", "FLAT"], [], [])


def test_several_may_rest_and_the_first_to_be_reached_wins() -> None:
    bench = Bench()
    bench.quote(0, 100)
    high: Signal = signal(SHORT, limit_price=101.0)
    bench.candle(0, signal(LONG, limit_price=99.0), high)
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 101), (IN + 2, 99))
    assert [fill.side for fill in bench.fills if fill.is_entry] == [SHORT]
    assert bench.rejections == ["position_open"]
