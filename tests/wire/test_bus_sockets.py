"""The real sockets: what a peer with the key gets, what a stranger gets (nothing), and what garbage does (nothing)."""

from collections.abc import Callable, Iterator, Sequence
from socket import socket as tcp_socket
from typing import TypeVar

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from bus.messages import EventsRequest, Heartbeat, Quote, Shutdown, StopReason
from bus.sockets import Bus, Keys, PortTakenError, Publisher, Server, new_keys
from services.waiting import wait_until

KEYS = new_keys()
WAIT_MS = 5_000
Make = Callable[..., Bus]
T = TypeVar("T")
HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
)


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


Socket = zmq.Socket[bytes]


class Stranger:
    """A program of somebody else: raw sockets of its own context."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.sockets: list[Socket] = []

    def socket(self, kind: int) -> Socket:
        self.sockets.append(self.context.socket(kind))
        return self.sockets[-1]

    def handshakes(self, client: Socket) -> Socket:
        """What becomes of a client's handshakes."""
        self.sockets.append(client.get_monitor_socket(HANDSHAKES))
        return self.sockets[-1]

    def close(self) -> None:
        for socket in self.sockets:
            socket.close(0)
        self.context.term()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    somebody = Stranger()
    yield somebody
    somebody.close()


def gather(receive: Callable[[], Sequence[T]], count: int = 1) -> list[T]:
    """Receive until so many have arrived."""
    arrived: list[T] = []

    def enough() -> bool:
        arrived.extend(receive())
        return len(arrived) >= count

    assert wait_until(enough, WAIT_MS)
    return arrived


def test_a_subscriber_gets_what_is_published_after_it_is_ready(make: Make, port: int) -> None:
    publisher = make("feed").publisher(port)
    subscriber = make("broker").subscriber(port, [Quote])
    assert wait_until(lambda: publisher.receive() == [] and publisher.has_subscriber(Quote), WAIT_MS)
    publisher.send_all([quote(1), quote(2)])
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


def test_a_client_learns_that_it_reached_its_server(make: Make, port: int) -> None:
    bus = make("strategy")
    connections = bus.connections(bus.client(port))
    assert connections.receive() == []
    make("broker").server(port)
    assert wait_until(lambda: bool(connections.receive()), WAIT_MS)


def test_a_taken_port_is_said_so(make: Make, port: int) -> None:
    make("feed").publisher(port)
    with pytest.raises(PortTakenError, match=str(port)):
        make("broker").publisher(port)


def no_key(_: Socket) -> None:
    """Plain NULL security."""


def wrong_key(client: Socket) -> None:
    other = new_keys()
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = other.public, other.secret, other.public


def only_the_servers_public_key(client: Socket) -> None:
    own = new_keys()
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = own.public, own.secret, KEYS.public


def plain(client: Socket) -> None:
    client.plain_username, client.plain_password = b"lap", b"lap"


@pytest.mark.parametrize("authenticate", [True, False], ids=["authenticator", "no authenticator"])
@pytest.mark.parametrize("dress", [no_key, wrong_key, only_the_servers_public_key, plain])
@pytest.mark.parametrize("kind", ["publisher", "server"])
def test_a_stranger_gets_nothing_in_and_nothing_out(
    make: Make,
    port: int,
    stranger: Stranger,
    kind: str,
    dress: Callable[[Socket], None],
    authenticate: bool,
) -> None:
    bus = make("feed", authenticate=authenticate)
    ours: Publisher | Server = bus.publisher(port) if kind == "publisher" else bus.server(port)
    client = stranger.socket(zmq.SUB if kind == "publisher" else zmq.DEALER)
    dress(client)
    events = stranger.handshakes(client)
    if kind == "publisher":
        client.setsockopt(zmq.SUBSCRIBE, b"")
    client.connect(f"tcp://127.0.0.1:{port}")
    if kind == "server":
        client.send(b"let me in")
    assert events.poll(WAIT_MS)
    assert recv_monitor_message(events)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
    assert ours.receive() == []
    if isinstance(ours, Publisher):
        ours.send(quote())
        assert not ours.subscribed
    assert ours.malformed == 0
    assert client.poll(0, zmq.POLLIN) == 0


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
    assert wait_until(lambda: server.receive() == [] and server.malformed == 2, WAIT_MS)
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
