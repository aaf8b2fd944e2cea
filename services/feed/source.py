"""What the feed needs of a source, whichever it is. Pure.

A source is polled once a turn; it gives what is due and never waits. How it stands after a restart of the feed differs:
one that can tell everything again from its beginning `regenerates` (the stream's known part is then skipped), the
others go on after the recording's end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bus.messages import Candle, StreamInfo
from services.feed.config import FeedConfig, Instrument
from services.feed.facts import Said


class SourceError(Exception):
    """A source that can not be used at all; one sentence for a person."""


class Now(NamedTuple):
    """The feed's clocks, ms: `monotonic_ms` may stand still in a suspend, `boot_ms` goes on."""

    monotonic_ms: int
    boot_ms: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Where the recording of an earlier incarnation ends.

    Attributes:
        info: its head.
        last_seq: the newest event's number, 0 for none.
        last_ts_ms: the newest event's time.
        ticks_at_last: real quotes and trades recorded at exactly `last_ts_ms`.
    """

    info: StreamInfo
    last_seq: int
    last_ts_ms: int
    ticks_at_last: int


class Source(Protocol):
    """A source of facts."""

    @property
    def info(self) -> StreamInfo | None:
        """The head of the stream; None until it is known. Facts come after it."""

    @property
    def regenerates(self) -> bool:
        """Whether, after a restart, it tells everything from its beginning."""

    @property
    def is_scheduled(self) -> bool:
        """Whether it knows when its next event is due, so that silence before it is no staleness."""

    @property
    def source_interval_ms(self) -> int | None:
        """For a source of candles: their interval."""

    def poll(self, now: Now) -> Sequence[Said]:
        """Return what is due, in order; a bounded part of it when much is.

        Raises:
            SourceError: it turns out that the source can not be used with these settings.
        """

    def wait_ms(self, now: Now) -> int:
        """Return how long until something is due, 0 when more is due already."""

    def published(self, candle: Candle, now: Now) -> None:
        """Hear of a candle that was published; a source that knows candles of its own may compare."""

    def close(self) -> None:
        """End; nothing is said any more."""


def make_info(
    config: FeedConfig,
    said: Instrument,
    history: tuple[Candle, ...] = (),
    note: str = "",
    mode: str = "tick",
) -> StreamInfo:
    """Return the head of a stream: settings go over what the source said of the instrument."""
    holds = config.instrument(said)
    return StreamInfo(
        symbol=config.symbol,
        interval_ms=config.interval_ms,
        mode=mode,
        tick_size=holds.tick_size,
        lot_size=holds.lot_size,
        min_qty=holds.min_qty,
        history=history,
        note=note,
    )
