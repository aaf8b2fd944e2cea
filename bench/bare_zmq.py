"""What the live pipeline is measured against: bare pyzmq on loopback TCP, nothing but codec and sockets.

`fan_out` is a publisher and subscribers; `rounds` a message that goes feed, broker, strategy, broker, and an answer back,
as a decision of the session does. Each peer is a process of its own.
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
from bus.sockets import HIGH_WATER_MARK, Keys, new_keys
from services.waiting import pause

PATIENCE_MS = 60_000
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Line:
    """How the peers speak: over which port, encrypted with which keys (None: plain)."""

    port: int
    keys: Keys | None

    def open(self, kind: int, *, binds: bool, offset: int = 0) -> "zmq.Socket[bytes]":
        """Return a socket of this process's one context."""
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        socket.setsockopt(zmq.LINGER, 1_000)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
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
    told: Queue[Any] = _spawn.Queue()
    peers = [_start(_subscribe, line, flood.ticks, told) for _ in range(subscribers)]
    peers.append(_start(_publish, line, flood, subscribers, told))
    results = [told.get(timeout=PATIENCE_MS / 1000) for _ in peers]
    _end(peers)
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
    _wait_for_the_end(socket, subscribers)


def _wait_for_the_end(socket: "zmq.Socket[bytes]", subscribers: int) -> None:
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


def rounds(port: int, seconds: float, per_second: float, every: int) -> list[float]:
    """Make rounds with CURVE; return how long each took, in ms.

    Args:
        port: three from here on are used.
        seconds: how long.
        per_second: ticks sent to the broker.
        every: each so many ticks one makes the whole round.
    """
    line = Line(port, new_keys())
    told: Queue[Any] = _spawn.Queue()
    peers = [_start(_broker, line), _start(_strategy, line), _start(_feed, line, seconds, per_second, every, told)]
    times: list[float] = told.get(timeout=seconds + PATIENCE_MS / 1000)
    _end(peers)
    return times


_BODY = b"[123456,1735689600123,60000.1,60000.2,1.2345,0.5,false]".ljust(80)


def _feed(line: Line, seconds: float, per_second: float, every: int, told: "Queue[Any]") -> None:
    out = line.open(zmq.XPUB, binds=True)
    answers = line.open(zmq.SUB, binds=False, offset=1)
    out.recv()
    pause(500)  # nobody tells when the answers' subscription has arrived
    count, sent, sent_ns = int(seconds * per_second), 0, {}
    times: list[float] = []
    began_ns = monotonic_ns()
    while len(times) < -(-count // every):
        due = min(count, int((monotonic_ns() - began_ns) * per_second / 1e9) + 1)
        for number in range(sent, due):
            is_round = number % every == 0
            if is_round:
                sent_ns[number] = monotonic_ns()
            out.send(b"%s|%d|%s" % (b"round" if is_round else b"tick", number, _BODY))
        sent = due
        wait_ns = began_ns + int(sent * 1e9 / per_second) - monotonic_ns() if sent < count else 1_000_000_000
        if answers.poll(max(0, (wait_ns + 999_999) // 1_000_000)):
            number = int(answers.recv().split(b"|", 2)[1])
            times.append((monotonic_ns() - sent_ns[number]) / 1e6)
    out.send(b"end|")
    told.put(times)
    out.recv()


def _broker(line: Line) -> None:
    ticks = line.open(zmq.SUB, binds=False)
    asked = line.open(zmq.ROUTER, binds=True, offset=2)
    out = line.open(zmq.XPUB, binds=True, offset=1)
    peer = asked.recv_multipart()[0]
    while not (frame := ticks.recv()).startswith(b"end|"):
        if frame.startswith(b"round|"):
            asked.send_multipart([peer, frame])
            out.send(asked.recv_multipart()[1])
    asked.send_multipart([peer, b"end|"])
    ticks.close()


def _strategy(line: Line) -> None:
    socket = line.open(zmq.DEALER, binds=False, offset=2)
    socket.send(b"hello")
    while not (frame := socket.recv()).startswith(b"end|"):
        socket.send(frame)


def _start(target: Any, *args: Any) -> SpawnProcess:
    process = _spawn.Process(target=target, args=args)
    process.start()
    return process


def _end(peers: Sequence[SpawnProcess]) -> None:
    for peer in peers:
        peer.join(10)
        if peer.is_alive():
            peer.kill()
