"""What the broker says of orders, fills, trades and itself: all of it is in the journal before it is published."""

from dataclasses import dataclass
from decimal import Decimal

from bus.messages.decisions import Account, QuestionKey, Signal
from bus.words import ExitReason, RejectReason, Side, StopReason


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """A signal became a pending order: due at `due_ms` = `ts_ms` + `latency_ms`. `late`: answered after a time-out."""

    client_order_id: str
    seq: int
    signal: Signal
    latency_ms: int
    due_ms: int
    late: bool


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """An order's end without a fill; `ts_ms` is the event time of the verdict, `detail` says more in words."""

    client_order_id: str
    seq: int
    ts_ms: int
    signal: Signal
    reason: RejectReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OrderResting:
    """A limit order that was not reached on its due tick and now waits in the book until `until_ms`."""

    client_order_id: str
    seq: int
    ts_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """A pending or resting order's end without a fill: out of time, FLAT, breaker, or the session's stop."""

    client_order_id: str
    seq: int
    ts_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `is_entry` opens the position of `trade_id`; the other closes it for `exit_reason`.

    `base_price` is the price before slippage, `fee` is in quote currency, `liquidity` is `taker` or `maker`.
    """

    client_order_id: str
    seq: int
    ts_ms: int
    trade_id: int
    side: Side
    is_entry: bool
    qty: Decimal
    base_price: Decimal
    price: Decimal
    fee: Decimal
    liquidity: str
    sl: Decimal
    tp: Decimal
    exit_reason: ExitReason | None = None


@dataclass(frozen=True, slots=True)
class TradeClosed:
    """A round trip, as a row of `trades.csv` has it. `pnl` is net of fees and funding, `r` in units of initial risk."""

    trade_id: int
    seq: int
    symbol: str
    side: Side
    qty: Decimal
    entry_ts: int
    entry_price: Decimal
    exit_ts: int
    exit_price: Decimal
    exit_reason: ExitReason
    fees: Decimal
    funding: Decimal
    pnl: Decimal
    r: Decimal
    equity: Decimal
    client_order_id: str
    latency_ms: int


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """Funding settled on the open position; a positive `amount` was paid by us, in quote currency."""

    trade_id: int
    seq: int
    ts_ms: int
    rate: float
    mark: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BreakerTripped:
    """The circuit breaker ended trading after event `seq`; `detail` names the rule."""

    seq: int
    ts_ms: int
    equity: Decimal
    base: Decimal
    detail: str


@dataclass(frozen=True, slots=True)
class EntriesHalted:
    """Entries are halted (or, `halted` false, allowed again) after event `seq`, because the monitor is gone (back)."""

    seq: int
    halted: bool
    detail: str


@dataclass(frozen=True, slots=True)
class DecisionTimedOut:
    """No answer for the candle at `open_ms` (or the tick) in time: the broker went on after event `seq`."""

    seq: int
    open_ms: int
    tick_seq: int = 0

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return self.open_ms, self.tick_seq


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """The strategy's answer for `open_ms` (or the tick) was taken after event `seq`. `late`: after the time-out."""

    seq: int
    open_ms: int
    signals: tuple[Signal, ...]
    late: bool
    tick_seq: int = 0

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return self.open_ms, self.tick_seq


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The broker's last word: nothing is pending; with `kept` a position stays open for the next session."""

    seq: int
    ts_ms: int
    reason: StopReason
    balance: Decimal
    kept: bool


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The broker's view, once a second and on every fill, for the monitor to show.

    `closed` is set once the broker has said its last word: the reason for which it closed.
    """

    last_seq: int
    last_ts_ms: int
    price: float
    candles: int
    account: Account
    pending: int
    rejected: int
    waiting: bool
    closed: StopReason | None = None
