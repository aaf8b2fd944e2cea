"""The Bitunix source: the exchange's socket and REST, and the order in which their news become facts.

Also the simulated exchange's, which speaks the same. The stream's head is known when REST has answered, or after 8 s
without it; ticks wait for it. Candles before the session are asked for on the first tick, which tells the exchange's
time, so that none of them is still forming.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from bus.messages import Candle, FeedState, Level, StreamInfo
from services.feed.bitunix_rest import (
    START_MS,
    BitunixRest,
    BridgeAnswer,
    HistoryAnswer,
    LookAnswer,
    PairAnswer,
    RestNews,
)
from services.feed.bitunix_rows import INTERVAL_NAMES
from services.feed.bitunix_talk import Patience
from services.feed.bitunix_ws import BitunixSocket
from services.feed.config import HISTORY_CANDLES, MINUTE_MS, FeedConfig, Instrument
from services.feed.facts import (
    DataLost,
    Fact,
    RawCandle,
    RawFunding,
    RawQuote,
    RawTrade,
    Refusal,
    Remark,
    Said,
    SourceState,
)
from services.feed.hearing import Hearing
from services.feed.hold import Hold
from services.feed.jump import JumpGuard
from services.feed.leap import LeapGuard
from services.feed.minutes import Minutes
from services.feed.news import Closed, GivenUp, Heard, Opened, Silent, WireFact, WireNews
from services.feed.reconciling import Difference, Reconciliation
from services.feed.source import Now, Resume, SourceError, make_info

MOST_UNREAD: Final = 200_000
"""Facts that the loop has not come to yet at most; past that the connection is dropped, an honest loss."""
MOST_WAITING: Final = 100_000
"""Facts that wait for the stream's head at most; past that the oldest are dropped, before anything was published."""
MOST_LISTED: Final = 50
"""Differences from the exchange's own candles that the report lists."""
SERVER_MS: Final = 10_000
"""The simulated exchange is started together with us and may be as long in coming."""
TICK_WAIT_MS: Final = 3_000
"""Without a tick for this long at the start the candles are asked for all the same."""

_News: TypeAlias = WireNews | RestNews


