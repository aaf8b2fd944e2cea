"""The other end of the feed's wires: a tiny exchange that plays scripts over real sockets, and who listens to a client of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from feed_builders import MINUTE, SYMBOL, settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bus.messages import Candle, FeedState, MarketEvent
from services.clock import boot_ms, monotonic_ms
from services.feed.bitunix_rest import START_MS, USER_AGENT, BitunixRest, RestNews
from services.feed.bitunix_talk import Patience
from services.feed.bitunix_ws import BitunixSocket
from services.feed.config import Backoff, FeedConfig
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Refusal, Remark, Said, SourceState
from services.feed.news import Heard, WireNews
from services.feed.source import Now, Resume
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
        events = self.core.take(word)
        self.events += events
        for event in events:
            if isinstance(event, Candle):
                self.source.published(event, self.now())

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
