"""What is known of a run when its report is made. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bus.messages import Side, StopReason, TradeClosed

EquityPoint = tuple[int, float]
"""Event time in ms and the equity then, in quote currency."""


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A position that outlived the run; `unrealized` is its profit at the last quote, in quote currency."""

    side: Side
    qty: Decimal
    entry_price: Decimal
    entry_ts: int
    unrealized: Decimal


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the journal says.

    `first_ts` and `last_ts` are event times in ms, 0 when no event was seen. `rejections` counts refused
    orders by reason, `cancelled` those that ended without a verdict. `problems` are sentences about what could not be read.
    """

    starting_balance: Decimal | None = None
    ending_balance: Decimal | None = None
    trades: Sequence[TradeClosed] = ()
    equity: Sequence[EquityPoint] = ()
    entry_fees_open: Decimal = Decimal(0)
    rejections: Mapping[str, int] = field(default_factory=dict)
    cancelled: int = 0
    incidents: Sequence[Mapping[str, Any]] = ()
    position: OpenPosition | None = None
    first_ts: int = 0
    last_ts: int = 0
    last_close: float | None = None
    ticks: int = 0
    candles: int = 0
    stop_reason: StopReason | None = None
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How the session ended. `by` is who said so; `at_ms` the wall time; `restarts` counts by service."""

    reason: StopReason
    detail: str
    by: str
    at_ms: int
    restarts: Mapping[str, int] = field(default_factory=dict)
    incidents: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its identity and settings (`config.json`), what was traded, and how it ended.

    `notes` are sentences a reader of the report has to know.
    """

    run_id: str
    seed: int | None
    started_at: str
    settings: Mapping[str, Any]
    origins: Mapping[str, str]
    facts: JournalFacts
    end: End
    notes: Sequence[str] = ()
