"""`lap check --online` against servers on loopback that answer well, wrongly, or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from exchange_builders import config, running
from websockets.sync.server import ServerConnection, serve

from services.commands import check_online
from services.commands.check_online import Finding, check_source

ROW = {"open": "1", "high": "1", "low": "1", "close": "1", "quoteVol": "1", "baseVol": "1", "time": "1786410720000"}
KLINE = {"code": 0, "msg": "Success", "data": [ROW]}
BTC = {"symbol": "BTCUSDT", "basePrecision": 4, "quotePrecision": 1, "minTradeVolume": "0.0001"}
PAIRS = {"code": 0, "msg": "Success", "data": [BTC]}
TRADE = {"ch": "trade", "symbol": "BTCUSDT", "ts": 1, "data": [{"p": "1", "v": "1", "s": "buy"}]}
BOOK = {"ch": "depth_book1", "symbol": "BTCUSDT", "ts": 1, "data": {"b": [["1", "2"]], "a": [["3", "4"]]}}
PRICE = {"ch": "price", "symbol": "BTCUSDT", "ts": 1, "data": {"mp": "1", "fr": "0.01"}}
NO_BOOK = {"ch": "depth_book1", "symbol": "X", "ts": 1, "data": {"b": [["", ""]], "a": [["", ""]]}}


@contextmanager
def rest(answer: Any, status: int = 200, pairs: Any = PAIRS, date: str = "") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def do_GET(self) -> None:
            body = json.dumps(pairs if "trading_pairs" in self.path else answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def stream(behaviour: Callable[[ServerConnection], None]) -> Iterator[str]:
    with serve(behaviour, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/public/"
        server.shutdown()
        thread.join()


def saying(*frames: dict[str, Any]) -> Callable[[ServerConnection], None]:
    def behaviour(connection: ServerConnection) -> None:
        connection.send(json.dumps({"op": "connect", "data": {"result": True}}))
        asked = json.loads(connection.recv())
        assert [arg["ch"] for arg in asked["args"]] == ["depth_book1", "trade", "price"]
        for frame in frames:
            connection.send(json.dumps(frame))
        for _ in connection:
            pass

    return behaviour


def found(rest_url: str, ws_url: str) -> dict[str, Finding]:
    settings = {"source": "bitunix", "symbol": "BTCUSDT", "bitunix_rest_url": rest_url, "bitunix_ws_url": ws_url}
    findings = check_source(settings)
    assert all(finding.ok == (not finding.advice) for finding in findings)
    return {finding.name: finding for finding in findings}


def test_an_exchange_that_answers_is_well() -> None:
    with rest(KLINE) as rest_url, stream(saying(BOOK, TRADE, PRICE)) as ws_url:
        findings = found(rest_url, ws_url)
    assert list(findings) == [
        "REST DNS",
        "REST TCP",
        "REST symbol",
        "REST candles",
        "clock",
        "WebSocket DNS",
        "WebSocket TCP",
        "WebSocket data on depth_book1",
        "WebSocket data on trade",
        "WebSocket data on price",
    ]
    assert findings["REST symbol"].value == "BTCUSDT: tick 0.1, lot 0.0001, minimum 0.0001"
    assert [name for name, finding in findings.items() if not finding.ok] == []


def test_a_channel_that_stays_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_online, "TIMEOUT_MS", 300)
    with rest(KLINE) as rest_url, stream(saying(NO_BOOK, TRADE, PRICE)) as ws_url:
        findings = found(rest_url, ws_url)
    assert findings["WebSocket data on trade"].ok
    assert not findings["WebSocket data on depth_book1"].ok


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (
            {"code": 20015, "msg": "not allowed to trade.", "data": None},
            200,
            "gives no candles for BTCUSDT (code 20015",
        ),
        ({"code": 0, "msg": "Success", "data": []}, 200, "gives no candles for BTCUSDT (an empty list)"),
        (["hello"], 200, "The answer is not Bitunix's"),
        ({}, 429, "The server answered 429"),
    ],
)
def test_rest_that_answers_otherwise_is_told(answer: Any, status: int, said: str) -> None:
    with rest(answer, status) as rest_url, stream(saying(BOOK, TRADE, PRICE)) as ws_url:
        findings = found(rest_url, ws_url)
    finding = findings["REST candles" if status == 200 else "REST symbol"]
    assert not finding.ok
    assert said in finding.advice


class Greets(BaseRequestHandler):
    """Speaks first, and no HTTP: as what stands at a port for ssh."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.request.recv(10_000)


