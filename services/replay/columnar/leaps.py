"""Leaps: plays columns of events to the stage, from one event that may matter to the next. Pure.

Every rule of filling stays where it is: what may matter is worked off by the same broker, event by event; what lies
between is passed over. What is said comes out the same, word for word.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from bus.messages import Candle
from services.broker.core import BrokerCore
from services.replay.columnar.columns import Columns
from services.replay.columnar.foresight import Foresight
from services.replay.columnar.quiet import Quiet, Said
from services.replay.columnar.watch import Watch
from services.replay.stage import Stage


class Leaps:
    """Plays a stream.

    Args:
        stage: with a broker that has seen no event yet.
        broker: the stage's.
        columns: the stream.
        watch: over the same columns.
        foresight: the strategy's answers, None when it has to be asked about every candle.
        facts: the numbers of the events after which the recorded session's wall-clock facts took effect.
    """

    def __init__(
        self,
        stage: Stage,
        broker: BrokerCore,
        columns: Columns,
        watch: Watch,
        foresight: Foresight | None,
        facts: Sequence[int] = (),
    ) -> None:
        self._stage, self._broker = stage, broker
        self._columns, self._watch = columns, watch
        self._foresight = foresight
        self._signals: Sequence[int] = range(watch.questions) if foresight is None else foresight.places.tolist()
        self._next_signal = 0
        self._facts = deque(sorted(facts))
        self._is_unasked = False
        """The last event was a candle about which the strategy has yet to be asked; what it will say is known."""

    def play(self) -> Iterator[list[Said]]:
        """Play everything; yield what was said, part by part. The session's end is not said here."""
        stage, count = self._stage, self._columns.count
        yield [*stage.take_said()]
        seq = 0
        while not stage.closed and (seq < count or self._is_unasked):
            question = self._first_question(seq)
            asked = self._next_asked(question)
            if self._is_unasked and asked == question:
                yield self._answer(seq, question, asked)
                continue
            until, is_answered = self._until(seq, asked)
            if is_answered:
                assert asked is not None, "there is a question to be answered"
                yield self._answer(seq, question, asked)
                seq = self._watch.asked_after(asked)
                continue
            if until > seq + 1 or self._is_unasked:
                yield self._pass_over(seq, until, question)
            if not stage.closed:
                seq = self._work_off(until) if until <= count else count
                yield [*stage.take_said()]

    def _first_question(self, seq: int) -> int:
        """Return the first question that has not been asked after event `seq`."""
        return self._watch.questions_until(seq) - self._is_unasked

    def _next_asked(self, question: int) -> int | None:
        """Return the first question from `question` on that gets a signal, or whose answer is not known; None without one."""
        while self._next_signal < len(self._signals) and self._signals[self._next_signal] < question:
            self._next_signal += 1
        return self._signals[self._next_signal] if self._next_signal < len(self._signals) else None

    def _until(self, seq: int, asked: int | None) -> tuple[int, bool]:
        """Return the first event behind `seq` to be worked off one by one, and whether `asked` can be answered before."""
        if not seq:
            return 1, False  # the first event is always looked at
        watch, facts = self._watch, self._facts
        until = watch.until(seq, self._broker.view)
        while facts and facts[0] <= seq:
            facts.popleft()
        if facts and facts[0] < until:
            until = max(watch.before(facts[0]), seq) + 1
        if asked is None or watch.begin(asked) >= until:
            return until, False
        # A fact that takes effect with the question's own event comes after the answer.
        if self._foresight is None or (facts and facts[0] <= watch.asked_after(asked)):
            return watch.begin(asked), False
        return until, True

    def _answer(self, seq: int, question: int, asked: int) -> list[Said]:
        """Pass over the events behind `seq` up to `asked`, and give the broker its answer; return what was said."""
        assert self._foresight is not None, "somebody knows the answer"
        watch, broker = self._watch, self._broker
        quiet = Quiet(watch, question, asked + 1, broker.standing, broker.quote, is_answered=True)
        passage = watch.passage(seq, watch.asked_after(asked) + 1)
        self._stage.pass_over(passage, asked - question, self._opens(question, asked))
        self._stage.answer(self._foresight.answer(watch.open_ms(asked)))
        self._is_unasked = False
        return [quiet, *self._stage.take_said()]

    def _pass_over(self, seq: int, until: int, question: int) -> list[Said]:
        """Pass over the events behind `seq` and before `until`; return what was said meanwhile."""
        watch, broker = self._watch, self._broker
        end = watch.questions_until(until - 1)
        said: list[Said] = [Quiet(watch, question, end, broker.standing, broker.quote)] if end > question else []
        self._stage.pass_over(watch.passage(seq, until), end - question, self._opens(question, end))
        self._is_unasked = False
        return [*said, *self._stage.take_said()]

    def _opens(self, begin: int, end: int) -> list[int]:
        """Return when the candles asked about opened, where there are answers to compare with."""
        return [self._watch.open_ms(place) for place in range(begin, end)] if self._stage.compares else []

    def _work_off(self, seq: int) -> int:
        """Work off event `seq`, and what follows until no candle waits for its question; return the last one."""
        event = self._watch.event(seq)
        is_plain = self._foresight is not None and not (self._facts and self._facts[0] <= seq)
        if is_plain and isinstance(event, Candle) and not self._columns.info.has_ticks:
            self._stage.work_unasked(event)
            self._is_unasked = not self._stage.closed
            return seq
        self._stage.play(event)
        while seq < self._columns.count and not self._watch.is_whole(seq):
            seq += 1
            self._stage.play(self._watch.event(seq))
        return seq
