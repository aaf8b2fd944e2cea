"""The barrier of a strategy that decides on ticks: each tick waits for its answer, as a candle's does."""

from collections.abc import Iterator
from itertools import count

import pytest
from builders import MINUTE, T0, candle, config, quote, signal, stream

from bus.messages import (
    Decide,
    Decision,
    DecisionTaken,
    DecisionTimedOut,
    Fill,
    Message,
    SessionClosed,
    Side,
    StopReason,
    StrategyFailed,
    StrategyHello,
)
from services.broker.core import BrokerCore


def kinds(said: list[Message]) -> list[str]:
    return [type(message).__name__ for message in said]


def fills_of(said: list[Message]) -> list[Fill]:
    return [message for message in said if isinstance(message, Fill)]


@pytest.fixture
def core() -> BrokerCore:
    core = BrokerCore(config(), on_ticks=True)
    core.handle(stream("tick"), 0)
    return core


def asked(said: list[Message]) -> Decide:
    (question,) = said
    assert isinstance(question, Decide)
    return question


def test_a_tick_is_worked_off_only_after_its_answer(core: BrokerCore) -> None:
    question = asked(core.handle(quote(1, 0, 100.0), 0))
    assert (question.tick, question.candles, question.key) == (quote(1, 0, 100.0), (), (0, 1))
    assert core.last_seq == 0
    assert core.handle(quote(2, 10, 100.0), 0) == []
    assert kinds(core.handle(Decision(0, (), 1), 0)) == ["DecisionTaken", "Decide"]
    assert core.last_seq == 1


def test_its_order_meets_the_tick_that_latency_says_and_none_before(core: BrokerCore) -> None:
    core.handle(quote(1, 0, 100.0), 0)
    core.handle(Decision(0, (signal(Side.LONG, at=0),), 1), 0)  # due at 100
    for seq, at in ((2, 50), (3, 99), (4, 100)):
        core.handle(quote(seq, at, 100.0), 0)
        said = core.handle(Decision(0, (), seq), 0)
    (fill,) = fills_of(said)
    assert (fill.ts_ms, fill.seq) == (T0 + 100, 4)


def test_a_candle_is_asked_about_before_the_tick_that_closed_it(core: BrokerCore) -> None:
    core.handle(quote(1, 0, 100.0), 0)
    core.handle(Decision(0, (), 1), 0)
    assert core.handle(candle(2, 0), 0) == []
    assert asked(core.handle(quote(3, MINUTE, 100.0), 0)).key == (T0, 0)
    said = core.handle(Decision(T0), 0)
    assert isinstance(said[-1], Decide)
    assert said[-1].key == (0, 3)


def test_an_answer_for_another_tick_is_none(core: BrokerCore) -> None:
    core.handle(quote(1, 0, 100.0), 0)
    assert core.handle(Decision(0, (), 2), 0) == []
    assert core.handle(Decision(1, ()), 0) == []
    assert core.waiting


def test_without_an_answer_the_broker_goes_on_and_takes_it_late(core: BrokerCore) -> None:
    core.handle(quote(1, 0, 100.0), 0)
    said: list[Message] = []
    for now_ms in range(0, 30_001, 250):
        said += [message for message in core.on_timer(now_ms) if isinstance(message, DecisionTimedOut)]
    assert said == [DecisionTimedOut(0, 0, 1)]
    assert core.last_seq == 1
    late = core.handle(Decision(0, (signal(Side.LONG, at=0),), 1), 31_000)
    assert late[0] == DecisionTaken(1, 0, (signal(Side.LONG, at=0),), late=True, tick_seq=1)


def test_one_that_starts_again_asks_about_the_same_tick(core: BrokerCore) -> None:
    core.handle(quote(1, 0, 100.0), 0)
    core.handle(Decision(0, (), 1), 0)
    question = asked(core.handle(quote(2, 10, 100.0), 0))
    again = BrokerCore.restore(config(), core.snapshot(), on_ticks=True)
    assert again.last_seq == 1
    assert asked(again.handle(quote(2, 10, 100.0), 0)) == question
    assert again.handle(StrategyHello(1), 0) == [question]


def test_a_strategy_of_candles_is_asked_about_no_tick() -> None:
    core = BrokerCore(config())
    core.handle(stream("tick"), 0)
    assert core.handle(quote(1, 0, 100.0), 0) == []
    assert core.last_seq == 1


def failed(numbers: Iterator[int]) -> StrategyFailed:
    return StrategyFailed(0, T0 + next(numbers) * MINUTE, 0, False, "ValueError: no")


def test_more_failures_than_allowed_end_the_session_in_order() -> None:
    core = BrokerCore(config(max_strategy_errors=2), on_ticks=True)
    core.handle(stream("tick"), 0)
    core.handle(quote(1, 0, 100.0), 0)
    core.handle(Decision(0, (signal(Side.LONG, at=0),), 1), 0)
    core.handle(quote(2, 200, 100.0), 0)
    assert fills_of(core.handle(Decision(0, (), 2), 0))
    numbers = count()
    first = failed(numbers)
    assert kinds(core.handle(first, 0)) == ["StrategyFailed"]
    assert core.handle(first, 0) == [], "the same failure told again counts once"
    assert kinds(core.handle(failed(numbers), 0)) == ["StrategyFailed"]
    again = BrokerCore.restore(config(max_strategy_errors=2), core.snapshot(), on_ticks=True)
    said = again.handle(failed(numbers), 0)
    assert kinds(said) == ["StrategyFailed", "Fill", "TradeClosed", "SessionClosed"]
    closed = said[-1]
    assert isinstance(closed, SessionClosed)
    assert closed.reason is StopReason.INTERNAL_ERROR
    assert again.closed is StopReason.INTERNAL_ERROR
