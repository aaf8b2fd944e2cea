"""The strategy's side of the decision barrier, pure: questions in, answers out, the same answer to the same question.

It learns candles from the questions alone, so that it and the broker can not disagree about what had happened.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Final, Protocol, TypeVar

from bus.messages import (
    Account,
    Candle,
    Decide,
    Decision,
    Message,
    QuestionKey,
    Recall,
    Signal,
    StrategyFailed,
    StrategyStatus,
    StreamInfo,
    Tick,
)
from services.draws import fraction
from services.strategy.config import StrategyConfig
from services.strategy.guard import decide
from services.strategy.history import HISTORY_CANDLES, History
from services.strategy.interface import Answer, Context, Strategy

E = TypeVar("E")
POISONED: Final = "the process hung or died in it twice"


class Attempts(Protocol):
    """Remembers, beyond the death of the process, in which candle or tick it was."""

    def begin(self, key: QuestionKey) -> bool:
        """Take note that the strategy is about to be called; false when it must not be: two died of it."""

    def end(self) -> None:
        """Take note that the call came back."""


class NoAttempts:
    """For a replay: nobody watches, and nobody starts it again."""

    def begin(self, key: QuestionKey) -> bool:
        """Let it be called."""
        return True

    def end(self) -> None:
        """Forget it."""


class StrategyCore:
    """Answers `Decide` with `Decision`.

    Args:
        config: the room's settings.
        strategy: a new strategy that has seen nothing.
        attempts: counts deaths of the process within a call.
        foretold: failures of a recorded session; they are taken as they were.
    """

    def __init__(
        self,
        config: StrategyConfig,
        strategy: Strategy,
        attempts: Attempts | None = None,
        foretold: Iterable[StrategyFailed] = (),
    ) -> None:
        self._name = config.name
        self._seed = config.seed
        self._known = config.known
        self._strategy = strategy
        self._attempts = attempts or NoAttempts()
        self._foretold: Mapping[QuestionKey, StrategyFailed] = {failed.key: failed for failed in foretold}
        self._history = History(max(HISTORY_CANDLES, strategy.warmup))
        self._seen_open_ms = -1
        self._seen_seq = 0
        self._missing = strategy.warmup
        self._answer: list[Message] = []
        self._answered: QuestionKey | None = None
        self.failures: list[StrategyFailed] = []
        """On which candles and ticks the strategy failed, in silence too, in their order."""

    @property
    def seen_seq(self) -> int:
        """Number of the newest event it was asked about; 0 before the first."""
        return self._seen_seq

    def status(self) -> StrategyStatus:
        """Return how far it is from being warm."""
        return StrategyStatus(self._missing, self._known.interval_ms, self._seen_open_ms)

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take the history, a candle that a question to come holds, earlier questions (answered again in silence), a question."""
        match message:
            case StreamInfo():
                self._known = replace(self._known, interval_ms=message.interval_ms, tick_size=message.tick_size)
                for candle in message.history:
                    self._tell(candle)
            case Candle():
                self._tell(message)
            case Recall():
                for question in message.questions:
                    if question.seq > self._seen_seq:  # told twice, it must not forget the last answer
                        self._decide(question)
            case Decide():
                return self._decide(message)
        return []

    def _decide(self, question: Decide) -> list[Message]:
        """Return the answer, and before it what failed on the way; asked again, the same."""
        if self._answered == question.key:
            return self._answer
        known = len(self.failures)
        for candle in question.candles[:-1]:
            self._tell(candle)
        signals = self._signals(question)
        self._seen_seq = max(self._seen_seq, question.seq)
        self._answered = question.key
        self._answer = [*self.failures[known:], Decision(question.open_ms, signals, question.key[1])]
        return self._answer

    def _signals(self, question: Decide) -> tuple[Signal, ...]:
        if question.tick is not None:
            return self._on_tick(question.tick, question.account) if question.seq > self._seen_seq else ()
        last = question.candles[-1]
        if last.open_ms <= self._seen_open_ms:
            return ()
        return self._on_candle(last, question.account)

    def _tell(self, candle: Candle) -> None:
        """Tell a candle as history; its signals go nowhere."""
        if candle.open_ms > self._seen_open_ms:
            self._on_candle(candle, None)

    def _on_candle(self, candle: Candle, account: Account | None) -> tuple[Signal, ...]:
        self._seen_open_ms = candle.open_ms
        self._missing = max(0, self._missing - 1)
        self._history.append(candle)
        context = self._context(candle.close_ms, 0, account)
        return self._call((candle.open_ms, 0), self._strategy.on_candle, context, copy(candle))

    def _on_tick(self, tick: Tick, account: Account) -> tuple[Signal, ...]:
        context = self._context(tick.ts_ms, tick.seq, account)
        return self._call((0, tick.seq), self._strategy.on_tick, context, copy(tick))

    def _context(self, ts_ms: int, tick_seq: int, account: Account | None) -> Context:
        """Return what it may know. It gets copies: what it forces upon what it is given, nobody else sees."""
        decision = f"{self._name}-{self._known.symbol}-{ts_ms}-{tick_seq}"
        return Context(ts_ms, copy(account), self._known, self._history, partial(fraction, self._seed, decision))

    def _call(
        self, key: QuestionKey, method: Callable[[Context, E], Answer], context: Context, event: E
    ) -> tuple[Signal, ...]:
        """Call the strategy, unless it must not be; a call that failed, or failed when it was recorded, gives nothing."""
        foretold = self._foretold.get(key)
        if foretold is not None and foretold.is_poison:
            self.failures.append(foretold)
            return ()
        if not self._attempts.begin(key):
            self.failures.append(StrategyFailed(0, *key, is_poison=True, detail=POISONED))
            return ()
        outcome = decide(method, context, event)
        self._attempts.end()
        if foretold is not None:
            self.failures.append(foretold)
            return ()
        if outcome.fault is not None:
            fault = outcome.fault
            self.failures.append(StrategyFailed(0, *key, is_poison=False, detail=fault.detail, trace=fault.trace))
        return outcome.result or ()
