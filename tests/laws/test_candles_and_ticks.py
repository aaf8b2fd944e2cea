"""The same market as ticks and as candles: what must agree, and what may differ and why (docs/candles-and-ticks.md).

Generated trades become candles by the feed's own hands; then the ticks are worked off in tick mode and the candles in
candle mode, with the same answers of the strategy. Every minute has a trade within its first ten seconds, so that no
candle is skipped and no order grows too old; latency is 0, so that an order meets the first tick after the close,
whose price is the open of the next candle.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import pytest
from builders import MINUTE, T0, config, replay, signal, stream
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import (
    Candle,
    ExitReason,
    Fill,
    MarketEvent,
    Message,
    OrderAccepted,
    OrderRejected,
    Quote,
    RejectReason,
    Side,
    Signal,
    StopReason,
    TradeClosed,
)
from services.broker.core import BrokerCore
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import RawCandle, RawTrade

LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
SL, TP = ExitReason.SL, ExitReason.TP
MANY = settings(max_examples=50, deadline=None)
Answers = dict[int, tuple[Signal, ...]]

COSTS = st.fixed_dictionaries(
    {
        "half_spread_bps": st.sampled_from([0.0, 0.5, 2.0]),
        "slip_bps": st.sampled_from([0.0, 0.5, 5.0]),
        "taker_fee_bps": st.sampled_from([0.0, 6.0]),
    }
)

SMALL_COSTS = st.fixed_dictionaries(
    {
        "half_spread_bps": st.sampled_from([0.0, 0.5]),
        "slip_bps": st.sampled_from([0.0, 0.5]),
        "taker_fee_bps": st.sampled_from([0.0, 6.0]),
    }
)


@dataclass(frozen=True)
class Market:
    """The same trades twice: `ticks` with the candles they close, and these `candles` alone."""

    ticks: Sequence[MarketEvent]
    candles: Sequence[Candle]
    answers: Answers
    changes: dict[str, Any]

    def run(self, mode: str) -> "Outcome":
        core = BrokerCore(config(**{"latency_min_ms": 0, "latency_max_ms": 0, **self.changes}))
        core.handle(stream(mode), 0)
        said = replay(core, self.ticks if mode == "tick" else self.candles, self.answers)
        return Outcome([*said, *core.close(StopReason.END_OF_DATA, 0)])

    def both(self) -> tuple["Outcome", "Outcome"]:
        return self.run("tick"), self.run("candle")

    def quotes_in(self, open_ms: int) -> list[Quote]:
        """The quotes of a minute, in order."""
        return [tick for tick in self.ticks if isinstance(tick, Quote) and open_ms <= tick.ts_ms < open_ms + MINUTE]


class Outcome:
    """What was said in one of the two modes."""

    def __init__(self, said: Sequence[Message]) -> None:
        self.trades = [one for one in said if isinstance(one, TradeClosed)]
        self.entries = [one for one in said if isinstance(one, Fill) and one.is_entry]
        self.accepted = [one for one in said if isinstance(one, OrderAccepted)]
        self.refused = [one for one in said if isinstance(one, OrderRejected)]

    def orders(self, before_ms: int) -> list[tuple[object, ...]]:
        """The orders decided before a time: id, signal, latency, due."""
        taken = [one for one in self.accepted if one.signal.ts_ms < before_ms]
        return [(one.client_order_id, one.signal, one.latency_ms, one.due_ms) for one in taken]

    def refusals(self) -> list[tuple[str, RejectReason]]:
        """The entries refused."""
        found = [one for one in self.refused if one.signal.side is not FLAT]
        return [(one.client_order_id, one.reason) for one in found]


STEPS = st.one_of(st.integers(-3, 3), st.integers(-60, 60), st.sampled_from([-45, 45]))
"""Steps in ticks of 0.1: small ones, and leaps as wide as two stops."""
ONE_TICK = st.sampled_from([-1, -1, 0, 1, 1])


@st.composite
def minutes(draw: st.DrawFn, steps: st.SearchStrategy[int]) -> list[RawTrade]:
    """Trades around 1,000; every minute has one in its first ten seconds. The last one only closes the last candle."""
    tenths, trades = 10_000, []
    count = draw(st.integers(4, 8))
    for minute in range(count):
        at = minute * MINUTE + draw(st.integers(0, 9_900))
        for step in draw(st.lists(steps, min_size=1, max_size=6)):
            tenths += step
            trades.append(RawTrade(T0 + at, tenths / 10, 1.0, "buy"))
            at += draw(st.sampled_from([0, 1, 700, 6_000]))
    return [*trades, RawTrade(T0 + count * MINUTE, tenths / 10, 1.0, "buy")]


def market_of(trades: Sequence[RawTrade], answers: Answers, changes: dict[str, Any]) -> Market:
    rules = FeedRules(Decimal(repr(changes["half_spread_bps"])))
    feed = FeedCore(stream("tick"), rules)
    events = [event for trade in trades for event in feed.take(trade)]
    last = max(index for index, event in enumerate(events) if isinstance(event, Candle))
    closed = [event for event in events if isinstance(event, Candle)]
    rows = [RawCandle(one.open_ms, one.open, one.high, one.low, one.close, one.volume) for one in closed]
    source = FeedCore(stream("candle"), rules, MINUTE)
    candles = [event for row in rows for event in source.take(row) if isinstance(event, Candle)]
    prices = [[(one.open, one.high, one.low, one.close, one.complete) for one in some] for some in (closed, candles)]
    assert prices[0] == prices[1]
    return Market(events[: last + 1], candles, answers, changes)


@st.composite
def markets(
    draw: st.DrawFn,
    sides: Sequence[Side],
    steps: st.SearchStrategy[int] = STEPS,
    stops: Sequence[float] = (30.0, 50.0),
    costs: st.SearchStrategy[dict[str, Any]] = COSTS,
) -> Market:
    """A market with at most one signal a candle."""
    trades = draw(minutes(steps))
    answers: Answers = {}
    for opened in range(0, (trades[-1].ts_ms - T0), MINUTE):
        if draw(st.sampled_from([True, True, False])):
            fields = {"stop_bps": draw(st.sampled_from(stops)), "tp_r": draw(st.sampled_from([0.5, 1.0]))}
            answers[T0 + opened] = (signal(draw(st.sampled_from(sides)), opened + MINUTE, **fields),)
    return market_of(trades, answers, draw(costs))


def exit_candle(trade: TradeClosed) -> int:
    """The open time of the minute in which a trade ended; a session's end is the end of its last minute."""
    at_ms = trade.exit_ts - 1 if trade.exit_reason is ExitReason.SESSION_END else trade.exit_ts
    return at_ms // MINUTE * MINUTE


