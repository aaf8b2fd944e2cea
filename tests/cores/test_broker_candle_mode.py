"""Candle mode: orders at the open, stops and targets over the range, marks at the close."""

from decimal import Decimal
from typing import Any

import pytest
from builders import DAY, MINUTE, T0, Bench, signal

from bus.messages import Decide, FundingPaid, Side, StopReason

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
FLAT_100 = (100.0, 100.0, 100.0, 100.0)


def bench_with(side: Side, *candles: tuple[float, float, float, float], first: Any = FLAT_100, **changes: Any) -> Bench:
    """A signal on the first candle's close, then `candles`, the first of which takes the order at its open."""
    wanted = {"limit_price": changes.pop("limit_price")} if "limit_price" in changes else {}
    bench = Bench("candle", **changes)
    bench.candle(0, signal(side, **wanted), prices=first)
    for index, prices in enumerate(candles, start=1):
        bench.candle(index * MINUTE, prices=prices)
    return bench


# Entry at the open of 100: stop 1 away, target 1.5 away. id: (side, candles from the entry's on, exits)
SCENARIOS: dict[str, tuple[Side, list[tuple[float, float, float, float]], list[tuple[str, str]]]] = {
    "a long's stop in the entry's own candle": (LONG, [(100, 100, 99, 99.5)], [("SL", "99")]),
    "a long's target in the entry's own candle": (LONG, [(100, 101.5, 99.1, 101)], [("TP", "101.5")]),
    "a long's stop and target in one candle is the stop": (LONG, [(100, 102, 98, 101)], [("SL", "99")]),
    "a long's gap opens below the stop": (LONG, [FLAT_100, (98, 102, 97, 100)], [("SL", "98")]),
    "a long's gap above the target is not claimed": (LONG, [FLAT_100, (103, 104, 102, 103)], [("TP", "101.5")]),
    "a long within its range stays": (LONG, [(100, 101.4, 99.1, 100)], []),
    "a short's stop in the entry's own candle": (SHORT, [(100, 101, 100, 100)], [("SL", "101")]),
    "a short's target in the entry's own candle": (SHORT, [(100, 100, 98.5, 99)], [("TP", "98.5")]),
    "a short's stop and target in one candle is the stop": (SHORT, [(100, 102, 98, 101)], [("SL", "101")]),
    "a short's gap opens above the stop": (SHORT, [FLAT_100, (102, 103, 97, 100)], [("SL", "102")]),
    "a short's gap below the target is not claimed": (SHORT, [FLAT_100, (97, 98, 96, 97)], [("TP", "98.5")]),
}


@pytest.mark.parametrize(("side", "candles", "exits"), SCENARIOS.values(), ids=SCENARIOS)
def test_stop_and_target(
    side: Side, candles: list[tuple[float, float, float, float]], exits: list[tuple[str, str]]
) -> None:
    bench = bench_with(side, *candles)
    assert bench.exits == exits
    assert bench.fills[0].ts_ms == T0 + MINUTE
    assert all(row.exit_ts == T0 + len(candles) * MINUTE for row in bench.trades)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_where_the_bid_is_nothing_nobody_trades(side: Side) -> None:
    below_a_tick = (0.07, 0.07, 0.07, 0.07)
    bench = bench_with(side, below_a_tick, first=below_a_tick, half_spread_bps=1.0)
    assert (bench.rejections, bench.fills) == (["no_quote"], [])


def test_a_decision_on_a_close_executes_at_the_very_next_open() -> None:
    bench = bench_with(LONG, (103.0, 103.0, 103.0, 103.0))
    assert (bench.fills[0].price, bench.fills[0].ts_ms) == (Decimal(103), T0 + MINUTE)


def test_an_order_due_after_a_candle_waits_for_the_next() -> None:
    bench = Bench("candle", latency_min_ms=MINUTE, latency_max_ms=MINUTE)
    bench.candle(0, signal(LONG))
    bench.candle(MINUTE, prices=(101, 101, 101, 101))
    assert bench.fills == []
    bench.candle(2 * MINUTE, prices=(102, 102, 102, 102))
    assert bench.fills[0].price == 102


