"""The client against a tiny server of the exchange's protocol, over real sockets."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from feed_builders import MINUTE, SYMBOL, T0, feed_core, settings, stream_info
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bus.messages import Candle, FeedState, MarketEvent, Quote, Trade
from services.clock import boot_ms, monotonic_ms
from services.feed.bitunix_rest import (
    START_MS,
    USER_AGENT,
    BitunixRest,
    BridgeAnswer,
    HistoryAnswer,
    LookAnswer,
    PairAnswer,
    RestNews,
)
from services.feed.bitunix_talk import Patience
from services.feed.bitunix_ws import BitunixSocket, Closed, GivenUp, Heard, Opened, Silent, WireNews
from services.feed.config import Backoff, FeedConfig
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import DataLost, RawFunding, RawQuote, RawTrade, Refusal, Remark, Said, SourceState
from services.feed.reconciling import Span
from services.feed.route_ws import MOST_BYTES
from services.feed.source import Now, Resume, SourceError
from services.feed.source_bitunix import BitunixSource

WAIT_S = 10.0
QUICK = Backoff(max_retries=3, min_sec=0.02, max_sec=0.1)
Script = Callable[[ServerConnection, "Exchange"], None]


def book(ts_ms: int, bid: str = "99.9", ask: str = "100.1") -> str:
    return json.dumps(
        {"ch": "depth_book1", "symbol": SYMBOL, "ts": ts_ms, "data": {"b": [[bid, "1"]], "a": [[ask, "2"]]}}
    )


def prints(ts_ms: int, *prices: str) -> str:
    data = [{"t": "2026-04-07T05:47:52Z", "p": price, "v": "0.5", "s": "buy"} for price in prices]
    return json.dumps({"ch": "trade", "symbol": SYMBOL, "ts": ts_ms, "data": data})


@dataclass
class Exchange:
    """Runs one script a connection; the last one for all that follow. Keeps what clients say."""

    scripts: list[Script]
    said: Queue[dict[str, Any]] = field(default_factory=Queue)
    connections: int = 0

    def on_connection(self, connection: ServerConnection) -> None:
        self.connections += 1
        script = self.scripts[min(self.connections, len(self.scripts)) - 1]
        with suppress(ConnectionClosed, OSError):
            script(connection, self)

    def listen(self, connection: ServerConnection) -> None:
        """Keep what the client says until it is gone."""
        for text in connection:
            self.said.put(json.loads(text))


@contextmanager
def served(*scripts: Script) -> Iterator[tuple[Exchange, str]]:
    """An exchange on a free port."""
    exchange = Exchange(list(scripts))
    server: Server = serve(exchange.on_connection, "127.0.0.1", 0, ping_interval=None)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield exchange, f"ws://127.0.0.1:{server.socket.getsockname()[1]}/public/"
    finally:
        server.shutdown()
        thread.join(WAIT_S)


@contextmanager
def connected(
    url: str, backoff: Backoff = QUICK, patience: Patience | None = None
) -> Iterator[tuple[BitunixSocket, Queue[WireNews]]]:
    """A client of it."""
    news: Queue[WireNews] = Queue()

    def deliver(item: WireNews) -> bool:
        news.put(item)
        return True

    client = BitunixSocket(url, SYMBOL, backoff, deliver, patience)
    client.start()
    try:
        yield client, news
    finally:
        client.close(WAIT_S)


def wait_for(news: "Queue[WireNews]", kind: type) -> Any:
    """Return the next piece of news of a kind."""
    while True:
        item = news.get(timeout=WAIT_S)
        if isinstance(item, kind):
            return item


def facts_of(news: "Queue[WireNews]", count: int) -> list[Any]:
    facts: list[Any] = []
    while len(facts) < count:
        facts += wait_for(news, Heard).facts
    return facts


def greet(connection: ServerConnection) -> None:
    connection.send('{"op":"connect","data":{"result":true}}')


def quiet(connection: ServerConnection, exchange: Exchange) -> None:
    """Say hello, then nothing."""
    greet(connection)
    exchange.listen(connection)


def test_it_subscribes_first_pings_at_once_and_hears_all_channels() -> None:
    def script(connection: ServerConnection, exchange: Exchange) -> None:
        greet(connection)
        connection.send(book(T0))
        connection.send(prints(T0 + 1, "100", "101"))
        connection.send(
            json.dumps({"ch": "price", "symbol": SYMBOL, "ts": T0 + 2, "data": {"mp": "100.5", "fr": "0.01"}})
        )
        connection.send("nonsense")
        exchange.listen(connection)

    with served(script) as (exchange, url), connected(url) as (_, news):
        wait_for(news, Opened)
        assert facts_of(news, 5) == [
            RawQuote(T0, 99.9, 100.1, 1.0, 2.0),
            RawTrade(T0 + 1, 100.0, 0.5, "buy"),
            RawTrade(T0 + 1, 101.0, 0.5, "buy"),
            RawFunding(T0 + 2, 0.0001, 100.5, None, None),
            Refusal("not_json", "nonsense"),
        ]
        first = exchange.said.get(timeout=WAIT_S)
        assert first["op"] == "subscribe"
        assert [argument["ch"] for argument in first["args"]] == ["depth_book1", "trade", "price"]
        assert exchange.said.get(timeout=WAIT_S)["op"] == "ping"


def test_pings_go_on_and_are_json_only() -> None:
    with served(quiet) as (exchange, url), connected(url, patience=Patience(ping_ms=300)):
        said = [exchange.said.get(timeout=WAIT_S) for _ in range(4)]
        assert [text["op"] for text in said] == ["subscribe", "ping", "ping", "ping"]
        assert all(set(text) == {"op", "ping"} for text in said[1:])


def test_a_silent_channel_is_subscribed_to_again() -> None:
    def script(connection: ServerConnection, exchange: Exchange) -> None:
        connection.send(book(T0))
        exchange.listen(connection)

    with served(script) as (exchange, url), connected(url, patience=Patience(first_data_ms=200)) as (_, news):
        assert wait_for(news, Silent).channels == ["trade", "price"]
        texts = [exchange.said.get(timeout=WAIT_S) for _ in range(3)]
        assert [argument["ch"] for argument in texts[2]["args"]] == ["trade", "price"]


def test_a_cut_connection_is_made_anew() -> None:
    def cut(connection: ServerConnection, _: Exchange) -> None:
        connection.send(book(T0))
        connection.socket.shutdown(2)

    def steady(connection: ServerConnection, exchange: Exchange) -> None:
        connection.send(book(T0 + 1_000))
        exchange.listen(connection)

    with served(cut, cut, cut, cut, cut, steady) as (exchange, url), connected(url) as (_, news):
        # Connections that gave data are no failed attempts: five of them do not use up three.
        for _ in range(5):
            assert "connection lost" in wait_for(news, Closed).detail
        assert facts_of(news, 1) == [RawQuote(T0 + 1_000, 99.9, 100.1, 1.0, 2.0)]
        assert exchange.connections == 6


def test_waits_stay_between_the_bounds_and_grow() -> None:
    def cut(connection: ServerConnection, _: Exchange) -> None:
        connection.send(book(T0))
        connection.close()

    with served(cut) as (_, url), connected(url, Backoff(9, 0.01, 0.04)) as (_, news):
        waits = [wait_for(news, Closed).retry_s for _ in range(8)]
        assert waits[0] == pytest.approx(0.01)
        assert all(0.01 <= wait <= 0.04 for wait in waits)


def test_a_connection_without_data_is_a_failed_attempt_and_too_many_end_it() -> None:
    with served(quiet) as (exchange, url), connected(url, patience=Patience(silence_ms=100)) as (_, news):
        assert wait_for(news, GivenUp).detail == "3 failed attempts in a row: no market data"
        assert exchange.connections == 3


def test_good_data_forgets_earlier_failures() -> None:
    def good(connection: ServerConnection, _: Exchange) -> None:
        for tick in range(12):
            connection.send(book(T0 + tick))
            with suppress(TimeoutError):
                connection.recv(0.03)
        connection.socket.shutdown(2)

    patience = Patience(silence_ms=500, good_ms=100)
    with (
        served(quiet, quiet, good, quiet, quiet, good) as (exchange, url),
        connected(url, patience=patience) as (_, news),
    ):
        for _ in range(6):
            assert isinstance(wait_for(news, Closed), Closed)
        assert exchange.connections >= 6


def test_nobody_there_is_a_failed_attempt() -> None:
    with served(quiet) as (_, url):
        pass
    with connected(url) as (_, news):
        assert wait_for(news, GivenUp).detail.startswith("3 failed attempts in a row: no connection: ")


def test_a_server_that_is_being_started_is_waited_for() -> None:
    with served(quiet) as (_, url):
        port = int(url.split(":")[2].split("/")[0])
    with connected(url, Backoff(1, 30.0, 30.0), Patience(server_ms=10_000)) as (_, news):
        server = serve(Exchange([quiet]).on_connection, "127.0.0.1", port, ping_interval=None)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert news.get(timeout=WAIT_S) == Opened()
    server.shutdown()
    thread.join(WAIT_S)


def test_without_retries_the_first_failure_ends_it() -> None:
    with served(quiet) as (_, url):
        pass
    with connected(url, Backoff(0, 1.0, 1.0)) as (_, news):
        assert wait_for(news, GivenUp).detail.startswith("1 failed attempts")


@pytest.mark.parametrize("script", [quiet, None], ids=["connected", "waiting to try again"])
def test_it_ends_in_milliseconds(script: Script | None) -> None:
    with served(script or quiet) as (_, there):
        url = there if script is not None else "ws://127.0.0.1:1/"
        with connected(url, Backoff(5, 30.0, 60.0)) as (client, news):
            wait_for(news, Closed if script is None else Opened)
            begin = monotonic_ms()
            assert client.close()
            assert monotonic_ms() - begin < 250


def test_a_reader_that_takes_no_more_costs_the_connection_not_the_memory() -> None:
    def flood(connection: ServerConnection, _: Exchange) -> None:
        for tick in range(100_000):
            connection.send(book(T0 + tick))

    taken: list[WireNews] = []
    closed = threading.Event()

    def deliver(item: WireNews) -> bool:
        taken.append(item)
        if isinstance(item, Closed):
            closed.set()
        return not isinstance(item, Heard)

    with served(flood) as (_, url):
        client = BitunixSocket(url, SYMBOL, Backoff(3, 30.0, 30.0), deliver)
        client.start()
        assert closed.wait(WAIT_S)
        client.close()
    assert "faster than they are worked off" in next(item.detail for item in taken if isinstance(item, Closed))


# --- REST


Answers = Callable[[str], tuple[int, object]]


@contextmanager
def rest_served(answers: Answers) -> Iterator[tuple[str, list[str]]]:
    """A REST server; paths asked for are kept. `answers` gives status and content by path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, content = answers(self.path)
            if self.headers["User-Agent"] != USER_AGENT:
                status = 403
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_S)


