"""The pyzmq adapters: TCP on loopback, CURVE always on, one frame a message, every wait bounded.

Rules of this file: sockets never cross threads; every socket has an explicit linger and limits; what binds enforces
its ZAP domain, so that a peer without the key gets nothing in and nothing out even while no doorkeeper answers
(libzmq's CURVE fails open without one); malformed frames are counted in `malformed` and dropped.
"""

import selectors
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from errno import EACCES
from time import monotonic_ns
from typing import Final, Protocol

import zmq

from bus import codec
from bus.codec import Envelope
from bus.doorkeeper_zap import Doorkeeper
from bus.errors import BusError, MalformedFrameError
from bus.messages import Message
from bus.topics import PREFIXES

DOMAIN: Final = "laptop-agents"
HIGH_WATER_MARK: Final = 10_000
"""Frames queued per peer before a publisher drops; some 50 MB of full bursts."""
MAX_FRAME_BYTES: Final = 96 * 1024 * 1024
"""A larger frame ends its sender's connection. The largest of ours is a question after the widest hole that a feed believes:
half a million candles of at most 180 bytes. All others stay under 1 MB."""
BATCH: Final = 200
"""Frames taken from a socket in one go, so that the loop always comes round to its beat."""
LINGER_MS: Final = 500
HANDSHAKE_MS: Final = 5_000
"""A handshake that the other end has not finished by then (it was stopped, or is just ending) is begun anew."""
BIND_AGAIN_MS: Final = 100


_POLLIN: Final = int(zmq.POLLIN)
_SNDMORE: Final = int(zmq.SNDMORE | zmq.DONTWAIT)
"""Plain numbers: with pyzmq's own each `&` would make another flag, which takes longer than what it is asked for."""


_TAKEN: Final = frozenset([zmq.EADDRINUSE, EACCES])
"""Windows says that access is denied where somebody has a port for himself alone."""


class PortTakenError(BusError):
    """A port of the session is in use by somebody else."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The session's one CURVE key pair, Z85 text; whoever holds it is a peer."""

    public: bytes
    secret: bytes = field(repr=False)


def new_keys() -> Keys:
    """Return a fresh key pair."""
    public, secret = zmq.curve_keypair()
    return Keys(public, secret)


class _Listener:
    """Takes what has arrived at a socket, without waiting; counts and drops what is no message.

    Attributes:
        is_unsure: whether something may be waiting here that the socket's descriptor does not tell of; see `Poller`.
    """

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.malformed = 0
        self.is_unsure = True

    def has_more(self) -> bool:
        """Whether something has arrived; to ask costs less than to be told by an exception."""
        self.is_unsure = bool(int(self.socket.getsockopt(zmq.EVENTS)) & _POLLIN)
        return self.is_unsure

    def _arrived(self) -> Iterator[list[bytes]]:
        """Yield what has arrived with the parts that its way through a ROUTER, or its kind of socket, has given it."""
        self.is_unsure = True  # until the last of it is taken
        for _ in range(BATCH):
            try:
                yield self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                self.is_unsure = False
                return
            if not self.has_more():
                return

    def _envelopes(self) -> Iterator[Envelope]:
        """Yield the messages that have arrived at a socket of single frames."""
        receive, self.is_unsure = self.socket.recv, True  # until the last of it is taken
        for _ in range(BATCH):
            try:
                frame = receive(zmq.DONTWAIT)
            except zmq.Again:
                self.is_unsure = False
                return
            if (envelope := self._decoded(frame)) is not None:
                yield envelope
            if not self.has_more():
                return

    def _decoded(self, frame: bytes) -> Envelope | None:
        try:
            return codec.decode(frame)
        except MalformedFrameError:
            self.malformed += 1
            return None


class _Speaker(_Listener):
    """Also sends, numbering what it says 1, 2, 3 ... per epoch."""

    def __init__(self, socket: "zmq.Socket[bytes]", source: str, epoch: int) -> None:
        super().__init__(socket)
        self._source = source
        self._epoch = epoch
        self._seq = 0

    def _frame(self, message: Message) -> bytes:
        self._seq += 1
        return codec.encode(message, self._source, self._epoch, self._seq, monotonic_ns())

    def _send(self, frame: bytes, flags: int = zmq.DONTWAIT) -> None:
        self.is_unsure = True  # whatever comes of it: a refused send takes the descriptor's word as well
        self.socket.send(frame, flags)


