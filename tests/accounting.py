"""Every candle of a session against `lap exchange` accounted for: as it was on the exchange, or flagged and listed.

The exchange's market is a function of its seed and its faults, so that it can be worked out here once more.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from processes import Desk

from bus.messages import Candle, Quote, Trade
from services.exchange.candles import Bar, bar_of
from services.exchange.config import WALK_START_MS
from services.exchange.distortion import distortion
from services.exchange.faults import parse_faults
from services.exchange.instruments import instrument
from services.exchange.market import Walk
from services.feed.recording_file import read_all

MINUTE_MS = 60_000
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Market:
    """What an exchange of this seed, with these faults, has traded."""

    faults: Sequence[str]
    speed: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        contract = instrument("BTCUSDT")
        change = distortion(parse_faults(self.faults), contract, WALK_START_MS, self.speed)
        self.tape = Walk(self.seed, contract, WALK_START_MS, change)

    def bar(self, open_ms: int) -> Bar | None:
        """The minute that opens then."""
        return bar_of(open_ms, self.tape.events(open_ms, open_ms + MINUTE_MS))

    def at(self, seconds: float) -> int:
        """The market's time so many seconds after the exchange's start."""
        return WALK_START_MS + int(seconds * self.speed * 1000)


@dataclass
class Account:
    """What a session has recorded and told of its candles."""

    desk: Desk
    market: Market

    @cached_property
    def candles(self) -> dict[int, Candle]:
        """The candles, by open time; contiguous, each once, numbered without a hole."""
        _, *events = read_all(self.desk.run_dir)
        assert [getattr(event, "seq", None) for event in events] == list(range(1, len(events) + 1))
        self.trades = [event for event in events if isinstance(event, Trade)]
        self.quotes = [event for event in events if isinstance(event, Quote)]
        candles = [event for event in events if isinstance(event, Candle)]
        assert all(after.open_ms == before.close_ms for before, after in pairwise(candles))
        return {candle.open_ms: candle for candle in candles}

    @cached_property
    def listed(self) -> set[int]:
        """Candles in which the session says that data was lost."""
        found: set[int] = set()
        for gap in self.desk.events("data_gap"):
            first, *last = map(_ms, _TIMES.findall(gap["message"]))
            found |= set(range(first, (last or [first])[-1] + 1, MINUTE_MS))
        return found

    @cached_property
    def differing(self) -> set[int]:
        """Candles of which the session says that the exchange has them otherwise."""
        return {_ms(_TIMES.findall(event["message"])[0]) for event in self.desk.events("candle_differs")}

    def window(self, start_s: float, end_s: float) -> list[Candle]:
        """The candles of a stretch of the exchange's clock."""
        first_ms = self.market.at(start_s) // MINUTE_MS * MINUTE_MS
        return [candle for candle in self.candles.values() if first_ms <= candle.open_ms < self.market.at(end_s)]

    def is_true(self, candle: Candle) -> bool:
        """Whether a candle is what was traded on the exchange."""
        bar = self.market.bar(candle.open_ms)
        if bar is None:
            return candle.volume == 0.0
        ours = (candle.open, candle.high, candle.low, candle.close)
        return ours == (bar.open, bar.high, bar.low, bar.close) and abs(candle.volume - bar.volume) < 1e-6 * bar.volume

    def unaccounted(self, settled_ms: int) -> list[str]:
        """Candles that are wrong without being flagged and listed; those of the last `settled_ms` are not asked for."""
        end_ms = max(self.candles) - settled_ms
        wrong = []
        for candle in self.candles.values():
            if not candle.complete:
                fine = candle.open_ms in self.listed
            else:
                fine = self.is_true(candle) or candle.open_ms in self.differing or candle.open_ms > end_ms
            if not fine:
                wrong.append(f"{candle} is {self.market.bar(candle.open_ms)} on the exchange")
        return wrong


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000
