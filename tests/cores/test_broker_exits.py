"""Exits in tick mode: stop, target, MAX_BARS, liquidation, FLAT, and which comes first."""

from decimal import Decimal

import pytest
from builders import LATENCY, MINUTE, Bench, signal, stream

from bus.messages import Fill, Side, StopReason, TradeClosed

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
IN = MINUTE + LATENCY

# Entry at 100, stop 1 away, target 1.5 away. id: (side, quotes after the entry, exits)
SCENARIOS = {
    "a long's stop triggers at its price": (LONG, [(99, 99.2)], [("SL", "99")]),
    "a long's stop looks at the bid, not at the ask": (LONG, [(99.1, 99.1), (99.1, 102)], []),
    "a long's stop gaps and fills at the gapped price": (LONG, [(97, 97.1)], [("SL", "97")]),
    "a long's target triggers at its price": (LONG, [(101.5, 101.6)], [("TP", "101.5")]),
    "a long's target beyond does not claim the better price": (LONG, [(103, 103.1)], [("TP", "101.5")]),
    "a long's target looks at the bid": (LONG, [(101.4, 101.9)], []),
    "a short's stop triggers at its price": (SHORT, [(100.8, 101)], [("SL", "101")]),
    "a short's stop looks at the ask": (SHORT, [(100.9, 100.9), (98.6, 100.9)], []),
    "a short's stop gaps and fills at the gapped price": (SHORT, [(102.9, 103)], [("SL", "103")]),
    "a short's target triggers at its price": (SHORT, [(98.4, 98.5)], [("TP", "98.5")]),
    "a short's target beyond does not claim the better price": (SHORT, [(97, 97)], [("TP", "98.5")]),
    "a short's target looks at the ask": (SHORT, [(98.1, 98.6)], []),
    "the first to come decides": (LONG, [(100, 100), (101.5, 101.5), (90, 90)], [("TP", "101.5")]),
}


@pytest.mark.parametrize(("side", "quotes", "exits"), SCENARIOS.values(), ids=SCENARIOS)
def test_stop_and_target(side: Side, quotes: list[tuple[float, float]], exits: list[tuple[str, str]]) -> None:
    bench = Bench()
    bench.enter(side)
    for index, (bid, ask) in enumerate(quotes):
        bench.quote(IN + 1 + index, bid, ask)
    assert bench.exits == exits


def test_the_tick_that_fills_the_entry_does_not_exit_it() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quote(MINUTE, 100)
    bench.quote(IN, 98, 100)  # bought at 100, the bid is already below the stop at 99
    assert bench.exits == []
    bench.trade(IN + 1, 98)  # no quote: a stop looks at quotes
    assert bench.exits == []
    bench.quote(IN + 2, 98, 100)
    assert bench.exits == [("SL", "98")]


def test_a_fill_tells_all_about_itself() -> None:
    bench = Bench(taker_fee_bps=10.0)
    bench.enter(LONG)
    entry = bench.fills[0]
    assert (entry.is_entry, entry.side, str(entry.qty), str(entry.price)) == (True, LONG, "100.0000", "100.0")
    assert (str(entry.sl), str(entry.tp), entry.liquidity, str(entry.fee)) == ("99.0", "101.5", "taker", "10.000000")
    bench.quote(IN + 1, 99)
    leaving = bench.fills[1]
    assert (leaving.is_entry, leaving.exit_reason, leaving.client_order_id) == (False, "SL", entry.client_order_id)


def test_a_trade_closed_tells_the_row_of_trades_csv() -> None:
    bench = Bench(taker_fee_bps=10.0)
    bench.enter(SHORT)
    bench.quote(IN + 500, 98.5)
    row = bench.trades[0]
    assert (row.side, row.qty, row.entry_price, row.exit_price) == (SHORT, Decimal(100), Decimal(100), Decimal("98.5"))
    assert (row.fees, row.funding, row.pnl) == (
        Decimal("19.85"),
        Decimal(0),
        Decimal("130.15"),
    )  # 10 bps of 10,000 and 9,850
    assert row.r == Decimal("1.3015")
    assert row.exit_ts - row.entry_ts == 500
    assert (row.equity, row.latency_ms) == (10_000 + row.pnl, LATENCY)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_max_bars_closes_on_the_tick_that_closes_the_nth_candle(side: Side) -> None:
    bench = Bench(max_bars_open=2)
    bench.enter(side)
    bench.candle(MINUTE)  # the entry's own candle is the first
    bench.quote(2 * MINUTE, 100)
    assert bench.exits == []
    bench.candle(2 * MINUTE, complete=False)  # incomplete ones count
    assert bench.exits == []
    bench.trade(3 * MINUTE, 100.3)  # any tick; at the newest quote
    assert bench.exits == [("MAX_BARS", "100")]


