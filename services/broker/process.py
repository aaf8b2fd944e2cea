"""The broker's composition root: the feed's events in order, the core, the journal, and what is said to whom.

Commit before you speak: whatever the core says is in the journal, with the state after it, before anybody hears it.
"""

from collections.abc import Sequence

from bus import messages as m
from bus.clone import StreamReader
from bus.codec import decode_body, encode_body
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.errors import CarryOverError, JournalError
from services.broker.finishing import open_core, read_carried
from services.broker.journal_sqlite import Journal
from services.clock import monotonic_ms, wall_ms
from services.file_names import JOURNAL
from services.runner import ConfigError, Runner
from services.session.state import Session

RECALL_PAGE = 200
"""Earlier questions in one page for a strategy that starts again."""
RECALL_CANDLES = 5_000
"""Candles in one page, unless a single question has more."""
ASK_EVERY_MS = 250
COMMIT_EVERY_MS = 1_000
STATUS_EVERY_MS = 1_000
BACKLOG_LIMIT = 50_000
"""Events that may wait in the barrier, and as many before it; what comes on top is fetched again later."""


class BrokerShell:
    """Joins the core to the bus and the journal."""

    def __init__(self, runner: Runner, session: Session, journal: Journal, core: BrokerCore) -> None:
        self._runner = runner
        self._journal = journal
        self._core = core
        self._reader = StreamReader(core.last_seq)
        self._arrived: list[m.MarketEvent] = []
        self._said: list[m.Message] = []
        self._strategy: bytes | None = None
        self._asked_at_ms: int | None = None
        self._next_commit_ms = self._next_status_ms = 0
        self._committed_seq = core.last_seq
        self._feed = runner.bus.client(session.ports["feed_rpc"])
        self._server = runner.bus.server(session.ports["broker_rpc"])
        self._informed = self._inform(journal.meta("stream"))
        runner.subscribe("feed", [m.Burst, m.FeedStatus], self._hear_feed)
        runner.subscribe("monitor", [m.Heartbeat], self._take)
        runner.listen(self._feed, self._hear_feed)
        runner.listen(runner.bus.connections(self._feed), self._reached_feed)
        runner.listen(self._server, self._hear_strategy)

    def on_turn(self, now_ms: int) -> int:
        """Work off what has arrived, commit, speak; then ask for what is missing."""
        self._work_off()
        self._said += self._core.on_timer(now_ms)
        self._speak(now_ms)
        self._ask(now_ms)
        if now_ms >= self._next_status_ms:
            self._next_status_ms = now_ms + STATUS_EVERY_MS
            self._runner.publisher.send(self._core.status())
        self._journal.checkpoint(is_quiet=not (self._arrived or self._core.waiting))
        return ASK_EVERY_MS

    def close(self, shutdown: m.Shutdown) -> bool:
        """Close the position, commit, say the last word."""
        now_ms = monotonic_ms()
        self._said += self._core.close(shutdown.reason, now_ms)
        self._speak(now_ms)
        self._runner.publisher.send(self._core.status())
        self._journal.close()
        return True

    def _hear_feed(self, message: m.Message) -> None:
        match message:
            case m.Burst():
                self._arrived += message.events
            case m.EventsPage():
                self._asked_at_ms = None
                self._reader.heard_of(message.last_seq)
                self._arrived.extend(message.events)
            case m.FeedStatus():
                self._reader.heard_of(message.last_seq)
                self._take(message)
            case m.StreamInfo() if not self._informed:
                body = encode_body(message)
                self._journal.set_meta("stream", body.decode())
                self._informed = self._inform(body.decode())

    def _inform(self, body: str | None) -> bool:
        if body is not None:
            self._take(decode_body("info", body.encode()))
            self._runner.ready = True
        return body is not None

    def _reached_feed(self, _: object) -> None:
        """A feed that has just started may know more than it could say: ask at once."""
        self._asked_at_ms = None

    def _hear_strategy(self, request: tuple[bytes, m.Message]) -> None:
        peer, message = request
        match message:
            case m.StrategyHello():
                self._recall(peer, message)
            case m.Decision() | m.StrategyFailed() if peer == self._strategy:
                self._take(message)

    def _recall(self, peer: bytes, hello: m.StrategyHello) -> None:
        """Tell a strategy that starts what it was asked before; then it may be asked again."""
        found = self._journal.questions_after(hello.after_seq, RECALL_PAGE + 1)
        page = _page_of(found)
        more = len(found) > len(page)
        self._server.send(peer, m.Recall(page, more))
        if not more:
            self._strategy = peer
            self._take(hello)

    def _take(self, message: m.Message) -> None:
        self._said += self._core.handle(message, monotonic_ms())

    def _work_off(self) -> None:
        if not self._informed or self._is_full:
            self._forget_backlog()
            return
        arrived, self._arrived = self._arrived, []
        now_ms, handle = monotonic_ms(), self._core.handle
        for event in self._reader.offer(arrived):
            said = handle(event, now_ms)
            if said:
                self._said += said

    @property
    def _is_full(self) -> bool:
        return self._core.received_seq - self._core.last_seq > BACKLOG_LIMIT

    def _forget_backlog(self) -> None:
        if len(self._arrived) > BACKLOG_LIMIT:
            self._reader.heard_of(self._arrived[-1].seq)
            self._arrived.clear()

    def _ask(self, now_ms: int) -> None:
        """Ask for the stream's head, then for events that were missed, one page at a time."""
        if self._asked_at_ms is not None and now_ms - self._asked_at_ms < ASK_EVERY_MS:
            return
        if not self._informed:
            self._feed.send(m.InfoRequest())
        elif self._reader.missing and not self._is_full:
            self._feed.send(m.EventsRequest(self._reader.last_seq))
        else:
            return
        self._asked_at_ms = now_ms

    def _speak(self, now_ms: int) -> None:
        """Commit what was said, then say it.

        A question alone goes out first: it says nothing that its events do not say again, the answer to it is taken
        when it has been committed, and the strategy thinks meanwhile. Not in a halt: the monitor's next beat could end
        it before a broker that dies now has asked again.
        """
        said, self._said = self._said, []
        is_question_alone = len(said) == 1 and isinstance(said[0], m.Decide) and not self._core.standing.halted
        if is_question_alone:
            self._say(said[0])
        is_due = now_ms >= self._next_commit_ms and self._core.last_seq > self._committed_seq
        if self._core.dirty or is_due:
            self._journal.record(said, self._core.snapshot())
            self._core.mark_committed()
            self._committed_seq = self._core.last_seq
            self._next_commit_ms = now_ms + COMMIT_EVERY_MS
        if not is_question_alone:
            for message in said:
                self._say(message)

    def _say(self, message: m.Message) -> None:
        match message:
            case m.Decide():
                if self._strategy is not None:
                    self._server.send(self._strategy, message)
                return
            case m.DecisionTaken(late=False):
                return
            case m.DecisionTaken():
                text = f"the answer for {_asked_about(message.key)} came late"
                self._incident(m.Level.WARNING, "decision_late", text)
            case m.DecisionTimedOut():
                self._incident(m.Level.ERROR, "decision_timed_out", f"no answer for {_asked_about(message.key)}")
            case m.StrategyFailed():
                event = "candle_poisoned" if message.is_poison else "strategy_failed"
                text = f"the strategy failed on {_asked_about(message.key)}, answered with nothing: {message.detail}"
                self._incident(m.Level.ERROR, event, text)
                return
            case m.BreakerTripped():
                self._incident(m.Level.CRITICAL, "breaker_tripped", message.detail)
            case m.EntriesHalted():
                level = m.Level.CRITICAL if message.halted else m.Level.WARNING
                self._incident(level, "entries_halted", message.detail)
        self._runner.publisher.send(message)
        if isinstance(message, m.Fill | m.SessionClosed):
            self._runner.publisher.send(self._core.status())

    def _incident(self, level: m.Level, event: str, text: str) -> None:
        self._journal.add_incident(wall_ms(), "broker", event, text)
        self._runner.notice(level, event, text, incident=True)


def _asked_about(key: m.QuestionKey) -> str:
    open_ms, tick_seq = key
    return f"the tick {tick_seq}" if tick_seq else f"the candle at {open_ms}"


def _page_of(questions: Sequence[m.Decide]) -> tuple[m.Decide, ...]:
    """Return as many of the first questions as fit into a page, at least one."""
    count = candles = 0
    for question in questions[:RECALL_PAGE]:
        candles += len(question.candles)
        if count and candles > RECALL_CANDLES:
            break
        count += 1
    return tuple(questions[:count])


def compose(runner: Runner, session: Session) -> BrokerShell:
    """Build the broker from its journal, or from what the session before kept.

    Raises:
        ConfigError: the journal can not be used, or what was kept does not fit.
    """
    config = BrokerConfig.from_settings(session.settings)
    try:
        journal = Journal(session.run_dir / JOURNAL)
        journal.set_meta("run_id", session.run_id)
        core = open_core(config, journal, read_carried(session.state_dir), on_ticks=session.on_ticks)
    except (JournalError, CarryOverError) as error:
        raise ConfigError(str(error)) from None
    return BrokerShell(runner, session, journal, core)
