"""The real sockets: what a peer with the key gets, what a stranger gets (nothing), and what garbage does (nothing)."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from select import select
from socket import create_server, socketpair
from socket import socket as tcp_socket
from threading import Timer
from threading import enumerate as enumerate_threads
from typing import TypeVar

import pytest
import zmq
from strangers import DRESSES, Socket, Stranger, is_turned_away

from bus.messages import EventsRequest, Heartbeat, Message, Quote, Shutdown, StopReason
from bus.sockets import Bus, Keys, Poller, PortTakenError, Publisher, Server, new_keys
from services.waiting import wait_until

KEYS = new_keys()
WAIT_MS = 5_000
Make = Callable[..., Bus]
T = TypeVar("T")


def quote(seq: int = 1) -> Quote:
    return Quote(seq, seq, 99.0, 100.0, 1.0, 1.0)


@pytest.fixture
def port() -> int:
    with tcp_socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make() -> Iterator[Make]:
    """Make buses that are closed with the test."""
    made: list[Bus] = []

    def build(source: str, *, authenticate: bool = True) -> Bus:
        made.append(Bus(KEYS, source, 1, authenticate=authenticate))
        return made[-1]

    yield build
    for bus in made:
        bus.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    somebody = Stranger()
    yield somebody
    somebody.close()


def gather(receive: Callable[[], Iterable[T]], count: int = 1) -> list[T]:
    """Receive until so many have arrived."""
    arrived: list[T] = []

    def enough() -> bool:
        arrived.extend(receive())
        return len(arrived) >= count

    assert wait_until(enough, WAIT_MS)
    return arrived


def heard(server: Server, poller: Poller, most: int | None = None) -> list[Message]:
    """Wait for requests; take at most so many."""
    return [request for _ in poller.wait(WAIT_MS) for _, request in islice(server.receive(), most)]


def test_a_subscriber_gets_what_is_published_after_it_is_ready(make: Make, port: int) -> None:
    publisher = make("feed").publisher(port)
    subscriber = make("broker").subscriber(port, [Quote])
    assert wait_until(lambda: publisher.receive() == [] and publisher.has_subscriber(Quote), WAIT_MS)
    publisher.send(quote(1))
    publisher.send(quote(2))
    assert gather(subscriber.receive, 2) == [quote(1), quote(2)]


def test_topics_that_begin_alike_are_not_mixed(make: Make, port: int) -> None:
    publisher = make("monitor").publisher(port)
    subscriber = make("broker").subscriber(port, [Shutdown])
    assert wait_until(lambda: publisher.receive() == [] and publisher.has_subscriber(Shutdown), WAIT_MS)
    assert not publisher.has_subscriber(Heartbeat)
    publisher.send(Heartbeat("monitor", 1, 1, True))
    publisher.send(Shutdown(StopReason.KILL))
    assert gather(subscriber.receive) == [Shutdown(StopReason.KILL)]


def test_a_question_is_answered_and_a_gone_asker_is_noticed(make: Make, port: int) -> None:
    server = make("feed").server(port)
    bus = make("broker")
    client = bus.client(port)
    client.send(EventsRequest(7))
    peer, question = gather(server.receive)[0]
    assert question == EventsRequest(7)
    assert server.send(peer, quote())
    assert gather(client.receive) == [quote()]
    client.socket.close(0)
    assert wait_until(lambda: not server.send(peer, quote()), WAIT_MS)


def test_a_wait_ends_with_what_came_while_its_socket_spoke(make: Make, port: int) -> None:
    """A send takes the word of a message that has arrived from the socket's descriptor."""
    server = make("feed").server(port)
    bus = make("broker")
    client, poller = bus.client(port), bus.poller()
    poller.register(client)
    client.send(EventsRequest(0))
    peer, _ = gather(server.receive)[0]
    for seq in range(1, 101):
        assert server.send(peer, quote(seq))
        assert wait_until(lambda: bool(int(client.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN), WAIT_MS)
        client.send(EventsRequest(seq))
        assert poller.wait(WAIT_MS) == [client]
        assert list(client.receive()) == [quote(seq)]


def test_a_wait_ends_with_what_came_before_a_send_to_somebody_gone(make: Make, port: int) -> None:
    bus = make("broker")
    server, poller = bus.server(port), bus.poller()
    poller.register(server)
    leaving, coming = make("strategy").client(port), make("strategy").client(port)
    leaving.send(EventsRequest(1))
    gone, _ = gather(server.receive)[0]
    leaving.socket.close(0)
    assert wait_until(lambda: not server.send(gone, quote()), WAIT_MS)
    coming.send(EventsRequest(2))
    gather(server.receive)
    for seq in range(3, 53):
        poller.wait(0)
        coming.send(EventsRequest(seq))
        assert select([int(server.socket.getsockopt(zmq.FD))], [], [], WAIT_MS / 1000)[0], "it has arrived"
        assert not server.send(gone, quote())
        assert gather(lambda: heard(server, poller)) == [EventsRequest(seq)]


def test_what_was_not_taken_is_still_there_at_the_next_wait(make: Make, port: int) -> None:
    bus = make("broker")
    server, poller = bus.server(port), bus.poller()
    poller.register(server)
    client = make("strategy").client(port)
    for seq in range(5):
        client.send(EventsRequest(seq))
    assert gather(lambda: heard(server, poller, 1), 5) == [EventsRequest(seq) for seq in range(5)]


def test_a_wait_ends_with_what_comes_during_it_and_without_anything_in_time(make: Make, port: int) -> None:
    server = make("feed").server(port)
    bus = make("broker")
    client, poller = bus.client(port), bus.poller()
    ours, theirs = socketpair()
    poller.register(client)
    poller.register_descriptor(ours.fileno())
    client.send(EventsRequest(0))
    peer, _ = gather(server.receive)[0]
    assert wait_until(lambda: poller.wait(1) == [], WAIT_MS)
    later = Timer(0.05, lambda: server.send(peer, quote()))
    later.start()
    assert wait_until(lambda: poller.wait(WAIT_MS) == [client], WAIT_MS), "news of another kind may come before"
    later.join()
    assert list(client.receive()) == [quote()]
    theirs.send(b"!")
    assert poller.wait(WAIT_MS) == [ours.fileno()]
    ours.close()
    theirs.close()


def test_a_client_learns_that_it_reached_its_server(make: Make, port: int) -> None:
    bus = make("strategy")
    connections = bus.connections(bus.client(port))
    assert list(connections.receive()) == []
    make("broker").server(port)
    assert wait_until(lambda: bool(list(connections.receive())), WAIT_MS)


def test_a_taken_port_is_said_so(make: Make, port: int) -> None:
    make("feed").publisher(port)
    with pytest.raises(PortTakenError, match=str(port)):
        make("broker").publisher(port)


def test_a_port_that_is_free_in_a_moment_is_waited_for(port: int) -> None:
    """As after a service was killed on Windows: its successor is there before its port is."""
    held = create_server(("127.0.0.1", port))
    release = Timer(0.3, held.close)
    release.start()
    bus = Bus(KEYS, "feed", 2, patience_ms=WAIT_MS)
    try:
        bus.publisher(port)
    finally:
        release.join()
        bus.close()


def test_a_closed_bus_leaves_no_thread(port: int) -> None:
    bus = Bus(KEYS, "feed", 1)
    bus.publisher(port)
    assert any(thread.name == "doorkeeper" for thread in enumerate_threads())
    bus.close()
    assert wait_until(lambda: all(thread.name != "doorkeeper" for thread in enumerate_threads()), WAIT_MS)


@pytest.mark.parametrize("doorkeeper", ["answers", "is not there yet"])
@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("kind", ["publisher", "server"])
def test_a_stranger_gets_nothing_in_and_nothing_out(
    make: Make, port: int, stranger: Stranger, kind: str, dress: str, doorkeeper: str
) -> None:
    bus = make("feed", authenticate=doorkeeper == "answers")
    ours: Publisher | Server = bus.publisher(port) if kind == "publisher" else bus.server(port)

    def come() -> tuple[Socket, Socket]:
        return stranger.come_to(port, asks=kind == "server", dress=DRESSES[dress], server_key=KEYS.public)

    assert is_turned_away(*come(), WAIT_MS)
    assert not list(ours.receive())
    if isinstance(ours, Publisher):
        ours.send(quote())
        assert not ours.subscribed
    assert ours.malformed == 0
    assert not any(client.poll(100, zmq.POLLIN) for client in stranger.sockets if client.type in {zmq.SUB, zmq.DEALER})


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 300,
        b"quote|1|1|feed|1|1|[1,2,3.0",
        b"quote|1|1|feed|1|1|[1,2,NaN,1.0,1.0,1.0,false]",
        b"\x00" * 1_000_000,
    ],
    ids=["random", "truncated", "NaN", "zeros"],
)
def test_garbage_from_a_peer_is_counted_and_dropped(make: Make, port: int, stranger: Stranger, garbage: bytes) -> None:
    server = make("feed").server(port)
    client = stranger.socket(zmq.DEALER)
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = KEYS.public, KEYS.secret, KEYS.public
    client.connect(f"tcp://127.0.0.1:{port}")
    client.send(garbage)
    client.send_multipart([b"two", b"frames"])
    assert wait_until(lambda: not list(server.receive()) and server.malformed == 2, WAIT_MS)
    good = make("broker").client(port)
    good.send(EventsRequest(1))
    assert [message for _, message in gather(server.receive)] == [EventsRequest(1)]


def test_garbage_at_a_publisher_is_counted_and_dropped(make: Make, port: int, stranger: Stranger) -> None:
    publisher = make("feed").publisher(port)
    client = stranger.socket(zmq.XSUB)
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = KEYS.public, KEYS.secret, KEYS.public
    client.connect(f"tcp://127.0.0.1:{port}")
    client.send(b"\x07garbage")
    assert wait_until(lambda: publisher.receive() == [] and publisher.malformed == 1, WAIT_MS)


def test_keys_are_not_shown() -> None:
    assert Keys.__dataclass_fields__["secret"].repr is False