def touched(market: Market, entry: Fill, open_ms: int) -> tuple[bool, bool]:
    """Whether a minute's quotes touch the stop, and the target, on the side at which the position is left."""
    sign = entry.side.sign
    prices = [quote.bid if sign > 0 else quote.ask for quote in market.quotes_in(open_ms)]
    sl, tp = float(entry.sl), float(entry.tp)
    return any(sign * price <= sign * sl for price in prices), any(sign * price >= sign * tp for price in prices)


def difference(market: Market, entry: Fill, tick: TradeClosed, candle: TradeClosed) -> str:
    """Name the reason why a trade came out otherwise in the two modes; empty when nothing may differ."""
    open_ms = exit_candle(candle)
    if all(touched(market, entry, open_ms)):
        return "stop and target in one candle"
    first = market.quotes_in(open_ms)[0]
    if candle.exit_reason is ExitReason.FLAT and tick.seq == first.seq and tick.exit_reason in {SL, TP}:
        return "FLAT at an open beyond stop or target"
    if tick.exit_reason is SL and tick.seq > first.seq:
        return "a leap over the stop within a candle"
    return ""


MONEY = ("client_order_id", "side", "qty", "entry_price", "exit_price", "exit_reason", "fees", "pnl", "r", "equity")


def money(trade: TradeClosed) -> list[object]:
    return [getattr(trade, name) for name in MONEY]


def compare(market: Market) -> list[str]:
    """Hold the two modes against each other, trade by trade; return the names of the differences found."""
    ticks, candles = market.both()
    end_ms = market.candles[-1].close_ms
    assert ticks.orders(end_ms) == candles.orders(end_ms)
    assert ticks.refusals() == candles.refusals()
    assert [(one.client_order_id, one.price, one.sl, one.tp) for one in ticks.entries] == [
        (one.client_order_id, one.price, one.sl, one.tp) for one in candles.entries
    ]
    found: list[str] = []
    for entry, tick, candle in zip_longest(ticks.entries, ticks.trades, candles.trades):
        assert tick.client_order_id == candle.client_order_id == entry.client_order_id
        assert exit_candle(tick) == exit_candle(candle)
        assert candle.entry_ts == tick.entry_ts // MINUTE * MINUTE
        if not found and money(tick) == money(candle):
            continue
        if (tick.exit_reason, tick.exit_price) != (candle.exit_reason, candle.exit_price):
            found.append(difference(market, entry, tick, candle))
            judge(found[-1], entry.side.sign, tick, candle)
        # Once the balances differ, so do the sizes: from there on only prices and reasons are compared.
        assert found, "nothing differs in money that does not differ in the price of an exit"
    return found


def judge(name: str, sign: int, tick: TradeClosed, candle: TradeClosed) -> None:
    """Check what a difference of this name may be at most, and in whose favour."""
    better = sign * (candle.exit_price - tick.exit_price)
    match name:
        case "stop and target in one candle":
            assert candle.exit_reason in {SL, ExitReason.FLAT}
        case "FLAT at an open beyond stop or target":
            assert better == 0 if tick.exit_reason is SL else better >= 0
        case "a leap over the stop within a candle":
            assert (candle.exit_reason, better > 0) == (SL, True)
        case _:
            raise AssertionError(f"nothing explains {tick} against {candle}")


