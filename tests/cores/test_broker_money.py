"""Prices after slippage, sizes, fees, funding, and the circuit breaker."""

from decimal import Decimal

import pytest
from builders import DAY, LATENCY, MINUTE, Bench, signal, stream

from bus.messages import BreakerTripped, FundingPaid, OrderRejected, SessionClosed, Side, StopReason

LONG, SHORT = Side.LONG, Side.SHORT
IN = MINUTE + LATENCY


@pytest.mark.parametrize(("side", "least", "most"), [(LONG, "100.5", "101.5"), (SHORT, "98.5", "99.5")])
def test_slippage_is_half_to_one_and_a_half_of_the_setting_and_adverse(side: Side, least: str, most: str) -> None:
    bench = Bench(slip_bps=100.0)
    price = bench.enter(side).price
    assert Decimal(least) <= price <= Decimal(most)
    assert price % Decimal("0.1") == 0


@pytest.mark.parametrize(("side", "is_entry"), [(SHORT, True), (LONG, False)])
def test_slippage_beyond_the_whole_price_sells_at_one_tick(side: Side, is_entry: bool) -> None:
    bench = Bench(slip_bps=30_000.0)
    bench.enter(side)
    bench.close(StopReason.DURATION)
    sold = next(fill for fill in bench.fills if fill.is_entry is is_entry)
    assert sold.price == Decimal("0.1")


@pytest.mark.parametrize(("side", "price"), [(LONG, "101"), (SHORT, "100")])
def test_a_price_between_two_ticks_is_rounded_against_us(side: Side, price: str) -> None:
    bench = Bench(info=stream(tick="1"))
    assert bench.enter(side, price=100.5).price == Decimal(price)


def test_size_is_at_most_the_leverage() -> None:
    bench = Bench(max_leverage=0.5)
    assert bench.enter().qty == 50  # 5,000 / 100 instead of 100


def test_size_is_rounded_down_to_the_lot() -> None:
    bench = Bench(info=stream(lot="7"))
    assert bench.enter().qty == 98


def test_size_is_at_most_a_share_of_the_last_closed_candle() -> None:
    bench = Bench(max_fill_pct_of_volume=10.0)
    assert bench.enter().qty == 100  # 10 % of 1,000
    bench.quote(IN + 1, 99)
    bench.candle(MINUTE, signal(LONG, 2 * MINUTE), volume=200.0)
    bench.quotes((2 * MINUTE, 100), (2 * MINUTE + LATENCY, 100))
    assert bench.fills[-1].qty == 20


def test_a_candle_without_volume_lets_nothing_in() -> None:
    bench = Bench(max_fill_pct_of_volume=10.0)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG), volume=0.0)
    bench.quotes((MINUTE, 100), (IN, 100))
    assert bench.rejections == ["min_qty"]


def test_fees_are_taken_when_the_fills_happen() -> None:
    bench = Bench(taker_fee_bps=10.0)
    bench.enter()
    assert bench.balance == 9_990
    bench.quote(IN + 1, 101.5)
    assert bench.balance == 9_990 + 150 - Decimal("10.15")
    assert bench.trades[0].pnl == bench.balance - 10_000


@pytest.mark.parametrize(("side", "rate", "paid"), [(LONG, 0.001, "10"), (SHORT, 0.001, "-10"), (LONG, -0.001, "-10")])
def test_longs_pay_positive_rates_at_the_next_tick(side: Side, rate: float, paid: str) -> None:
    bench = Bench()
    bench.enter(side)
    bench.funding(IN + 1, rate, mark=100.0)
    assert bench.of(FundingPaid) == []
    bench.trade(IN + 2, 100)
    (said,) = bench.of(FundingPaid)
    assert (said.amount, bench.balance) == (Decimal(paid), 10_000 - Decimal(paid))
    bench.quote(IN + 3, 99 if side is LONG else 101)
    assert (bench.trades[0].funding, bench.trades[0].pnl) == (Decimal(paid), -100 - Decimal(paid))


def test_without_a_mark_funding_is_at_the_middle_of_the_newest_quote() -> None:
    bench = Bench()
    bench.enter()
    bench.funding(IN + 1, 0.001)
    bench.quote(IN + 2, 99.9, 100.3)
    assert bench.of(FundingPaid)[0].mark == Decimal("100.1")


def test_funding_is_paid_before_the_stop_of_the_same_tick() -> None:
    bench = Bench()
    bench.enter()
    bench.funding(IN + 1, 0.001, mark=100.0)
    bench.quote(IN + 2, 99)
    assert bench.trades[0].funding == 10


