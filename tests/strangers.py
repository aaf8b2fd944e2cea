"""Programs of somebody else at the bus: what each kind of them has instead of the session's key."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import zmq
from zmq.utils.monitor import recv_monitor_message

from bus.sockets import new_keys

Socket: TypeAlias = "zmq.Socket[bytes]"
Dress: TypeAlias = Callable[[Socket, bytes], None]
HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
)


def no_key(_: Socket, __: bytes) -> None:
    """Plain NULL security."""


def wrong_key(client: Socket, _: bytes) -> None:
    other = new_keys()
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = other.public, other.secret, other.public


def only_the_servers_public_key(client: Socket, server_key: bytes) -> None:
    own = new_keys()
    client.curve_publickey, client.curve_secretkey, client.curve_serverkey = own.public, own.secret, server_key


def plain(client: Socket, _: bytes) -> None:
    client.plain_username, client.plain_password = b"lap", b"lap"


DRESSES: Mapping[str, Dress] = {
    dress.__name__: dress for dress in (no_key, wrong_key, only_the_servers_public_key, plain)
}


class Stranger:
    """A program of somebody else: raw sockets of its own context."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.sockets: list[Socket] = []

    def socket(self, kind: int) -> Socket:
        self.sockets.append(self.context.socket(kind))
        return self.sockets[-1]

    def come_to(self, port: int, *, asks: bool, dress: Dress, server_key: bytes) -> tuple[Socket, Socket]:
        """Connect, and ask a question or want to hear everything; return the client, and what becomes of its handshakes."""
        client = self.socket(zmq.DEALER if asks else zmq.SUB)
        dress(client, server_key)
        self.sockets.append(client.get_monitor_socket(HANDSHAKES))
        events = self.sockets[-1]
        if not asks:
            client.setsockopt(zmq.SUBSCRIBE, b"")
        client.connect(f"tcp://127.0.0.1:{port}")
        if asks:
            client.send(b"let me in")
        return client, events

    def close(self) -> None:
        for socket in self.sockets:
            socket.close(0)
        self.context.term()


def is_turned_away(client: Socket, events: Socket, wait_ms: int) -> bool:
    """Whether a stranger's handshake has come to nothing in that time; it has never come to anything."""
    failed = bool(events.poll(wait_ms))
    while events.poll(0):
        assert recv_monitor_message(events)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
    assert not client.poll(0, zmq.POLLIN)
    return failed
