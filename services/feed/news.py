"""What the thread of the socket tells the loop. Pure."""

from typing import NamedTuple, TypeAlias

from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal

WireFact: TypeAlias = RawQuote | RawTrade | RawFunding | Refusal


class Opened(NamedTuple):
    """A connection stands."""


class Heard(NamedTuple):
    """What came in together, in order."""

    facts: list[WireFact]


class Closed(NamedTuple):
    """A connection is gone, or did not come about; the next is tried in `retry_s`."""

    detail: str
    retry_s: float


class Silent(NamedTuple):
    """Channels that have not said anything for too long, and were subscribed to again."""

    channels: list[str]


class GivenUp(NamedTuple):
    """No further attempt is made."""

    detail: str


WireNews: TypeAlias = Opened | Heard | Closed | Silent | GivenUp
