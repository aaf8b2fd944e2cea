"""The way to the exchange over real sockets: through a proxy or past it, and TLS that is never taken on trust."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import urlsplit

import pytest
from exchange_builders import T0, config, running
from websocket import WebSocket, WebSocketAddressException

from services.exchange.server_ws import UNTRUSTED
from services.feed.bitunix_rest import BitunixRest, LookAnswer, PairAnswer, RestNews
from services.feed.config import Instrument
from services.feed.facts import RawCandle, Refusal
from services.feed.reconciling import Span
from services.feed.route_ws import open_websocket, proxy_for, route_options
from services.feed.trust_file import trusting

WAIT_S = 10.0
HOST = "exchange.test"
"""A name that nobody but the proxy knows."""
PROXY_NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def proxy(port: int) -> Iterator[tuple[str, list[str]]]:
    """A proxy that leads every name to a port of this machine; it keeps what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(f"CONNECT {self.path} {self.headers['Proxy-Authorization']}")
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.pass_on(b"")

        def do_GET(self) -> None:
            asked.append(f"GET {urlsplit(self.path).hostname}")
            self.pass_on(f"GET /{self.path.split('/', 3)[3]} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())

        def pass_on(self, first: bytes) -> None:
            with socket.create_connection(("127.0.0.1", port), WAIT_S) as there:
                there.sendall(first)
                back = threading.Thread(target=copy, args=(there, self.connection), daemon=True)
                back.start()
                if not first:
                    copy(self.connection, there)
                back.join(WAIT_S)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_S)


def greeting(wire: WebSocket) -> str:
    try:
        return str(wire.recv())
    finally:
        wire.close(timeout=0)


def pair_of(rest_url: str) -> Instrument | Refusal:
    news: Queue[RestNews] = Queue()
    rest = BitunixRest(rest_url, "BTCUSDT", 60_000, news.put)
    try:
        rest.ask_pair()
        answer = news.get(timeout=WAIT_S)
    finally:
        rest.close()
    assert isinstance(answer, PairAnswer)
    return answer.pair


def candles_of(rest_url: str) -> list[RawCandle]:
    """The last two minutes before the exchange's own beginning, asked for once."""
    news: Queue[RestNews] = Queue()
    rest = BitunixRest(rest_url, "BTCUSDT", 60_000, news.put)
    try:
        rest.ask_look(Span(T0 - 120_000, T0 - 60_000))
        answer = news.get(timeout=WAIT_S)
    finally:
        rest.close()
    assert isinstance(answer, LookAnswer)
    return answer.candles


def test_the_proxy_of_the_environment_is_taken_for_socket_and_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(config()) as exchange, proxy(urlsplit(exchange.ws_url).port or 0) as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{address}")
        assert '"connect"' in greeting(open_websocket(f"ws://{HOST}:8000/public/", WAIT_S))
        assert isinstance(pair_of(f"http://{HOST}:8000"), Instrument)
    assert asked == [f"CONNECT {HOST}:8000 Basic bWU6c2VjcmV0", f"GET {HOST}"]


def test_no_proxy_and_loopback_go_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(config()) as exchange, proxy(1) as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        assert '"connect"' in greeting(open_websocket(exchange.ws_url, WAIT_S))
        assert isinstance(pair_of(exchange.rest_url), Instrument)
        monkeypatch.setenv("NO_PROXY", "other.test,.exchange.test,exchange.test")
        with pytest.raises(WebSocketAddressException):
            open_websocket(f"ws://{HOST}:8000/public/", WAIT_S)
    assert asked == []


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "wss://fapi.bitunix.com/public/", ""),
        ({"HTTPS_PROXY": "http://p:3128"}, "wss://fapi.bitunix.com/public/", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://fapi.bitunix.com", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "ws://fapi.bitunix.com/public/", ""),
        ({"http_proxy": "p:3128"}, "ws://fapi.bitunix.com/public/", "p:3128"),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "bitunix.com"}, "wss://fapi.bitunix.com/public/", ""),
        ({"HTTP_PROXY": "http://p:3128"}, "ws://127.0.0.1:5/public/", ""),
        ({"HTTP_PROXY": "http://p:3128"}, "ws://localhost:5/public/", ""),
    ],
)
def test_which_proxy_stands_where(
    environment: dict[str, str], url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == expected
    options = route_options(url)
    assert (options["http_proxy_host"], options["http_proxy_port"]) == (("p", 3128) if expected else ("none", 1))


def test_a_certificate_that_nobody_trusts_is_refused_before_a_word_is_said() -> None:
    with running(config("tls_error")) as exchange:
        assert exchange.ws_url.startswith("wss://")
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            open_websocket(exchange.ws_url, WAIT_S)
        assert candles_of(exchange.rest_url) == []


def test_a_certificate_that_the_machine_trusts_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(UNTRUSTED))
    with running(config("tls_error")) as exchange:
        assert '"connect"' in greeting(open_websocket(exchange.ws_url, WAIT_S))
        assert isinstance(pair_of(exchange.rest_url), Instrument)
        assert len(candles_of(exchange.rest_url)) == 2


def test_a_port_that_speaks_no_tls_is_no_connection() -> None:
    with running(config()) as exchange, pytest.raises(ssl.SSLError):
        open_websocket(exchange.ws_url.replace("ws:", "wss:"), WAIT_S)


def test_where_the_machine_has_no_certificates_those_of_mozilla_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Mac with the Python of python.org. Who names some is not second-guessed."""
    none = ssl.get_default_verify_paths()._replace(cafile="", capath="")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: none)
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert trusting().cert_store_stats()["x509_ca"] > 50
    monkeypatch.setenv("SSL_CERT_FILE", "nowhere.pem")
    assert trusting().cert_store_stats()["x509_ca"] == 0
