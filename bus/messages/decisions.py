"""The decision barrier: the broker asks with candles and the account, the strategy answers with signals."""

from decimal import Decimal

from bus.messages.body import Body, Int
from bus.messages.checks import check_flag, check_moneys, check_require, check_text, check_whole
from bus.messages.market import Candle, Quote, Trade
from bus.words import Entry, Side


class Account(Body, frozen=True):
    """The account as a strategy may know it, as it stood just before the tick that closed the candle (or is asked about).

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
    entry_ts: Int
    trades: Int
    halted: bool

    def __post_init__(self) -> None:
        check_moneys(self.balance, self.equity, self.unrealized, self.qty, self.entry_price, self.sl, self.tp)
        check_require(type(self.side) is Side, "side must be a side", self.side)
        check_whole("entry_ts", self.entry_ts)
        check_whole("trades", self.trades)
        check_flag("halted", self.halted)


QuestionKey = tuple[int, int]
"""What names a question: the open time of the candle asked about and 0, or 0 and the tick's `seq`."""


class Decide(Body, frozen=True):
    """The broker's question: what now?

    `candles` are all that closed since the question before, oldest first; the last one is asked about, earlier ones
    are history (a hole makes no burst of trades). `open_ms` names the question: the last candle's open time. A
    strategy that decides on ticks is asked about each `tick`, too: then there are no candles, and `open_ms` is 0.
    """

    open_ms: Int
    candles: tuple[Candle, ...]
    account: Account
    tick: Quote | Trade | None = None

    def __post_init__(self) -> None:
        check_whole("open_ms", self.open_ms)
        if self.tick is not None:
            check_require(not self.candles and not self.open_ms, "a tick must be asked about alone", self.candles)
            return
        check_require(bool(self.candles), "candles must not be empty", self.candles)
        check_require(self.candles[-1].open_ms == self.open_ms, "open_ms must be the last candle's", self.open_ms)

    @property
    def seq(self) -> int:
        """Number of the event asked about."""
        return self.candles[-1].seq if self.tick is None else self.tick.seq

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return (self.open_ms, 0) if self.tick is None else (0, self.tick.seq)


class Signal(Body, frozen=True):
    """What a strategy wants, unsized. `ts_ms` is the event time of the decision (on a close: the candle's end).

    Its numbers are not checked here: the broker answers an impossible signal with `invalid`. `limit_price` is 0.0
    for a market entry. `fault` says what keeps it from being carried as it was meant (a number that is not finite, an
    unknown side or entry; something valid stands in its place): `invalid`, too. Empty for every other signal.
    """

    symbol: str
    side: Side
    ts_ms: Int
    stop_bps: float
    tp_r: float
    entry: Entry = Entry.MARKET
    limit_price: float = 0.0
    reason: str = ""
    fault: str = ""

    def __post_init__(self) -> None:
        if (
            type(self.symbol) is type(self.reason) is type(self.fault) is str
            and type(self.ts_ms) is int
            and self.ts_ms >= 0
            and type(self.stop_bps) is type(self.tp_r) is type(self.limit_price) is float
        ):
            return  # as always: the checks below say what is not so
        check_text("symbol", self.symbol)
        check_whole("ts_ms", self.ts_ms)
        for name in ("stop_bps", "tp_r", "limit_price"):
            check_require(type(getattr(self, name)) is float, f"{name} must be a double", getattr(self, name))
        check_text("reason", self.reason)
        check_text("fault", self.fault)


class Decision(Body, frozen=True):
    """The strategy's answer to the `Decide` of the same `open_ms` and tick; no signals means "nothing"."""

    open_ms: Int
    signals: tuple[Signal, ...] = ()
    tick_seq: Int = 0

    def __post_init__(self) -> None:
        check_whole("open_ms", self.open_ms)
        check_whole("tick_seq", self.tick_seq)

    @property
    def key(self) -> QuestionKey:
        """What names the question."""
        return self.open_ms, self.tick_seq


class StrategyFailed(Body, frozen=True):
    """The strategy's code failed on a candle or a tick, which is answered with nothing.

    Said by the strategy (`seq` 0), then by the broker, after the event `seq`. `is_poison`: it was not even tried a
    third time, for the process had hung or died in it twice. `detail` is one line, `trace` the traceback.
    """

    seq: Int
    open_ms: Int
    tick_seq: Int
    is_poison: bool
    detail: str
    trace: str = ""

    def __post_init__(self) -> None:
        for name in ("seq", "open_ms", "tick_seq"):
            check_whole(name, getattr(self, name))
        check_flag("is_poison", self.is_poison)
        check_text("detail", self.detail)
        check_text("trace", self.trace)

    @property
    def key(self) -> QuestionKey:
        """What names the candle or the tick."""
        return self.open_ms, self.tick_seq


class StrategyHello(Body, frozen=True):
    """A strategy that has just started and asks for the questions it was asked before, about events after `after_seq`."""

    after_seq: Int

    def __post_init__(self) -> None:
        check_whole("after_seq", self.after_seq)


class StrategyStatus(Body, frozen=True):
    """How far a strategy is from being warm: `missing` closed candles of `interval_ms` before it can signal.

    `last_open_ms` is the newest candle it has seen, -1 before the first.
    """

    missing: Int
    interval_ms: Int
    last_open_ms: Int

    def __post_init__(self) -> None:
        check_whole("missing", self.missing)
        check_whole("interval_ms", self.interval_ms, 1)
        check_whole("last_open_ms", self.last_open_ms, -1)

    @property
    def warm_at_ms(self) -> int | None:
        """Event time at which it is warm if no candle fails to come; None before the first candle."""
        return None if self.last_open_ms < 0 else self.last_open_ms + (self.missing + 1) * self.interval_ms


class Recall(Body, frozen=True):
    """A page of earlier questions, oldest first. `more`: ask again from the last one's `seq`."""

    questions: tuple[Decide, ...]
    more: bool
