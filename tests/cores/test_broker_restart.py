"""A core restored from its snapshot, and what the next session takes over with `on_stop = keep`."""

import json
from decimal import Decimal
from typing import Any

import pytest
from builders import DAY, LATENCY, MINUTE, T0, Bench, candle, config, funding, quote, signal, stream, trade

from bus.messages import (
    Decide,
    Decision,
    DecisionTaken,
    EntriesHalted,
    FeedState,
    FeedStatus,
    Fill,
    Heartbeat,
    Message,
    SessionClosed,
    Side,
    StopReason,
    StrategyHello,
    TradeClosed,
)
from services.broker.core import BrokerCore
from services.broker.errors import CarryOverError

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
IN = MINUTE + LATENCY


def reborn(core: BrokerCore, **changes: Any) -> BrokerCore:
    """The core after a crash: what is in its snapshot, over JSON, and nothing else."""
    return BrokerCore.restore(config(**changes), json.loads(json.dumps(core.snapshot())))


def test_a_position_comes_back_with_its_stop_and_its_draws() -> None:
    bench = Bench(slip_bps=10.0, taker_fee_bps=6.0)
    bench.enter()
    twin = reborn(bench.core, slip_bps=10.0, taker_fee_bps=6.0)
    assert twin.status() == bench.core.status()
    tick = quote(5, IN + 1, 98)
    assert twin.handle(tick, 0) == bench.core.handle(tick, 0)
    assert twin.snapshot() == bench.core.snapshot()


def test_pending_and_resting_orders_and_used_ids_come_back() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG, limit_price=99.0), signal(SHORT, 2 * MINUTE))
    bench.quotes((MINUTE, 100), (IN, 100))
    twin = reborn(bench.core)
    assert twin.status().pending == 2
    assert [type(one).__name__ for one in twin.handle(quote(5, IN + 1, 99), 0)] == ["Fill"]
    twin.handle(candle(6, MINUTE), 0)
    twin.handle(quote(7, 2 * MINUTE, 99.5), 0)
    said = twin.handle(Decision(T0 + MINUTE, (signal(LONG, limit_price=99.0),)), 0)
    assert "duplicate" in str(said[1])


def test_a_question_that_was_open_is_asked_again_by_the_same_tick() -> None:
    bench = Bench()
    bench.enter()
    core = bench.core
    core.handle(candle(5, MINUTE), 0)
    (asked,) = core.handle(quote(6, 2 * MINUTE, 99), 0)
    twin = reborn(core)
    assert (twin.last_seq, twin.waiting) == (5, False)
    assert twin.handle(quote(6, 2 * MINUTE, 99), 0) == [asked]


def test_in_candle_mode_the_open_question_is_asked_again_at_once() -> None:
    core = BrokerCore(config())
    core.handle(stream("candle"), 0)
    (asked,) = core.handle(candle(1, 0), 0)
    twin = reborn(core)
    assert twin.waiting
    assert twin.on_timer(5_000) == [asked]
    assert isinstance(twin.handle(Decision(T0), 5_000)[0], DecisionTaken)


def test_funding_that_waits_for_its_tick_comes_back() -> None:
    bench = Bench()
    bench.enter()
    bench.core.handle(funding(5, IN + 1, 0.001, 100.0), 0)
    twin = reborn(bench.core)
    twin.handle(quote(6, IN + 2, 100), 0)
    assert twin.status().account.balance == 9_990


def test_a_halt_stays_until_the_monitor_beats() -> None:
    bench = Bench()
    for now_ms in range(0, 16_000, 1_000):
        bench.core.on_timer(now_ms)
    twin = reborn(bench.core)
    assert twin.on_timer(0) == []
    assert twin.handle(quote(1, 0, 100), 0) == []
    assert twin.status().account.halted
    assert twin.handle(Heartbeat("monitor", 1, 0, ready=True), 0) == [], "what it had worked off may not be all yet"
    newest = FeedStatus(FeedState.CONNECTED, 2, 0, 0.0, 0, 0, 0, 0, 0)
    assert twin.handle(newest, 0) == [], "it is told of events before it has worked them off"
    assert twin.handle(quote(2, 1, 100), 0) == []
    assert twin.handle(Heartbeat("monitor", 1, 0, ready=True), 0) == [EntriesHalted(2, False, "the monitor is back")]


