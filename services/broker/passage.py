"""A passage: a run of market events that changed nothing, what is left of it, and how far one may go. Pure."""

from typing import NamedTuple, Protocol

from services.broker.band import Band
from services.broker.prices import TwoSided


class Passage(NamedTuple):
    """What the broker knows after such a run.

    Attributes:
        seq: The last event's number.
        ts_ms: Its event time (candle mode: the candle's end).
        ticks, candles: How many of each there were; a strategy had nothing to say to any of the candles.
        quote: The newest quote; None when there was none.
        price: The last print's price (candle mode: the last close); None without one.
        close, volume: The last candle's; None without one.
    """

    seq: int
    ts_ms: int
    ticks: int
    candles: int
    quote: TwoSided | None
    price: float | None
    close: float | None
    volume: float | None


class DeskView(Protocol):
    """What tells how far a passage may go."""

    @property
    def wake_ms(self) -> float:
        """From this event time on the next tick (a candle that ends later) matters, whatever its prices."""

    @property
    def band(self) -> Band:
        """Within it a tick, or a candle with its whole range, changes nothing."""

    @property
    def bars_left(self) -> int | None:
        """Candles that may still close before `max_bars_open` matters; None when it never does."""