def test_another_program_at_the_port_is_told() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), Greets) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with stream(saying(BOOK, TRADE, PRICE)) as ws_url:
            finding = found(f"http://127.0.0.1:{server.server_address[1]}", ws_url)["REST symbol"]
        server.shutdown()
        thread.join()
    assert finding.value == "no answer"


def test_a_symbol_that_is_not_listed_is_told_with_its_nearest() -> None:
    pairs = {"code": 0, "data": [{**BTC, "symbol": "BTCUSDC"}, {**BTC, "symbol": "DOGEUSDT"}]}
    with rest(KLINE, pairs=pairs) as rest_url, stream(saying(BOOK, TRADE, PRICE)) as ws_url:
        finding = found(rest_url, ws_url)["REST symbol"]
    assert finding.advice == "symbol must be one that the exchange lists, got BTCUSDT: the nearest are BTCUSDC."


def test_a_socket_that_closes_at_once_is_told() -> None:
    with rest(KLINE) as rest_url, stream(lambda connection: connection.close()) as ws_url:
        finding = found(rest_url, ws_url)["WebSocket data"]
    assert finding.advice.startswith("The WebSocket broke (")


def test_nobody_at_the_port_is_told_and_ends_the_questions() -> None:
    with rest(KLINE) as gone:
        pass
    findings = found(gone, gone.replace("http", "ws"))
    assert list(findings) == ["REST DNS", "REST TCP", "WebSocket DNS", "WebSocket TCP"]
    assert findings["REST TCP"].advice.startswith("No connection to 127.0.0.1:")


@pytest.mark.parametrize("source", ["demo", "mock", "replay"])
def test_sources_on_this_machine_need_no_network(source: str) -> None:
    assert check_source({"source": source}) == [Finding("source answers", f"{source} is on this machine", ok=True)]


CHANNELS = [f"WebSocket data on {channel}" for channel in ("depth_book1", "trade", "price")]


@pytest.mark.parametrize(
    ("fault", "bad"),
    [
        ("", []),
        ("no_greeting,ack,nanoseconds,numeric,unswapped,forming,delay=300", []),
        ("tls_error", ["REST TCP and TLS", "WebSocket TCP and TLS"]),
        ("http=503", ["REST symbol"]),
        ("code=10006", ["REST symbol", "REST candles"]),
        ("empty", ["REST candles"]),
        ("symbol_status=STOP", ["REST symbol"]),
        ("handshake=429", ["WebSocket data"]),
        ("drop", ["WebSocket data"]),
        ("mute", CHANNELS),
        ("half_open@0+60", CHANNELS),
        ("forget=trade", CHANNELS[1:2]),
    ],
)
def test_each_fault_of_the_exchange_shows_where_it_is(
    fault: str, bad: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_online, "TIMEOUT_MS", 2_000)
    with running(config(*filter(None, [fault]))) as exchange:
        secure = "s" if fault == "tls_error" else ""
        findings = found(f"http{secure}://{exchange.rest_url.partition('://')[2]}", exchange.ws_url)
    assert [name for name, finding in findings.items() if not finding.ok] == bad


def test_a_name_that_nobody_knows_is_told_and_ends_the_questions() -> None:
    findings = found(f"http://{'x' * 64}.test", f"ws://{'x' * 64}.test/public/")
    assert {name: finding.ok for name, finding in findings.items()} == {"REST DNS": False, "WebSocket DNS": False}
    assert "check the network, DNS and bitunix_ws_url" in findings["WebSocket DNS"].advice


def test_a_clock_that_is_far_off_is_told_with_its_offset() -> None:
    with rest(KLINE, date="Thu, 01 Jan 2099 00:00:00 GMT") as rest_url, stream(saying(BOOK, TRADE, PRICE)) as ws_url:
        finding = found(rest_url, ws_url)["clock"]
    assert float(finding.value.removesuffix(" s")) < -1e9
    assert finding.advice.endswith(" s slow; let the system set it from the network.")