class Publisher(_Speaker):
    """The one writer of a service's topics (XPUB)."""

    def __init__(self, socket: "zmq.Socket[bytes]", source: str, epoch: int) -> None:
        super().__init__(socket, source, epoch)
        self.subscribed: set[bytes] = set()
        self.has_newcomer = False
        """Whether somebody has subscribed since this was last set to false: the moment to say how one is."""

    def send(self, message: Message) -> None:
        """Publish a message. Never waits: what a slow listener can not take is dropped for it; market events have numbers of their own."""
        self._send(self._frame(message))

    def receive(self) -> list[Message]:
        """Note who subscribed; return nothing. Anything else that arrives here is counted and dropped."""
        for parts in self._arrived():
            frame = parts[0]
            if frame[:1] == b"\x01" and len(parts) == 1:
                self.subscribed.add(frame[1:])
                self.has_newcomer = True
            elif frame[:1] == b"\x00" and len(parts) == 1:
                self.subscribed.discard(frame[1:])
            else:
                self.malformed += 1
        return []

    def has_subscriber(self, message: type[Message]) -> bool:
        """Whether somebody listens to this class."""
        return any(PREFIXES[message].startswith(prefix) for prefix in self.subscribed)


class Subscriber(_Listener):
    """A listener on one service's publisher (SUB)."""

    def receive_envelopes(self) -> list[Envelope]:
        """Return what has arrived, with its headers."""
        return list(self._envelopes())

    def receive(self) -> Iterator[Message]:
        """Yield the messages that have arrived."""
        return (envelope.message for envelope in self._envelopes())


class Server(_Speaker):
    """The answering end of a request socket (ROUTER)."""

    def receive(self) -> Iterator[tuple[bytes, Message]]:
        """Yield what has arrived, each with the peer to answer."""
        return ((parts[0], envelope.message) for parts in self._arrived() if (envelope := self._decoded(parts[-1])))

    def send(self, peer: bytes, message: Message) -> bool:
        """Send to a peer; false when it is gone or does not take anything."""
        frame = self._frame(message)
        try:
            self._send(peer, _SNDMORE)
            self._send(frame)
        except zmq.ZMQError as error:
            if error.errno in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                return False
            raise
        return True


class Client(_Speaker):
    """The asking end of a request socket (DEALER)."""

    def send(self, message: Message) -> bool:
        """Send a message; false when the other end has taken nothing for so long that the queue is full."""
        try:
            self._send(self._frame(message))
        except zmq.Again:
            return False
        return True

    def receive(self) -> Iterator[Message]:
        """Yield the messages that have arrived."""
        return (envelope.message for envelope in self._envelopes())


class Connections(_Listener):
    """Tells when a client has reached its server (again): the moment to say hello."""

    def receive(self) -> Iterator[list[bytes]]:
        """Yield an item per connection made since the last look: the socket tells of nothing else."""
        return self._arrived()


class Pollable(Protocol):
    """A socket of ours, as far as a poller needs one; `_Listener` says what the names mean."""

    socket: "zmq.Socket[bytes]"
    is_unsure: bool

    def has_more(self) -> bool:
        """Whether something has arrived."""


class Poller:
    """Waits until something has arrived at one of some sockets, or can be read from a descriptor.

    libzmq has a descriptor for each socket, which can be read when there is news; any call to the socket, a send as well, may
    take that word and leave the message (`ZMQ_FD` in the manual page of `zmq_getsockopt`). So a socket that was used is looked
    at before the wait. `zmq.Poller` looks at every socket before and after each wait, with two calls to the system a look.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._listeners: list[Pollable] = []

    def register(self, listener: Pollable) -> None:
        """Wait for this socket, too."""
        self._selector.register(int(listener.socket.getsockopt(zmq.FD)), selectors.EVENT_READ, listener)
        self._listeners.append(listener)

    def register_descriptor(self, descriptor: int) -> None:
        """Wait for this descriptor, too."""
        self._selector.register(descriptor, selectors.EVENT_READ, descriptor)

    def wait(self, timeout_ms: int) -> list[Pollable | int]:
        """Return what may have something to read: a socket's news can be of another kind, too; nothing when the time is out."""
        ready: list[Pollable | int] = [one for one in self._listeners if one.is_unsure and one.has_more()]
        for key, _ in self._selector.select(0 if ready else timeout_ms / 1000):
            found = key.data
            if found not in ready:
                ready.append(found)
        return ready

    def close(self) -> None:
        """Wait for nothing any more."""
        self._selector.close()


