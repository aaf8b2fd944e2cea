"""What the live pipeline is measured against: a bare pyzmq publisher and its subscribers, nothing but codec and sockets.

On loopback TCP, each peer a process of its own.
"""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from time import monotonic_ns
from typing import Any

import zmq
from flood_feed import Flood

from bus import codec
from bus.sockets import Keys, new_keys

PATIENCE_MS = 60_000
SPAWN = multiprocessing.get_context("spawn")


MOST_WAITING = 100_000
"""Frames that may wait at either end: a whole flood of them."""


@dataclass(frozen=True)
class Line:
    """How the peers speak: over which port, encrypted with which keys (None: plain)."""

    port: int
    keys: Keys | None

    def open(self, kind: int, *, binds: bool, offset: int = 0) -> "zmq.Socket[bytes]":
        """Return a socket of this process's one context."""
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        socket.setsockopt(zmq.LINGER, 1_000)
        socket.setsockopt(zmq.SNDHWM, MOST_WAITING)
        socket.setsockopt(zmq.RCVHWM, MOST_WAITING)
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        if self.keys is not None:
            socket.curve_publickey, socket.curve_secretkey = self.keys.public, self.keys.secret
            if binds:
                socket.curve_server = True
            else:
                socket.curve_serverkey = self.keys.public
        address = f"tcp://127.0.0.1:{self.port + offset}"
        if binds:
            socket.bind(address)
        else:
            if kind == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(address)
        return socket


def fan_out(port: int, flood: Flood, subscribers: int, *, curve: bool) -> tuple[float, int]:
    """Send a flood as fast as it goes; return messages a second until the last subscriber had the last one, and how many were lost."""
    line = Line(port, new_keys() if curve else None)
    told: Queue[Any] = SPAWN.Queue()
    peers = [start(_subscribe, line, flood.ticks, told) for _ in range(subscribers)]
    peers.append(start(_publish, line, flood, subscribers, told))
    results = [told.get(timeout=PATIENCE_MS / 1000) for _ in peers]
    end(peers)
    began_ns = next(value for name, value, _ in results if name == "published")
    ended = [(value, lost) for name, value, lost in results if name == "heard"]
    seconds = (max(value for value, _ in ended) - began_ns) / 1e9
    return flood.ticks / seconds, sum(lost for _, lost in ended)


def _publish(line: Line, flood: Flood, subscribers: int, told: "Queue[Any]") -> None:
    socket = line.open(zmq.XPUB, binds=True)
    socket.setsockopt(zmq.XPUB_VERBOSE, 1)
    messages = [flood.message(number) for number in range(flood.ticks)]
    for _ in range(subscribers):
        socket.recv()
    began_ns = monotonic_ns()
    for message in messages:
        socket.send(codec.encode(message, "feed", 1, message.seq, monotonic_ns()), zmq.DONTWAIT)
    told.put(("published", began_ns, 0))
    _wait_for_theend(socket, subscribers)


def _wait_for_theend(socket: "zmq.Socket[bytes]", subscribers: int) -> None:
    for _ in range(subscribers):  # each leaves with an unsubscription
        socket.recv()


def _subscribe(line: Line, count: int, told: "Queue[Any]") -> None:
    socket = line.open(zmq.SUB, binds=False)
    heard = last = 0
    while last < count:
        last = codec.decode(socket.recv()).seq
        heard += 1
    told.put(("heard", monotonic_ns(), count - heard))
    socket.close()


def start(target: Any, *args: Any) -> SpawnProcess:
    """Start a peer."""
    process = SPAWN.Process(target=target, args=args)
    process.start()
    return process


def end(peers: Sequence[SpawnProcess]) -> None:
    """Wait for peers that are done."""
    for peer in peers:
        peer.join(10)
        if peer.is_alive():
            peer.kill()