def klines(newest_ms: int, count: int = 1_000) -> Answers:
    """The exchange's klines of one minute: newest first, 200 at most, `endTime` exclusive, volumes swapped."""

    def answer(path: str) -> tuple[int, object]:
        if "trading_pairs" in path:
            row = {"symbol": SYMBOL, "minTradeVolume": "0.002", "basePrecision": 3, "quotePrecision": 2}
            return 200, {"code": 0, "data": [row]}
        end_ms = int(path.partition("endTime=")[2] or newest_ms + MINUTE)
        opens = [newest_ms - n * MINUTE for n in range(count)]
        rows = [
            {
                "open": "100",
                "high": "100",
                "low": "100",
                "close": "100",
                "quoteVol": "2",
                "baseVol": "200",
                "time": str(open_ms),
            }
            for open_ms in opens
            if open_ms < end_ms
        ]
        return 200, {"code": 0, "data": rows[:200]}

    return answer


@contextmanager
def asking(url: str) -> Iterator[tuple[BitunixRest, Queue[RestNews]]]:
    news: Queue[RestNews] = Queue()
    rest = BitunixRest(url, SYMBOL, MINUTE, news.put)
    try:
        yield rest, news
    finally:
        rest.close()


def test_history_is_paged_backwards_and_never_forming() -> None:
    with rest_served(klines(T0)) as (url, asked), asking(url) as (rest, news):
        rest.ask_history(T0 + 30_000)
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, HistoryAnswer)
        assert isinstance(answer.candles, list)
        assert [row.open_ms for row in answer.candles] == [T0 - n * MINUTE for n in range(200, 0, -1)]
        assert {row.volume for row in answer.candles} == {2.0}
        assert [path.partition("endTime=")[2] for path in asked] == [str(T0), str(T0 - 200 * MINUTE)]


