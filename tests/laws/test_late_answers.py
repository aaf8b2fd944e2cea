"""A law of the replay: whatever was late, lost or failed in a live session, its replay says the same in the same order."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count

from builders import T0, config, signal, stream
from drawn_markets import MARKETS, Market
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import (
    Decide,
    Decision,
    DecisionTaken,
    DecisionTimedOut,
    EntriesHalted,
    Heartbeat,
    Message,
    QuestionKey,
    SessionClosed,
    Side,
    Signal,
    StopReason,
    StrategyFailed,
)
from services.broker.core import BrokerCore
from services.draws import fraction, number
from services.replay.stage import Stage

IMPATIENT = {"decision_timeout_sec": 1.0, "heartbeat_timeout_sec": 1.0}
DELAYS_MS = (0, 0, 0, 300, 900, 1_100, 1_600, 2_500, 4_000)
STEPS_MS = (10, 300, 700, 1_000)


class Answers:
    """A strategy of which each answer is known beforehand; now and then it fails."""

    def __init__(self, market: Market, failing: int, foretold: Iterable[StrategyFailed] = ()) -> None:
        self._market = market
        self._failing = failing
        self._foretold = {fact.key: fact for fact in foretold}
        self.failures: list[StrategyFailed] = []

    def handle(self, message: Message, now_ms: int, /) -> list[Message]:
        """Answer a question, and before that say that the answer failed."""
        if not isinstance(message, Decide):
            return []
        decision = Decision(message.open_ms, self._signals(message), message.key[1])
        if (message.seq + self._failing) % 5:
            return [decision]
        failed = StrategyFailed(0, *message.key, is_poison=False, detail="raised")
        return [self._foretold.get(message.key, failed), decision]

    def _signals(self, question: Decide) -> tuple[Signal, ...]:
        tick = question.tick
        if tick is None:
            return self._market.answers.get(question.open_ms, ())
        side = Side.LONG if tick.seq % 2 else Side.SHORT
        return (signal(side, tick.ts_ms - T0),) if tick.seq % 3 == 0 else ()


class Chance:
    """Draws, each a function of the seed and of how many came before."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = count()

    def is_so(self, part: float) -> bool:
        return fraction(self._seed, "chance", next(self._drawn)) < part

    def one_of(self, choices: Sequence[int]) -> int:
        return choices[number(self._seed, "chance", next(self._drawn)) % len(choices)]


class Live:
    """A session in which answers take their time, some never come, and the monitor is silent now and then.

    Attributes:
        said: What the broker said, each question once.
    """

    def __init__(self, core: BrokerCore, strategy: Answers, chance: Chance) -> None:
        self._core = core
        self._strategy = strategy
        self._chance = chance
        self._now_ms = 0
        self._answers: deque[tuple[int, list[Message]]] = deque()
        self._asked: set[QuestionKey] = set()
        self.said: list[Message] = []

    def run(self, market: Market) -> None:
        events = deque(market.events)
        while (events or self._core.waiting) and self._core.closed is None:
            if events and self._chance.is_so(0.6):
                self._hear(self._core.handle(events.popleft(), self._now_ms))
                continue
            self._now_ms += self._chance.one_of(STEPS_MS)
            if self._now_ms // 9_000 % 3:
                self._hear(self._core.handle(Heartbeat("monitor", 1, self._now_ms, True), self._now_ms))
            self._take_answers()
            self._hear(self._core.on_timer(self._now_ms))
        self._hear(self._core.close(StopReason.DURATION, self._now_ms))

    def _take_answers(self) -> None:
        """Hand in what is ready: a strategy answers in the order in which it is asked."""
        while self._answers and self._answers[0][0] <= self._now_ms:
            for message in self._answers.popleft()[1]:
                self._hear(self._core.handle(message, self._now_ms))

    def _hear(self, said: list[Message]) -> None:
        for message in said:
            if not isinstance(message, Decide):
                self.said.append(message)
            elif message.key not in self._asked:
                self._asked.add(message.key)
                if self._chance.is_so(0.9):  # else the strategy died of it
                    ready_ms = self._now_ms + self._chance.one_of(DELAYS_MS)
                    self._answers.append((ready_ms, self._strategy.handle(message, 0)))


def play_live(market: Market, seed: int, *, on_ticks: bool) -> list[Message]:
    core = BrokerCore(config(**{**market.changes, **IMPATIENT}), on_ticks=on_ticks)
    core.handle(stream(market.mode), 0)
    live = Live(core, Answers(market, seed), Chance(seed))
    live.run(market)
    return live.said


def play_again(market: Market, seed: int, said: list[Message], *, on_ticks: bool) -> list[Message]:
    """Replay a session by what its journal tells of it, and find that the strategy answers as it did."""
    answers = {one.key: one.signals for one in said if isinstance(one, DecisionTaken)}
    facts = [one for one in said if is_fact(one)]
    core = BrokerCore(config(**{**market.changes, **IMPATIENT}), wall_clock=False, on_ticks=on_ticks)
    strategy = Answers(market, seed, [one for one in facts if isinstance(one, StrategyFailed)])
    stage = Stage(core, strategy, stream(market.mode), facts, answers)
    for event in market.events:
        stage.play(event)
    stage.finish(StopReason.INTERNAL_ERROR)
    assert stage.other_answers == []
    return [one for one in stage.take_said() if not isinstance(one, Decide)]


def is_fact(message: Message) -> bool:
    is_late = isinstance(message, DecisionTaken) and message.late
    return is_late or isinstance(message, DecisionTimedOut | EntriesHalted | SessionClosed | StrategyFailed)


@settings(max_examples=150, deadline=None)
@given(MARKETS, st.integers(0, 10**6), st.booleans())
def test_what_was_late_lost_or_failed_comes_out_the_same(market: Market, seed: int, ticks: bool) -> None:
    on_ticks = ticks and market.mode == "tick"
    said = play_live(market, seed, on_ticks=on_ticks)
    assert play_again(market, seed, said, on_ticks=on_ticks) == said
