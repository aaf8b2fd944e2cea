"""Laws of the broker: what holds on any market, with any signals, in both modes."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from builders import LATENCY, MINUTE, T0, Bench, candle, quote, replay, signal
from drawn_markets import MARKETS, Market, candle_markets, tick_markets
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import (
    Candle,
    Decide,
    Decision,
    Fill,
    FundingPaid,
    MarketEvent,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Quote,
    RejectReason,
    Side,
    Signal,
    StopReason,
    TradeClosed,
)
from services.broker.band import Band
from services.broker.core import BrokerCore

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
MANY = settings(max_examples=100, deadline=None)

MODES = st.sampled_from(["tick", "candle"])


@MANY
@given(MARKETS)
def test_the_balance_is_what_went_in_and_out(market: Market) -> None:
    core = market.core()
    said: list[Message] = []
    for event in market.events:
        said += replay(core, [event], market.answers)
        closed = [one for one in said if isinstance(one, TradeClosed)]
        paid = [one.fee for one in said if isinstance(one, Fill)]
        paid += [one.amount for one in said if isinstance(one, FundingPaid)]
        costs = sum(paid, Decimal(0)) - sum((one.fees + one.funding for one in closed), Decimal(0))
        account = core.status().account
        assert account.balance == 10_000 + sum(one.pnl for one in closed) - costs
        assert account.side is not FLAT or (costs == 0 and account.equity == account.balance)


@MANY
@given(tick_markets())
def test_equity_moves_only_with_the_quote_a_fill_or_funding(market: Market) -> None:
    core = market.core()
    before = core.status().account
    for event in market.events:
        said = replay(core, [event], market.answers)
        now = core.status().account
        if not any(isinstance(one, Fill | FundingPaid) for one in said):
            assert now.balance == before.balance
            if not isinstance(event, Quote):
                assert now.equity == before.equity
        before = now


@MANY
@given(MARKETS)
def test_there_is_never_more_than_one_position(market: Market) -> None:
    said = market.run()
    fills = [one for one in said if isinstance(one, Fill)]
    assert [fill.is_entry for fill in fills] == [index % 2 == 0 for index in range(len(fills))]
    for entry, leaving in zip(fills[::2], fills[1::2], strict=True):
        assert (entry.trade_id, entry.qty, entry.side) == (leaving.trade_id, leaving.qty, leaving.side)
    assert [one.trade_id for one in said if isinstance(one, TradeClosed)] == list(range(1, len(fills) // 2 + 1))


def ends(said: list[Message]) -> Counter[str]:
    """How often each accepted order came to an end."""
    counted: Counter[str] = Counter()
    for one in said:
        is_filled = isinstance(one, Fill) and (one.is_entry or one.client_order_id.endswith("FLAT"))
        is_refused = isinstance(one, OrderRejected) and one.reason not in {RejectReason.DUPLICATE, RejectReason.INVALID}
        if is_filled or is_refused or isinstance(one, OrderCancelled):
            assert isinstance(one, Fill | OrderRejected | OrderCancelled)
            counted[one.client_order_id] += 1
    return counted


@MANY
@given(MARKETS)
def test_each_order_reaches_exactly_one_end(market: Market) -> None:
    said = market.run()
    accepted = [one.client_order_id for one in said if isinstance(one, OrderAccepted)]
    assert ends(said) == dict.fromkeys(accepted, 1)


@MANY
@given(MARKETS, st.data())
def test_a_crash_at_any_event_changes_nothing(market: Market, data: st.DataObject) -> None:
    undisturbed = market.run()
    core, said = market.core(), []
    crashes = data.draw(st.sets(st.integers(0, len(market.events)), max_size=4))
    for index, event in enumerate(market.events):
        if index in crashes:
            lost = BrokerCore.restore(core._engine.desk.config, core.snapshot())
            lost.handle(event, 0)  # worked off, perhaps asked about, never committed
            core = BrokerCore.restore(core._engine.desk.config, json.loads(json.dumps(core.snapshot())))
        said += replay(core, [event], market.answers)
    assert said + core.close(StopReason.DURATION, 0) == undisturbed


@MANY
@given(MARKETS, st.integers(1, 15))
def test_bursts_and_slow_answers_change_nothing(market: Market, patience: int) -> None:
    core = market.core()
    said: list[Message] = []
    asked: Decide | None = None
    for index, event in enumerate(market.events, start=1):
        new = core.handle(event, 0)
        while True:
            said += new
            asked = next((one for one in new if isinstance(one, Decide)), asked if core.waiting else None)
            is_last = index == len(market.events)
            if asked is None or not (index % patience == 0 or is_last):
                break
            new = core.handle(Decision(asked.open_ms, market.answers.get(asked.open_ms, ())), 0)
    assert said + core.close(StopReason.DURATION, 0) == market.run()


@MANY
@given(tick_markets())
def test_the_short_way_of_a_quiet_tick_is_only_shorter(market: Market) -> None:
    core = market.core()
    said: list[Message] = []
    for event in market.events:
        core._engine._band = Band()  # looks at every tick in full
        said += replay(core, [event], market.answers)
    assert said + core.close(StopReason.DURATION, 0) == market.run()


def mirrored(event: MarketEvent, around: float) -> MarketEvent:
    def mirror(price: float) -> float:
        return round(2 * around - price, 1)

    if isinstance(event, Quote):
        return replace(event, bid=mirror(event.ask), ask=mirror(event.bid))
    assert isinstance(event, Candle)
    return replace(
        event, open=mirror(event.open), high=mirror(event.low), low=mirror(event.high), close=mirror(event.close)
    )


@MANY
@given(
    MODES,
    st.lists(st.tuples(st.lists(st.integers(-25, 25), max_size=4), st.integers(0, 2)), min_size=1, max_size=8),
    st.sampled_from([20.0, 25.0, 100.0]),
)
def test_a_mirrored_market_gives_mirrored_trades(mode: str, rounds: list[tuple[list[int], int]], stop: float) -> None:
    """Every entry is at 100.0, the mirror, so that sizes are the same; 100.0 is an even number of ticks."""
    events: list[MarketEvent] = []
    answers: dict[int, tuple[Signal, ...]] = {}
    for index, (path, width) in enumerate(rounds):
        at = index * MINUTE
        if mode == "tick":
            events += [quote(len(events) + n, at + n * 1_000, 100) for n in (1, 2)]
            events += [quote(len(events) + n, at + 9_000 + n, 100 + p / 10) for n, p in enumerate(path, start=1)]
            events.append(candle(len(events) + 1, at))
        else:
            low, high = min([0, *path]) - width, max([0, *path]) + width
            events.append(candle(len(events) + 1, at, (100.0, 100 + high / 10, 100 + low / 10, 100.0)))
        answers[T0 + at] = (signal(LONG if index % 2 else SHORT, at + MINUTE, stop_bps=stop),)
    turned = {
        at: tuple(replace(one, side=LONG if one.side is SHORT else SHORT) for one in wanted)
        for at, wanted in answers.items()
    }
    plain = Market(mode, tuple(events), answers, {}).run()
    mirror = Market(mode, tuple(mirrored(event, 100.0) for event in events), turned, {}).run()
    rows = [
        [(row.qty, abs(row.exit_price - 100), row.exit_reason, row.exit_ts, row.pnl, row.r) for row in said]
        for said in ([one for one in run if isinstance(one, TradeClosed)] for run in (plain, mirror))
    ]
    assert rows[0] == rows[1]


def round_trip(side: Side, first: float, last: float, **changes: Any) -> Bench:
    """In at `first`, out at `last` by FLAT, with a stop and a target far away."""
    bench = Bench(**changes)
    bench.enter(side, price=first, stop_bps=5_000.0)
    bench.candle(MINUTE, signal(FLAT, 2 * MINUTE))
    bench.quotes((2 * MINUTE, last), (2 * MINUTE + LATENCY, last))
    return bench


PRICES = st.integers(800, 1200).map(lambda ticks: ticks / 10)


@MANY
@given(st.sampled_from([LONG, SHORT]), PRICES)
def test_a_round_trip_without_costs_leaves_the_balance_untouched(side: Side, price: float) -> None:
    bench = round_trip(side, price, price)
    assert (len(bench.trades), bench.balance) == (1, Decimal(10_000))


@MANY
@given(st.sampled_from([LONG, SHORT]), PRICES, PRICES, st.floats(0, 50), st.floats(0, 50))
def test_more_slippage_is_never_better(side: Side, first: float, last: float, less: float, extra: float) -> None:
    def per_unit(slip_bps: float) -> Decimal:
        row = round_trip(side, first, last, slip_bps=slip_bps).trades[0]
        return side.sign * (row.exit_price - row.entry_price)

    assert per_unit(less + extra) <= per_unit(less)


@pytest.mark.parametrize("market", ["tick", "candle"])
def test_the_laws_are_tried_on_markets_that_trade(market: str) -> None:
    """The generators above are worth something: they fill, stop, take, cancel and refuse."""
    seen: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(tick_markets() if market == "tick" else candle_markets())
    def look(tried: Market) -> None:
        for one in tried.run():
            if isinstance(one, TradeClosed):
                seen[one.exit_reason.value] += 1
            elif isinstance(one, OrderRejected):
                seen[one.reason.value] += 1
            elif isinstance(one, Fill):
                seen[one.liquidity] += 1
            seen[type(one).__name__] += 1

    look()
    expected = {"SL", "TP", "FLAT", "MAX_BARS", "BreakerTripped", "SESSION_END", "maker", "taker", "position_open"}
    expected |= {"duplicate", "FundingPaid", "OrderCancelled", "OrderResting", "expired", "throttled", "no_position"}
    assert expected - seen.keys() == set()