def test_without_the_exchange_s_time_the_newest_candle_is_left_out() -> None:
    with rest_served(klines(T0, 5)) as (url, _), asking(url) as (rest, news):
        rest.ask_history(None)
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, HistoryAnswer)
        assert isinstance(answer.candles, list)
        assert [row.open_ms for row in answer.candles] == [T0 - n * MINUTE for n in (4, 3, 2, 1)]


def test_missed_candles_are_fetched_from_the_one_that_was_open() -> None:
    with rest_served(klines(T0)) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0 + 5, T0 - 3 * MINUTE + 7)
        assert [row.open_ms for row in _bridge(news).candles] == [T0 - 3 * MINUTE, T0 - 2 * MINUTE, T0 - MINUTE]


def test_a_candle_that_is_not_there_yet_is_waited_for() -> None:
    late = klines(T0 - 2 * MINUTE)
    there = klines(T0)
    calls: list[str] = []

    def answer(path: str) -> tuple[int, object]:
        calls.append(path)
        return (late if len(calls) == 1 else there)(path)

    with rest_served(answer) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0, T0 - MINUTE)
        assert [row.open_ms for row in _bridge(news).candles] == [T0 - MINUTE]


def test_a_refusal_is_tried_again() -> None:
    calls: list[str] = []

    def answer(path: str) -> tuple[int, object]:
        calls.append(path)
        return (
            (429, b"")
            if len(calls) == 1
            else (200, {"code": 10006, "msg": "slow down"})
            if len(calls) == 2
            else klines(T0)(path)
        )

    with rest_served(answer) as (url, _), asking(url) as (rest, news):
        rest.ask_pair()
        answered = news.get(timeout=WAIT_S)
        assert isinstance(answered, PairAnswer)
        assert str(answered.pair.tick_size) == "0.01"  # type: ignore[union-attr]


