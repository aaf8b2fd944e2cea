"""Markets to try the broker and its reference on, and the broker behind the reference's interface.

A market is read off a tape of bytes: each choice takes the next byte, and an ended tape chooses the first, quietest
option. So a failing market shrinks, and any number of markets come from as many digests. The feed's own core makes
the streams, so that they are such as it would publish.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, nan
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace
from reference_broker import Result

from bus.messages import (
    Candle,
    Decide,
    Decision,
    EntriesHalted,
    Entry,
    Funding,
    MarketEvent,
    Message,
    OrderCancelled,
    OrderRejected,
    Quote,
    SessionClosed,
    Side,
    Signal,
    StopReason,
    StreamInfo,
    TradeClosed,
)
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import DataLost, Fact, RawCandle, RawFunding, RawQuote, RawTrade

T = TypeVar("T")
Strategy: TypeAlias = Callable[[Decide], Sequence[Signal]]
LONG, SHORT, FLAT = Side.LONG, Side.SHORT, Side.FLAT
SECOND = 1_000
MIDNIGHT = 19_700 * 86_400_000
SYMBOL = "BTCUSDT"


class Tape:
    """Choices, read byte by byte."""

    def __init__(self, tape: bytes) -> None:
        self._bytes = iter(tape)

    def byte(self) -> int:
        return next(self._bytes, 0)

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.byte() % len(options)]

    def once_in(self, times: int) -> bool:
        return self.byte() % times == times - 1


@dataclass(frozen=True)
class Market:
    """Settings, a stream, what the strategy says to its n-th question, and why the session stops."""

    settings: dict[str, Any]
    info: StreamInfo
    events: tuple[MarketEvent | EntriesHalted, ...]
    answers: tuple[tuple["Wish", ...], ...]
    end: StopReason

    def strategy(self) -> Strategy:
        """A new one, that has not been asked yet."""
        answers = iter(self.answers)
        return lambda asked: [wish.signal(asked.candles[-1], self.info) for wish in next(answers, ())]


@dataclass(frozen=True)
class Wish:
    """A signal but for what is known only when it is asked for; `limit` counts ticks from the close."""

    side: Side
    stop_bps: float
    tp_r: float
    limit: float | None
    wait_ms: int
    odd: dict[str, Any]

    def signal(self, candle: Candle, info: StreamInfo) -> Signal:
        fields: dict[str, Any] = {}
        if self.limit is not None:
            ticks = round(Decimal(str(candle.close)) / info.tick_size) + Decimal(str(self.limit))
            fields = {"entry": Entry.LIMIT, "limit_price": float(ticks * info.tick_size)}
        fields |= {"symbol": info.symbol, "side": self.side, "ts_ms": candle.close_ms + self.wait_ms}
        return Signal(**{**fields, "stop_bps": self.stop_bps, "tp_r": self.tp_r, **self.odd})


def draw_settings(tape: Tape) -> dict[str, Any]:
    latency = tape.one_of([(0, 0), (100, 100), (50, 500), (0, 2_000), (900, 5_000)])
    return {
        "symbol": SYMBOL,
        "strategy": tape.one_of(["sma_cross", "my.room:Own"]),
        "seed": tape.byte(),
        "starting_balance": tape.one_of([10_000.0, 100_000, 1_234.5]),
        "risk_pct": tape.one_of([1.0, 1.0, 10.0, 100.0]),
        "max_leverage": tape.one_of([5.0, 5.0, 50.0, 200.0, 0.3]),
        "maintenance_margin_pct": tape.one_of([0.5, 0.5, 0.0, 15.0]),
        "taker_fee_bps": tape.one_of([0.0, 6.0, 33.3]),
        "maker_fee_bps": tape.one_of([0.0, 2.0]),
        "slip_bps": tape.one_of([0.0, 0.5, 3.3, 20.0]),
        "half_spread_bps": tape.one_of([0.0, 0.5, 10.0]),
        "latency_min_ms": latency[0],
        "latency_max_ms": latency[1],
        "min_trade_interval_sec": tape.one_of([0.0, 0.0, 1.0, 2.5, 10]),
        "max_daily_drawdown_pct": tape.one_of([50.0, 50.0, 100.0, 10.0, 1.0]),
        "max_consecutive_losses": tape.one_of([99, 99, 99, 99, 1, 3]),
        "max_bars_open": tape.one_of([0, 0, 1, 2, 3]),
        "limit_ttl_sec": tape.one_of([60.0, 2.0, 0.7, 0.0]),
        "max_fill_pct_of_volume": tape.one_of([0.0, 0.0, 0.0, 33.0]),
        "max_order_age_sec": tape.one_of([10.0, 10.0, 10.0, 0.5, 0.05]),
        "on_stop": tape.one_of(["flatten"] * 5 + ["keep"]),
        "heartbeat_timeout_sec": 10.0,
        "decision_timeout_sec": 30.0,
        "max_strategy_errors": 20,
    }


def draw_info(tape: Tape, mode: str) -> StreamInfo:
    tick, lot, least = (
        tape.one_of(column)
        for column in (["0.1", "0.01", "0.5", "0.3"], ["0.0001", "0.0001", "0.07"], ["0", "0", "0.5"])
    )
    return StreamInfo(SYMBOL, SECOND, mode, Decimal(tick), Decimal(lot), max(Decimal(lot), Decimal(least)))


class Walk:
    """Prices in steps of 0.1 around 100 or (hardly a tick high) around 1, or of 5 around 60,000."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        around = [(1_000, "0.1"), (1_000, "0.1"), (1_000, "0.1"), (12_000, "5"), (10, "0.1")]
        self._first, step = tape.one_of(around)
        self._step = Decimal(step)
        self._place = 0

    def move(self) -> None:
        self._place += self._tape.one_of([0, 1, -1, 2, -2, 3, -3, 8, -8, 30, -30])
        self._place = min(max(self._place, -500), 500)

    def price(self, away: int = 0) -> float:
        return float(max(1, self._first + self._place + away) * self._step)


