"""Servers that keep a connection busy without being of any use: each is seen through, over real sockets."""

import threading
from contextlib import suppress

import pytest
from feed_builders import T0
from feed_peers import Exchange, book, connected, facts_of, greet, prints, served, streaming, wait_for
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from services.feed import bitunix_ws, route_ws
from services.feed.bitunix_talk import Patience
from services.feed.facts import RawQuote
from services.feed.news import Closed, Opened, Silent

QUOTE = RawQuote(T0, 99.9, 100.1, 1.0, 2.0)


@pytest.fixture
def short_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message must be whole within 300 ms."""
    for module in (bitunix_ws, route_ws):
        monkeypatch.setattr(module, "STALL_MS", 300)


def pause(connection: ServerConnection, seconds: float) -> None:
    """Let time pass, or the client say something."""
    with suppress(TimeoutError):
        connection.recv(seconds)


@pytest.mark.usefixtures("short_stall")
def test_a_server_that_pings_in_a_quiet_market_is_answered_and_kept() -> None:
    answered: list[bool] = []

    def script(connection: ServerConnection, exchange: Exchange) -> None:
        greet(connection)
        answered.append(connection.ping().wait(5))
        exchange.listen(connection)

    with served(script) as (exchange, url), connected(url, patience=Patience(ping_ms=300)) as (_, news):
        wait_for(news, Opened)
        said = [exchange.said.get(timeout=10)["op"] for _ in range(5)]
        assert said == ["subscribe", "ping", "ping", "ping", "ping"]
        assert answered == [True]
        assert exchange.connections == 1


@pytest.mark.usefixtures("short_stall")
@pytest.mark.parametrize("begin", [b"\x81\x7e\x03\xe8", b"\x01\x02"], ids=["a frame", "a message in parts"])
def test_a_message_that_drips_in_for_ever_is_given_up(begin: bytes) -> None:
    def drip(connection: ServerConnection, _exchange: Exchange) -> None:
        connection.socket.sendall(begin)
        for _ in range(200):
            connection.socket.sendall(b"x" if begin[0] == 0x81 else b"xx\x00\x02")
            pause(connection, 0.05)

    with served(drip, streaming(book(T0))) as (_, url), connected(url) as (_, news):
        assert "does not end" in wait_for(news, Closed).detail
        assert facts_of(news, 1) == [QUOTE]


def test_nonsense_without_a_pause_is_no_market_data() -> None:
    def chatter(connection: ServerConnection, _exchange: Exchange) -> None:
        for _ in range(1_000_000):
            connection.send("nonsense")

    with served(chatter) as (_, url), connected(url, patience=Patience(silence_ms=300)) as (_, news):
        assert wait_for(news, Closed).detail == "no market data"


def test_a_redirect_is_not_followed() -> None:
    with served(streaming(book(T0))) as (exchange, elsewhere):

        def send_away(_: ServerConnection, __: Request) -> Response:
            return Response(302, "Found", Headers(Location=elsewhere))

        server = serve(lambda _: None, "127.0.0.1", 0, process_request=send_away)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with connected(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/public/") as (_, news):
            assert "Redirect" in wait_for(news, Closed).detail
        server.shutdown()
        thread.join(10)
    assert exchange.connections == 0


def test_a_channel_that_falls_silent_is_subscribed_to_again_while_others_go_on() -> None:
    def forgetful(connection: ServerConnection, _exchange: Exchange) -> None:
        connection.send(prints(T0, "100"))
        for tick in range(400):
            connection.send(book(T0 + tick))
            pause(connection, 0.02)

    patience = Patience(first_data_ms=60_000, quiet_ms=200)
    with served(forgetful) as (exchange, url), connected(url, patience=patience) as (_, news):
        assert wait_for(news, Silent).channels == ["trade"]
        assert exchange.connections == 1


def test_a_connection_is_renewed_when_it_is_asked_to() -> None:
    with (
        served(streaming(book(T0 - 1)), streaming(book(T0))) as (_, url),
        connected(url, patience=Patience(ping_ms=200)) as (client, news),
    ):
        facts_of(news, 1)
        client.renew("deaf")
        assert wait_for(news, Closed).detail == "deaf"
        assert facts_of(news, 1) == [QUOTE]
