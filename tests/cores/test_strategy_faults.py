"""Faults of a strategy are its own: each is answered with nothing, told, and nobody else sees what it did."""

from collections.abc import Sequence
from copy import copy
from decimal import Decimal as D

import pytest
from builders import strategy_config
from strategies import GoesWrong, Wrong

from bus.codec import decode_body, encode_body
from bus.messages import Account, Candle, Decide, Decision, Message, QuestionKey, Recall, Side, StrategyFailed
from services.strategy.core import StrategyCore
from services.strategy.interface import Answer, Context, Strategy

ZERO = D(0)
ACCOUNT = Account(D(10_000), D(10_000), ZERO, Side.FLAT, ZERO, ZERO, ZERO, ZERO, 0, 0, False)


def question(index: int) -> Decide:
    candle = Candle(index + 1, 0, "BTCUSDT", 1_000, index * 1_000, 5.0, 5.0, 5.0, 5.0, 1.0)
    return Decide(index * 1_000, (candle,), copy(ACCOUNT))


def core(how: str, at: int = 3) -> StrategyCore:
    return StrategyCore(strategy_config(), GoesWrong(Wrong((how,), at)))


def sides(said: Sequence[Message]) -> list[Side]:
    decision = said[-1]
    assert isinstance(decision, Decision)
    return [signal.side for signal in decision.signals]


def failures(said: Sequence[Message]) -> list[StrategyFailed]:
    return [message for message in said if isinstance(message, StrategyFailed)]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raises", "ZeroDivisionError: no such luck (strategies.py, line"),
        ("leaves", "SystemExit: 2"),
        ("gives_text", "return a signal, several, or None; returned 'LONG' (str)"),
        ("gives_a_number_among_signals", "there was 5 (int) among them"),
        ("never_stops_giving", "more than 100 signals in one decision"),
        ("signals_in_the_past", "is in the past: the decision's is 3000"),
        ("signals_for_another_symbol", "the signal is for 'DOGEUSDT', the session is BTCUSDT"),
        ("writes_into_history", "cannot modify read-only memory"),
        ("changes_the_candle", "immutable type: 'Candle'"),
    ],
)
def test_a_fault_is_told_and_answered_with_nothing(how: str, says: str) -> None:
    strategy = core(how)
    said = [strategy.handle(question(index), 0) for index in range(4)]
    assert [sides(one) for one in said] == [[Side.LONG], [Side.SHORT], [], [Side.SHORT]]
    (failed,) = failures(said[2])
    assert says in failed.detail
    assert (failed.key, failed.is_poison) == ((2_000, 0), False)
    assert not any(failures(one) for one in (said[0], said[1], said[3]))


def test_a_signal_that_can_not_be_carried_costs_itself_alone_and_says_why() -> None:
    strategy = core("gives_what_can_not_be_carried", at=2)
    strategy.handle(question(0), 0)
    (decision,) = strategy.handle(question(1), 0)
    assert isinstance(decision, Decision)
    assert [(signal.side, signal.fault) for signal in decision.signals] == [
        (Side.LONG, "stop_bps must be a finite number, was nan"),
        (Side.SHORT, ""),
        (Side.SHORT, "tp_r must be a finite number, was inf"),
        (Side.FLAT, "side must be LONG, SHORT or FLAT, was 'UP' (str)"),
        (Side.SHORT, "entry must be market or limit, was 'iceberg' (str)"),
    ]
    assert decode_body("decision", encode_body(decision)) == decision


def test_the_traceback_is_the_strategys_alone() -> None:
    strategy = core("raises", at=2)
    strategy.handle(question(0), 0)
    (failed,) = failures(strategy.handle(question(1), 0))
    assert "def raises" not in failed.trace
    assert "in raises" in failed.trace
    assert "guard.py" not in failed.trace


def test_what_it_forces_upon_what_it_was_given_nobody_else_sees() -> None:
    strategy = core("forces_the_account", at=2)
    strategy.handle(question(0), 0)
    asked = question(1)
    assert sides(strategy.handle(asked, 0)) == [Side.LONG]
    assert asked == question(1)


def test_asked_again_it_tells_the_fault_again() -> None:
    """The broker may have died before it wrote it down."""
    strategy = core("raises", at=2)
    strategy.handle(question(0), 0)
    said = strategy.handle(question(1), 0)
    assert failures(said)
    assert strategy.handle(question(1), 0) == said


def test_one_that_starts_again_fails_again_in_silence_and_goes_on_the_same() -> None:
    strategy, again = core("raises"), core("raises")
    said = [strategy.handle(question(index), 0) for index in range(4)]
    assert again.handle(Recall(tuple(question(index) for index in range(3)), more=False), 0) == []
    assert again.handle(question(3), 0) == said[3]
    assert again.failures == strategy.failures


class Grave:
    """Attempts that have died in one call, as the file has them."""

    def __init__(self, key: QuestionKey) -> None:
        self._key = key
        self.begun: list[QuestionKey] = []

    def begin(self, key: QuestionKey) -> bool:
        self.begun.append(key)
        return key != self._key

    def end(self) -> None:
        """Nothing to forget."""


def test_a_candle_that_two_processes_died_of_is_not_tried_again() -> None:
    strategy = StrategyCore(strategy_config(), GoesWrong(Wrong(("hangs",))), Grave((2_000, 0)))
    said = [strategy.handle(question(index), 0) for index in range(3)]
    assert [sides(one) for one in said] == [[Side.LONG], [Side.SHORT], []]
    (failed,) = failures(said[2])
    assert failed.is_poison


@pytest.mark.parametrize("how", ["hangs", "raises", "gives_text"])
def test_a_replay_takes_the_failures_as_they_were(how: str) -> None:
    """A poisoned candle is not tried; one that raised gives nothing, whatever it does now."""
    foretold = StrategyFailed(7, 2_000, 0, how == "hangs", "as it was")
    strategy = StrategyCore(strategy_config(), GoesWrong(Wrong((how,))), foretold=[foretold])
    said = [strategy.handle(question(index), 0) for index in range(3)]
    assert [sides(one) for one in said] == [[Side.LONG], [Side.SHORT], []]
    assert failures(said[2]) == [foretold]


class Remembers(Strategy):
    """Knows on which candles it was called, as one that counts, or keeps a sum."""

    def __init__(self) -> None:
        super().__init__(None)
        self.called: list[int] = []

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        self.called.append(candle.open_ms)
        return context.market(Side.LONG)


@pytest.mark.parametrize(("is_poison", "called"), [(False, [0, 1_000, 2_000]), (True, [0, 2_000])])
def test_a_replay_calls_the_strategy_where_it_was_called(is_poison: bool, called: list[int]) -> None:
    """One that raised has seen the candle, and what it keeps goes on from there."""
    strategy = Remembers()
    core = StrategyCore(strategy_config(), strategy, foretold=[StrategyFailed(2, 1_000, 0, is_poison, "as it was")])
    said = [core.handle(question(index), 0) for index in range(3)]
    assert [sides(one) for one in said] == [[Side.LONG], [], [Side.LONG]]
    assert strategy.called == called
