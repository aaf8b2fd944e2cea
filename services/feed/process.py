"""The feed service, composed: a source, the core, the recording, the publisher, and the answers to the Clone pattern.

A turn takes what the source says, lets the core make events of it, writes them to the recording, then publishes them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from bus.messages import (
    Burst,
    Candle,
    EventsPage,
    EventsRequest,
    FeedState,
    FeedStatus,
    InfoRequest,
    Level,
    MarketEvent,
    Message,
    Shutdown,
    StopReason,
)
from bus.sockets import PortTakenError
from services.clock import boot_ms, monotonic_ms
from services.feed.age import DataAge
from services.feed.config import FeedConfig
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Refusal, Remark, Said, SourceState
from services.feed.gaps import words
from services.feed.recording_file import NAME, Recording
from services.feed.recording_lines import RecordingError
from services.feed.refusals import RefusalReport
from services.feed.source import Now, Resume, Source, SourceError
from services.runner import ConfigError, Runner
from services.session.state import Session, stop_session

PAGE: Final = 2_000
STATUS_MS: Final = 1_000
BURST: Final = 50
"""Events in a frame at most: what came together travels together, and a queue of frames stays bounded."""
MOST_ASKING: Final = 100
"""Peers that may wait for the stream's head; the oldest is forgotten past that, and asks again."""


class Mouth(Protocol):
    """What the feed says to the world: the runner, as far as it needs one."""

    ready: bool

    def publish(self, message: Message) -> None:
        """Publish a message."""

    def answer(self, peer: bytes, message: Message) -> None:
        """Answer a request."""

    def tell(self, level: Level, event: str, text: str, *, incident: bool = False) -> None:
        """Tell people."""

    def end_session(self, why: str) -> None:
        """End the session in order; it can not go on."""


class FeedShell:
    """The feed's turns.

    Args:
        mouth: where everything goes.
        recording: this run's.
        source: already opened.
        rules: the settings that shape the stream.
        boot_clock: ms of the clock that goes on in a suspend.
    """

    def __init__(
        self,
        mouth: Mouth,
        recording: Recording,
        source: Source,
        rules: FeedRules,
        boot_clock: Callable[[], int] = boot_ms,
    ) -> None:
        self._mouth = mouth
        self._recording = recording
        self._source = source
        self._rules = rules
        self._boot_clock = boot_clock
        self._core: FeedCore | None = None
        self._skip_seq = 0
        self._asking: dict[bytes, None] = {}
        self._age = DataAge()
        self._report = RefusalReport()
        self._state = FeedState.CONNECTING
        self._detail = ""
        self._reconnects = -1
        self._status_due_ms = 0
        self._refused_early: Counter[str] = Counter()

    def on_turn(self, now_ms: int) -> int:
        """Do what is due; return how many ms may pass until the next turn."""
        now = Now(now_ms, self._boot_clock())
        self._age.pass_to(now_ms, connected=self._state is FeedState.CONNECTED)
        said = self._poll(now)
        if self._core is None and self._source.info is not None:
            self._open_stream(now)
        events = self._work(said)
        if events:
            self._recording.append(events)
            if self._recording.is_short_of_room:
                self._mouth.end_session("the disk of the recording is almost full")
            for begin in range(0, len(events), BURST):
                self._mouth.publish(Burst(tuple(events[begin : begin + BURST])))
            for event in events:
                if isinstance(event, Candle):
                    self._source.published(event, now)
        if self._core is not None:
            self._tell_of_gaps(self._core, events)
            self._mouth.ready = self._core.last_seq >= self._skip_seq
        if (refused := self._report.due(self._refused, now_ms)) is not None:
            self._mouth.tell(Level.WARNING, "data_refused", refused)
        if now_ms >= self._status_due_ms:
            self._send_status(now_ms)
        return max(0, min(self._source.wait_ms(now), self._status_due_ms - now_ms))

    def hear(self, arrived: tuple[bytes, Message]) -> None:
        """Answer a request for the stream's head, or for events."""
        peer, message = arrived
        match message:
            case InfoRequest():
                if self._recording.info is not None:
                    self._mouth.answer(peer, self._recording.info)
                else:
                    self._asking[peer] = None
                    if len(self._asking) > MOST_ASKING:
                        del self._asking[next(iter(self._asking))]
            case EventsRequest(after_seq):
                events = self._recording.events_after(after_seq, PAGE)
                self._mouth.answer(peer, EventsPage(after_seq, self._recording.last_seq, events))
            case _:
                pass  # not for us; the sender's mistake

    def close(self, shutdown: Shutdown) -> bool:
        """End: hang up, close the recording. Everything published is in it already."""
        self._source.close()
        self._tell_of_refusals()
        self._detail = f"stopped: {shutdown.reason.value}"
        self._send_status(monotonic_ms(), last=True)
        self._recording.close()
        return True

    def _poll(self, now: Now) -> Sequence[Said]:
        try:
            return self._source.poll(now)
        except SourceError as error:
            raise ConfigError(str(error)) from None

    def _open_stream(self, now: Now) -> None:
        info = self._source.info
        assert info is not None, "the caller has looked"
        core = FeedCore(info, self._rules, self._source.source_interval_ms)
        if self._recording.info is None:
            self._recording.begin(info)
        elif self._source.regenerates:
            self._skip_seq = self._recording.last_seq
        else:
            totals = self._recording.totals()
            tail = list(self._recording.tail())
            core.restore(tail, ticks=totals.ticks, candles=totals.candles)
            for event in tail:
                if isinstance(event, Candle):
                    self._source.published(event, now)
        for name, count in self._refused_early.items():
            core.refuse(name, count)
        self._core = core
        for peer in self._asking:
            self._mouth.answer(peer, info)
        self._asking.clear()

    def _work(self, said: Sequence[Said]) -> list[MarketEvent]:
        """Return what is new of what the source's words make."""
        events: list[MarketEvent] = []
        for word in said:
            match word:
                case SourceState():
                    self._change(word)
                case Remark(event, text, level, incident):
                    self._mouth.tell(level, event, text, incident=incident)
                case Refusal(name, detail):
                    self._refuse(name, detail)
                case _:
                    assert self._core is not None, "facts come after the stream's head"
                    events += self._core.take(word)
        if events:
            self._age.renew()
        if self._skip_seq:
            events = [event for event in events if event.seq > self._skip_seq]
        return events

    def _tell_of_gaps(self, core: FeedCore, events: Sequence[MarketEvent]) -> None:
        for gap in core.take_gaps():
            # Every session begins within a candle, and misses its first part.
            is_begin = bool(events) and events[0].seq == 1
            level = Level.INFO if is_begin else Level.WARNING
            self._mouth.tell(level, "data_gap", words(gap, core.interval_ms, is_begin=is_begin), incident=not is_begin)

    def _tell_of_refusals(self) -> None:
        """Tell what was refused since it was last told: there is no later."""
        if (refused := self._report.rest(self._refused)) is not None:
            self._mouth.tell(Level.WARNING, "data_refused", refused)

    @property
    def _refused(self) -> Counter[str]:
        return self._refused_early if self._core is None else self._core.refused

    def _refuse(self, name: str, detail: str) -> None:
        self._report.example(name, detail)
        if self._core is None:
            self._refused_early[name] += 1
        else:
            self._core.refuse(name)

    def _change(self, change: SourceState) -> None:
        before, self._state, self._detail = self._state, change.state, change.detail
        self._status_due_ms = 0
        match change.state:
            case FeedState.CONNECTED:
                self._reconnects += 1
                self._mouth.tell(Level.INFO, "feed_connected", "the source answers")
            case FeedState.CONNECTING:
                lost = before is FeedState.CONNECTED
                self._mouth.tell(Level.WARNING, "feed_reconnecting", change.detail, incident=lost)
            case FeedState.LOST:
                self._mouth.tell(Level.CRITICAL, "feed_lost", change.detail, incident=True)
            case FeedState.ENDED:
                self._tell_of_refusals()
                self._mouth.tell(Level.INFO, "end_of_data", "the replay has come to its end")

    def _send_status(self, now_ms: int, *, last: bool = False) -> None:
        core = self._core
        self._status_due_ms = now_ms + STATUS_MS
        status = FeedStatus(
            state=self._state,
            last_seq=self._recording.last_seq,
            last_ts_ms=core.last_ts_ms if core is not None else 0,
            price=core.price if core is not None else 0.0,
            ticks=core.ticks if core is not None else 0,
            candles=core.candles if core is not None else 0,
            data_age_ms=0 if self._source.is_scheduled else self._age.ms,
            refused=self._refused.total(),
            reconnects=max(0, self._reconnects),
            detail=self._detail,
            last=last,
        )
        self._mouth.publish(status)


