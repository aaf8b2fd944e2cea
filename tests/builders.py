"""Builders with quiet defaults: a test names only what matters to it.

Times are ms after `T0`, a UTC midnight. The default broker has no costs, 100 ms of latency and 1 % of 10,000 at risk:
an entry at 100 with a stop of 100 bps buys 100 units, with the stop at 99 and the target at 101.5.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from bus.messages import (
    Candle,
    Decide,
    Decision,
    Entry,
    Fill,
    Funding,
    MarketEvent,
    Message,
    OrderCancelled,
    OrderRejected,
    Quote,
    Side,
    Signal,
    StopReason,
    StreamInfo,
    Trade,
    TradeClosed,
)
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.strategy.config import StrategyConfig

T0 = 19_700 * 86_400_000
MINUTE = 60_000
DAY = 86_400_000
LATENCY = 100

M = TypeVar("M")


def settings(**changes: Any) -> dict[str, Any]:
    """The broker's settings by name: no costs, no limits but the leverage, numbers for the head."""
    quiet: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "strategy": "test",
        "seed": 7,
        "starting_balance": 10_000.0,
        "risk_pct": 1.0,
        "max_leverage": 5.0,
        "maintenance_margin_pct": 0.5,
        "taker_fee_bps": 0.0,
        "maker_fee_bps": 0.0,
        "slip_bps": 0.0,
        "half_spread_bps": 0.0,
        "latency_min_ms": LATENCY,
        "latency_max_ms": LATENCY,
        "min_trade_interval_sec": 0.0,
        "max_daily_drawdown_pct": 50.0,
        "max_consecutive_losses": 99,
        "max_bars_open": 0,
        "limit_ttl_sec": 60.0,
        "max_fill_pct_of_volume": 0.0,
        "max_order_age_sec": 10.0,
        "on_stop": "flatten",
        "heartbeat_timeout_sec": 10.0,
        "decision_timeout_sec": 30.0,
        "max_strategy_errors": 20,
    }
    unknown = changes.keys() - quiet.keys()
    assert not unknown, unknown
    return quiet | changes


def config(**changes: Any) -> BrokerConfig:
    return BrokerConfig.from_settings(settings(**changes))


def stream(mode: str = "tick", tick: str = "0.1", lot: str = "0.0001", least: str = "0.0001") -> StreamInfo:
    return StreamInfo("BTCUSDT", MINUTE, mode, Decimal(tick), Decimal(lot), Decimal(least))


def quote(seq: int, at: int, bid: float, ask: float | None = None) -> Quote:
    return Quote(seq, T0 + at, float(bid), float(bid if ask is None else ask), 1.0, 1.0)


def trade(seq: int, at: int, price: float) -> Trade:
    return Trade(seq, T0 + at, float(price), 1.0, "buy")


def funding(seq: int, at: int, rate: float, mark: float = 0.0) -> Funding:
    return Funding(seq, T0 + at, "BTCUSDT", rate, float(mark))


def candle(
    seq: int,
    at: int,
    prices: tuple[float, float, float, float] = (100.0, 100.0, 100.0, 100.0),
    *,
    volume: float = 1000.0,
    complete: bool = True,
) -> Candle:
    """A minute's candle that opened `at`; `prices` are open, high, low, close."""
    first, high, low, last = (float(price) for price in prices)
    opened = T0 + at
    return Candle(seq, opened + MINUTE, "BTCUSDT", MINUTE, opened, first, high, low, last, volume, complete)


def strategy_config(**changes: Any) -> StrategyConfig:
    """The strategy's part of default settings, with changes."""
    defaults: dict[str, Any] = {
        "strategy": "sma_cross",
        "strategy_params": {},
        "seed": 7,
        "symbol": "BTCUSDT",
        "stop_bps": 30.0,
        "tp_r": 1.5,
        "risk_pct": 1.0,
        "max_leverage": 5.0,
        "taker_fee_bps": 6.0,
        "maker_fee_bps": 2.0,
        "limit_ttl_sec": 60.0,
        "min_trade_interval_sec": 60.0,
    }
    return StrategyConfig.from_settings({**defaults, **changes})


