"""Markets drawn at random, with what a strategy answers on them and the broker's settings, in both modes."""

from dataclasses import dataclass
from typing import Any

from builders import LATENCY, MINUTE, T0, candle, config, funding, quote, replay, signal, stream, trade
from hypothesis import strategies as st

from bus.messages import MarketEvent, Message, SessionClosed, Side, Signal, StopReason
from services.broker.core import BrokerCore

SIDES = st.sampled_from([Side.LONG, Side.LONG, Side.SHORT, Side.SHORT, Side.FLAT])
CHANGES = st.fixed_dictionaries(
    {
        "taker_fee_bps": st.sampled_from([0.0, 6.0, 33.3]),
        "maker_fee_bps": st.sampled_from([0.0, 2.0]),
        "slip_bps": st.sampled_from([0.0, 0.5, 20.0]),
        "half_spread_bps": st.sampled_from([0.0, 0.5, 10.0]),
        "latency_max_ms": st.sampled_from([LATENCY, LATENCY, 2_000, 70_000]),
        "min_trade_interval_sec": st.sampled_from([0.0, 150.0]),
        "max_daily_drawdown_pct": st.sampled_from([1.5, 50.0, 50.0]),
        "max_consecutive_losses": st.sampled_from([2, 99, 99]),
        "max_bars_open": st.sampled_from([0, 0, 1, 3]),
        "limit_ttl_sec": st.sampled_from([0.0, 100.0, 200.0]),
        "max_fill_pct_of_volume": st.sampled_from([0.0, 5.0]),
        "risk_pct": st.sampled_from([1.0, 100.0]),
    },
)


@dataclass(frozen=True)
class Market:
    """A stream of events, what a strategy answers on it, and the settings."""

    mode: str
    events: tuple[MarketEvent, ...]
    answers: dict[int, tuple[Signal, ...]]
    changes: dict[str, Any]

    def core(self, **changes: Any) -> BrokerCore:
        core = BrokerCore(config(**{**self.changes, **changes}))
        core.handle(stream(self.mode), 0)
        return core

    def run(self, **changes: Any) -> list[Message]:
        """Everything said, the stop at the end included."""
        core = self.core(**changes)
        said = [*replay(core, self.events, self.answers), *core.close(StopReason.DURATION, 0)]
        assert isinstance(said[-1], SessionClosed)
        return said


@st.composite
def signals(draw: st.DrawFn, closes: float, at: int) -> tuple[Signal, ...]:
    wanted = []
    for _ in range(draw(st.sampled_from([1, 1, 2, 0]))):
        fields: dict[str, Any] = {"stop_bps": draw(st.sampled_from([20.0, 50.0, 100.0]))}
        if draw(st.booleans()):
            fields["limit_price"] = round(closes + draw(st.integers(-8, 8)) / 10, 1)
        wanted.append(signal(draw(SIDES), at, **fields))
    return tuple(wanted)


@st.composite
def tick_markets(draw: st.DrawFn) -> Market:
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([50, 900, 7_000, 61_000]), st.integers(-9, 9), st.integers(0, 3), st.integers(0, 9)
            ),
            min_size=20,
            max_size=80,
        )
    )
    events: list[MarketEvent] = []
    answers: dict[int, tuple[Signal, ...]] = {}
    at, middle, opened = 0, 1000, 0
    for wait, move, spread, kind in steps:
        at, middle = at + wait, max(500, middle + move)
        while at >= opened + MINUTE:
            close = middle / 10
            answers[T0 + opened] = draw(signals(close, opened + MINUTE))
            events.append(candle(len(events) + 1, opened, (close, close, close, close), complete=kind != 1))
            opened += MINUTE
        seq = len(events) + 1
        if kind == 0 and events:
            events += [funding(seq, at, move / 1_000, float(kind)), trade(seq + 1, at, middle / 10)]
        elif kind == 2 and events:
            events.append(trade(seq, at, middle / 10))
        else:
            events.append(quote(seq, at, middle / 10, (middle + spread) / 10))
    return Market("tick", tuple(events), answers, draw(CHANGES))


@st.composite
def candle_markets(draw: st.DrawFn) -> Market:
    steps = draw(
        st.lists(
            st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
            min_size=8,
            max_size=30,
        )
    )
    events: list[MarketEvent] = []
    answers: dict[int, tuple[Signal, ...]] = {}
    close = 1000
    for index, (gap, move, up, down, kind) in enumerate(steps):
        first = close + gap
        close = first + move
        prices = (first / 10, (max(first, close) + up) / 10, (min(first, close) - down) / 10, close / 10)
        if kind == 0:
            events.append(funding(len(events) + 1, index * MINUTE, move / 1_000))
        events.append(candle(len(events) + 1, index * MINUTE, prices, complete=kind != 1, volume=10.0 * kind))
        answers[T0 + index * MINUTE] = draw(signals(close / 10, (index + 1) * MINUTE))
    return Market("candle", tuple(events), answers, draw(CHANGES))


MARKETS = st.one_of(tick_markets(), candle_markets())
