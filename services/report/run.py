"""What is known of a run when its report is made. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bus.messages import Fill, Side, StopReason, TradeClosed

EquityPoint = tuple[int, float]
"""Event time in ms and the equity then, in quote currency."""
Bar = tuple[int, float, float, float, float, float, bool]
"""A closed candle: open time in ms, open, high, low, close, volume, and whether nothing of it was lost."""


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A position that outlived the run; `unrealized` is its profit at the last quote, in quote currency."""

    side: Side
    qty: Decimal
    entry_price: Decimal
    entry_ts: int
    unrealized: Decimal


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """An order the broker took: event time of its signal and the drawn latency, both in ms; `late`: after a time-out."""

    client_order_id: str
    ts_ms: int
    latency_ms: int
    late: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order's end without a fill, at event time `ts_ms`."""

    ts_ms: int
    side: str
    reason: str


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the journal says.

    `first_ts` and `last_ts` are event times in ms, 0 when no event was seen. `rejections` counts refused
    orders by reason, `cancelled` those that ended without a verdict. `open_costs` is what an open position has cost so far,
    fees and funding, `entry_fees_open` its entry fee alone. `bars` are the candles decided on, in the order of
    time; `unanswered` are the open times of those whose answer did not come in time; on `failed` many the strategy
    failed. `last_close` and `tick_size` are the market's, where known. `problems` are sentences about what could not be read;
    `is_locked`: for now, because another program holds the file.
    """

    starting_balance: Decimal | None = None
    ending_balance: Decimal | None = None
    trades: Sequence[TradeClosed] = ()
    equity: Sequence[EquityPoint] = ()
    entry_fees_open: Decimal = Decimal(0)
    open_costs: Decimal = Decimal(0)
    bars: Sequence[Bar] = ()
    fills: Sequence[Fill] = ()
    orders: Sequence[AcceptedOrder] = ()
    refusals: Sequence[Refusal] = ()
    unanswered: Sequence[int] = ()
    failed: int = 0
    rejections: Mapping[str, int] = field(default_factory=dict)
    cancelled: int = 0
    incidents: Sequence[Mapping[str, Any]] = ()
    position: OpenPosition | None = None
    first_ts: int = 0
    last_ts: int = 0
    last_close: float | None = None
    tick_size: Decimal | None = None
    ticks: int = 0
    candles: int = 0
    stop_reason: StopReason | None = None
    problems: Sequence[str] = ()
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How the session ended; `reason` is None while it still goes on.

    `by` is who said so; `at_ms` the wall time; `restarts` counts by service; `feed` are the feed's counts (`reconnects`,
    `refused`, `stale_sec`), where known. `in_order`: somebody said that it ended, and that was not a crash.
    """

    reason: StopReason | None
    detail: str
    by: str
    at_ms: int
    restarts: Mapping[str, int] = field(default_factory=dict)
    incidents: Sequence[Mapping[str, Any]] = ()
    feed: Mapping[str, float] = field(default_factory=dict)
    in_order: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its identity and settings (`config.json`), what was traded, and how it ended.

    `notes` are sentences a reader of the report has to know. `altered` is one on what was changed since the session left it.
    `replayed` are the paths of what was replayed; none for a session.
    """

    run_id: str
    seed: int | None
    started_at: str
    settings: Mapping[str, Any]
    origins: Mapping[str, str]
    facts: JournalFacts
    end: End
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    replayed: Sequence[str] = ()
    altered: str = ""
