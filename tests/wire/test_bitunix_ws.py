"""The client against a tiny server of the exchange's protocol, over real sockets."""

import json
import threading
from contextlib import suppress
from queue import Queue
from typing import Any

import pytest
from feed_builders import SYMBOL, T0
from feed_peers import (
    QUICK,
    WAIT_S,
    Exchange,
    Script,
    book,
    connected,
    facts_of,
    greet,
    prints,
    quiet,
    served,
    streaming,
    wait_for,
)
from websockets.sync.server import ServerConnection, serve

from services.clock import monotonic_ms
from services.feed import bitunix_ws
from services.feed.bitunix_talk import Patience
from services.feed.bitunix_ws import BitunixSocket
from services.feed.config import Backoff
from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal
from services.feed.news import Closed, GivenUp, Heard, Opened, Silent, WireNews
from services.feed.route_ws import MOST_BYTES


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
        assert wait_for(news, GivenUp).detail.startswith("1 failed attempt: ")


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


def test_what_came_while_the_client_stood_still_in_the_middle_of_its_work_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bitunix_ws, "SLEPT_MS", 200)
    news: Queue[WireNews] = Queue()
    has_heard, sent_more = threading.Event(), threading.Event()

    def script(connection: ServerConnection, exchange: Exchange) -> None:
        greet(connection)
        connection.send(book(T0))
        if has_heard.wait(WAIT_S) and not sent_more.is_set():
            connection.send(prints(T0 + 1, "100"))
            sent_more.set()
        exchange.listen(connection)

    def deliver(item: WireNews) -> bool:
        if isinstance(item, Heard) and not has_heard.is_set():
            has_heard.set()
            assert sent_more.wait(WAIT_S)
            threading.Event().wait(0.5)  # as a process does that is stopped here
        news.put(item)
        return True

    with served(script) as (_, url):
        client = BitunixSocket(url, SYMBOL, QUICK, deliver)
        client.start()
        try:
            assert facts_of(news, 1) == [RawQuote(T0, 99.9, 100.1, 1.0, 2.0)]
            next_news = news.get(timeout=WAIT_S)
            assert isinstance(next_news, Closed), next_news
            assert "slept" in next_news.detail
        finally:
            client.close(WAIT_S)
