"""The vocabulary: everything that services say to each other.

One class per meaning, frozen, slotted, self-validating: an invalid message cannot exist. Commands are imperative
(`Decide`, `Shutdown`), facts are nouns or past tense (`Fill`, `OrderRejected`). Units are in the names: `_ms`
(milliseconds; `ts_ms` counts from the Unix epoch, UTC, on the exchange's clock), `_bps` (1/10,000), `_pct` (1/100).
Prices and sizes of market events are doubles; money of our own is `Decimal`. The order of a class's fields is its
order on the wire and in the recording.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Final, TypeAlias

from bus.errors import InvalidMessageError

MOST: Final = 1e15
"""Prices and sizes stay below it. No market comes near; beyond it, products of two would leave the ledger's digits."""


class Side(StrEnum):
    """Direction of a position, or `FLAT`: leave the market."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @property
    def sign(self) -> int:
        """+1 for LONG, -1 for SHORT, 0 for FLAT."""
        return _SIGNS[self.value]


_SIGNS = {"LONG": 1, "SHORT": -1, "FLAT": 0}


class Entry(StrEnum):
    """How a signal wants to get in."""

    MARKET = "market"
    LIMIT = "limit"


class RejectReason(StrEnum):
    """Why an order was refused, on arrival or when it was due."""

    DUPLICATE = "duplicate"
    INVALID = "invalid"
    HALTED = "halted"
    EXPIRED = "expired"
    NO_QUOTE = "no_quote"
    POSITION_OPEN = "position_open"
    THROTTLED = "throttled"
    MIN_QTY = "min_qty"
    NO_POSITION = "no_position"


class ExitReason(StrEnum):
    """Why a position was closed."""

    SL = "SL"
    TP = "TP"
    FLAT = "FLAT"
    MAX_BARS = "MAX_BARS"
    LIQUIDATION = "LIQUIDATION"
    CIRCUIT_BREAKER = "CIRCUIT_BREAKER"
    SESSION_END = "SESSION_END"
    KILL = "KILL"
    SIGNAL_STOP = "SIGNAL_STOP"
    STALE_DATA = "STALE_DATA"
    FAULT = "FAULT"


class StopReason(StrEnum):
    """Why a session ended."""

    DURATION = "duration"
    END_OF_DATA = "end_of_data"
    KILL = "kill"
    SIGNAL = "signal"
    CONFIG = "config"
    STALE_DATA = "stale_data"
    CIRCUIT_BREAKER = "circuit_breaker"
    RESTARTS_EXHAUSTED = "restarts_exhausted"
    FEED_LOST = "feed_lost"
    ORPHANED = "orphaned"
    INTERNAL_ERROR = "internal_error"

    @property
    def exit_code(self) -> int:
        """The exit code of every supervisor that ends for this reason."""
        return _EXIT_CODES[self]

    @property
    def exit_reason(self) -> ExitReason:
        """The reason with which an open position is closed when the session ends so."""
        return _EXIT_REASONS.get(self, ExitReason.FAULT)


_EXIT_CODES = {
    StopReason.DURATION: 0,
    StopReason.END_OF_DATA: 0,
    StopReason.KILL: 0,
    StopReason.SIGNAL: 0,
    StopReason.CONFIG: 2,
    StopReason.STALE_DATA: 4,
    StopReason.CIRCUIT_BREAKER: 5,
    StopReason.RESTARTS_EXHAUSTED: 6,
    StopReason.FEED_LOST: 7,
    StopReason.ORPHANED: 8,
    StopReason.INTERNAL_ERROR: 1,
}
_EXIT_REASONS = {
    StopReason.DURATION: ExitReason.SESSION_END,
    StopReason.END_OF_DATA: ExitReason.SESSION_END,
    StopReason.KILL: ExitReason.KILL,
    StopReason.SIGNAL: ExitReason.SIGNAL_STOP,
    StopReason.ORPHANED: ExitReason.SIGNAL_STOP,
    StopReason.STALE_DATA: ExitReason.STALE_DATA,
    StopReason.FEED_LOST: ExitReason.STALE_DATA,
    StopReason.CIRCUIT_BREAKER: ExitReason.CIRCUIT_BREAKER,
}


class FeedState(StrEnum):
    """What the feed knows about its source."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    ENDED = "ended"


