"""Which way a script is played: leaping over columns where that is known to come out the same, else event by event."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bus.messages import DecisionTaken, DecisionTimedOut, MarketEvent, Message, StrategyFailed
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.errors import CarryOverError
from services.broker.orders import UsedIds
from services.replay.columnar.candle_watch import CandleWatch
from services.replay.columnar.columns import Columns
from services.replay.columnar.foresight import Foresight, foresee
from services.replay.columnar.leaps import Leaps
from services.replay.columnar.quiet import Said
from services.replay.columnar.tick_watch import TickWatch
from services.replay.columnar.watch import Watch
from services.replay.script import ReplayError, Script
from services.replay.stage import Stage, seq_of
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.interface import Strategy, StrategyError
from services.strategy.loading import load_strategy
from services.strategy.memory_rlimit import memory_wall


class Staged(NamedTuple):
    """A broker and a stage on which it meets the strategy, before the first event.

    `leaps` plays the script in leaps; None where it has to be played event by event. That is: without columns, with a
    strategy that decides on ticks, with answers that came late, never or after a failure, and over candles with a
    strategy whose answers can not be foreseen (each candle is a question then, so nothing is leapt).
    """

    broker: BrokerCore
    stage: Stage
    leaps: Leaps | None

    def play(self, events: Iterable[MarketEvent]) -> Iterator[list[Said]]:
        """Play the script, whose events these are; yield what was said, part by part. The end is not said here."""
        return self._one_by_one(events) if self.leaps is None else self.leaps.play()

    def _one_by_one(self, events: Iterable[MarketEvent]) -> Iterator[list[Said]]:
        yield [*self.stage.take_said()]
        for event in events:
            self.stage.play(event)
            if self.broker.dirty:
                self.broker.mark_committed()
                yield [*self.stage.take_said()]
            if self.stage.closed:
                return


def set_stage(script: Script, cwd: Path, used_ids: UsedIds | None = None) -> Staged:
    """Return what plays a script.

    Args:
        script: what will be played.
        cwd: where a strategy of one's own is looked for.
        used_ids: where used order ids are kept; a set in memory without.

    Raises:
        ReplayError: the strategy or the settings do not fit.
    """
    try:
        config = StrategyConfig.from_settings(script.settings)
        strategy = load_strategy(config.name, config.params, cwd)
        broker_config = BrokerConfig.from_settings(script.settings)
        broker = BrokerCore(
            broker_config,
            wall_clock=False,
            on_ticks=strategy.decides_on_ticks,
            used_ids=used_ids,
            carried=script.carried,
        )
    except (StrategyError, CarryOverError) as error:
        raise ReplayError(str(error)) from None
    found = _leapable(script, broker_config, config, strategy)
    if found is None:
        foretold = [fact for fact in script.facts if isinstance(fact, StrategyFailed)]
        core = StrategyCore(config, strategy, foretold=foretold)
        return Staged(broker, Stage(broker, core, script.info, script.facts, script.answers), None)
    columns, watch, foresight = found
    stage = Stage(broker, foresight or StrategyCore(config, strategy), script.info, script.facts, script.answers)
    facts = [seq_of(fact) for fact in script.facts]
    return Staged(broker, stage, Leaps(stage, broker, columns, watch, foresight, facts))


@contextmanager
def memory_of(script: Script) -> Iterator[None]:
    """Keep the strategy of a script, whose market is in memory already, within the memory it may take (on Linux).

    Raises:
        ReplayError: it holds so much that the replay itself finds none.
    """
    most = int(script.settings["max_strategy_memory_mb"])
    try:
        with memory_wall(most):
            yield
    except MemoryError:
        raise ReplayError(
            f"out of memory: more than the {most} MB of 'max_strategy_memory_mb' were asked for"
        ) from None


def _leapable(
    script: Script, broker_config: BrokerConfig, config: StrategyConfig, strategy: Strategy
) -> tuple[Columns, Watch, Foresight | None] | None:
    columns = script.columns
    if columns is None or not _is_timely(script.facts) or strategy.decides_on_ticks:
        return None
    watch = _watch(columns, broker_config)
    foresight = foresee(strategy, config, columns, watch)
    if foresight is None and not columns.info.has_ticks:
        return None
    return columns, watch, foresight


def _watch(columns: Columns, config: BrokerConfig) -> Watch:
    return TickWatch(columns) if columns.info.has_ticks else CandleWatch(columns, config)


def _is_timely(facts: Iterable[Message]) -> bool:
    """Tell whether every question was answered in time, by a strategy that did not fail."""
    for fact in facts:
        if isinstance(fact, (DecisionTimedOut, StrategyFailed)) or (isinstance(fact, DecisionTaken) and fact.late):
            return False
    return True
