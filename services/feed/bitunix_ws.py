"""The connection to Bitunix's public WebSocket: a thread that reads frames, and connects again when it must.

What to say and when a connection is dead is `bitunix_talk`'s, what a frame means `bitunix_frames`'; here are the
socket, the clocks and the waiting. Every wait ends at once when the thread is told to stop.
"""

import selectors
import socket
import ssl
import threading
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_base
from websocket import ABNF, WebSocket, WebSocketException

from services.clock import boot_ms, monotonic_ms, wall_ms
from services.feed.bitunix_frames import BOOK, PRICE, TRADE, Control, FrameFact, RawKline, RawTicker, parse_frame
from services.feed.bitunix_talk import Patience, Talk
from services.feed.config import Backoff
from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal
from services.feed.news import Closed, GivenUp, Heard, Opened, Silent, WireFact, WireNews
from services.feed.repeats import Repeats
from services.feed.route_ws import STALL_MS, open_websocket

CONNECT_TIMEOUT_S = 10.0
SLEPT_MS = 5_000
"""A jump of the clock that goes on in a suspend against the one that does not, or a turn that took so much longer than it
was to (this process was stopped): the connection is from before it, and what waits there is old."""
LOOK_AGAIN_S = 0.05
LOOK_UP_MS = 1_000
"""In a quiet market the thread looks so often whether it is asked to do something else."""
BURST = 500
"""Frames read in one go before they are handed over."""

_DATA = frozenset({ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY})
_CHANNEL_OF = {RawQuote: BOOK, RawTrade: TRADE, RawFunding: PRICE}


class _ConnectionEndedError(Exception):
    """A connection ended, or did not come about."""


class _Exhausted(stop_base):
    """Stops when the socket has failed too often; attempts that worked for a while do not count."""

    def __init__(self, wire: "BitunixSocket") -> None:
        self._wire = wire

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self._wire.is_exhausted


