"""The broker's core: the decision barrier and liveness around the engine.

The broker is never ahead of the strategy: the tick that closes a candle, and all events behind it, wait in a queue
until the strategy has answered for that candle; for a strategy that decides on ticks, each tick waits for its own
answer. Wall-clock facts (halts, time-outs) are said with the `seq` after
which they took effect; without a wall clock (replay) the core makes none of its own and takes the recorded ones.
"""

from collections import deque
from collections.abc import Mapping
from math import inf
from typing import Any, Final

from msgspec.structs import replace

from bus import messages as m
from bus.messages import Candle, Decide, Message, QuestionKey, Quote, StopReason, Trade
from services.broker.config import BrokerConfig
from services.broker.engine import Engine
from services.broker.errors import ImpossibleError
from services.broker.liveness import Liveness
from services.broker.orders import UsedIds
from services.broker.passage import DeskView, Passage
from services.broker.prices import TwoSided
from services.broker.standing import Standing

_TICKS: Final = (Quote, Trade)
WORDS_A_QUESTION = 2
"""Things said about a question that is answered with nothing: `Decide`, `DecisionTaken`."""


class BrokerCore:
    """Told everything, returns what the broker has to say, in order.

    Attributes:
        dirty: Something was said since `mark_committed` that must be in the journal before it is published.
    """

    def __init__(
        self,
        config: BrokerConfig,
        *,
        wall_clock: bool = True,
        on_ticks: bool = False,
        used_ids: UsedIds | None = None,
        carried: Mapping[str, Any] | None = None,
    ) -> None:
        """Start with a fresh account, or with what an earlier session kept.

        Args:
            config: The settings.
            wall_clock: False in a replay: no timers; `EntriesHalted`, `DecisionTimedOut`, `DecisionTaken(late)` and
                `SessionClosed` come in as they were recorded.
            on_ticks: The strategy decides on ticks, too.
            used_ids: Where used order ids are kept; a set of its own without.
            carried: `carry_over` of the session before.

        Raises:
            CarryOverError: `carried` does not fit this session.
        """
        self._engine = Engine(config, set() if used_ids is None else used_ids)
        if carried is not None:
            self._engine.adopt(carried)
        self._wall_clock = wall_clock
        self._on_ticks = on_ticks
        self._answered_tick = 0
        self._max_failures = config.max_strategy_errors
        self._failures: set[QuestionKey] = set()
        self._live = Liveness(config.monitor_timeout_ms, config.decision_timeout_ms)
        self._queue: deque[m.MarketEvent] = deque()
        self._received_seq = 0
        self._question: Decide | None = None
        self._timed_out: set[QuestionKey] = set()
        self._wants_halt = False
        self._halts_from_seq: float = 0
        self._end_seq: int | None = None
        self._is_clear = False
        self._emitted = 0
        self.dirty = False

    @property
    def last_seq(self) -> int:
        """The last event worked off."""
        return self._engine.desk.seq

    @property
    def received_seq(self) -> int:
        """The last event received: behind `last_seq` are those that wait in the barrier."""
        return max(self._received_seq, self._engine.desk.seq)

    @property
    def waiting(self) -> bool:
        """A question is open."""
        return self._question is not None

    @property
    def closed(self) -> StopReason | None:
        """Why the session ended, None while it goes on. A closed core ignores everything."""
        return self._engine.desk.closed

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take one message and return what the broker has to say.

        Raises:
            ImpossibleError: An event is missing before this one, came before the stream's head, or broke the books.
        """
        if self._is_clear and isinstance(message, _TICKS) and message.seq == self._engine.desk.seq + 1:
            said = self._engine.tick(message)
            return self._note(said) if said else said
        if self._question is not None and isinstance(message, _TICKS) and message.seq == self._received_seq + 1:
            self._received_seq = message.seq
            self._queue.append(message)  # behind the barrier
            return []
        if self.closed is not None:
            return []
        self._live.start(now_ms)
        if isinstance(message, m.StrategyHello):
            return [] if self._question is None else [self._question]
        return self._note(self._take(message, now_ms))

    @property
    def view(self) -> DeskView:
        """What the account waits for, for whoever looks ahead in a replay."""
        return self._engine

    @property
    def standing(self) -> Standing:
        """The account but for the quote."""
        return self._engine.desk.standing

    @property
    def quote(self) -> TwoSided | None:
        """The newest quote, None before the first one."""
        return self._engine.desk.quote

    def work_unasked(self, candle: Candle) -> list[Message]:
        """Work off the next candle of a source of candles, and leave its question to the passage that must follow."""
        assert self._question is None, "the strategy must answer first"
        said = self._engine.work(candle)
        return self._note(said) if said else said

    def pass_over(self, passage: Passage, questions: int) -> None:
        """Stand after a run of events that change nothing, as if each had come and each question got "nothing".

        Args:
            passage: What is left of the run, which begins after the last event worked off; no question is open.
            questions: How many times the strategy would have been asked, about a candle worked off `unasked` before the
                run, too; the caller has what was said then.
        """
        assert self._question is None, "the strategy must answer first"
        assert not self._queue, "what waits must be worked off first"
        self._engine.pass_over(passage)
        if questions:
            self.dirty = True
            self._emitted += WORDS_A_QUESTION * questions

    def answer(self, decision: m.Decision) -> list[Message]:
        """Take the answer to the last question of the passage just left, which `pass_over` did not count."""
        self._emitted += 1
        return self._note(self._decide(decision, late=False))

    def on_timer(self, now_ms: int) -> list[Message]:
        """Do what is due; wants to be called at least every 250 ms, and is harmless when called more often."""
        if self.closed is not None or not self._wall_clock:
            return []
        self._live.turn(now_ms)
        said = self._want_halt(is_gone=True) if self._live.is_monitor_gone(now_ms) else []
        if self._question is None:
            return self._note(said)
        if self._live.is_answer_overdue(now_ms):
            return self._note(said + self._give_up(self._question) + self._work(now_ms))
        is_due = self._live.wants_repeat(now_ms, len(self._question.candles))
        return [*self._note(said), self._question] if is_due else self._note(said)

    def close(self, reason: StopReason, now_ms: int) -> list[Message]:
        """End the session after the last event worked off; what waits in the barrier is not worked off any more."""
        if self.closed is not None:
            return []
        self._live.start(now_ms)
        return self._note(self._close(reason))

    def mark_committed(self) -> None:
        """Take note that everything said so far is in the journal."""
        self.dirty = False

    def status(self) -> m.BrokerStatus:
        """Return the broker's view of itself."""
        engine = self._engine
        return m.BrokerStatus(
            last_seq=engine.desk.seq,
            last_ts_ms=engine.desk.ts_ms,
            price=engine.price,
            candles=engine.candle_count,
            account=engine.account(),
            pending=len(engine.desk.book),
            rejected=engine.desk.rejected_count,
            waiting=self.waiting,
            closed=self.closed,
        )

    def carry_over(self) -> dict[str, Any]:
        """Return what the next session takes over with `on_stop = keep`, as JSON types."""
        return self._engine.carry_over()

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state after `last_seq`, as JSON types. What waits in the barrier is not part of it."""
        return {
            **self._engine.snapshot(),
            "timed_out": sorted(self._timed_out),
            "failures": sorted(self._failures),
            "emitted": self._emitted,
        }

    @classmethod
    def restore(
        cls,
        config: BrokerConfig,
        snapshot: Mapping[str, Any],
        *,
        wall_clock: bool = True,
        on_ticks: bool = False,
        used_ids: UsedIds | None = None,
    ) -> "BrokerCore":
        """Return the core that was snapshot; it wants the events after `last_seq`, and asks its question again."""
        core = cls(config, wall_clock=wall_clock, on_ticks=on_ticks, used_ids=used_ids)
        core._engine.restore(snapshot)
        core._timed_out = {(open_ms, tick_seq) for open_ms, tick_seq in snapshot["timed_out"]}
        core._failures = {(open_ms, tick_seq) for open_ms, tick_seq in snapshot["failures"]}
        core._emitted = snapshot["emitted"]
        core._wants_halt = core._engine.desk.halted
        core._received_seq = core.last_seq
        core._halts_from_seq = inf
        if core.closed is None and core._engine.candles and not core._engine.has_ticks:
            core._question = core._engine.question()
        return core

    def _take(self, message: Message, now_ms: int) -> list[Message]:
        match message:
            case Quote() | Trade() | Candle() | m.Funding():
                return self._receive(message, now_ms)
            case m.Decision():
                return self._hear(message, now_ms)
            case m.StrategyFailed():
                return self._fail(message)
            case m.Heartbeat(service="monitor") if self._wall_clock:
                self._live.beat_ms = now_ms
                return self._want_halt(is_gone=False)
            case m.FeedStatus():
                self._end_seq = message.last_seq if message.state is m.FeedState.ENDED else self._end_seq
                self._halts_from_seq = min(self._halts_from_seq, message.last_seq)
                return self._work(now_ms) + self._apply_halt()
            case m.StreamInfo() if not self._engine.is_open:
                self._engine.open(message)
            case m.EntriesHalted() | m.DecisionTimedOut() | m.DecisionTaken() | m.SessionClosed() if (
                not self._wall_clock
            ):
                return self._relive(message, now_ms)
        return []

    def _receive(self, event: m.MarketEvent, now_ms: int) -> list[Message]:
        if event.seq <= self.received_seq:
            return []
        if event.seq != self.received_seq + 1:
            raise ImpossibleError(f"event {self.received_seq + 1} must come next, was {event.seq}")
        if not self._engine.is_open:
            raise ImpossibleError("the stream's head must come before its first event")
        self._queue.append(event)
        self._received_seq = event.seq
        return self._work(now_ms)

    def _work(self, now_ms: int) -> list[Message]:
        """Work off the queue as far as the barrier lets through."""
        said: list[Message] = []
        engine, desk, queue = self._engine, self._engine.desk, self._queue
        while queue and self._question is None and desk.closed is None:
            if (engine.candles or self._on_ticks) and (question := self._question_before(queue[0])) is not None:
                said += self._ask(question, now_ms)
                continue
            event = queue.popleft()
            if done := engine.work(event):
                said += done
            if desk.closed is not None:
                break
            if isinstance(event, Candle) and not engine.has_ticks:
                said += self._ask(engine.question(), now_ms)
            elif self._wants_halt != desk.halted:
                said += self._apply_halt()
        is_through = self._end_seq is not None and self.last_seq >= self._end_seq
        if is_through and self._question is None and self.closed is None:
            said += self._close(StopReason.END_OF_DATA)
        return said

    def _question_before(self, event: m.MarketEvent) -> Decide | None:
        """Return what the strategy must answer before a tick is worked off, the candles that it closed first."""
        if not isinstance(event, _TICKS) or not self._engine.has_ticks:
            return None
        if self._engine.candles:
            return self._engine.question()
        if self._on_ticks and self._answered_tick != event.seq:
            return self._engine.question_about(event)
        return None

    def _ask(self, question: Decide, now_ms: int) -> list[Message]:
        self._question = question
        self._live.ask(now_ms)
        return [question]

    def _hear(self, decision: m.Decision, now_ms: int) -> list[Message]:
        """Take the answer to the open question, or a late one; any other was taken before and is nothing new."""
        if self._question is not None and decision.key == self._question.key:
            said = self._decide(decision, late=False)
            return said + self._answered(self._question) + self._work(now_ms)
        if decision.key in self._timed_out and self._wall_clock:
            return self._decide(decision, late=True)
        return []

    def _decide(self, answer: m.Decision | m.DecisionTaken, *, late: bool) -> list[Message]:
        self._timed_out.discard(answer.key)
        taken = m.DecisionTaken(self.last_seq, answer.open_ms, answer.signals, late, answer.tick_seq)
        return [taken, *self._engine.take(answer.signals, late=late)]

    def _fail(self, failed: m.StrategyFailed) -> list[Message]:
        """Count a candle or a tick on which the strategy failed, once; more of them than allowed end the session."""
        if failed.key in self._failures:
            return []
        self._failures.add(failed.key)
        said: list[Message] = [replace(failed, seq=self.last_seq)]
        if len(self._failures) > self._max_failures:
            said += self._close(StopReason.INTERNAL_ERROR)
        return said

    def _give_up(self, question: Decide) -> list[Message]:
        self._timed_out.add(question.key)
        return [m.DecisionTimedOut(self.last_seq, *question.key), *self._answered(question)]

    def _answered(self, question: Decide) -> list[Message]:
        """Lift the barrier. A halt put off meanwhile takes effect after the event that waits behind it, if any does."""
        self._question = None
        self._engine.candles.clear()
        if question.tick is not None:
            self._answered_tick = question.tick.seq
        return [] if self._engine.has_ticks else self._apply_halt()

    def _want_halt(self, *, is_gone: bool) -> list[Message]:
        self._wants_halt = is_gone
        return self._apply_halt()

    def _apply_halt(self) -> list[Message]:
        """Say and do a change of the halt; not in the wait, where the question shows an account without it.

        Nor while a restarted broker catches up: among the events may be one whose question was asked, and must be the same.
        """
        desk = self._engine.desk
        is_too_early = self._question is not None or self._engine.candles or self.last_seq < self._halts_from_seq
        if not self._wall_clock or self._wants_halt == desk.halted or is_too_early:
            return []
        desk.halted = self._wants_halt
        detail = "the monitor is gone" if desk.halted else "the monitor is back"
        return [m.EntriesHalted(self.last_seq, desk.halted, detail)]

    def _relive(
        self, fact: m.EntriesHalted | m.DecisionTimedOut | m.DecisionTaken | m.SessionClosed, now_ms: int
    ) -> list[Message]:
        """Apply a recorded wall-clock fact; the replay hands it in after the event it took effect after."""
        match fact:
            case m.EntriesHalted():
                self._engine.desk.halted = fact.halted
                return [fact]
            case m.DecisionTimedOut():
                if self._question is not None and self._question.key == fact.key:
                    return self._give_up(self._question) + self._work(now_ms)
                return []
            case m.DecisionTaken():
                return self._decide(fact, late=True) if fact.late else []
            case m.SessionClosed():
                return self._close(fact.reason)

    def _close(self, reason: StopReason) -> list[Message]:
        self._question = None
        self._queue.clear()
        return self._engine.stop(reason)

    def _note(self, said: list[Message]) -> list[Message]:
        """Count what was said, and see whether the next tick may go straight to the engine."""
        if said:
            self.dirty = True
            self._emitted += len(said)
        self._is_clear = (
            self._engine.is_open
            and self._engine.has_ticks
            and not (self._engine.candles or self._queue)
            and self._question is None
            and self._end_seq is None
            and self.closed is None
            and not self._on_ticks
        )
        return said
