"""The mock source: the seeded walk, played by the session's own clock."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from bus.messages import Candle, FeedState, StreamInfo
from services.feed.config import HISTORY_CANDLES, FeedConfig, Instrument
from services.feed.facts import RawQuote, RawTrade, Said, SourceState
from services.feed.mock import START_MS, MockMarket
from services.feed.pace import Pace
from services.feed.source import Now, Resume, make_info

MOST_AT_ONCE: Final = 2_000


class MockSource:
    """Plays the walk of the session's seed; after a restart it goes on after the last recorded event.

    Args:
        config: the feed's settings.
        seed: the session's seed.
        started_boot_ms: the suspend-counting clock at the session's start.
        resume: where the recording ends, None for a fresh session.
    """

    regenerates = False
    is_scheduled = True
    source_interval_ms = None

    def __init__(self, config: FeedConfig, seed: int, started_boot_ms: int, resume: Resume | None) -> None:
        tick_size = config.instrument(Instrument()).tick_size
        market = MockMarket(seed, tick_size, config.symbol)
        self.info: StreamInfo = (
            resume.info
            if resume is not None
            else make_info(config, Instrument(), market.history(config.interval_ms, HISTORY_CANDLES))
        )
        played = resume is not None and resume.last_seq > 0
        last_ms = resume.last_ts_ms if resume is not None and played else START_MS
        facts = market.facts(last_ms)
        # Of the last recorded millisecond some facts may not have made it into the recording.
        self._facts = islice(facts, resume.ticks_at_last if resume is not None and played else 0, None)
        self._pace = Pace(started_boot_ms, last_ms - START_MS if played else None)
        self._next: RawQuote | RawTrade = next(self._facts)
        self._is_open = False

    def poll(self, now: Now) -> Sequence[Said]:
        """Return the events that are due."""
        until_ms = START_MS + self._pace.elapsed_ms(now)
        said: list[Said] = []
        if not self._is_open:
            self._is_open = True
            said.append(SourceState(FeedState.CONNECTED))
        while self._next.ts_ms <= until_ms and len(said) < MOST_AT_ONCE:
            said.append(self._next)
            self._next = next(self._facts)
        return said

    def wait_ms(self, now: Now) -> int:
        """Return how long until the next event."""
        return max(0, self._next.ts_ms - START_MS - self._pace.elapsed_ms(now))

    def published(self, candle: Candle, now: Now) -> None:
        """There is nothing to compare it with."""

    def close(self) -> None:
        """Nothing is open."""
