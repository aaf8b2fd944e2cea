"""The vocabulary inside the feed's room: what a source says, before anything is believed. Pure.

Named tuples, because a burst makes thousands of them a second. Numbers are whatever the source sent, as doubles;
`guards` decides what is believed. `ts_ms` is the exchange's clock, ms since the epoch.
"""

from typing import NamedTuple, TypeAlias

from bus.messages import FeedState, Level, MarketEvent


class RawQuote(NamedTuple):
    """A best bid and ask as a source sent it; sizes in base coin."""

    ts_ms: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float


class RawTrade(NamedTuple):
    """A print as a source sent it: size in base coin, `aggressor` is `buy` or `sell`."""

    ts_ms: int
    price: float
    size: float
    aggressor: str


class RawCandle(NamedTuple):
    """A closed candle as a source sent it: opens at `open_ms`, volume in base coin."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class RawFunding(NamedTuple):
    """What the exchange says of funding: `rate` is a fraction; times are None, `mark` 0.0, where it did not say."""

    ts_ms: int
    rate: float
    mark: float
    last_ms: int | None
    next_ms: int | None


class Recorded(NamedTuple):
    """An event of another recording, to be said again as it is."""

    event: MarketEvent


class DataLost(NamedTuple):
    """The source may have missed something from here on until its next tick."""


class Backfill(NamedTuple):
    """Closed candles fetched to bridge a loss, oldest first."""

    candles: tuple[RawCandle, ...]


class SourceState(NamedTuple):
    """The source's connection changed. `incident`: a person should read of it in the report."""

    state: FeedState
    detail: str = ""
    incident: bool = False


class Refusal(NamedTuple):
    """Something from outside that is not believed: its one name, and what it was."""

    name: str
    detail: str = ""


class Remark(NamedTuple):
    """Something about the source that people may want to read, and nobody else: `event` is its one name.

    `incident`: it belongs into the report.
    """

    event: str
    text: str
    level: Level = Level.WARNING
    incident: bool = False


Fact: TypeAlias = RawQuote | RawTrade | RawCandle | RawFunding | Recorded | DataLost | Backfill
Said: TypeAlias = Fact | SourceState | Refusal | Remark
