"""Leaps: plays columns of events to the stage, from one event that may matter to the next. Pure.

Every rule of filling stays where it is: what may matter is worked off by the same broker, event by event; what lies
between is passed over. What is said comes out the same, word for word.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

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
        self._asked: Sequence[int] = range(watch.questions) if foresight is None else foresight.places.tolist()
        self._facts = sorted(facts)

    def play(self) -> Iterator[list[Said]]:
        """Play everything; yield what was said, part by part. The session's end is not said here."""
        stage, count = self._stage, self._columns.count
        yield [*stage.take_said()]
        seq = self._work_off(1) if count else 0
        yield [*stage.take_said()]
        while seq < count and not stage.closed:
            until = self._until(seq)
            if until > seq + 1:
                yield self._pass_over(seq, until)
                if stage.closed:
                    break
            seq = self._work_off(until) if until <= count else count
            yield [*stage.take_said()]

    def _until(self, seq: int) -> int:
        """Return the first event behind `seq` that has to be worked off one by one."""
        watch = self._watch
        until = watch.until(seq, self._broker.view)
        place = bisect_left(self._asked, watch.asked_between(seq, seq + 1)[0])
        if place < len(self._asked):
            until = min(until, watch.begin(self._asked[place]))
        while self._facts and self._facts[0] <= seq:
            self._facts.pop(0)
        if self._facts and self._facts[0] < until:
            until = max(watch.before(self._facts[0]), seq) + 1
        return until

    def _pass_over(self, seq: int, until: int) -> list[Said]:
        """Pass over the events behind `seq` and before `until`; return what was said meanwhile."""
        watch, view = self._watch, self._broker.view
        begin, end = watch.asked_between(seq, until)
        said: list[Said] = [Quiet(watch, begin, end, view.standing, view.quote)] if end > begin else []
        open_times = [watch.candles(place)[-1].open_ms for place in range(begin, end)] if self._stage.compares else []
        self._stage.pass_over(watch.passage(seq, until), end - begin, open_times)
        return [*said, *self._stage.take_said()]

    def _work_off(self, seq: int) -> int:
        """Work off event `seq`, and what follows until no candle waits for its question; return the last one."""
        self._stage.play(self._columns.event(seq))
        while seq < self._columns.count and not self._watch.is_whole(seq):
            seq += 1
            self._stage.play(self._columns.event(seq))
        return seq
