"""The decision barrier: the broker asks with candles and the account, the strategy answers with signals."""

from dataclasses import dataclass
from decimal import Decimal

from bus.messages.checks import check_flag, check_money, check_require, check_text, check_whole
from bus.messages.market import Candle
from bus.messages.words import Entry, Side


@dataclass(frozen=True, slots=True)
class Account:
    """The account as a strategy may know it, as it stood just before the tick that closed the candle.

    `side` is FLAT without a position; then `qty`, prices and `unrealized` are 0. All in quote currency but `qty`.
    """

    balance: Decimal
    equity: Decimal
    unrealized: Decimal
    side: Side
    qty: Decimal
    entry_price: Decimal
    sl: Decimal
    tp: Decimal
    entry_ts: int
    trades: int
    halted: bool

    def __post_init__(self) -> None:
        for name in ("balance", "equity", "unrealized", "qty", "entry_price", "sl", "tp"):
            check_money(name, getattr(self, name))
        check_require(type(self.side) is Side, "side must be a side", self.side)
        check_whole("entry_ts", self.entry_ts)
        check_whole("trades", self.trades)
        check_flag("halted", self.halted)


@dataclass(frozen=True, slots=True)
class Decide:
    """The broker's question: what now?

    `candles` are all that closed since the question before, oldest first; the last one is asked about, earlier ones
    are history (a hole makes no burst of trades). `open_ms` names the question: the last candle's open time.
    """

    open_ms: int
    candles: tuple[Candle, ...]
    account: Account

    def __post_init__(self) -> None:
        check_whole("open_ms", self.open_ms)
        check_require(bool(self.candles), "candles must not be empty", self.candles)
        check_require(self.candles[-1].open_ms == self.open_ms, "open_ms must be the last candle's", self.open_ms)


@dataclass(frozen=True, slots=True)
class Signal:
    """What a strategy wants, unsized. `ts_ms` is the event time of the decision (on a close: the candle's end).

    Its numbers are not checked here: the broker answers an impossible signal with `invalid`. `limit_price` is 0.0
    for a market entry.
    """

    symbol: str
    side: Side
    ts_ms: int
    stop_bps: float
    tp_r: float
    entry: Entry = Entry.MARKET
    limit_price: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        check_text("symbol", self.symbol)
        check_whole("ts_ms", self.ts_ms)
        for name in ("stop_bps", "tp_r", "limit_price"):
            check_require(type(getattr(self, name)) is float, f"{name} must be a double", getattr(self, name))
        check_text("reason", self.reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """The strategy's answer to the `Decide` of the same `open_ms`; no signals means "nothing"."""

    open_ms: int
    signals: tuple[Signal, ...] = ()

    def __post_init__(self) -> None:
        check_whole("open_ms", self.open_ms)


@dataclass(frozen=True, slots=True)
class StrategyHello:
    """A strategy that has just started and asks for the questions it was asked before, from `after_open_ms` on."""

    after_open_ms: int

    def __post_init__(self) -> None:
        check_require(type(self.after_open_ms) is int, "after_open_ms must be a whole number", self.after_open_ms)


@dataclass(frozen=True, slots=True)
class StrategyStatus:
    """How far a strategy is from being warm: `missing` closed candles of `interval_ms` before it can signal.

    `last_open_ms` is the newest candle it has seen, -1 before the first.
    """

    missing: int
    interval_ms: int
    last_open_ms: int

    def __post_init__(self) -> None:
        check_whole("missing", self.missing)
        check_whole("interval_ms", self.interval_ms, 1)
        check_whole("last_open_ms", self.last_open_ms, -1)

    @property
    def warm_at_ms(self) -> int | None:
        """Event time at which it is warm if no candle fails to come; None before the first candle."""
        return None if self.last_open_ms < 0 else self.last_open_ms + (self.missing + 1) * self.interval_ms


@dataclass(frozen=True, slots=True)
class Recall:
    """A page of earlier questions, oldest first. `more`: ask again from the last one's `open_ms`."""

    questions: tuple[Decide, ...]
    more: bool