class Level(StrEnum):
    """How much a notice matters. `CRITICAL` is an alert."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


def _require(ok: bool, what: str, value: object) -> None:
    if not ok:
        raise InvalidMessageError(f"{what}, was {value!r}")


def _whole(name: str, value: object, least: int = 0) -> None:
    if type(value) is not int or value < least:
        raise InvalidMessageError(f"{name} must be a whole number of at least {least}, was {value!r}")


def _number(name: str, value: object) -> None:
    if type(value) is not float or not isfinite(value):
        raise InvalidMessageError(f"{name} must be a finite double, was {value!r}")


def _price(name: str, value: object) -> None:
    if type(value) is not float or not 0.0 < value < MOST:
        raise InvalidMessageError(f"{name} must be a finite double greater than 0 and below {MOST:g}, was {value!r}")


def _size(name: str, value: object) -> None:
    if type(value) is not float or not 0.0 <= value < MOST:
        raise InvalidMessageError(f"{name} must be a finite double of at least 0 and below {MOST:g}, was {value!r}")


def _money(name: str, value: object) -> None:
    if type(value) is not Decimal or not value.is_finite():
        raise InvalidMessageError(f"{name} must be a finite decimal, was {value!r}")


def _text(name: str, value: object) -> None:
    if type(value) is not str:
        raise InvalidMessageError(f"{name} must be text, was {value!r}")


def _flag(name: str, value: object) -> None:
    if type(value) is not bool:
        raise InvalidMessageError(f"{name} must be true or false, was {value!r}")


# --- market events: recorded, numbered 1, 2, 3 ... by the feed -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask. `synthetic`: made from a trade, with the configured half spread, sizes 0."""

    seq: int
    ts_ms: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    synthetic: bool = False

    def __post_init__(self) -> None:
        _whole("seq", self.seq, 1)
        _whole("ts_ms", self.ts_ms)
        _price("bid", self.bid)
        _price("ask", self.ask)
        _size("bid_size", self.bid_size)
        _size("ask_size", self.ask_size)
        _flag("synthetic", self.synthetic)
        if self.bid > self.ask:
            raise InvalidMessageError(f"bid must not be above ask, was {self.bid} > {self.ask}")


@dataclass(frozen=True, slots=True)
class Trade:
    """A public print on the exchange: `size` in base coin, `aggressor` is `buy` or `sell`."""

    seq: int
    ts_ms: int
    price: float
    size: float
    aggressor: str

    def __post_init__(self) -> None:
        _whole("seq", self.seq, 1)
        _whole("ts_ms", self.ts_ms)
        _price("price", self.price)
        _price("size", self.size)
        _require(self.aggressor in {"buy", "sell"}, "aggressor must be buy or sell", self.aggressor)


@dataclass(frozen=True, slots=True)
class Candle:
    """A closed candle over `[open_ms, open_ms + interval_ms)`.

    `seq` is 0 for one from before the session (history). `complete` is false when the feed lost data during it.
    """

    seq: int
    ts_ms: int
    symbol: str
    interval_ms: int
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    complete: bool = True

    def __post_init__(self) -> None:
        _whole("seq", self.seq)
        _whole("ts_ms", self.ts_ms)
        _text("symbol", self.symbol)
        _whole("interval_ms", self.interval_ms, 1)
        _whole("open_ms", self.open_ms)
        for name in ("open", "high", "low", "close"):
            _price(name, getattr(self, name))
        _size("volume", self.volume)
        _flag("complete", self.complete)
        _require(self.high >= self.low, "high must not be below low", (self.high, self.low))

    @property
    def close_ms(self) -> int:
        """The first instant after the candle, in ms."""
        return self.open_ms + self.interval_ms


@dataclass(frozen=True, slots=True)
class Funding:
    """A funding time: longs pay `rate` (a fraction) of notional at `mark`; 0.0 for `mark` means unknown."""

    seq: int
    ts_ms: int
    symbol: str
    rate: float
    mark: float

    def __post_init__(self) -> None:
        _whole("seq", self.seq, 1)
        _whole("ts_ms", self.ts_ms)
        _text("symbol", self.symbol)
        _number("rate", self.rate)
        _require(abs(self.rate) < 1.0, "rate must be a fraction below 1", self.rate)
        _size("mark", self.mark)


Tick: TypeAlias = Quote | Trade
MarketEvent: TypeAlias = Quote | Trade | Candle | Funding


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Head of the market stream and of a recording: what must be known before the first event.

    `mode` is `tick` or `candle` (a source that has candles only). `history` are candles from before the session,
    oldest first. `note` says in words what is missing (for example until when a strategy warms up live).
    """

    symbol: str
    interval_ms: int
    mode: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    history: tuple[Candle, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        _text("symbol", self.symbol)
        _whole("interval_ms", self.interval_ms, 1)
        _require(self.mode in {"tick", "candle"}, "mode must be tick or candle", self.mode)
        for name in ("tick_size", "lot_size", "min_qty"):
            _money(name, getattr(self, name))
            _require(getattr(self, name) > 0, f"{name} must be greater than 0", getattr(self, name))
        _text("note", self.note)


# --- the feed's notices, and what can be asked of it -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The feed's view of its source, sent on every change and once a second.

    `last_seq` is the newest market event (0: none yet), `data_age_ms` the time since the source last said something
    useful, on the feed's monotonic clock; `refused` counts malformed, late or impossible events since the start.
    """

    state: FeedState
    last_seq: int
    last_ts_ms: int
    price: float
    ticks: int
    candles: int
    data_age_ms: int
    refused: int
    reconnects: int
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("last_seq", "last_ts_ms", "ticks", "candles", "data_age_ms", "refused", "reconnects"):
            _whole(name, getattr(self, name))
        _size("price", self.price)
        _text("detail", self.detail)


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """Asks the feed for `StreamInfo`; answered once the feed has it."""


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """Asks the feed for the market events after `after_seq` (Clone pattern)."""

    after_seq: int

    def __post_init__(self) -> None:
        _whole("after_seq", self.after_seq)