def test_the_half_spread_stands_around_every_price() -> None:
    # 50 bps around 100: 99.5 and 100.5; bought at 100.5, stop 1.005 lower: 99.5 (99.495 to the nearest tick)
    bench = bench_with(LONG, FLAT_100, half_spread_bps=50.0)
    assert (bench.fills[0].price, bench.fills[0].sl) == (Decimal("100.5"), Decimal("99.5"))
    assert bench.exits == [("SL", "99.5")]  # the bid of 100 is 99.5


def test_no_order_and_no_max_bars_executes_in_an_incomplete_candle() -> None:
    bench = Bench("candle", max_bars_open=1)
    bench.candle(0, signal(LONG))
    bench.candle(MINUTE, complete=False)
    assert bench.fills == []
    bench = Bench("candle", max_bars_open=2)
    bench.candle(0, signal(LONG))
    bench.candle(MINUTE)
    bench.candle(2 * MINUTE, complete=False)
    assert bench.exits == []
    bench.candle(3 * MINUTE)
    assert bench.exits == [("MAX_BARS", "100")]


def test_stops_are_tested_over_incomplete_candles_too() -> None:
    bench = bench_with(LONG, FLAT_100)
    bench.candle(2 * MINUTE, prices=(100, 100, 98, 100), complete=False)
    assert bench.exits == [("SL", "99")]


def test_expired_counts_from_the_open_of_the_first_complete_candle() -> None:
    bench = Bench("candle", max_order_age_sec=59.0)
    bench.candle(0, signal(LONG))
    bench.candle(MINUTE, complete=False)
    bench.candle(2 * MINUTE)  # opens 59.9 s after it was due
    assert bench.rejections == ["expired"]


def test_max_bars_closes_at_the_close_of_the_nth_candle() -> None:
    bench = bench_with(LONG, (100, 100.5, 100, 100.5), (100.5, 101, 100.5, 101), max_bars_open=2)
    assert bench.exits == [("MAX_BARS", "101")]
    assert bench.trades[0].exit_ts == T0 + 3 * MINUTE


def test_flat_closes_at_the_open() -> None:
    bench = bench_with(LONG, FLAT_100)
    bench.candle(2 * MINUTE, signal(FLAT, 3 * MINUTE))
    bench.candle(3 * MINUTE, prices=(100.5, 110, 90, 100))
    assert bench.exits == [("FLAT", "100.5")]
    assert bench.trades[0].exit_ts == T0 + 3 * MINUTE


def test_an_entry_whose_position_flat_closed_in_this_candle_is_refused() -> None:
    bench = bench_with(LONG, FLAT_100)
    bench.candle(2 * MINUTE, signal(FLAT, 3 * MINUTE), signal(SHORT, 3 * MINUTE))
    bench.candle(3 * MINUTE)
    assert (bench.exits, bench.rejections) == ([("FLAT", "100")], ["position_open"])


LIMITS: dict[str, tuple[Side, float, tuple[float, float, float, float], list[str]]] = {
    "a buy at the open is a market order": (LONG, 100.5, (100, 100, 100, 100), ["taker 100"]),
    "a buy is not reached by its very price": (LONG, 99.5, (100, 100, 99.5, 100), []),
    "a buy is reached by a price below": (LONG, 99.5, (100, 100, 99.4, 100), ["maker 99.5"]),
    "a sell at the open is a market order": (SHORT, 99.5, (100, 100, 100, 100), ["taker 100"]),
    "a sell is not reached by its very price": (SHORT, 100.5, (100, 100.5, 100, 100), []),
    "a sell is reached by a price above": (SHORT, 100.5, (100, 100.6, 100, 100), ["maker 100.5"]),
}


@pytest.mark.parametrize(("side", "limit", "prices", "fills"), LIMITS.values(), ids=LIMITS)
def test_limits(side: Side, limit: float, prices: tuple[float, float, float, float], fills: list[str]) -> None:
    bench = bench_with(side, prices, limit_price=limit)
    assert [f"{fill.liquidity} {fill.price.normalize():f}" for fill in bench.fills] == fills


