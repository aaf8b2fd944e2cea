"""Bare rounds of four hops around the session's own cores: what a decision takes without runner, bus and supervision.

The same facts, settings and strategy as the live session beside it: the feed's core and its recording, the broker's core and its
journal, the strategy's core. Between them bare sockets (`bare_rounds`); the question is committed while it is thought about, as there.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic_ns
from typing import Any

from flood_feed import START_MS, Flood
from flood_session import SETTINGS

from bus import codec
from bus.messages import Burst, Candle, Decide, Message, OrderAccepted, StreamInfo
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.journal_sqlite import Journal
from services.feed.config import FeedConfig, Instrument
from services.feed.core import FeedCore, FeedRules
from services.feed.recording_file import NAME, Recording
from services.feed.source import make_info
from services.settings import resolve
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.loading import load_strategy
from services.waiting import pause

BENCH = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Cores:
    """Our cores, each made in the process where it is first asked for.

    Attributes:
        flood: what the feed's source says.
        candle_ms: length of a candle.
        settings: of the session, as environment variables.
        directory: where recording and journal are.
    """

    flood: Flood
    candle_ms: int
    settings: dict[str, str]
    directory: Path

    @property
    def every(self) -> int:
        """How many ticks close a candle; the very first tick closes one, too."""
        return self.candle_ms // self.flood.step_ms

    def prepare(self, peer: str) -> None:
        """Make the peer's core and open its file."""
        match peer:
            case "feed":
                _ = self._feed, self._recording
            case "broker":
                _ = self._broker, self._journal
            case "strategy":
                _ = self._strategy

    def ticked(self, number: int) -> bytes:
        """Feed: make the events of a fact, record them, encode them."""
        events = self._feed.take(self.flood.fact(number))
        self._recording.append(events)
        return _frame(Burst(tuple(events)))

    def question(self, frame: bytes) -> bytes | None:
        """Broker: work off the events; return the question, if there is one now."""
        burst = codec.decode(frame).message
        assert isinstance(burst, Burst)
        for event in burst.events:
            self._said.extend(self._broker.handle(event, 0))
        return _frame(self._said[-1]) if self._broker.waiting else None

    def meanwhile(self) -> None:
        """Broker: commit the question."""
        self._commit()

    def answer(self, question: bytes) -> bytes:
        """Strategy: decide."""
        asked = codec.decode(question).message
        assert isinstance(asked, Decide)
        return _frame(self._strategy.handle(asked, 0)[-1])

    def acknowledged(self, answer: bytes) -> bytes:
        """Broker: take the order, work off the tick behind the question, commit all; return the order."""
        self._said.extend(self._broker.handle(codec.decode(answer).message, 0))
        accepted = next(one for one in self._said if isinstance(one, OrderAccepted))
        self._commit()
        return _frame(accepted)

    def number(self, acknowledged: bytes) -> int:
        """Listener: decode the order; it was decided when the tick came."""
        order = codec.decode(acknowledged).message
        assert isinstance(order, OrderAccepted)
        return (order.signal.ts_ms - START_MS) // self.flood.step_ms

    def _commit(self) -> None:
        self._journal.record(self._said, self._broker.snapshot())
        self._broker.mark_committed()
        self._said.clear()

    @cached_property
    def _values(self) -> dict[str, Any]:
        return dict(resolve({"seed": "7"}, self.directory, {**SETTINGS, **self.settings}).values)

    @cached_property
    def _info(self) -> StreamInfo:
        config = FeedConfig.from_settings(self._values)
        shape = (60_000.0, 60_000.0, 60_000.0, 60_000.0, 1.0)
        before = Candle(0, 0, config.symbol, self.candle_ms, START_MS - 2 * self.candle_ms, *shape)
        return make_info(config, Instrument(), (before,))

    @cached_property
    def _feed(self) -> FeedCore:
        config = FeedConfig.from_settings(self._values)
        return FeedCore(self._info, FeedRules(config.half_spread_bps, config.max_quote_age_ms))

    @cached_property
    def _recording(self) -> Recording:
        recording = Recording(self.directory / NAME)
        recording.begin(self._info)
        return recording

    @cached_property
    def _broker(self) -> BrokerCore:
        config = BrokerConfig.from_settings(self._values)
        broker = BrokerCore(config, wall_clock=False, used_ids=self._journal.used_ids())
        broker.handle(self._info, 0)
        return broker

    @cached_property
    def _said(self) -> list[Message]:
        return []

    @cached_property
    def _journal(self) -> Journal:
        return Journal(self.directory / "journal.db")

    @cached_property
    def _strategy(self) -> StrategyCore:
        config = StrategyConfig.from_settings(self._values)
        core = StrategyCore(config, load_strategy(config.name, config.params, BENCH))
        core.handle(self._info, 0)
        return core


def alone(cargo: Cores, rest_ms: float) -> list[float]:
    """Make the rounds in this one process, without sockets, after a rest before each; return how long each took, in ms."""
    for peer in ("feed", "broker", "strategy"):
        cargo.prepare(peer)
    times = []
    for number in range(cargo.flood.ticks):
        if rest_ms:
            pause(rest_ms)
        began_ns = monotonic_ns()
        question = cargo.question(cargo.ticked(number))
        assert question is not None, "every tick closes a candle"
        cargo.meanwhile()
        cargo.acknowledged(cargo.answer(question))
        times.append((monotonic_ns() - began_ns) / 1e6)
    return times


def _frame(message: Message) -> bytes:
    return codec.encode(message, f"bare {os.getpid()}", 1, 1, monotonic_ns())