def signal(side: Side = Side.LONG, at: int = MINUTE, **changes: Any) -> Signal:
    fields: dict[str, Any] = {"symbol": "BTCUSDT", "stop_bps": 100.0, "tp_r": 1.5, **changes}
    if "limit_price" in fields:
        fields["entry"] = Entry.LIMIT
    return Signal(side=side, ts_ms=T0 + at, **fields)


class Bench:
    """A broker core with a strategy that answers at once with what the test laid down for each candle.

    Events are numbered by themselves; `said` holds everything the broker said.
    """

    def __init__(self, mode: str = "tick", info: StreamInfo | None = None, **changes: Any) -> None:
        self.config = config(**changes)
        self.core = BrokerCore(self.config)
        self.said: list[Message] = []
        self.answers: dict[int, tuple[Signal, ...]] = {}
        self._seqs = count(1)
        self.send(info or stream(mode))

    def send(self, message: Message, now_ms: int = 0) -> list[Message]:
        """Hand one message to the core, answer what it asks, and return what it said."""
        said = self.core.handle(message, now_ms)
        for asked in (one for one in said if isinstance(one, Decide)):
            said = said + self.send(Decision(asked.open_ms, self.answers.pop(asked.open_ms, ())), now_ms)
        if not isinstance(message, Decision):
            self.said += said
        return said

    def quote(self, at: int, bid: float, ask: float | None = None) -> list[Message]:
        return self.send(quote(next(self._seqs), at, bid, ask))

    def trade(self, at: int, price: float) -> list[Message]:
        return self.send(trade(next(self._seqs), at, price))

    def funding(self, at: int, rate: float, mark: float = 0.0) -> list[Message]:
        return self.send(funding(next(self._seqs), at, rate, mark))

    def candle(self, at: int, *signals: Signal, **fields: Any) -> list[Message]:
        """Close the candle that opened `at`; the strategy will answer it with `signals`."""
        self.answers[T0 + at] = signals
        return self.send(candle(next(self._seqs), at, **fields))

    def quotes(self, *steps: tuple[int, float] | tuple[int, float, float]) -> None:
        for step in steps:
            self.quote(*step)

    def enter(self, side: Side = Side.LONG, price: float = 100.0, **fields: Any) -> Fill:
        """Open a position on the first minute's close, 100 ms later, at `price` on both sides of the quote."""
        self.quote(0, price)
        self.candle(0, signal(side, **fields))
        self.quote(MINUTE, price)
        self.quote(MINUTE + LATENCY, price)
        return self.fills[-1]

    def close(self, reason: StopReason) -> list[Message]:
        said = self.core.close(reason, 0)
        self.said += said
        return said

    def of(self, kind: type[M]) -> list[M]:
        """All that was said of one kind."""
        return [one for one in self.said if isinstance(one, kind)]

    @property
    def fills(self) -> list[Fill]:
        return self.of(Fill)

    @property
    def trades(self) -> list[TradeClosed]:
        return self.of(TradeClosed)

    @property
    def rejections(self) -> list[str]:
        return [rejected.reason.value for rejected in self.of(OrderRejected)]

    @property
    def cancellations(self) -> list[str]:
        return [cancelled.client_order_id for cancelled in self.of(OrderCancelled)]

    @property
    def exits(self) -> list[tuple[str, str]]:
        """Reason and price of every exit, as text."""
        return [(one.exit_reason.value, f"{one.exit_price.normalize():f}") for one in self.trades]

    @property
    def balance(self) -> Decimal:
        return self.core.status().account.balance


def replay(core: BrokerCore, events: Iterable[MarketEvent], answers: dict[int, tuple[Signal, ...]]) -> list[Message]:
    """Work events through a core whose strategy answers from a table, and return everything said."""
    said: list[Message] = []
    for event in events:
        new = core.handle(event, 0)
        while core.waiting:
            asked = next(one for one in reversed(new) if isinstance(one, Decide))
            new = new + core.handle(Decision(asked.open_ms, answers.get(asked.open_ms, ())), 0)
        said += new
    return said
