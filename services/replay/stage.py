"""The stage of a replay, pure: broker and strategy joined in memory, wall-clock facts applied where they took effect."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bus.memory import MemoryBus
from bus.messages import (
    Candle,
    Decide,
    Decision,
    DecisionTaken,
    DecisionTimedOut,
    MarketEvent,
    Message,
    QuestionKey,
    SessionClosed,
    Signal,
    StopReason,
    StrategyFailed,
    StreamInfo,
)
from services.broker.core import BrokerCore
from services.broker.passage import Passage

Answers = Mapping[QuestionKey, tuple[Signal, ...]]
"""What the strategy answered in the recorded session, by what names the question."""


class Answering(Protocol):
    """The strategy's core, or what knows its answers."""

    @property
    def failures(self) -> Sequence[StrategyFailed]:
        """On which candles and ticks the strategy failed."""

    def handle(self, message: Message, now_ms: int, /) -> list[Message]:
        """Take the stream's head; answer a question."""


class Stage:
    """Plays a stream of events to a broker and a strategy.

    Args:
        broker: a new core without a wall clock.
        strategy: a new core.
        info: the stream's head.
        facts: the recorded session's halts, time-outs, late answers, failures of the strategy and end, in the order of
            happening.
        answers: the recorded answers, to be compared; empty for none.
    """

    def __init__(
        self,
        broker: BrokerCore,
        strategy: Answering,
        info: StreamInfo,
        facts: Iterable[Message] = (),
        answers: Answers | None = None,
    ) -> None:
        self._broker = broker
        self._strategy = strategy
        self._answers = answers or {}
        self._facts = deque(facts)
        self._foretold = {fact.key for fact in self._facts if isinstance(fact, StrategyFailed | DecisionTimedOut)}
        """Of failures on these questions the facts tell: when the broker heard of them, or that it never did."""
        self._unasked = set(self._foretold)
        self._said: list[Message] = []
        self.other_answers: list[int] = []
        """Event times of candles (their open) and ticks on which the strategy did otherwise than in the recorded session."""
        self._asked_ms = 0
        self._bus = MemoryBus()
        self._bus.subscribe(self._ask, [Decide])
        self._bus.subscribe(self._answer, [Decision, StrategyFailed])
        strategy.handle(info, 0)
        self._hear(broker.handle(info, 0))
        for failed in strategy.failures:
            self._unasked.discard(failed.key)
            if failed.key not in self._foretold:
                self._hear(broker.handle(failed, 0))
        self._apply_facts()

    @property
    def failures(self) -> Sequence[StrategyFailed]:
        """On which candles and ticks the strategy failed."""
        return self._strategy.failures

    @property
    def closed(self) -> bool:
        """Whether the session has ended; what is played after that changes nothing."""
        return self._broker.closed is not None

    def play(self, event: MarketEvent) -> None:
        """Work an event off, and everything that follows from it."""
        said = self._broker.handle(event, 0)
        if said:
            self._hear(said)
        if self._facts:
            self._apply_facts()

    def work_unasked(self, candle: Candle) -> None:
        """Work a candle off after which no recorded fact took effect; its question is part of what is passed over next."""
        self._said += self._broker.work_unasked(candle)

    @property
    def compares(self) -> bool:
        """Whether there are recorded answers to compare with."""
        return bool(self._answers)

    def pass_over(self, passage: Passage, questions: int, open_times: Iterable[int] = ()) -> None:
        """Leave a run of events behind that change nothing, and in which no recorded fact took effect but at its end.

        Args:
            passage: what is left of the run.
            questions: how many candles the strategy had nothing to say to.
            open_times: of these candles, when there are recorded answers to compare with.
        """
        self._broker.pass_over(passage, questions)
        self.other_answers += [open_ms for open_ms in open_times if self._answers.get((open_ms, 0))]
        self._apply_facts()

    def answer(self, decision: Decision) -> None:
        """Take a foreseen answer to the last question of what was just passed over."""
        self._asked_ms = decision.open_ms
        self._compare(decision)
        self._said += self._broker.answer(decision)

    def finish(self, reason: StopReason) -> None:
        """End the session after the last event, unless it has ended."""
        self._hear(self._broker.close(reason, 0))

    def take_said(self) -> list[Message]:
        """Return what the broker said since this was last asked, for the journal."""
        said, self._said = self._said, []
        return said

    def _apply_facts(self) -> None:
        """Hand in what happened after the last event, while no question was open."""
        while self._facts and seq_of(self._facts[0]) <= self._broker.last_seq:
            fact = self._facts[0]
            if self._is_early(fact) and seq_of(fact) == self._broker.last_seq:
                return  # its question comes with the next tick
            self._facts.popleft()
            if not (isinstance(fact, SessionClosed) and self.closed):
                self._hear(self._broker.handle(fact, 0))

    def _apply_facts_of_a_wait(self, key: QuestionKey) -> list[Message]:
        """Hand in what happened while this question was open, up to its time-out; return what the broker says.

        A strategy answers in the order in which it is asked: what it had to say late it said before this answer.
        """
        said: list[Message] = []
        while self._facts and seq_of(self._facts[0]) <= self._broker.last_seq:
            fact = self._facts[0]
            if not isinstance(fact, DecisionTaken | DecisionTimedOut | StrategyFailed) or self._is_early(fact):
                break
            said += self._broker.handle(self._facts.popleft(), 0)
            if isinstance(fact, DecisionTimedOut) and fact.key == key:
                break
        return said

    def _is_early(self, fact: Message) -> bool:
        return isinstance(fact, DecisionTimedOut | StrategyFailed) and fact.key in self._unasked

    def _hear(self, said: list[Message]) -> None:
        self._said += said
        self._bus.say(*[message for message in said if isinstance(message, Decide)])

    def _ask(self, message: Message) -> list[Message]:
        assert isinstance(message, Decide)
        self._asked_ms = message.open_ms if message.tick is None else message.tick.ts_ms
        self._unasked.discard(message.key)
        return self._strategy.handle(message, 0)

    def _answer(self, message: Message) -> list[Message]:
        assert isinstance(message, Decision | StrategyFailed)
        said = self._apply_facts_of_a_wait(message.key)
        if isinstance(message, Decision):
            self._compare(message)
            said += self._broker.handle(message, 0)
        elif message.key not in self._foretold:
            said += self._broker.handle(message, 0)
            if self._answers:
                self.other_answers.append(message.open_ms or self._asked_ms)
        self._said += said
        return [question for question in said if isinstance(question, Decide)]

    def _compare(self, decision: Decision) -> None:
        recorded = self._answers.get(decision.key)
        if recorded is not None and recorded != decision.signals:
            self.other_answers.append(self._asked_ms)


def seq_of(fact: Message) -> int:
    """Return the number of the event after which a recorded fact took effect."""
    seq = getattr(fact, "seq", None)
    assert isinstance(seq, int), "facts bear the seq after which they took effect"
    return seq
