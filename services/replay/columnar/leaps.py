"""Leaps: plays columns of events to the stage, from one event that may matter to the next. Pure.

Every rule of filling stays where it is: what may matter is worked off by the same broker, event by event; what lies
between is passed over. What is said comes out the same, word for word.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence

from services.broker.core import BrokerCore
from services.broker.passage import DeskView
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
        self._asked: Sequence[int] = range(watch.questions) if foresight is None else foresight.places.tolist()
        self._facts = deque(sorted(facts))
        self._foresight = foresight

    def play(self) -> Iterator[list[Said]]:
        """Play everything; yield what was said, part by part. The session's end is not said here."""
        stage, count = self._stage, self._columns.count
        yield [*stage.take_said()]
        seq = self._work_off(1) if count else 0
        yield [*stage.take_said()]
        while seq < count and not stage.closed:
            view = self._broker.view
            until, asked = self._until(seq, view)
            if asked is not None:
                yield self._answer(seq, asked, view)
                seq = self._watch.asked_after(asked)
                continue
            if until > seq + 1:
                yield self._pass_over(seq, until, view)
            if not stage.closed:
                seq = self._work_off(until) if until <= count else count
                yield [*stage.take_said()]

    def _until(self, seq: int, view: DeskView) -> tuple[int, int | None]:
        """Return the first event behind `seq` to be worked off one by one, and the question that can be answered before."""
        watch, facts = self._watch, self._facts
        until = watch.until(seq, view)
        while facts and facts[0] <= seq:
            facts.popleft()
        if facts and facts[0] < until:
            until = max(watch.before(facts[0]), seq) + 1
        place = bisect_left(self._asked, watch.asked_between(seq, until)[0])
        if place == len(self._asked) or watch.begin(self._asked[place]) >= until:
            return until, None
        asked = self._asked[place]
        # A fact that takes effect with the question's own event comes after the answer.
        if self._foresight is None or (facts and facts[0] <= watch.asked_after(asked)):
            return watch.begin(asked), None
        return until, asked

    def _answer(self, seq: int, asked: int, view: DeskView) -> list[Said]:
        """Pass over the events behind `seq` up to a question, and give the broker its answer; return what was said."""
        assert self._foresight is not None, "somebody knows the answer"
        watch = self._watch
        begin, _ = watch.asked_between(seq, seq + 1)
        passage = watch.passage(seq, watch.asked_after(asked) + 1)
        self._stage.pass_over(passage, asked - begin, self._opens(begin, asked))
        self._stage.answer(self._foresight.answer(watch.open_ms(asked)))
        return [Quiet(watch, begin, asked + 1, view.standing, view.quote, is_answered=True), *self._stage.take_said()]

    def _pass_over(self, seq: int, until: int, view: DeskView) -> list[Said]:
        """Pass over the events behind `seq` and before `until`; return what was said meanwhile."""
        watch = self._watch
        begin, end = watch.asked_between(seq, until)
        said: list[Said] = [Quiet(watch, begin, end, view.standing, view.quote)] if end > begin else []
        self._stage.pass_over(watch.passage(seq, until), end - begin, self._opens(begin, end))
        return [*said, *self._stage.take_said()]

    def _opens(self, begin: int, end: int) -> list[int]:
        """Return when the candles asked about opened, where there are answers to compare with."""
        return [self._watch.open_ms(place) for place in range(begin, end)] if self._stage.compares else []

    def _work_off(self, seq: int) -> int:
        """Work off event `seq`, and what follows until no candle waits for its question; return the last one."""
        self._stage.play(self._columns.event(seq))
        while seq < self._columns.count and not self._watch.is_whole(seq):
            seq += 1
            self._stage.play(self._columns.event(seq))
        return seq
