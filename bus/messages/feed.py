"""What the feed says of itself, and what it can be asked."""

from dataclasses import dataclass

from bus.messages.checks import check_size, check_text, check_whole
from bus.messages.market import MarketEvent
from bus.words import FeedState


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
            check_whole(name, getattr(self, name))
        check_size("price", self.price)
        check_text("detail", self.detail)


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """Asks the feed for `StreamInfo`; answered once the feed has it."""


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """Asks the feed for the market events after `after_seq` (Clone pattern)."""

    after_seq: int

    def __post_init__(self) -> None:
        check_whole("after_seq", self.after_seq)


@dataclass(frozen=True, slots=True)
class EventsPage:
    """A run of market events, in order, right after `after_seq`; `last_seq` is the feed's newest."""

    after_seq: int
    last_seq: int
    events: tuple[MarketEvent, ...]

    def __post_init__(self) -> None:
        check_whole("after_seq", self.after_seq)
        check_whole("last_seq", self.last_seq)
