"""Failures of a strategy in a replay: taken as they were recorded, found anew in a data file."""

from collections.abc import Iterator, Mapping

import pytest
from builders import MINUTE, T0, candle, config, quote, signal, strategy_config, stream
from strategies import GoesWrong, Wrong

from bus.messages import (
    MarketEvent,
    Message,
    OrderRejected,
    QuestionKey,
    RejectReason,
    Side,
    Signal,
    StopReason,
    StrategyFailed,
)
from services.broker.core import BrokerCore
from services.replay.stage import Stage
from services.strategy.core import StrategyCore


def market() -> Iterator[MarketEvent]:
    """A quote at the beginning and the end of each of eight minutes, rising, and its candle."""
    yield quote(1, 0, 100.0)
    for minute in range(8):
        price = 100.0 + minute
        yield candle(2 * minute + 2, minute * MINUTE, (price, price, price, price))
        yield quote(2 * minute + 3, (minute + 1) * MINUTE, price)


def played(
    *plan: str,
    forever: bool = False,
    facts: tuple[StrategyFailed, ...] = (),
    answers: Mapping[QuestionKey, tuple[Signal, ...]] | None = None,
    **settings: int,
) -> tuple[Stage, BrokerCore]:
    broker = BrokerCore(config(**settings), wall_clock=False)
    strategy = StrategyCore(strategy_config(), GoesWrong(Wrong(plan, 3, forever)), foretold=facts)
    stage = Stage(broker, strategy, stream("tick"), facts, answers)
    for event in market():
        stage.play(event)
    stage.finish(StopReason.END_OF_DATA)
    return stage, broker


def failures(said: list[Message]) -> list[StrategyFailed]:
    return [message for message in said if isinstance(message, StrategyFailed)]


def test_a_data_files_replay_finds_them_and_ends_where_a_session_would() -> None:
    stage, broker = played("raises", forever=True, max_strategy_errors=2)
    assert [failed.open_ms for failed in stage.failures] == [T0 + minute * MINUTE for minute in (2, 3, 4)]
    assert (broker.closed, broker.last_seq) == (StopReason.INTERNAL_ERROR, 10)
    assert [failed.seq for failed in failures(stage.take_said())] == [6, 8, 10]


def test_what_can_not_be_an_order_is_refused_alone() -> None:
    stage, broker = played("gives_what_can_not_be_carried", forever=True, max_strategy_errors=0)
    refused = [message for message in stage.take_said() if isinstance(message, OrderRejected)]
    invalid = [one.detail.partition(" ")[0] for one in refused if one.reason is RejectReason.INVALID]
    assert invalid[:2] == ["stop_bps", "side"], "the two others bear the name of an order that was taken"
    assert (stage.failures, broker.closed) == ([], StopReason.END_OF_DATA)


@pytest.mark.parametrize("way", ["hangs", "raises", "forces_the_account"])
def test_a_recorded_one_is_taken_as_it_was(way: str) -> None:
    """It is told when the broker heard of it: at once, or later."""
    at_once = StrategyFailed(6, T0 + 2 * MINUTE, 0, way == "hangs", "as it was")
    later = StrategyFailed(13, T0 + 3 * MINUTE, 0, False, "told after a restart")
    stage, broker = played(way, facts=(at_once, later), answers={(T0, 0): (signal(Side.LONG),)}, max_strategy_errors=1)
    assert failures(stage.take_said()) == [at_once, later]
    assert (broker.closed, broker.last_seq) == (StopReason.INTERNAL_ERROR, 13)


def test_a_new_failure_is_a_difference() -> None:
    stage, _ = played("raises", answers={(T0 + 2 * MINUTE, 0): ()})
    assert stage.other_answers == [T0 + 2 * MINUTE]


def test_what_a_strategy_forces_upon_what_it_is_given_changes_nothing() -> None:
    """Broker and strategy share a process here."""
    forced, _ = played("forces_the_account")
    fair, _ = played("goes_long")
    assert forced.take_said() == fair.take_said()