class BitunixSocket:
    """Keeps a connection alive until it is closed, or has failed too often.

    Args:
        url: the public endpoint, `ws://` or `wss://`.
        symbol: what to subscribe to, upper case.
        backoff: how often and when to try again.
        deliver: takes the news, called from the thread; false when it can take no more.
        patience: how long to wait for what.
    """

    def __init__(
        self,
        url: str,
        symbol: str,
        backoff: Backoff,
        deliver: Callable[[WireNews], bool],
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._url = url
        self._symbol = symbol
        self._backoff = backoff
        self._deliver = deliver
        self._repeats = Repeats()
        self._began = self._gave_up = False
        self._failures = 0
        self._renewal = ""
        self._server_until_ms = monotonic_ms() + self._patience.server_ms
        self._stop = threading.Event()
        self._stopped, self._stopper = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="bitunix-ws", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()
        self._began = True

    def close(self, timeout_s: float = 0.3) -> bool:
        """Stop; return whether the thread is gone already (a hanging handshake may outlast the wait, harmlessly)."""
        self._stop.set()
        self._stopper.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        gone = not self._thread.is_alive()
        if gone:
            self._stopped.close()
        return gone

    def renew(self, why: str) -> None:
        """Give the connection up, whatever it still says, and make another; within a second."""
        self._renewal = why

    @property
    def has_died(self) -> bool:
        """Whether the thread is gone without having been told to, and without having given up: our own fault."""
        return self._began and not (self._thread.is_alive() or self._stop.is_set() or self._gave_up)

    def _run(self) -> None:
        backoff = self._backoff
        while not self._stop.is_set():
            attempts = Retrying(
                sleep=sleep_using_event(self._stop),
                stop=stop_any(stop_when_event_set(self._stop), _Exhausted(self)),
                wait=wait_random_exponential(multiplier=backoff.min_sec, min=backoff.min_sec, max=backoff.max_sec),
                retry=retry_if_exception_type(_ConnectionEndedError),
                before_sleep=self._tell_of_wait,
            )
            try:
                detail = attempts(self._connect_and_read)
            except RetryError as error:
                if not self._stop.is_set():
                    self._gave_up = True
                    many = "1 failed attempt" if self._failures == 1 else f"{self._failures} failed attempts in a row"
                    self._deliver(GivenUp(f"{many}: {_cause(error.last_attempt)}"))
                return
            # Proven connections end here: the next attempt is a first one again.
            if not self._stop.is_set():
                self._deliver(Closed(detail, backoff.min_sec))
                self._stop.wait(backoff.min_sec)

    @property
    def is_exhausted(self) -> bool:
        """Whether too many attempts in a row have failed."""
        return self._failures >= max(1, self._backoff.max_retries)

    def _tell_of_wait(self, state: RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action is not None else 0.0
        self._deliver(Closed(_cause(state.outcome), wait_s))

    def _connect_and_read(self) -> str:
        """Return why a proven connection ended; any other ends by the exception."""
        try:
            wire = self._connect()
        except (WebSocketException, OSError, ValueError) as error:
            self._failures += 1
            raise _ConnectionEndedError(f"no connection: {_words(error)}") from None
        now_ms = monotonic_ms()
        talk = Talk(self._symbol, now_ms, wall_ms() // 1000, self._patience)
        self._renewal = ""
        try:
            wire.settimeout(STALL_MS / 1000)
            self._deliver(Opened())
            detail = self._read(wire, talk)
        except (WebSocketException, OSError) as error:
            detail = f"connection lost: {_words(error)}"
        finally:
            self._hang_up(wire)
        if talk.is_proven or self._stop.is_set():
            return detail
        if not talk.had_ticks:
            self._failures += 1
        raise _ConnectionEndedError(detail)

    def _connect(self) -> WebSocket:
        while True:
            try:
                return open_websocket(self._url, CONNECT_TIMEOUT_S)
            except ConnectionRefusedError:
                if self._stop.wait(LOOK_AGAIN_S) or monotonic_ms() >= self._server_until_ms:
                    raise

    def _hang_up(self, wire: WebSocket) -> None:
        if self._stop.is_set():
            wire.close(timeout=0)
        else:
            wire.shutdown()  # type: ignore[no-untyped-call]  # the library's own gap

    def _read(self, wire: WebSocket, talk: Talk) -> str:
        """Talk and listen until the connection is no good any more; return why."""
        slept_ms = boot_ms() - monotonic_ms()
        looked_ms = boot_ms()
        assert wire.sock is not None, "it has just connected"
        with selectors.DefaultSelector() as selector:
            selector.register(wire.sock, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not self._stop.is_set():
                self._say(wire, talk, selector)
                working_ms, began_ms = boot_ms() - looked_ms, boot_ms()
                wait_ms = min(LOOK_UP_MS, talk.wait_ms(monotonic_ms()))
                ready = _has_more(wire) or bool(selector.select(wait_ms / 1000))
                looked_ms = boot_ms()
                waiting_too_long_ms = looked_ms - began_ms - wait_ms
                if max(working_ms, waiting_too_long_ms, looked_ms - monotonic_ms() - slept_ms) > SLEPT_MS:
                    return "the machine slept"
                if ready and not self._stop.is_set() and not self._take_burst(wire, talk, selector):
                    return "frames come faster than they are worked off"
                if talk.is_silent(monotonic_ms()):
                    self._failures += int(talk.had_ticks)  # one without any is counted by the caller
                    return "no market data"
                if self._renewal:
                    return self._renewal
        return "stopped"

    def _say(self, wire: WebSocket, talk: Talk, selector: selectors.BaseSelector) -> None:
        now_ms = monotonic_ms()
        late = talk.ask_again(now_ms)
        if late:
            self._deliver(Silent(late))
        try:
            for text in talk.due(now_ms):
                wire.send(text)
        except (WebSocketException, OSError):
            # The line is dead, but what has arrived is still good.
            if selector.select(0):
                self._take_burst(wire, talk, selector)
            raise

    def _take_burst(self, wire: WebSocket, talk: Talk, selector: selectors.BaseSelector) -> bool:
        """Read what has arrived; return whether it could be handed over."""
        facts: list[WireFact] = []
        try:
            self._read_burst(wire, selector, facts)
        finally:
            taken = self._hand_over(facts, talk)
        return taken

    def _read_burst(self, wire: WebSocket, selector: selectors.BaseSelector, facts: list[WireFact]) -> None:
        began_ms = boot_ms()
        for _ in range(BURST):
            # Told of control frames, too: waiting for what follows one would be waiting for a quiet market.
            opcode, frame = wire.recv_data(control_frame=True)
            if opcode == ABNF.OPCODE_CLOSE:
                raise WebSocketException("closed by the exchange")
            if boot_ms() - began_ms > SLEPT_MS:
                return  # slept since the frame before: this one is old, and the next look tells
            if opcode in _DATA:
                self._read_frame(frame, facts)
            if self._stop.is_set() or not (_has_more(wire) or selector.select(0)):
                return

    def _read_frame(self, frame: bytes, facts: list[WireFact]) -> None:
        said = parse_frame(frame, self._symbol)
        if any(isinstance(fact, RawTrade) for fact in said) and not self._repeats.is_new(frame):
            said = [Refusal("duplicate", frame[:80].decode("utf-8", "replace"))]
        for fact in said:
            _keep(fact, facts)

    def _hand_over(self, facts: list[WireFact], talk: Talk) -> bool:
        now_ms = monotonic_ms()
        kinds = {type(fact) for fact in facts}
        for kind, channel in _CHANNEL_OF.items():
            if kind in kinds:
                talk.heard(channel, now_ms, tick=kind is not RawFunding)
        if talk.is_proven:
            self._failures = 0
        return not facts or self._deliver(Heard(facts))


def _keep(fact: FrameFact, facts: list[WireFact]) -> None:
    if isinstance(fact, Control):
        if fact.kind == "refused":
            facts.append(Refusal("subscription_refused", fact.detail))
    elif not isinstance(fact, RawKline | RawTicker):
        facts.append(fact)


def _has_more(wire: WebSocket) -> bool:
    # TLS may hold whole frames that the socket below does not show any more.
    return isinstance(wire.sock, ssl.SSLSocket) and wire.sock.pending() > 0


def _words(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _cause(outcome: object) -> str:
    error = outcome.exception() if hasattr(outcome, "exception") else None
    return _words(error) if error is not None else "unknown"
