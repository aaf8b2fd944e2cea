"""The broker's nouns by themselves: settings, orders, ledger, breaker, liveness, the quiet band."""

from decimal import Decimal
from math import inf
from typing import Any

import pytest
from builders import LATENCY, MINUTE, T0, Bench, settings, signal

from bus.messages import Side
from services.broker.band import Band, band_of
from services.broker.breaker import DAY_MS, Breaker
from services.broker.config import BrokerConfig
from services.broker.errors import ImpossibleError
from services.broker.ledger import Ledger
from services.broker.liveness import Liveness
from services.broker.orders import Order, OrderBook, fault_of, order_id

D = Decimal
LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT


def order(side: Side = LONG, due_ms: int = 5, **fields: Any) -> Order:
    wanted = signal(side, **fields)
    return Order(order_id("test", "BTCUSDT", wanted), wanted, 1, due_ms, late=False)


def test_settings_become_decimals_and_whole_milliseconds() -> None:
    taken = BrokerConfig.from_settings(
        settings(risk_pct=0.1, max_order_age_sec=0.0015, limit_ttl_sec=0.0015, on_stop="keep", starting_balance=500)
    )
    assert (taken.risk_pct, taken.starting_balance, taken.keep) == (D("0.1"), D(500), True)
    assert (taken.max_order_age_ms, taken.limit_ttl_ms) == (1, 2)
    assert (taken.monitor_timeout_ms, taken.decision_timeout_ms) == (15_000, 30_000)


def test_a_missing_setting_is_named() -> None:
    given = settings()
    del given["seed"]
    with pytest.raises(KeyError, match="seed"):
        BrokerConfig.from_settings(given)


def test_an_id_is_a_function_of_the_decision() -> None:
    assert order_id("my.module:Class", "BTCUSDT", signal(FLAT)) == f"my.module:Class-BTCUSDT-{T0 + MINUTE}-FLAT"


def test_a_good_signal_has_no_fault_and_a_bad_one_says_which() -> None:
    assert fault_of(signal(limit_price=99.9), "BTCUSDT", D("0.1")) == ""
    assert fault_of(signal(FLAT), "BTCUSDT", D("0.1")) == ""
    assert fault_of(signal(stop_bps=-1.0), "BTCUSDT", D("0.1")) == "stop_bps must be in (0, 10000), was -1.0"
    assert "multiple of 0.1" in fault_of(signal(limit_price=99.95), "BTCUSDT", D("0.1"))


@pytest.mark.parametrize(("side", "inside", "at", "beyond"), [(LONG, 99.1, 99.0, 98.9), (SHORT, 98.9, 99.0, 99.1)])
def test_a_limit_is_reached_at_its_price_and_passed_beyond_it(
    side: Side, inside: float, at: float, beyond: float
) -> None:
    resting = order(side, limit_price=99.0)
    assert [resting.is_reached(price) for price in (inside, at, beyond)] == [False, True, True]
    assert [resting.is_passed(price) for price in (inside, at, beyond)] == [False, False, True]


def test_the_book_goes_by_due_then_id() -> None:
    late, short, long = order(LONG, 9), order(SHORT, 5), order(FLAT, 5)
    book = OrderBook(pending={one.client_order_id: one for one in (late, short)})
    book.resting[long.client_order_id] = long
    assert list(book) == [long, short, late]
    book.rest(short)
    assert (len(book), list(book.resting)) == (3, [long.client_order_id, short.client_order_id])
    book.drop(late.client_order_id)
    assert not book.pending


def test_the_ledger_proves_itself() -> None:
    ledger = Ledger(D(100), D(100))
    ledger.book_cost(D(1))
    ledger.check()
    ledger.book_close(D(10), D(2), D(7))
    ledger.check()
    assert (ledger.balance, ledger.closed_pnl, ledger.open_costs) == (D(107), D(7), D(0))
    ledger.balance += D("0.000001")
    with pytest.raises(ImpossibleError, match="must be 107"):
        ledger.check()


def test_the_breaker_trips_at_its_floor_not_above() -> None:
    breaker = Breaker(D(5), 2)
    assert breaker.verdict(D(0)) == ""  # no base yet
    assert breaker.turn_day(0)
    breaker.base = D(1000)
    assert breaker.verdict(D("950.01")) == ""
    assert "950.00" in breaker.verdict(D(950))


def test_a_streak_of_losses_is_ended_by_any_other_trade_and_by_a_new_day() -> None:
    breaker = Breaker(D(5), 2)
    for pnl, streak in ((-1, 1), (0, 0), (-1, 1), (-2, 2)):
        breaker.count(D(pnl))
        assert breaker.streak == streak
    assert "2 losing" in breaker.verdict(D(1))
    assert breaker.turn_day(3 * DAY_MS + 5)
    assert not breaker.turn_day(4 * DAY_MS - 1)
    assert breaker.streak == 0


def test_a_silent_monitor_is_gone_after_its_time() -> None:
    live = Liveness(15_000, 30_000)
    live.start(0)
    assert not live.is_monitor_gone(14_999)
    assert live.is_monitor_gone(15_000)


def test_a_late_turn_begins_every_timer_anew() -> None:
    live = Liveness(15_000, 30_000)
    live.turn(0)
    live.ask(0)
    live.turn(1_500)
    assert live.is_monitor_gone(15_000)
    live.turn(3_001)
    assert not live.is_monitor_gone(18_000)
    assert not live.is_answer_overdue(33_000)
    assert live.is_answer_overdue(33_001)


def test_the_band_of_a_fresh_broker_lets_nothing_through() -> None:
    assert Band().wake_ms == -inf
    assert band_of(Bench().core._engine.desk).wake_ms == -inf


def test_the_band_of_an_idle_broker_lasts_until_midnight() -> None:
    bench = Bench()
    bench.quote(0, 100)
    assert band_of(bench.core._engine.desk) == Band(wake_ms=T0 + DAY_MS)


@pytest.mark.parametrize(("side", "band"), [(LONG, (99.0, 101.5, -inf, inf)), (SHORT, (-inf, inf, 98.5, 101.0))])
def test_the_band_of_a_position_is_its_stop_and_its_target(side: Side, band: tuple[float, float, float, float]) -> None:
    bench = Bench()
    bench.enter(side)
    found = band_of(bench.core._engine.desk)
    assert (found.bid_low, found.bid_high, found.ask_low, found.ask_high) == band


def test_the_band_is_narrowed_by_the_breaker_before_the_stop() -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.enter()
    found = band_of(bench.core._engine.desk)
    assert 99.5 < found.bid_low < 99.500001


def test_the_band_is_narrowed_by_orders() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, limit_price=99.0), signal(SHORT, limit_price=101.0), signal(FLAT, 2 * MINUTE))
    bench.quotes((MINUTE, 100), (MINUTE + LATENCY, 100))
    found = band_of(bench.core._engine.desk)
    assert (found.bid_high, found.ask_low, found.wake_ms) == (101.0, 99.0, T0 + MINUTE + LATENCY + 60_000)