class BitunixSource:
    """Listens to the exchange.

    Args:
        config: the feed's settings, with the URLs to use.
        resume: where the recording ends, None for a fresh session. A restart is a loss of data.
        wake: makes the loop turn at once; called from threads.
        now: the clocks at the start.
        start_ms: how long REST may take to tell of the stream's head.
    """

    regenerates = False
    is_scheduled = False
    source_interval_ms = None

    def __init__(
        self,
        config: FeedConfig,
        resume: Resume | None,
        wake: Callable[[], None],
        now: Now,
        start_ms: int = START_MS,
    ) -> None:
        self._start_ms = start_ms
        self._config = config
        self._wake = wake
        self._news: deque[_News] = deque()
        # One thread counts up the one, the loop the other.
        self._delivered = self._taken = 0
        self._began_ms = now.monotonic_ms
        self._has_klines = config.interval_ms in INTERVAL_NAMES
        last_ms = resume.last_ts_ms if resume is not None else 0
        self._hold = Hold(asks=self._has_klines, last_ms=last_ms)
        self._leap = LeapGuard(last_ms)
        self._jump = JumpGuard(config.max_jump_pct)
        self._reconciliation = Reconciliation()
        self._minutes = Minutes()
        self._differences = 0
        self._hearing = Hearing()
        # Whatever came before the first tick was not seen, at a start as after a restart.
        self._waiting: deque[Fact] = deque([DataLost()], maxlen=MOST_WAITING)
        self._pair: PairAnswer | None = None
        self._history: HistoryAnswer | None = None if self._has_klines else HistoryAnswer([])
        self._asked_history = not self._has_klines
        self.info: StreamInfo | None = resume.info if resume is not None else None
        self._rest = BitunixRest(config.rest_url, config.symbol, max(MINUTE_MS, config.interval_ms), self._deliver)
        patience = Patience(server_ms=SERVER_MS if config.source == "demo" and resume is None else 0)
        self._socket = BitunixSocket(config.ws_url, config.symbol, config.backoff, self._deliver, patience)
        if self.info is None:
            self._rest.ask_pair()
        self._socket.start()

    def poll(self, now: Now) -> Sequence[Said]:
        """Return what has come in and may go on.

        Raises:
            SourceError: the exchange does not list the symbol, or does not trade it.
        """
        if self._socket.has_died:
            raise RuntimeError("the thread of the socket ended by itself")
        said: list[Said] = []
        for _ in range(len(self._news)):
            self._hear(self._news.popleft(), now, said)
        span = self._reconciliation.question(now.monotonic_ms)
        if span is not None:
            self._rest.ask_look(span)
        self._waiting.extend(self._hold.overdue(now.monotonic_ms))
        if self.info is None:
            self._make_head(now, said)
        if self.info is not None:
            said.extend(self._waiting)
            self._waiting.clear()
        return said

    def wait_ms(self, now: Now) -> int:
        """Return how long nothing needs to be done but on news."""
        if self.info is None:
            return 50
        waits = (self._hold.wait_ms(now.monotonic_ms), self._reconciliation.wait_ms(now.monotonic_ms))
        return min((wait_ms for wait_ms in waits if wait_ms is not None), default=1_000)

    def published(self, candle: Candle, now: Now) -> None:
        """Remember a candle, or the minute that it ends, to compare it with the exchange's own."""
        whole = candle if self._has_klines else self._minutes.add(candle)
        if whole is not None:
            self._reconciliation.published(whole, now.monotonic_ms)

    def close(self) -> None:
        """Hang up."""
        self._rest.close()
        self._socket.close()

    def _deliver(self, news: _News) -> bool:
        if isinstance(news, Heard):
            if self._delivered - self._taken >= MOST_UNREAD:
                return False
            self._delivered += len(news.facts)
        self._news.append(news)
        self._wake()
        return True

    def _hear(self, news: _News, now: Now, said: list[Said]) -> None:
        match news:
            case Heard(facts):
                self._taken += len(facts)
                for fact in facts:
                    self._take(fact, now, said)
            case Opened():
                said.append(SourceState(FeedState.CONNECTED))
                self._hold.arm()
            case Closed(detail, retry_s):
                text = f"{detail}; next attempt in {retry_s:.1f} s"
                said.append(SourceState(FeedState.CONNECTING, text, incident=True))
                # What only the next tick could have confirmed is lost with the others.
                said.extend([*self._leap.forget(), *self._jump.forget()])
                self._keep(DataLost(), now)
            case Silent(channels):
                said.append(Remark("channel_silent", f"no data on {', '.join(channels)} for long, subscribed again"))
            case GivenUp(detail):
                said.append(SourceState(FeedState.LOST, detail, incident=True))
            case PairAnswer() | HistoryAnswer() | BridgeAnswer() | LookAnswer():
                self._hear_rest(news, now, said)

    def _hear_rest(self, news: RestNews, now: Now, said: list[Said]) -> None:
        match news:
            case PairAnswer(pair):
                if isinstance(pair, Refusal) and pair.name in {"unknown_symbol", "not_traded"}:
                    raise SourceError(pair.detail)
                self._pair = news
            case HistoryAnswer():
                self._history = news
            case BridgeAnswer(candles, detail):
                if detail:
                    said.append(Remark("rest_failed", f"missed candles could not be fetched: {detail}"))
                self._waiting.extend(self._hold.answered(candles))
            case LookAnswer(candles):
                differences = self._reconciliation.answered(candles, now.monotonic_ms)
                said.extend(self._told_of(difference) for difference in differences)
                if self._hearing.needs_cure(differences, now.monotonic_ms):
                    self._socket.renew("no trades heard where the exchange had some")

    def _told_of(self, difference: Difference) -> Remark:
        """Put a difference into words; an exchange that differs all the time is not listed for ever."""
        if not difference.is_large:
            return Remark("candle_differs", f"a little: {difference.text}", Level.INFO)
        self._differences += 1
        if self._differences == MOST_LISTED:
            text = f"{difference.text}; {MOST_LISTED} differences are listed, what follows is in the log alone"
            return Remark("candle_differs", text, incident=True)
        return Remark("candle_differs", difference.text, incident=self._differences < MOST_LISTED)

    def _take(self, fact: WireFact, now: Now, said: list[Said]) -> None:
        match fact:
            case Refusal():
                said.append(fact)
            case RawFunding():
                self._keep(self._jump.take_mark(fact), now)
            case _:
                for timely in self._leap.take(fact, now.boot_ms):
                    for believed in [timely] if isinstance(timely, Refusal) else self._jump.take(timely):
                        self._keep_or_refuse(believed, now, said)

    def _keep_or_refuse(self, fact: RawQuote | RawTrade | Refusal, now: Now, said: list[Said]) -> None:
        if isinstance(fact, Refusal):
            said.append(fact)
            return
        if isinstance(fact, RawTrade):
            self._hearing.heard(fact.ts_ms)
        self._keep(fact, now)

    def _keep(self, fact: Fact, now: Now) -> None:
        facts, question = self._hold.take(fact, now.monotonic_ms)
        self._waiting.extend(facts)
        if question is None:
            return
        if self.info is not None:
            self._rest.ask_bridge(question.first_ms, question.since_ms or question.first_ms)
        else:
            # The head is not known: what comes waits for it, and its history reaches up to this tick.
            self._asked_history = True
            self._rest.ask_history(question.first_ms)
            self._waiting.extend(self._hold.release())

    def _make_head(self, now: Now, said: list[Said]) -> None:
        age_ms = now.monotonic_ms - self._began_ms
        if not self._asked_history and age_ms >= TICK_WAIT_MS:
            self._asked_history = True
            self._rest.ask_history(None)
        if age_ms < self._start_ms and (self._pair is None or self._history is None):
            return
        said_of_pair = Refusal("no_answer") if self._pair is None else self._pair.pair
        rows = Refusal("no_answer") if self._history is None else self._history.candles
        notes = []
        if isinstance(said_of_pair, Refusal):
            notes.append(f"grids are defaults or settings: {_told(said_of_pair)}")
            said_of_pair = Instrument()
        if not self._has_klines:
            notes.append("the exchange has no candles of this interval: strategies warm up live")
        elif isinstance(rows, Refusal) or not rows:
            why = _told(rows) if isinstance(rows, Refusal) else "an empty list"
            notes.append(f"no candles from before the session ({why}): strategies warm up live")
        history = () if isinstance(rows, Refusal) else _history(rows, self._config)
        self.info = make_info(self._config, said_of_pair, history, "; ".join(notes))
        if history:
            self._hold.reached(history[-1].close_ms)
        said.extend(Remark("stream_note", note) for note in notes)


def _told(refusal: Refusal) -> str:
    return f"{refusal.name} {refusal.detail}".strip()


def _history(rows: list[RawCandle], config: FeedConfig) -> tuple[Candle, ...]:
    """Return fetched candles as history; a hole is filled with flat ones, incomplete. A wide one begins it anew."""
    step_ms = config.interval_ms
    candles: list[Candle] = []
    for row in rows:
        if candles and row.open_ms - candles[-1].close_ms > HISTORY_CANDLES * step_ms:
            candles = []
        while candles and candles[-1].close_ms < row.open_ms:
            last = candles[-1]
            flat = (last.close, last.close, last.close, last.close, 0.0, False)
            candles.append(Candle(0, last.close_ms + step_ms, config.symbol, step_ms, last.close_ms, *flat))
        candles.append(Candle(0, row.open_ms + step_ms, config.symbol, step_ms, *row))
    return tuple(candles[-HISTORY_CANDLES:])
