"""What the feed says of itself, and what it can be asked."""

from bus.messages.body import Body, Int
from bus.messages.checks import check_require, check_size, check_text, check_whole
from bus.messages.market import MarketEvent
from bus.words import FeedState


class FeedStatus(Body, frozen=True):
    """The feed's view of its source, sent on every change and once a second.

    `last_seq` is the newest market event (0: none yet), `data_age_ms` the time since the source last said something
    useful, on the feed's monotonic clock; `refused` counts malformed, late or impossible events since the start.
    After the `last` one it says nothing more.
    """

    state: FeedState
    last_seq: Int
    last_ts_ms: Int
    price: float
    ticks: Int
    candles: Int
    data_age_ms: Int
    refused: Int
    reconnects: Int
    detail: str = ""
    last: bool = False

    def __post_init__(self) -> None:
        for name in ("last_seq", "last_ts_ms", "ticks", "candles", "data_age_ms", "refused", "reconnects"):
            check_whole(name, getattr(self, name))
        check_size("price", self.price)
        check_text("detail", self.detail)


class Burst(Body, frozen=True):
    """Market events as they came, in order: all of one moment, up to a limit. Each bears its own `seq`."""

    events: tuple[MarketEvent, ...]

    def __post_init__(self) -> None:
        check_require(bool(self.events), "events must not be empty", self.events)


class InfoRequest(Body, frozen=True):
    """Asks the feed for `StreamInfo`; answered once the feed has it."""


class EventsRequest(Body, frozen=True):
    """Asks the feed for the market events after `after_seq` (Clone pattern)."""

    after_seq: Int

    def __post_init__(self) -> None:
        check_whole("after_seq", self.after_seq)


class EventsPage(Body, frozen=True):
    """A run of market events, in order, right after `after_seq`; `last_seq` is the feed's newest."""

    after_seq: Int
    last_seq: Int
    events: tuple[MarketEvent, ...]

    def __post_init__(self) -> None:
        check_whole("after_seq", self.after_seq)
        check_whole("last_seq", self.last_seq)
