"""A peer on a running session's bus that holds its key and means no good: garbage, floods, frames that are too large.

And a listener, which hears whether every writer's numbers are whole.
"""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import zmq
from processes import Desk

from bus.codec import decode, encode
from bus.messages import EventsRequest, Heartbeat, InfoRequest, Message, Quote
from bus.sockets import MAX_FRAME_BYTES
from bus.topics import MARKET
from services.session.keys_file import load_keys

LINGER_MS = 1_000
SAMPLES: tuple[Message, ...] = (
    EventsRequest(1),
    InfoRequest(),
    Heartbeat("feed", 1, 1, ready=True),
    Quote(seq=1, ts_ms=1, bid=1.0, ask=2.0, bid_size=1.0, ask_size=1.0),
)
TOO_LARGE = b"\x07" * (MAX_FRAME_BYTES + 1)


def bus_ports(desk: Desk) -> dict[str, int]:
    """The session's bus sockets by name: one publisher for each service, and the two that are asked."""
    session = desk.json(".lap", "session.json")
    unused = {"exchange_api", *(set() if session["settings"]["source"] == "demo" else {"exchange"})}
    return {name: port for name, port in session["ports"].items() if name not in unused}


def is_asked(name: str) -> bool:
    """Whether a socket answers questions (ROUTER), rather than publishes (XPUB)."""
    return name.endswith("rpc")


class Peer:
    """Throws frames at a session's sockets, with its key."""

    def __init__(self, desk: Desk) -> None:
        self._keys = load_keys(desk.directory / ".lap")
        self._ports = bus_ports(desk)
        self._context = zmq.Context()
        self.names = tuple(self._ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._context.destroy(LINGER_MS)

    def throw(self, name: str, frames: Iterable[bytes]) -> None:
        """Send frames to a socket. What does not fit in the queue at once is lost: the service may be dead."""
        socket = self._context.socket(zmq.DEALER if is_asked(name) else zmq.XSUB)
        socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
        socket.curve_serverkey = self._keys.public
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.connect(f"tcp://127.0.0.1:{self._ports[name]}")
        for frame in frames:
            # At a publisher a first byte of 0 or 1 is a subscription; this is a message where none belongs.
            socket.send(frame if is_asked(name) else b"\x07" + frame)
        socket.close()


def sample(number: int) -> bytes:
    """Return a good frame."""
    return encode(SAMPLES[number % len(SAMPLES)], "nobody", 1, 1, 1)


class Listener:
    """Hears all that is published, and notes every hole in a writer's numbers.

    A writer's incarnation (`epoch`) numbers what it says 1, 2, 3 ...; market events have the numbers of the stream. A
    listener that comes late begins with the first number it hears.
    """

    def __init__(self, desk: Desk) -> None:
        keys = load_keys(desk.directory / ".lap")
        self.holes: list[str] = []
        self.heard = 0
        self._last: dict[tuple[str, int, bool], int] = {}
        self._over = threading.Event()
        self._context = zmq.Context()
        self._sockets = []
        for name, port in bus_ports(desk).items():
            if not is_asked(name):
                socket = self._context.socket(zmq.SUB)
                socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = (
                    keys.public,
                    keys.secret,
                    keys.public,
                )
                socket.setsockopt(zmq.RCVHWM, 0)
                socket.setsockopt(zmq.SUBSCRIBE, b"")
                socket.connect(f"tcp://127.0.0.1:{port}")
                self._sockets.append(socket)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._over.set()
        self._thread.join()
        self._context.destroy(0)

    def _listen(self) -> None:
        poller = zmq.Poller()
        for socket in self._sockets:
            poller.register(socket, zmq.POLLIN)
        while not self._over.is_set():
            for socket, _ in poller.poll(100):
                self._hear(socket.recv())

    def _hear(self, frame: bytes) -> None:
        said = decode(frame)
        self.heard += 1
        writer = (said.source, said.epoch, said.topic in MARKET)
        last = self._last.get(writer)
        if last is not None and said.seq != last + 1:
            self.holes.append(f"{said.source} of {said.epoch}: {said.topic} {said.seq} after {last}")
        self._last[writer] = said.seq