def test_a_symbol_that_is_not_listed_is_told_at_once_with_the_nearest() -> None:
    def answer(path: str) -> tuple[int, object]:
        return 200, {"code": 0, "data": [] if "symbols=" in path else [{"symbol": "BTCUSDC"}, {"symbol": "DOGEUSDT"}]}

    with rest_served(answer) as (url, asked), asking(url) as (rest, news):
        rest.ask_pair()
        words = "symbol must be one that the exchange lists, got BTCUSDT: the nearest are BTCUSDC"
        assert news.get(timeout=WAIT_S) == PairAnswer(Refusal("unknown_symbol", words))
        assert len(asked) == 2


def test_candles_that_were_published_are_asked_for_again() -> None:
    with rest_served(klines(T0)) as (url, asked), asking(url) as (rest, news):
        rest.ask_look(Span(T0 - 3 * MINUTE, T0 - MINUTE))
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, LookAnswer)
        assert [row.open_ms for row in answer.candles] == [T0 - 3 * MINUTE, T0 - 2 * MINUTE, T0 - MINUTE]
        assert len(asked) == 1
    with rest_served(lambda _: (500, b"")) as (url, asked), asking(url) as (rest, news):
        rest.ask_look(Span(T0, T0))
        assert news.get(timeout=WAIT_S) == LookAnswer([])


def _bridge(news: "Queue[RestNews]") -> BridgeAnswer:
    answer = news.get(timeout=WAIT_S)
    assert isinstance(answer, BridgeAnswer)
    return answer


# --- the source, whole