def test_a_tripped_breaker_stays_tripped() -> None:
    bench = Bench(max_daily_drawdown_pct=0.5)
    bench.enter()
    bench.quote(IN + 1, 99)
    twin = reborn(bench.core, max_daily_drawdown_pct=0.5)
    assert twin.closed is StopReason.CIRCUIT_BREAKER
    assert twin.handle(quote(6, IN + 2, 100), 0) == []


def test_the_counters_of_the_report_come_back() -> None:
    bench = Bench()
    bench.enter()
    bench.quote(IN + 500, 99)
    state = bench.core.snapshot()
    assert (state["tick_count"], state["candle_count"], state["last_close"]) == (4, 1, 100.0)
    assert (state["first_ts"], state["last_ts"], state["exposure_ms"]) == (T0, T0 + IN + 500, 500)
    assert reborn(bench.core).snapshot() == state


def test_a_number_comes_back_to_its_last_digit() -> None:
    """A strategy may write down what it sees."""
    bench = Bench(taker_fee_bps=6.0)
    bench.enter()
    assert "000" in repr(bench.core.status().account.balance)
    assert repr(reborn(bench.core).status()) == repr(bench.core.status())


@pytest.mark.parametrize("had_committed", [True, False])
@pytest.mark.parametrize("mode", ["tick", "candle"])
def test_a_question_is_asked_again_with_the_same_account_whoever_was_gone(mode: str, had_committed: bool) -> None:
    """The monitor is back before the feed's page comes."""
    bench = Bench(mode)
    bench.quote(0, 100) if mode == "tick" else bench.candle(0)
    for now_ms in range(0, 16_000, 1_000):
        bench.core.on_timer(now_ms)
    twin = reborn(bench.core)
    is_tick = mode == "tick"
    events: list[Message] = [candle(2, 0), quote(3, MINUTE, 100)] if is_tick else [candle(2, MINUTE)]
    asked = [one for event in events for one in bench.core.handle(event, 16_000) if isinstance(one, Decide)]
    assert [one.account.halted for one in asked] == [True]
    if had_committed:
        twin = reborn(bench.core)
    said = twin.handle(Heartbeat("monitor", 1, 0, ready=True), 0)
    for event in (*events, StrategyHello(0)):
        said += twin.handle(event, 0)
    assert [one for one in said if isinstance(one, Decide)][:1] == asked
    said = twin.handle(Decision(asked[0].open_ms), 0)
    said += twin.handle(FeedStatus(FeedState.CONNECTED, twin.last_seq, 0, 0.0, 0, 0, 0, 0, 0), 0)
    assert [one for one in said if isinstance(one, EntriesHalted)] == [
        EntriesHalted(twin.last_seq, False, "the monitor is back")
    ]


def kept(**changes: Any) -> Bench:
    """A session that ended with a long of 100 units from 100, its stop at 99, and a fee of 10 paid."""
    bench = Bench(on_stop="keep", taker_fee_bps=10.0, **changes)
    bench.enter()
    bench.close(StopReason.DURATION)
    return bench


def next_session(bench: Bench, **changes: Any) -> BrokerCore:
    carried = json.loads(json.dumps(bench.core.carry_over()))
    core = BrokerCore(config(on_stop="keep", taker_fee_bps=10.0, **changes), carried=carried)
    core.handle(stream(), 0)
    return core


def test_with_keep_the_position_stays() -> None:
    bench = kept()
    assert bench.trades == []
    assert bench.of(SessionClosed)[0].kept


def test_the_breaker_closes_the_position_all_the_same() -> None:
    bench = Bench(on_stop="keep", max_daily_drawdown_pct=0.5)
    bench.enter()
    bench.quote(IN + 1, 99.5)
    assert bench.exits == [("CIRCUIT_BREAKER", "99.5")]
    assert not bench.of(SessionClosed)[0].kept


