"""An exchange in a thread, a client to talk to it, and the small files and boards its tests need."""

import asyncio
import json
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import websocket

from services.clock import boot_ms
from services.exchange.board import Board
from services.exchange.config import ExchangeConfig
from services.exchange.faults import parse_faults
from services.exchange.instruments import instrument
from services.exchange.market import Event, Quote, Recorded, Trade
from services.exchange.server_ws import serve

WAIT_S = 30.0
T0 = 1_767_225_600_000


def quote(ts_ms: int, bid: float = 100.0, ask: float = 100.1, bid_size: float = 1.0, ask_size: float = 2.0) -> Quote:
    return Quote(ts_ms, bid, ask, bid_size, ask_size)


def trade(ts_ms: int, price: float = 100.0, size: float = 1.0, side: str = "buy") -> Trade:
    return Trade(ts_ms, price, size, side)


def board(events: Sequence[Event], symbol: str = "BTCUSDT") -> Board:
    return Board(instrument(symbol), Recorded(events), seed=1)


def config(*faults: str, **changes: Any) -> ExchangeConfig:
    return ExchangeConfig(**{"symbol": "BTCUSDT", "seed": 1, "faults": parse_faults(faults), **changes})


def data_file(path: Path, rows: Sequence[str]) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


class Client:
    """A WebSocket client whose waits all end."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=WAIT_S)

    def say(self, **frame: Any) -> None:
        self.say_text(json.dumps(frame))

    def say_text(self, text: str) -> None:
        self._socket.send(text)

    def ping_protocol(self) -> None:
        self._socket.ping()

    def subscribe(self, *channels: str, symbol: str = "BTCUSDT") -> None:
        self.say(op="subscribe", args=[{"symbol": symbol, "ch": channel} for channel in channels])

    def text(self, within_s: float = WAIT_S) -> str | None:
        """Return the next text frame, None if there is none within the time."""
        self._socket.settimeout(within_s)
        try:
            return str(self._socket.recv())
        except websocket.WebSocketTimeoutException:
            return None

    def frame(self, within_s: float = WAIT_S) -> dict[str, Any]:
        text = self.text(within_s)
        assert text is not None, f"no frame within {within_s} s"
        frame = json.loads(text)
        assert isinstance(frame, dict)
        return frame

    def frame_of(self, channel: str) -> dict[str, Any]:
        for _ in range(2_000):
            frame = self.frame()
            if frame.get("ch") == channel:
                return frame
        raise AssertionError(f"no frame of {channel}")

    def wait_until_cut(self, within_s: float = WAIT_S) -> str:
        """Read until the connection ends; return how it ended."""
        self._socket.settimeout(within_s)
        try:
            while True:
                opcode, data = self._socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return f"closed {int.from_bytes(data[:2], 'big')}"
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return "cut"

    def close(self) -> None:
        self._socket.shutdown()  # type: ignore[no-untyped-call]


@dataclass
class RunningExchange:
    """An exchange that listens; `lines` is what it says, `turns` when its loop reported, in ms."""

    ws_url: str = ""
    rest_url: str = ""
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)
    turns: "queue.Queue[int]" = field(default_factory=queue.Queue)
    clients: list[Client] = field(default_factory=list)

    def connect(self) -> Client:
        client = Client(self.ws_url)
        self.clients.append(client)
        return client

    def greeted(self) -> Client:
        client = self.connect()
        assert client.frame() == {"op": "connect", "data": {"result": True}}
        return client

    def get(self, path: str, timeout_s: float = WAIT_S) -> tuple[int, Any]:
        request = Request(f"{self.rest_url}{path}", headers={"User-Agent": "test"})
        try:
            with urlopen(request, timeout=timeout_s) as response:
                return response.status, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)


@contextmanager
def running(given: ExchangeConfig) -> Iterator[RunningExchange]:
    """Run an exchange in a thread until the block ends; fail if it does not end with it."""
    exchange, loops = RunningExchange(), queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
    failures: list[BaseException] = []

    async def live() -> None:
        stop = asyncio.Event()
        loops.put((asyncio.get_running_loop(), stop))
        await serve(given, stop, lambda: exchange.turns.put(boot_ms()), exchange.lines.put)

    def body() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    loop, stop = loops.get(timeout=WAIT_S)
    try:
        _, exchange.ws_url, exchange.rest_url = exchange.lines.get(timeout=WAIT_S).split()
        yield exchange
    finally:
        for client in exchange.clients:
            client.close()
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
    assert not thread.is_alive(), "the exchange did not stop"
    assert not failures, failures