class Listener:
    """Polls a source until facts say what is waited for."""

    def __init__(self, config: FeedConfig, resume: Resume | None = None, start_ms: int = START_MS) -> None:
        self._woken = threading.Event()
        self.source = BitunixSource(config, resume, self._woken.set, self.now(), start_ms)
        self.core: FeedCore | None = None
        self.said: list[Said] = []
        self.events: list[MarketEvent] = []

    def now(self) -> Now:
        return Now(monotonic_ms(), boot_ms())

    def until(self, done: Callable[["Listener"], bool]) -> None:
        deadline = monotonic_ms() + int(WAIT_S * 1000)
        while not done(self):
            assert monotonic_ms() < deadline, f"waited too long: {self.said} {self.events}"
            for word in self.source.poll(self.now()):
                self.said.append(word)
                self._work(word)
            self._woken.wait(min(0.05, self.source.wait_ms(self.now()) / 1000))
            self._woken.clear()

    def _work(self, word: Said) -> None:
        if isinstance(word, SourceState | Refusal | Remark):
            return
        if self.core is None:
            assert self.source.info is not None
            self.core = FeedCore(self.source.info, FeedRules())
        self.events += self.core.take(word)

    @property
    def states(self) -> list[FeedState]:
        return [word.state for word in self.said if isinstance(word, SourceState)]


@contextmanager
def listening(ws_url: str, rest_url: str, start_ms: int = START_MS, **changes: object) -> Iterator[Listener]:
    urls = {"bitunix_ws_url": ws_url, "bitunix_rest_url": rest_url}
    quick = {"ws_backoff_min_sec": 0.02, "ws_backoff_max_sec": 0.1, "ws_max_retries": 3}
    listener = Listener(
        FeedConfig.from_settings(settings(source="bitunix", **urls, **quick, **changes)), start_ms=start_ms
    )
    try:
        yield listener
    finally:
        listener.source.close()


def streaming(*texts: str) -> Script:
    """Say some things, then go on listening."""

    def script(connection: ServerConnection, exchange: Exchange) -> None:
        greet(connection)
        for text in texts:
            connection.send(text)
        exchange.listen(connection)

    return script


def cutting(*texts: str) -> Script:
    """Say some things, wait for the ping, then cut the line."""

    def script(connection: ServerConnection, _: Exchange) -> None:
        for text in texts:
            connection.send(text)
        connection.recv(1.0)
        connection.recv(1.0)
        connection.socket.shutdown(2)

    return script


def test_a_session_begins_with_history_up_to_its_first_tick_and_an_incomplete_candle() -> None:
    texts = [book(T0 + 30_000), prints(T0 + 30_001, "100"), book(T0 + MINUTE), book(T0 + 2 * MINUTE)]
    with (
        served(streaming(*texts)) as (_, ws_url),
        rest_served(klines(T0)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) >= 6)
        info = listener.source.info
        assert info is not None
        assert (str(info.tick_size), str(info.lot_size), str(info.min_qty), info.note) == ("0.01", "0.001", "0.002", "")
        assert (len(info.history), info.history[-1].close_ms) == (200, T0)
        candles = [event for event in listener.events if isinstance(event, Candle)]
        assert [(candle.open_ms, candle.complete) for candle in candles] == [(T0, False), (T0 + MINUTE, True)]
        assert listener.states == [FeedState.CONNECTED]
        assert listener.said[1] == DataLost()


def test_after_a_reconnect_missed_candles_come_before_the_held_ticks() -> None:
    before = [book(T0), prints(T0 + 1, "100"), prints(T0 + 2, "101")]
    after = [book(T0 + 3 * MINUTE + 5), prints(T0 + 3 * MINUTE + 6, "102")]
    with (
        served(cutting(*before), streaming(*after)) as (_, ws_url),
        rest_served(klines(T0 + 3 * MINUTE)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) >= 8)
        assert [type(event) for event in listener.events] == [Quote, Trade, Trade, Candle, Candle, Candle, Quote, Trade]
        candles = [event for event in listener.events if isinstance(event, Candle)]
        assert [(candle.open_ms, candle.close, candle.volume, candle.complete) for candle in candles] == [
            (T0 + n * MINUTE, 100.0, 2.0, False) for n in range(3)
        ]
        assert listener.states == [FeedState.CONNECTED, FeedState.CONNECTING, FeedState.CONNECTED]