@MANY
@given(markets([LONG, SHORT]))
def test_entries_agree_always_and_exits_outside_ambiguous_candles(market: Market) -> None:
    compare(market)


@MANY
@given(markets([LONG, SHORT, FLAT]))
def test_leaving_by_flat_agrees_but_for_opens_beyond_the_stop_or_the_target(market: Market) -> None:
    compare(market)


@MANY
@given(markets([LONG, SHORT], ONE_TICK, (5.0, 7.0), SMALL_COSTS))
def test_a_market_without_leaps_gives_the_same_money_to_the_last_digit(market: Market) -> None:
    """A price that moves by one tick at a time crosses no stop and no target without standing on it."""
    assert set(compare(market)) <= {"stop and target in one candle"}


@MANY
@given(
    markets([LONG, SHORT, FLAT]),
    st.fixed_dictionaries(
        {
            "latency_max_ms": st.sampled_from([500, 9_000, 70_000]),
            "min_trade_interval_sec": st.sampled_from([0.0, 150.0]),
            "max_bars_open": st.sampled_from([0, 2]),
        }
    ),
)
def test_whatever_the_settings_the_same_orders_are_decided(market: Market, changes: dict[str, Any]) -> None:
    """Ids, latencies and due times are functions of the decision, and the decision one of the candles."""
    other = Market(market.ticks, market.candles, market.answers, {**market.changes, **changes})
    ticks, candles = other.both()
    end_ms = market.candles[-1].close_ms
    assert ticks.orders(end_ms) == candles.orders(end_ms)


@st.composite
def limit_markets(draw: st.DrawFn) -> Market:
    """A market with one order: a limit entry, somewhere near the price of its minute."""
    trades = draw(minutes(STEPS))
    opened = draw(st.integers(0, 3)) * MINUTE
    close = [one.price for one in trades if one.ts_ms < T0 + opened + MINUTE][-1]
    wanted = signal(
        draw(st.sampled_from([LONG, SHORT])),
        opened + MINUTE,
        stop_bps=30.0,
        limit_price=round(close + draw(st.integers(-40, 40)) / 10, 1),
    )
    changes = {**draw(COSTS), "limit_ttl_sec": draw(st.sampled_from([60.0, 120.0]))}
    return market_of(trades, {T0 + opened: (wanted,)}, changes)


@MANY
@given(limit_markets())
def test_a_limit_entry_is_filled_alike_unless_its_price_was_only_touched(market: Market) -> None:
    ticks, candles = market.both()
    if not ticks.entries:
        assert not candles.entries
        return
    entry = ticks.entries[0]
    minute = entry.ts_ms // MINUTE * MINUTE
    if not candles.entries or candles.entries[0].ts_ms != minute:
        prices = [quote.ask if entry.side is LONG else quote.bid for quote in market.quotes_in(minute)]
        best = min(prices) if entry.side is LONG else max(prices)
        assert best == float(entry.price), "candles want it gone through"
        return
    found = candles.entries[0]
    assert (found.price, found.qty, found.fee, found.liquidity) == (
        entry.price,
        entry.qty,
        entry.fee,
        entry.liquidity,
    )
    if entry.liquidity == "taker":
        return  # at the open: from here on as a market entry
    tick, candle = ticks.trades[0], candles.trades[0]
    if exit_candle(tick) == minute and tick.exit_reason is TP:
        assert candle.exit_reason is SL or exit_candle(candle) > minute, "the range counts for the stop only"
    elif exit_candle(candle) == minute and candle.exit_reason is SL and tick.exit_reason is not SL:
        after = [quote for quote in market.quotes_in(minute) if quote.seq > entry.seq]
        sign = entry.side.sign
        assert all(sign * (quote.bid if sign > 0 else quote.ask) > sign * float(entry.sl) for quote in after), (
            "one leap went through limit and stop, and the tick that fills does not exit"
        )


@pytest.mark.parametrize("has_leaps", [True, False])
def test_the_law_is_tried_on_markets_that_differ(has_leaps: bool) -> None:
    """The generators above are worth something: each difference is met, and trades without any."""
    seen: Counter[str] = Counter()
    leaping = markets([LONG, SHORT, FLAT])
    walking = markets([LONG, SHORT], ONE_TICK, (5.0, 7.0), SMALL_COSTS)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(leaping if has_leaps else walking)
    def look(market: Market) -> None:
        seen.update(compare(market))
        seen.update(trade.exit_reason.value for trade in market.run("tick").trades)

    look()
    expected = {"SL", "TP", "SESSION_END"}
    if has_leaps:
        expected |= {"stop and target in one candle", "a leap over the stop within a candle", "FLAT"}
        expected |= {"FLAT at an open beyond stop or target"}
    assert expected <= seen.keys(), seen