def test_several_candles_closed_by_one_tick_all_count() -> None:
    bench = Bench(max_bars_open=2)
    bench.enter()
    bench.candle(MINUTE)
    bench.candle(2 * MINUTE)
    bench.candle(3 * MINUTE)
    bench.quote(4 * MINUTE, 100.2)
    assert bench.exits == [("MAX_BARS", "100.2")]


def test_a_stop_comes_before_max_bars() -> None:
    bench = Bench(max_bars_open=1)
    bench.enter()
    bench.candle(MINUTE)
    bench.quote(2 * MINUTE, 98.5)
    assert bench.exits == [("SL", "98.5")]


@pytest.mark.parametrize(("side", "price"), [(LONG, 80.4), (SHORT, 119.6)])
def test_liquidation_comes_before_the_stop_and_trips_the_breaker(side: Side, price: float) -> None:
    # 500 units at 100 (leverage 5); 10,000 - 500 x 19.6 = 200 <= 0.5 % of 50,000 = 250
    bench = Bench(risk_pct=100.0, max_daily_drawdown_pct=100.0)
    bench.enter(side)
    assert bench.fills[0].qty == 500
    bench.quote(IN + 1, price)
    assert bench.exits == [("LIQUIDATION", f"{price}")]
    assert bench.core.closed is StopReason.CIRCUIT_BREAKER


def test_equity_just_above_the_margin_is_not_liquidated() -> None:
    bench = Bench(risk_pct=100.0, max_daily_drawdown_pct=100.0)
    bench.enter(LONG, stop_bps=2500.0)  # 10,000 x 100 % / 25 = 400 units; stop at 75
    bench.quote(IN + 1, 75.6)  # 10,000 - 400 x 24.4 = 240 > 200
    assert bench.exits == []
    bench.quote(IN + 2, 75.5)  # 200 <= 200
    assert bench.exits == [("LIQUIDATION", "75.5")]


@pytest.mark.parametrize(("side", "pnl"), [(LONG, 50), (SHORT, -50)])
def test_flat_closes_at_the_newest_quote_when_due(side: Side, pnl: int) -> None:
    bench = Bench()
    bench.enter(side)
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE))
    bench.quote(2 * MINUTE, 100)
    assert bench.exits == []
    bench.quote(2 * MINUTE + LATENCY, 100.5)
    assert bench.exits == [("FLAT", "100.5")]
    assert bench.trades[0].pnl == pnl
    assert bench.fills[-1].client_order_id.endswith("-FLAT")
    assert bench.trades[0].client_order_id.endswith(f"-{side}")


def test_flat_without_anything_is_no_position() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(FLAT))
    bench.quotes((MINUTE, 100), (IN, 100))
    assert bench.rejections == ["no_position"]


def test_flat_due_on_the_tick_that_filled_the_entry_waits_for_the_next() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, MINUTE), signal(FLAT, MINUTE + 1))
    bench.quotes((MINUTE, 100), (IN + 1, 100))
    assert (len(bench.fills), bench.exits, bench.rejections) == (1, [], [])
    bench.trade(IN + 2, 100)
    assert bench.exits == [("FLAT", "100")]


def test_flat_is_never_expired_nor_throttled_nor_halted() -> None:
    bench = Bench(min_trade_interval_sec=3600.0, max_order_age_sec=1.0)
    bench.enter()
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE))
    bench.quote(2 * MINUTE, 100)
    bench.core.on_timer(0)
    for now_ms in range(1000, 16_000, 1000):
        bench.core.on_timer(now_ms)
    assert bench.core.status().account.halted
    bench.quote(3 * MINUTE - 1, 100.2)
    assert bench.exits == [("FLAT", "100.2")]


def test_a_stop_off_the_grid_goes_to_the_nearest_tick_ties_to_even() -> None:
    # 100 x 25 bps = 0.25 away: sl 99.75 and tp 100.25, both in the middle of two ticks
    bench = Bench()
    bench.enter(LONG, stop_bps=25.0, tp_r=1.0)
    assert (str(bench.fills[0].sl), str(bench.fills[0].tp)) == ("99.8", "100.2")


def test_stop_and_target_are_at_least_one_tick_away() -> None:
    bench = Bench(info=stream(tick="1"))
    bench.enter(LONG, stop_bps=1.0, tp_r=1.0)
    assert (bench.fills[0].sl, bench.fills[0].tp) == (Decimal(99), Decimal(101))


def test_all_messages_of_one_tick_carry_its_seq() -> None:
    bench = Bench()
    bench.enter()
    said = bench.quote(IN + 1, 99)
    assert [type(one) for one in said] == [Fill, TradeClosed]
    assert {one.seq for one in said if isinstance(one, Fill | TradeClosed)} == {bench.core.last_seq}
