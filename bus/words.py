"""The words that have one of few values: sides, reasons, states, levels. Light: supervisors know them, and no message."""

from enum import StrEnum


class Side(StrEnum):
    """Direction of a position, or `FLAT`: leave the market."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    sign: int
    """+1 for LONG, -1 for SHORT, 0 for FLAT."""

    def __init__(self, name: str) -> None:
        self.sign = {"LONG": 1, "SHORT": -1, "FLAT": 0}[name]


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