def test_a_limit_filled_in_the_range_counts_that_range_for_the_stop_only() -> None:
    stopped = bench_with(LONG, (100, 110, 98, 100), limit_price=99.5)
    assert stopped.exits == [("SL", "98.5")]
    lucky = bench_with(LONG, (100, 110, 99.4, 100), limit_price=99.5)
    assert lucky.exits == []
    lucky.candle(2 * MINUTE, prices=(110, 110, 110, 110))
    assert lucky.exits == [("TP", "101")]


def test_a_limits_time_to_live_is_measured_at_the_open() -> None:
    bench = Bench("candle", limit_ttl_sec=60.0)
    bench.candle(0, signal(LONG, limit_price=99.0))
    bench.candle(MINUTE)
    bench.candle(2 * MINUTE, prices=(100, 100, 99.1, 100))  # opens 59.9 s after it was due
    assert bench.cancellations == []
    bench.candle(3 * MINUTE, prices=(90, 90, 90, 90))
    assert (len(bench.cancellations), bench.fills) == (1, [])


def test_a_limit_out_of_time_is_cancelled_in_an_incomplete_candle_too() -> None:
    bench = Bench("candle", limit_ttl_sec=30.0)
    bench.candle(0, signal(LONG, limit_price=99.0))
    bench.candle(MINUTE)
    assert bench.cancellations == []
    bench.candle(2 * MINUTE, complete=False)
    assert len(bench.cancellations) == 1


@pytest.mark.parametrize(("side", "close"), [(LONG, 99.2), (SHORT, 100.8)])
def test_the_breaker_looks_at_the_close(side: Side, close: float) -> None:
    prices = (100, max(100, close), min(100, close), close)
    bench = bench_with(side, prices, max_daily_drawdown_pct=0.8)
    assert bench.exits == [("CIRCUIT_BREAKER", f"{close}")]
    assert bench.trades[0].exit_ts == T0 + 2 * MINUTE
    assert bench.core.closed is StopReason.CIRCUIT_BREAKER


def test_liquidation_is_judged_at_the_close_after_the_stop() -> None:
    bench = Bench("candle", risk_pct=100.0, max_daily_drawdown_pct=100.0)
    bench.candle(0, signal(LONG, stop_bps=2500.0))  # 400 units, stop at 75
    bench.candle(MINUTE)
    bench.candle(2 * MINUTE, prices=(100, 100, 75.2, 75.4))
    assert bench.exits == [("LIQUIDATION", "75.4")]


def test_funding_is_settled_at_the_next_open() -> None:
    bench = bench_with(LONG, FLAT_100)
    bench.funding(2 * MINUTE, 0.001)
    bench.candle(2 * MINUTE, prices=(101, 101, 101, 101))
    assert [(paid.mark, paid.amount) for paid in bench.of(FundingPaid)] == [(Decimal(101), Decimal("10.1"))]


def test_the_session_ends_at_the_last_close() -> None:
    bench = bench_with(LONG, (100, 101, 100, 100.7))
    bench.close(StopReason.DURATION)
    assert bench.exits == [("SESSION_END", "100.7")]
    assert bench.trades[0].exit_ts == T0 + 2 * MINUTE


def test_the_cap_is_of_the_candle_before_the_fill() -> None:
    bench = Bench("candle", max_fill_pct_of_volume=10.0)
    bench.candle(0, signal(LONG), volume=300.0)
    bench.candle(MINUTE, volume=10.0)
    assert bench.fills[0].qty == 30


def test_the_strategy_is_asked_after_the_candle_with_the_account_at_its_close() -> None:
    bench = bench_with(LONG, (100, 101, 100, 100.5))
    asked = bench.of(Decide)[-1]
    assert (asked.open_ms, len(asked.candles), asked.account.unrealized) == (T0 + MINUTE, 1, Decimal(50))


def test_a_candles_day_is_that_of_its_open() -> None:
    bench = Bench("candle", max_consecutive_losses=2)
    bench.candle(DAY - 2 * MINUTE, signal(LONG, DAY - MINUTE))
    bench.candle(DAY - MINUTE, signal(LONG, DAY), prices=(100, 100, 99, 100))
    bench.candle(DAY, prices=(100, 100, 99, 100))  # the first loss of its day
    assert (len(bench.trades), bench.core.closed) == (2, None)