def test_the_next_session_goes_on_with_it_and_the_first_quote_decides() -> None:
    core = next_session(kept())
    assert core.status().account.balance == 9_990
    said = core.handle(quote(1, 2 * MINUTE, 98.5), 0)
    (row,) = [one for one in said if isinstance(one, TradeClosed)]
    assert (row.exit_reason, row.exit_price, row.trade_id) == ("SL", Decimal("98.5"), 1)
    assert row.pnl == Decimal("-150") - 10 - Decimal("9.85")
    assert core.status().account.balance == 10_000 + row.pnl


@pytest.mark.parametrize(("at", "closed"), [(2 * MINUTE, StopReason.CIRCUIT_BREAKER), (DAY, None)])
def test_the_streak_of_losses_is_taken_over_on_the_same_day_only(at: int, closed: StopReason | None) -> None:
    carried = {**kept().core.carry_over(), "streak": 4}
    core = BrokerCore(config(on_stop="keep", max_consecutive_losses=5), carried=carried)
    core.handle(stream(), 0)
    core.handle(quote(1, at, 98.5), 0)  # the stop
    assert core.closed is closed


def test_the_breakers_base_is_taken_over_on_the_same_day_only() -> None:
    same_day = next_session(kept(), max_daily_drawdown_pct=1.0)  # base 10,000 of the first tick
    same_day.handle(quote(1, 2 * MINUTE, 99.1), 0)  # 9,990 - 90 <= 9,900
    assert same_day.closed is StopReason.CIRCUIT_BREAKER
    next_day = next_session(kept(), max_daily_drawdown_pct=1.0)
    next_day.handle(quote(1, DAY, 99.1), 0)
    assert next_day.closed is None


def test_the_throttle_is_taken_over() -> None:
    bench = kept(min_trade_interval_sec=300.0)
    core = next_session(bench, min_trade_interval_sec=300.0)
    core.handle(quote(1, 2 * MINUTE, 101.5), 0)  # target
    core.handle(candle(2, 2 * MINUTE), 0)
    asked = core.handle(quote(3, 3 * MINUTE, 100), 0)
    assert isinstance(asked[0], Decide)
    core.handle(Decision(asked[0].open_ms, (signal(LONG, 3 * MINUTE),)), 0)
    (refused,) = core.handle(quote(4, 3 * MINUTE + LATENCY, 100), 0)
    assert "throttled" in str(refused)


def test_a_market_that_begins_before_what_was_kept_counts_it_from_its_beginning() -> None:
    core = next_session(kept(), min_trade_interval_sec=300.0)
    (closed,) = [one for one in core.handle(quote(1, 1_000, 98.5), 0) if isinstance(one, TradeClosed)]
    assert (closed.entry_ts, closed.exit_ts) == (T0 + 1_000, T0 + 1_000)
    core.handle(candle(2, 5 * MINUTE), 0)
    (asked,) = core.handle(quote(3, 6 * MINUTE, 100), 0)
    assert isinstance(asked, Decide)
    core.handle(Decision(asked.open_ms, (signal(LONG, 6 * MINUTE),)), 0)
    said = core.handle(quote(4, 6 * MINUTE + LATENCY, 100), 0)
    assert [one.is_entry for one in said if isinstance(one, Fill)] == [True]


def test_funding_of_a_kept_position_waits_for_the_first_quote() -> None:
    core = next_session(kept())
    core.handle(funding(1, 2 * MINUTE, 0.001), 0)
    core.handle(trade(2, 2 * MINUTE + 1, 100), 0)  # below half a tick's worth a trade brings no quote with it
    assert core.status().account.balance == 9_990
    core.handle(quote(3, 2 * MINUTE + 2, 100, 102), 0)
    assert core.status().account.balance == Decimal("9_979.9")  # 100 units at 101


def test_a_kept_position_that_no_quote_has_priced_stays_kept() -> None:
    bench = kept()
    core = BrokerCore(config(), carried=bench.core.carry_over())
    (said,) = core.close(StopReason.KILL, 0)
    assert isinstance(said, SessionClosed)
    assert said.kept


def test_a_kept_position_of_another_symbol_is_refused() -> None:
    with pytest.raises(CarryOverError):
        BrokerCore(config(symbol="ETHUSDT"), carried=kept().core.carry_over())