@dataclass(frozen=True, slots=True)
class EventsPage:
    """A run of market events, in order, right after `after_seq`; `last_seq` is the feed's newest."""

    after_seq: int
    last_seq: int
    events: tuple[MarketEvent, ...]

    def __post_init__(self) -> None:
        _whole("after_seq", self.after_seq)
        _whole("last_seq", self.last_seq)


# --- decisions -------------------------------------------------------------------------------------------------------


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
            _money(name, getattr(self, name))
        _require(type(self.side) is Side, "side must be a side", self.side)
        _whole("entry_ts", self.entry_ts)
        _whole("trades", self.trades)
        _flag("halted", self.halted)


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
        _whole("open_ms", self.open_ms)
        _require(bool(self.candles), "candles must not be empty", self.candles)
        _require(self.candles[-1].open_ms == self.open_ms, "open_ms must be the last candle's", self.open_ms)


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
        _text("symbol", self.symbol)
        _whole("ts_ms", self.ts_ms)
        for name in ("stop_bps", "tp_r", "limit_price"):
            _require(type(getattr(self, name)) is float, f"{name} must be a double", getattr(self, name))
        _text("reason", self.reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """The strategy's answer to the `Decide` of the same `open_ms`; no signals means "nothing"."""

    open_ms: int
    signals: tuple[Signal, ...] = ()

    def __post_init__(self) -> None:
        _whole("open_ms", self.open_ms)


@dataclass(frozen=True, slots=True)
class StrategyHello:
    """A strategy that has just started and asks for the questions it was asked before, from `after_open_ms` on."""

    after_open_ms: int

    def __post_init__(self) -> None:
        _require(type(self.after_open_ms) is int, "after_open_ms must be a whole number", self.after_open_ms)


@dataclass(frozen=True, slots=True)
class StrategyStatus:
    """How far a strategy is from being warm: `missing` closed candles of `interval_ms` before it can signal.

    `last_open_ms` is the newest candle it has seen, -1 before the first.
    """

    missing: int
    interval_ms: int
    last_open_ms: int

    def __post_init__(self) -> None:
        _whole("missing", self.missing)
        _whole("interval_ms", self.interval_ms, 1)
        _whole("last_open_ms", self.last_open_ms, -1)

    @property
    def warm_at_ms(self) -> int | None:
        """Event time at which it is warm if no candle fails to come; None before the first candle."""
        return None if self.last_open_ms < 0 else self.last_open_ms + (self.missing + 1) * self.interval_ms


@dataclass(frozen=True, slots=True)
class Recall:
    """A page of earlier questions, oldest first. `more`: ask again from the last one's `open_ms`."""

    questions: tuple[Decide, ...]
    more: bool


# --- the broker's facts ----------------------------------------------------------------------------------------------


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
    """No answer for the candle at `open_ms` in time: the broker went on after event `seq`."""

    seq: int
    open_ms: int


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """The strategy's answer for `open_ms` was taken after event `seq`. `late`: it came after the time-out."""

    seq: int
    open_ms: int
    signals: tuple[Signal, ...]
    late: bool


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


# --- life of the session -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A service's main loop turned. `boot_ms` is the machine's clock that goes on in a suspend."""

    service: str
    pid: int
    boot_ms: int
    ready: bool

    def __post_init__(self) -> None:
        _text("service", self.service)
        _whole("pid", self.pid)
        _whole("boot_ms", self.boot_ms)
        _flag("ready", self.ready)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may want to read in `logs/system.jsonl`. `event` is its one name everywhere.

    `incident`: it goes into the report's list of incidents.
    """

    service: str
    level: Level
    event: str
    message: str
    incident: bool = False

    def __post_init__(self) -> None:
        for name in ("service", "event", "message"):
            _text(name, getattr(self, name))
        _flag("incident", self.incident)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The monitor's broadcast: end in order, now."""

    reason: StopReason
    detail: str = ""


Message: TypeAlias = (
    Quote
    | Trade
    | Candle
    | Funding
    | StreamInfo
    | FeedStatus
    | InfoRequest
    | EventsRequest
    | EventsPage
    | Decide
    | Signal
    | Decision
    | StrategyHello
    | StrategyStatus
    | Recall
    | Account
    | OrderAccepted
    | OrderRejected
    | OrderResting
    | OrderCancelled
    | Fill
    | TradeClosed
    | FundingPaid
    | BreakerTripped
    | EntriesHalted
    | DecisionTimedOut
    | DecisionTaken
    | SessionClosed
    | BrokerStatus
    | Heartbeat
    | Notice
    | Shutdown
)