def draw_ticks(tape: Tape, info: StreamInfo, spread_bps: Decimal) -> list[MarketEvent]:
    walk = Walk(tape)
    now_ms = MIDNIGHT - tape.one_of([15_000, 40_000, 2_000, 0])
    facts: list[Fact] = []
    for _ in range(tape.one_of([30, 60, 90])):
        now_ms += tape.one_of([0, 60, 250, 400, 1, 700, 1_000, 1_300, 5_200])
        kind = tape.byte() % 32
        if kind < 20:
            walk.move()
            facts.append(RawQuote(now_ms, walk.price(), walk.price(tape.one_of([0, 1, 2, 9])), 1.0, 1.0))
        elif kind < 28:
            facts.append(RawTrade(now_ms, walk.price(tape.one_of([0, 1, -1])), tape.one_of([1.0, 50.0]), "buy"))
        elif kind < 30:
            rate = tape.one_of([0.0001, -0.0003, 0.01, -0.02])
            facts.append(RawFunding(now_ms, rate, tape.one_of([0.0, 99.9]), None, now_ms + 500))
        else:
            facts.append(DataLost())
    feed = FeedCore(info, FeedRules(spread_bps, 2_000.0))
    events = [event for fact in facts for event in feed.take(fact)]
    if tape.once_in(10):  # trades below half a tick bring no quote
        quoted_from = events[len(events) // 2].seq
        events = [event for event in events if event.seq >= quoted_from or not isinstance(event, Quote)]
    return numbered(events)


def numbered(events: Sequence[MarketEvent]) -> list[MarketEvent]:
    return [replace(event, seq=seq) for seq, event in enumerate(events, start=1)]


def draw_candles(tape: Tape, info: StreamInfo) -> list[MarketEvent]:
    walk = Walk(tape)
    opens_ms = MIDNIGHT - tape.one_of([10_000, 3_000, 0])
    feed = FeedCore(info, FeedRules(), SECOND)
    events: list[MarketEvent] = []
    for _ in range(tape.one_of([20, 40])):
        opens_ms += tape.one_of([1_000] * 15 + [3_000])
        walk.move()
        first = walk.price()
        walk.move()
        last = walk.price()
        high = max(first, last, walk.price(tape.one_of([0, 1, 3, 6])))
        low = min(first, last, walk.price(tape.one_of([0, -1, -3, -6])))
        events += feed.take(RawCandle(opens_ms, first, high, low, last, tape.one_of([100.0, 7.7, 0.0])))
        if tape.once_in(8) and isinstance(events[-1], Candle):
            events[-1] = replace(events[-1], complete=False)
        if tape.once_in(20):
            events.append(Funding(1, opens_ms + SECOND, SYMBOL, tape.one_of([0.001, -0.02]), tape.one_of([0.0, 99.0])))
    return numbered(events)


ENDS = (StopReason.DURATION, StopReason.KILL, StopReason.ORPHANED, StopReason.FEED_LOST, StopReason.INTERNAL_ERROR)
ODD: list[dict[str, Any]] = [
    {"stop_bps": 0.0},
    {"stop_bps": 10_000.0},
    {"stop_bps": nan},
    {"stop_bps": 1e-9},
    {"stop_bps": 9_999.0},
    {"entry": Entry.LIMIT, "limit_price": 99.97},
    {"tp_r": -1.0},
    {"tp_r": inf},
    {"tp_r": 1e60},
    {"limit_price": inf},
    {"entry": Entry.LIMIT},
    {"entry": Entry.LIMIT, "limit_price": -100.0},
    {"entry": Entry.LIMIT, "limit_price": 1e300},
    {"entry": "iceberg"},
    {"side": "UP"},
    {"symbol": "ETHUSDT"},
]


def draw_wish(tape: Tape) -> Wish:
    side = tape.one_of([LONG, SHORT, LONG, SHORT, LONG, SHORT, FLAT])
    stop_bps, tp_r = tape.one_of([30.0, 10.0, 5.0, 100.0, 300.0, 3.3, 1_000.0]), tape.one_of([1.5, 1.0, 0.5, 3.0, 0.1])
    limit = tape.one_of([0, 1, -1, 3, -3, -8, 8]) if tape.once_in(3) else None
    wait_ms = tape.one_of([0, -1_500, 4_000]) if tape.once_in(10) else 0
    return Wish(side, stop_bps, tp_r, limit, wait_ms, tape.one_of(ODD) if tape.once_in(25) else {})


def draw_market(tape: Tape) -> Market:
    mode = tape.one_of(["tick", "tick", "candle"])
    chosen, info = draw_settings(tape), draw_info(tape, mode)
    end = tape.one_of(ENDS)
    answers = [[draw_wish(tape) for _ in range(tape.one_of([1, 1, 1, 2, 0]))] for _ in range(tape.one_of([20, 45]))]
    again = tape.one_of([0, 3])
    answers = [wishes + wishes[:1] if again and n % again == 2 else wishes for n, wishes in enumerate(answers)]
    spread_bps = Decimal(str(chosen["half_spread_bps"]))
    events = draw_ticks(tape, info, spread_bps) if mode == "tick" else draw_candles(tape, info)
    with_halts: list[MarketEvent | EntriesHalted] = []
    halted = False
    for event in events[: len(events) - tape.one_of([0, 0, 1, 2, 5])]:
        with_halts.append(event)
        if tape.once_in(6 if halted else 30):
            halted = not halted
            with_halts.append(EntriesHalted(event.seq, halted, ""))
    return Market(chosen, info, tuple(with_halts), tuple(map(tuple, answers)), end)


def run_broker(
    chosen: dict[str, Any],
    info: StreamInfo,
    events: Sequence[MarketEvent | EntriesHalted],
    decide: Strategy,
    end: StopReason = StopReason.END_OF_DATA,
) -> Result:
    """The same as the reference's `run`, by the broker."""
    core = BrokerCore(BrokerConfig.from_settings(chosen), wall_clock=False)
    core.handle(info, 0)
    said: list[Message] = []
    for event in events:
        new = core.handle(event, 0)
        while core.waiting:
            said += new
            asked = new[-1]
            assert isinstance(asked, Decide)
            new = core.handle(Decision(asked.open_ms, tuple(decide(asked))), 0)
        said += new
    said += core.close(end, 0)
    last = said[-1]
    assert isinstance(last, SessionClosed)
    return Result(
        balance=last.balance,
        trades=[one for one in said if isinstance(one, TradeClosed)],
        rejections=[(one.client_order_id, one.reason) for one in said if isinstance(one, OrderRejected)],
        cancelled=[one.client_order_id for one in said if isinstance(one, OrderCancelled)],
        asked=[one for one in said if isinstance(one, Decide)],
        closed=last.reason,
    )
