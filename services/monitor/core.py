"""The monitor's judgement, pure: when does the session end, and why; and what it looks like meanwhile.

Assumptions: `now_ms` is a clock that goes on in a suspend (a suspend counts towards the duration); data is stale only
while the feed says it is connected, by the feed's own measure, so that neither a dead feed nor a sleeping laptop is
mistaken for a silent exchange.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

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
from services.monitor.feed_record import FeedRecord, Silence


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
    `counts` are the system's counters by name, over the whole session; `feed_record` what a restarted monitor goes on from.
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
    balance: Decimal = Decimal(0)
    halted: bool = False
    data_age_ms: int = 0
    market_ts: int = 0
    counts: dict[str, float] = field(default_factory=dict)
    feed_record: dict[str, Any] = field(default_factory=dict)
    ages_ms: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)


class MonitorCore:
    """Takes what the others say, returns the shutdown when its time has come.

    Args:
        config: the monitor's settings.
        started_ms: when the session started, on the clock of `now_ms`.
        record: of the feed, with what was counted before a restart of the monitor.
    """

    def __init__(self, config: MonitorConfig, started_ms: int, record: FeedRecord | None = None) -> None:
        self._config = config
        self._started_ms = started_ms
        self._services: dict[str, ServiceSeen] = {}
        self._feed: FeedStatus | None = None
        self._broker: BrokerStatus | None = None
        self._strategy: StrategyStatus | None = None
        self._closed: StopReason | None = None
        self._broker_is_done = False
        self._record = record or FeedRecord(config.silence_after_ms)
        self._silences: list[Silence] = []

    @property
    def heard_last_word(self) -> bool:
        """Whether the broker's `SessionClosed` and the feed's last status have arrived: neither says anything more."""
        return self._broker_is_done and self._feed is not None and self._feed.last

    @property
    def market_ts(self) -> int:
        """Event time of the newest market data heard of, in ms; 0 before any."""
        return self._feed.last_ts_ms if self._feed else 0

    def take_silences(self, *, end: bool = False) -> list[Silence]:
        """Return the silences that have ended since this was last asked; `end`: the session ends, and the one that goes on."""
        if end:
            self._note_silence(self._record.close())
        taken, self._silences = self._silences, []
        return taken

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take a message; return the shutdown it calls for, if any."""
        match message:
            case Heartbeat():
                self._services[message.service] = ServiceSeen(message.pid, now_ms, message.ready)
            case FeedStatus():
                self._feed = message
                self._note_silence(self._record.take(message))
                return self._judge_feed(message)
            case BrokerStatus():
                self._broker = message
                return self._judge_broker(message.closed)
            case StrategyStatus():
                self._strategy = message
            case SessionClosed():
                self._broker_is_done = True
                return self._judge_broker(message.reason)
        return []

    def on_timer(self, now_ms: int) -> list[Message]:
        """Return the shutdown when the time is up."""
        remaining = self._remaining_ms(now_ms)
        if remaining is not None and remaining <= 0:
            return [Shutdown(StopReason.DURATION, "the time is up")]
        return []

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
            balance=account.balance if account else Decimal(repr(self._config.starting_balance)),
            halted=account.halted if account else False,
            data_age_ms=self._feed.data_age_ms if self._feed else 0,
            market_ts=self.market_ts,
            counts=self._counts(),
            feed_record=self._record.memory,
            ages_ms={name: now_ms - seen.beat_ms for name, seen in self._services.items()},
            pids={name: seen.pid for name, seen in self._services.items()},
        )

    def _counts(self) -> dict[str, float]:
        feed, broker = self._feed, self._broker
        return {
            "ticks": feed.ticks if feed else 0,
            "candles": feed.candles if feed else 0,
            "last_seq": feed.last_seq if feed else 0,
            "worked_seq": broker.last_seq if broker else 0,
            "trades": broker.account.trades if broker else 0,
            "pending": broker.pending if broker else 0,
            "rejected": broker.rejected if broker else 0,
            "reconnects": self._record.reconnects,
            "refused": self._record.refused,
            "stale_sec": self._record.stale_sec,
        }

    def _note_silence(self, silence: Silence | None) -> None:
        if silence is not None:
            self._silences.append(silence)

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
        if self._closed is StopReason.INTERNAL_ERROR:
            return [
                Shutdown(StopReason.INTERNAL_ERROR, "the strategy failed more often than max_strategy_errors allows")
            ]
        if self._closed is StopReason.END_OF_DATA:
            return [Shutdown(StopReason.END_OF_DATA, "the data ran out")]
        return []