def test_without_rest_a_session_begins_with_defaults_and_a_note() -> None:
    with (
        served(streaming(book(T0), book(T0 + 1))) as (_, ws_url),
        listening(ws_url, "http://127.0.0.1:1", 900, interval="5s", tick_size=0.5) as listener,
    ):
        listener.until(lambda it: len(it.events) == 2)
        info = listener.source.info
        assert info is not None
        assert (str(info.tick_size), str(info.min_qty), info.history) == ("0.5", "0.0001", ())
        assert "grids are defaults" in info.note
        assert "warm up live" in info.note


def test_a_feed_that_starts_again_bridges_the_time_it_was_away() -> None:
    core = feed_core()
    recorded = [
        event
        for fact in (RawQuote(T0, 1.0, 2.0, 0.0, 0.0), RawTrade(T0 + 1, 100.0, 1.0, "buy"))
        for event in core.take(fact)
    ]
    with (
        served(streaming(book(T0 + 2 * MINUTE + 5), book(T0 + 2 * MINUTE + 6))) as (_, ws_url),
        rest_served(klines(T0 + 2 * MINUTE)) as (rest_url, _),
    ):
        info = stream_info()
        config = FeedConfig.from_settings(settings(source="bitunix", bitunix_ws_url=ws_url, bitunix_rest_url=rest_url))
        listener = Listener(config, Resume(info, 2, T0 + 1, 1))
        listener.core = FeedCore(info, FeedRules())
        listener.core.restore(recorded)
        try:
            listener.until(lambda it: len(it.events) == 4)
        finally:
            listener.source.close()
    assert [(type(event), event.seq) for event in listener.events] == [(Candle, 3), (Candle, 4), (Quote, 5), (Quote, 6)]
    assert [event.volume for event in listener.events if isinstance(event, Candle)] == [2.0, 2.0]


def test_a_symbol_that_is_not_listed_ends_the_feed() -> None:
    with (
        served(quiet) as (_, ws_url),
        rest_served(lambda _: (200, {"code": 0, "data": [{"symbol": "BTCUSDC"}]})) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
        pytest.raises(SourceError, match="got BTCUSDT: the nearest are BTCUSDC"),
    ):
        listener.until(lambda _: False)


def test_a_push_that_comes_twice_and_one_that_is_far_off_are_refused() -> None:
    texts = [book(T0), prints(T0 + 1, "100"), prints(T0 + 1, "100"), prints(T0 + 2, "1"), prints(T0 + 3, "101")]
    with (
        served(streaming(*texts)) as (_, ws_url),
        rest_served(klines(T0)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) == 3)
        assert [event.price for event in listener.events if isinstance(event, Trade)] == [100.0, 101.0]
        assert [word.name for word in listener.said if isinstance(word, Refusal)] == ["duplicate", "jump"]


@pytest.mark.parametrize(
    "sends",
    [
        [b" " * (MOST_BYTES + 1)],
        [[b" " * (MOST_BYTES // 2), b" " * (MOST_BYTES // 2), b" "]],
    ],
    ids=["at once", "in parts"],
)
def test_an_oversized_message_costs_the_connection_not_the_memory(sends: list[Any]) -> None:
    def script(connection: ServerConnection, exchange: Exchange) -> None:
        for message in sends:
            connection.send(message)
        exchange.listen(connection)

    with served(script, streaming(book(T0))) as (_, url), connected(url) as (_, news):
        assert "oversized" in wait_for(news, Closed).detail
        assert facts_of(news, 1) == [RawQuote(T0, 99.9, 100.1, 1.0, 2.0)]


def test_text_that_is_no_utf_8_is_one_refusal() -> None:
    def script(connection: ServerConnection, exchange: Exchange) -> None:
        connection.send(b'{"ch":"trade\xff', text=True)
        connection.send(book(T0))
        exchange.listen(connection)

    with served(script) as (_, url), connected(url) as (_, news):
        refusal, quote = facts_of(news, 2)
        assert (refusal.name, quote) == ("not_json", RawQuote(T0, 99.9, 100.1, 1.0, 2.0))


def test_attempts_exhausted_is_a_lost_feed() -> None:
    with served(quiet) as (_, url):
        pass
    with listening(url, "http://127.0.0.1:1") as listener:
        listener.until(lambda it: FeedState.LOST in it.states)
        assert listener.states[-1] is FeedState.LOST