def test_funding_passes_by_without_a_position_and_an_entry_of_the_same_tick_owes_none() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quote(MINUTE, 100)
    bench.funding(IN, 0.001, mark=100.0)
    bench.quotes((IN, 100), (IN + 1, 100))
    assert (len(bench.fills), bench.of(FundingPaid)) == (1, [])


def test_r_has_six_places_half_even() -> None:
    bench = Bench(risk_pct=0.3)
    bench.enter(LONG, stop_bps=300.0)  # 10 units, 3 away
    bench.quote(IN + 1, 96)
    assert bench.trades[0].r == Decimal("-1.333333")
    bench = Bench(info=stream(tick="0.0000001"))
    bench.enter(LONG, stop_bps=100.0)  # 1 away
    bench.quote(IN + 1, 100.5000005)
    bench.close(StopReason.DURATION)
    assert bench.trades[0].r == Decimal("0.5"), "a tie goes to the even one"


@pytest.mark.parametrize(("side", "price"), [(LONG, 99.5), (SHORT, 100.5)])
def test_the_daily_drawdown_trips_the_breaker_on_the_same_tick(side: Side, price: float) -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.enter(side)
    said = bench.quote(IN + 1, price)  # 10,000 - 50 <= 9,950
    assert bench.exits == [("CIRCUIT_BREAKER", f"{price}")]
    assert isinstance(said[0], BreakerTripped)
    assert said[-1] == SessionClosed(
        bench.core.last_seq, said[0].ts_ms, StopReason.CIRCUIT_BREAKER, Decimal(9_950), kept=False
    )
    assert bench.quote(IN + 2, 100) == []


def test_equity_just_above_the_floor_goes_on() -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.enter()
    bench.quote(IN + 1, 99.6)
    assert bench.core.closed is None


def test_the_very_tick_of_the_entry_can_trip_it() -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG))
    bench.quotes((MINUTE, 100), (IN, 99.4, 100))
    assert bench.exits == [("CIRCUIT_BREAKER", "99.4")]


def test_losses_in_a_row_trip_it_and_a_trade_that_is_no_loss_ends_the_row() -> None:
    bench = Bench(max_consecutive_losses=2)
    for minute, price in enumerate((99, 101.5, 99)):
        at = minute * MINUTE
        bench.candle(at, signal(LONG, at + MINUTE))
        bench.quotes((at + MINUTE, 100), (at + IN, 100), (at + IN + 1, price))
    assert (len(bench.trades), bench.core.closed) == (3, None)
    bench.candle(3 * MINUTE, signal(LONG, 4 * MINUTE))
    bench.quotes((4 * MINUTE, 100), (3 * MINUTE + IN, 100), (3 * MINUTE + IN + 1, 99))
    assert bench.core.closed is StopReason.CIRCUIT_BREAKER


def test_tripping_cancels_pending_and_resting_orders() -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.quote(0, 100)
    bench.candle(0, signal(LONG), signal(LONG, MINUTE - 1, limit_price=90.0), signal(SHORT, 2 * MINUTE))
    bench.quotes((MINUTE, 100), (IN, 100), (IN + 1, 99.5))
    assert len(bench.cancellations) == 2
    assert bench.of(OrderRejected) == []


def test_a_new_utc_day_has_a_new_base_and_clears_the_streak() -> None:
    bench = Bench(max_daily_drawdown_pct=1.5, max_consecutive_losses=2)
    bench.enter()
    bench.quote(IN + 1, 99)  # the first loss: 9,900
    bench.candle(DAY - MINUTE, signal(LONG, DAY))
    bench.quote(DAY, 100)  # base 9,900, streak 0
    bench.quotes((DAY + LATENCY, 100), (DAY + LATENCY + 1, 99))  # 9,801 > 9,751.5
    assert (len(bench.trades), bench.core.closed) == (2, None)


def test_the_base_is_taken_after_the_orders_of_the_days_first_tick() -> None:
    bench = Bench(taker_fee_bps=100.0, max_daily_drawdown_pct=1.0)
    bench.quote(DAY - MINUTE, 100)
    bench.candle(DAY - MINUTE, signal(LONG, DAY - LATENCY))
    bench.quote(DAY, 100)  # the entry's fee of 100 is in the base: 9,900
    assert (len(bench.fills), bench.core.closed) == (1, None)
    bench.quote(DAY + 1, 99.1)  # 9,900 - 90 > 9,801
    assert bench.core.closed is None