class Bus:
    """A process's context and the sockets it opens in it.

    Args:
        keys: the session's key pair.
        source: the service's name, written into every header.
        epoch: the service's incarnation, written into every header.
        authenticate: false leaves the doorkeeper out; nobody gets in then.
        patience_ms: how long a port that is taken is waited for. One that a process left that was just killed may be free
            a bit later only (on Windows, where libzmq takes it with `SO_EXCLUSIVEADDRUSE`).
    """

    def __init__(self, keys: Keys, source: str, epoch: int, *, authenticate: bool = True, patience_ms: int = 0) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._keys = keys
        self._source = source
        self._epoch = epoch
        self._patience_ms = patience_ms
        self._sockets: list[zmq.Socket[bytes]] = []
        self._pollers: list[Poller] = []
        if authenticate:
            Doorkeeper(self._context, DOMAIN, keys.public)

    def publisher(self, port: int) -> Publisher:
        """Bind a service's publisher.

        Raises:
            PortTakenError: somebody else listens there.
        """
        socket = self._socket(zmq.XPUB)
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._bind(socket, port)
        return Publisher(socket, self._source, self._epoch)

    def subscriber(self, port: int, topics: Iterable[type[Message]]) -> Subscriber:
        """Listen to some topics of one publisher; it need not be there yet."""
        socket = self._socket(zmq.SUB)
        # What a listener still has to say is which topics it wants, to a publisher that is gone: not worth a wait.
        socket.setsockopt(zmq.LINGER, 0)
        for message in topics:
            socket.setsockopt(zmq.SUBSCRIBE, PREFIXES[message])
        self._connect(socket, port)
        return Subscriber(socket)

    def server(self, port: int) -> Server:
        """Bind a request socket.

        Raises:
            PortTakenError: somebody else listens there.
        """
        socket = self._socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._bind(socket, port)
        return Server(socket, self._source, self._epoch)

    def client(self, port: int) -> Client:
        """Connect to a request socket; it need not be there yet."""
        socket = self._socket(zmq.DEALER)
        self._connect(socket, port)
        return Client(socket, self._source, self._epoch)

    def connections(self, client: Client) -> Connections:
        """Watch a client's connections."""
        socket = client.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.setsockopt(zmq.LINGER, 0)
        self._sockets.append(socket)
        return Connections(socket)

    def poller(self) -> Poller:
        """Return what waits for sockets of this process."""
        self._pollers.append(Poller())
        return self._pollers[-1]

    def close(self) -> None:
        """Close everything within about `LINGER_MS`."""
        for poller in self._pollers:
            poller.close()
        for socket in self._sockets:
            socket.close()
        self._context.term()

    def _socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 80)
        socket.curve_publickey = self._keys.public
        socket.curve_secretkey = self._keys.secret
        self._sockets.append(socket)
        return socket

    def _bind(self, socket: "zmq.Socket[bytes]", port: int) -> None:
        socket.curve_server = True
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        deadline_ns = monotonic_ns() + self._patience_ms * 1_000_000
        while True:
            try:
                socket.bind(f"tcp://127.0.0.1:{port}")
            except zmq.ZMQError as error:
                if error.errno not in _TAKEN:
                    raise
                if monotonic_ns() >= deadline_ns:
                    raise PortTakenError(f"port {port} is taken by another program") from None
                socket.poll(BIND_AGAIN_MS)  # it is connected to nobody: a pause
            else:
                return

    def _connect(self, socket: "zmq.Socket[bytes]", port: int) -> None:
        socket.curve_serverkey = self._keys.public
        socket.connect(f"tcp://127.0.0.1:{port}")
