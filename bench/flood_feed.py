"""The feed of a live bench: the real service, but for a source that has its facts in memory and says them at a given rate.

A session's feed, started by hand (`python bench/flood_feed.py` in the session's directory). `flood.json` there is what it
shall say; it begins when the file `go` appears, tells in `said.json` when it said what, and ends the data.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bus.messages import Candle, FeedState, Quote, StreamInfo, Trade
from services.clock import monotonic_ns
from services.feed.config import FeedConfig, Instrument
from services.feed.facts import RawQuote, RawTrade, Said, SourceState
from services.feed.process import FeedShell, join
from services.feed.recording_file import NAME, Recording
from services.feed.source import Now, make_info
from services.runner import Runner, main
from services.session.state import Session

START_MS: Final = 1_735_689_600_000
"""Event time of the first tick; a whole day, so a whole bucket of every interval."""
MOST_AT_ONCE: Final = 2_000
LOOK_MS: Final = 20
PLAN: Final = "flood.json"
GO: Final = "go"
SAID: Final = "said.json"


@dataclass(frozen=True)
class Flood:
    """What the feed shall say.

    Attributes:
        ticks: how many.
        per_second: of this machine's time; 0: as fast as the feed takes them.
        step_ms: event time from one to the next.
    """

    ticks: int
    per_second: float
    step_ms: int

    def write(self, directory: Path) -> None:
        """Put the plan where the feed looks for it."""
        (directory / PLAN).write_text(json.dumps(asdict(self)))

    def fact(self, number: int) -> RawQuote | RawTrade:
        """Return the tick of a number, 0, 1, 2 ...: five quotes and three trades of eight, in a band of a few ticks."""
        ts_ms = START_MS + number * self.step_ms
        bid = (600_000 + number * 7 % 13) / 10
        if number % 8 in {1, 4, 7}:
            return RawTrade(ts_ms, bid, (1 + number % 97) / 10_000, "sell" if number % 2 else "buy")
        return RawQuote(ts_ms, bid, bid + 0.1, (1 + number % 89) / 100, (1 + number % 83) / 100)

    def message(self, number: int) -> Quote | Trade:
        """Return the same tick as it goes over the bus, for a peer to send."""
        fact = self.fact(number)
        return Quote(number + 1, *fact) if isinstance(fact, RawQuote) else Trade(number + 1, *fact)


class FloodSource:
    """Says the plan's facts when they are due."""

    regenerates = False
    is_scheduled = True
    source_interval_ms = None

    def __init__(self, flood: Flood, info: StreamInfo) -> None:
        self.info: StreamInfo = info
        self._flood = flood
        self._facts = [flood.fact(number) for number in range(flood.ticks)]
        self._said = 0
        self._said_ns: list[int] = []
        self._began_ns: int | None = None
        self._is_open = False

    def poll(self, now: Now) -> Sequence[Said]:
        """Return the facts that are due."""
        if not self._is_open:
            self._is_open = True
            return [SourceState(FeedState.CONNECTED)]
        if self._began_ns is None:
            if not Path(GO).exists():
                return []
            self._began_ns = monotonic_ns()
        if self._said == len(self._facts):
            return []
        now_ns = monotonic_ns()
        until = min(self._due(now_ns - self._began_ns), self._said + MOST_AT_ONCE)
        facts: list[Said] = list(self._facts[self._said : until])
        self._said_ns += [now_ns] * len(facts)
        self._said = until
        if until == len(self._facts):
            Path(SAID).write_text(json.dumps(self._said_ns))
            facts.append(SourceState(FeedState.ENDED))
        return facts

    def wait_ms(self, now: Now) -> int:
        """Return how long until the next fact is due."""
        if self._began_ns is None or self._said == len(self._facts):
            return LOOK_MS
        if not self._flood.per_second:
            return 0
        due_ns = self._began_ns + int(self._said * 1e9 / self._flood.per_second)
        return max(0, (due_ns - monotonic_ns() + 999_999) // 1_000_000)

    def published(self, candle: Candle, now: Now) -> None:
        """There is nothing to compare it with."""

    def close(self) -> None:
        """Nothing is open."""

    def _due(self, elapsed_ns: int) -> int:
        if not self._flood.per_second:
            return len(self._facts)
        return min(len(self._facts), int(elapsed_ns * self._flood.per_second / 1e9) + 1)


def compose(runner: Runner, session: Session) -> FeedShell:
    """Compose the feed as `services.feed.process` does, around the flood."""
    config = FeedConfig.from_settings(session.settings)
    source = FloodSource(Flood(**json.loads(Path(PLAN).read_text())), make_info(config, Instrument()))
    return join(runner, session.ports["feed_rpc"], config, Recording(session.run_dir / NAME), source)


if __name__ == "__main__":
    main("feed", compose)
