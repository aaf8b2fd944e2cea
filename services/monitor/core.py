"""The monitor's judgement, pure: when does the session end, and why; and what it looks like meanwhile.

Assumptions: `now_ms` is a clock that goes on in a suspend (a suspend counts towards the duration); data is stale only
while the feed says it is connected, by the feed's own measure, so that neither a dead feed nor a sleeping laptop is
mistaken for a silent exchange.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from bus.messages import (
    BrokerStatus,
    FeedState,
    FeedStatus,
    Heartbeat,
    Message,
    SessionClosed,
    Shutdown,
    Side,
    StopReason,
    StrategyStatus,
)
from services.monitor.config import MonitorConfig


@dataclass
class ServiceSeen:
    """A service by its own heartbeats."""

    pid: int
    beat_ms: int
    ready: bool


@dataclass
class View:
    """The session at a glance. `age_ms` per service since its last beat; money in quote currency.

    `missing` candles keep the strategy from being warm, which it is at event time `warm_at_ms` (None: not known yet).
    """

    elapsed_ms: int
    remaining_ms: int | None
    candles: int
    price: float
    side: Side
    qty: Decimal
    entry_price: Decimal
    sl: Decimal
    tp: Decimal
    unrealized: Decimal
    equity: Decimal
    feed: str
    missing: int = 0
    warm_at_ms: int | None = None
    ages_ms: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)


class MonitorCore:
    """Takes what the others say, returns the shutdown when its time has come.

    Args:
        config: the monitor's settings.
        started_ms: when the session started, on the clock of `now_ms`.
    """

    def __init__(self, config: MonitorConfig, started_ms: int) -> None:
        self._config = config
        self._started_ms = started_ms
        self._services: dict[str, ServiceSeen] = {}
        self._feed: FeedStatus | None = None
        self._broker: BrokerStatus | None = None
        self._strategy: StrategyStatus | None = None
        self._closed: StopReason | None = None

    @property
    def broker_closed(self) -> bool:
        """Whether the broker has said its last word."""
        return self._closed is not None

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take a message; return the shutdown it calls for, if any."""
        match message:
            case Heartbeat():
                self._services[message.service] = ServiceSeen(message.pid, now_ms, message.ready)
            case FeedStatus():
                self._feed = message
                return self._judge_feed(message)
            case BrokerStatus():
                self._broker = message
                return self._judge_broker(message.closed)
            case StrategyStatus():
                self._strategy = message
            case SessionClosed():
                return self._judge_broker(message.reason)
        return []

    def on_timer(self, now_ms: int) -> list[Message]:
        """Return the shutdown when the time is up."""
        remaining = self._remaining_ms(now_ms)
        if remaining is not None and remaining <= 0:
            return [Shutdown(StopReason.DURATION, "the time is up")]
        return []

    def kill_file_seen(self, first_line: str) -> list[Message]:
        """Return the shutdown that the kill file asks for; its first line is the reason given."""
        return [Shutdown(StopReason.KILL, first_line.strip() or "kill file")]

    def view(self, now_ms: int) -> View:
        """Return the session at a glance."""
        account = self._broker.account if self._broker else None
        zero = Decimal(0)
        price = self._broker.price if self._broker and self._broker.price else self._feed.price if self._feed else 0.0
        return View(
            elapsed_ms=now_ms - self._started_ms,
            remaining_ms=self._remaining_ms(now_ms),
            candles=self._broker.candles if self._broker else 0,
            price=price,
            side=account.side if account else Side.FLAT,
            qty=account.qty if account else zero,
            entry_price=account.entry_price if account else zero,
            sl=account.sl if account else zero,
            tp=account.tp if account else zero,
            unrealized=account.unrealized if account else zero,
            equity=account.equity if account else Decimal(repr(self._config.starting_balance)),
            feed=self._feed.state.value if self._feed else FeedState.CONNECTING.value,
            missing=self._strategy.missing if self._strategy else 0,
            warm_at_ms=self._strategy.warm_at_ms if self._strategy else None,
            ages_ms={name: now_ms - seen.beat_ms for name, seen in self._services.items()},
            pids={name: seen.pid for name, seen in self._services.items()},
        )

    def _remaining_ms(self, now_ms: int) -> int | None:
        if self._config.duration_ms is None:
            return None
        return max(0, self._started_ms + self._config.duration_ms - now_ms)

    def _judge_feed(self, status: FeedStatus) -> list[Message]:
        if status.state is FeedState.LOST:
            return [Shutdown(StopReason.FEED_LOST, status.detail or "reconnect attempts exhausted")]
        if status.state is FeedState.CONNECTED and status.data_age_ms >= self._config.stale_after_ms:
            seconds = status.data_age_ms / 1000
            return [Shutdown(StopReason.STALE_DATA, f"connected, but no market data for {seconds:.0f} s")]
        return []

    def _judge_broker(self, closed: StopReason | None) -> list[Message]:
        self._closed = self._closed or closed
        if self._closed is StopReason.CIRCUIT_BREAKER:
            return [Shutdown(StopReason.CIRCUIT_BREAKER, "the circuit breaker tripped")]
        if self._closed is StopReason.END_OF_DATA:
            return [Shutdown(StopReason.END_OF_DATA, "the data ran out")]
        return []