class _RunnerMouth:
    """The runner, as the feed speaks through it."""

    def __init__(self, runner: Runner, port: int) -> None:
        self._runner = runner
        self.server = runner.bus.server(port)

    @property
    def ready(self) -> bool:
        return self._runner.ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._runner.ready = ready

    def publish(self, message: Message) -> None:
        self._runner.publisher.send(message)

    def answer(self, peer: bytes, message: Message) -> None:
        self.server.send(peer, message)  # a peer that is gone asks again when it is back

    def tell(self, level: Level, event: str, text: str, *, incident: bool = False) -> None:
        self._runner.notice(level, event, text, incident=incident)

    def end_session(self, why: str) -> None:
        stop = stop_session(self._runner.session, StopReason.INTERNAL_ERROR, "feed", why)
        self._runner.stop(Shutdown(stop.reason, stop.detail))


def compose(runner: Runner, session: Session) -> FeedShell:
    """Compose the feed of a session.

    Raises:
        ConfigError: the source, the recording or the request port can not be used.
    """
    config = FeedConfig.from_settings(session.settings)
    if config.source == "demo":
        config = config.at_exchange(session.ports["exchange_api"])
    try:
        recording = Recording(session.run_dir / NAME)
        source = _open_source(runner, session, config, recording.resume())
        return join(runner, session.ports["feed_rpc"], config, recording, source)
    except (SourceError, RecordingError, PortTakenError) as error:
        raise ConfigError(str(error)) from None


def join(runner: Runner, port: int, config: FeedConfig, recording: Recording, source: Source) -> FeedShell:
    """Join a source to recording and bus.

    Raises:
        PortTakenError: somebody else listens on the request port.
    """
    mouth = _RunnerMouth(runner, port)
    feed = FeedShell(mouth, recording, source, FeedRules(config.half_spread_bps, config.max_quote_age_ms))
    runner.listen(mouth.server, feed.hear)
    return feed


def _open_source(runner: Runner, session: Session, config: FeedConfig, resume: Resume | None) -> Source:
    # Each source brings its own imports; a session pays for one.
    if config.source == "mock":
        from services.feed.source_mock import MockSource  # noqa: PLC0415

        return MockSource(config, session.seed, session.started_boot_ms, resume)
    if config.source == "replay":
        from services.feed.source_replay import open_replay  # noqa: PLC0415

        return open_replay(config, Path(session.root), session.started_boot_ms, resume)
    from services.feed.source_bitunix import BitunixSource  # noqa: PLC0415

    return BitunixSource(config, resume, runner.waker(), Now(monotonic_ms(), boot_ms()))
