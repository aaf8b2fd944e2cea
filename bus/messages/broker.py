"""What the broker says of orders, fills, trades and itself: all of it is in the journal before it is published."""

from decimal import Decimal

from bus.messages.body import Body, Int
from bus.messages.checks import check_moneys
from bus.messages.decisions import Account, QuestionKey, Signal
from bus.words import ExitReason, RejectReason, Side, StopReason


class OrderAccepted(Body, frozen=True):
    """A signal became a pending order: due at `due_ms` = `ts_ms` + `latency_ms`. `late`: answered after a time-out."""

    client_order_id: str
    seq: Int
    signal: Signal
    latency_ms: Int
    due_ms: Int
    late: bool


class OrderRejected(Body, frozen=True):
    """An order's end without a fill; `ts_ms` is the event time of the verdict, `detail` says more in words."""

    client_order_id: str
    seq: Int
    ts_ms: Int
    signal: Signal
    reason: RejectReason
    detail: str = ""


class OrderResting(Body, frozen=True):
    """A limit order that was not reached on its due tick and now waits in the book until `until_ms`."""

    client_order_id: str
    seq: Int
    ts_ms: Int
    until_ms: Int


class OrderCancelled(Body, frozen=True):
    """A pending or resting order's end without a fill: out of time, FLAT, breaker, or the session's stop."""

    client_order_id: str
    seq: Int
    ts_ms: Int
    detail: str = ""


class Fill(Body, frozen=True):
    """One execution. `is_entry` opens the position of `trade_id`; the other closes it for `exit_reason`.

    `base_price` is the price before slippage, `fee` is in quote currency, `liquidity` is `taker` or `maker`.
    """

    client_order_id: str
    seq: Int
    ts_ms: Int
    trade_id: Int
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

    def __post_init__(self) -> None:
        check_moneys(self.qty, self.base_price, self.price, self.fee, self.sl, self.tp)


class TradeClosed(Body, frozen=True):
    """A round trip, as a row of `trades.csv` has it. `pnl` is net of fees and funding, `r` in units of initial risk."""

    trade_id: Int
    seq: Int
    symbol: str
    side: Side
    qty: Decimal
    entry_ts: Int
    entry_price: Decimal
    exit_ts: Int
    exit_price: Decimal
    exit_reason: ExitReason
    fees: Decimal
    funding: Decimal
    pnl: Decimal
    r: Decimal
    equity: Decimal
    client_order_id: str
    latency_ms: Int

    def __post_init__(self) -> None:
        check_moneys(
            self.qty, self.entry_price, self.exit_price, self.fees, self.funding, self.pnl, self.r, self.equity
        )


class FundingPaid(Body, frozen=True):
    """Funding settled on the open position; a positive `amount` was paid by us, in quote currency."""

    trade_id: Int
    seq: Int
    ts_ms: Int
    rate: float
    mark: Decimal
    amount: Decimal

    def __post_init__(self) -> None:
        check_moneys(self.mark, self.amount)


class BreakerTripped(Body, frozen=True):
    """The circuit breaker ended trading after event `seq`; `detail` names the rule."""

    seq: Int
    ts_ms: Int
    equity: Decimal
    base: Decimal
    detail: str

    def __post_init__(self) -> None:
        check_moneys(self.equity, self.base)


class EntriesHalted(Body, frozen=True):
    """Entries are halted (or, `halted` false, allowed again) after event `seq`, because the monitor is gone (back)."""

    seq: Int
    halted: bool
    detail: str


class DecisionTimedOut(Body, frozen=True):
    """No answer for the candle at `open_ms` (or the tick) in time: the broker went on after event `seq`."""

    seq: Int
    open_ms: Int
    tick_seq: Int = 0

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return self.open_ms, self.tick_seq


class DecisionTaken(Body, frozen=True):
    """The strategy's answer for `open_ms` (or the tick) was taken after event `seq`. `late`: after the time-out."""

    seq: Int
    open_ms: Int
    signals: tuple[Signal, ...]
    late: bool
    tick_seq: Int = 0

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return self.open_ms, self.tick_seq


class SessionClosed(Body, frozen=True):
    """The broker's last word: nothing is pending; with `kept` a position stays open for the next session."""

    seq: Int
    ts_ms: Int
    reason: StopReason
    balance: Decimal
    kept: bool

    def __post_init__(self) -> None:
        check_moneys(self.balance)


class BrokerStatus(Body, frozen=True):
    """The broker's view, once a second and on every fill, for the monitor to show.

    `closed` is set once the broker has said its last word: the reason for which it closed.
    """

    last_seq: Int
    last_ts_ms: Int
    price: float
    candles: Int
    account: Account
    pending: Int
    rejected: Int
    waiting: bool
    closed: StopReason | None = None
