"""What a decision's latency is measured against: a message that goes feed, broker, strategy, broker, and an answer back.

Over bare pyzmq on loopback TCP with CURVE, each peer a process of its own. `Empty` rounds carry bytes that nobody reads.
`Laden` ones do what no session can leave out, and nothing else: the candle that a tick closes is published with it, both are
lines in the recording, messages are encoded and decoded by our codec, question and answer are committed (SQLite, WAL, one
transaction) before the order is acknowledged.
"""

import os
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from multiprocessing.queues import Queue
from pathlib import Path
from time import monotonic_ns
from typing import Any, Protocol

import zmq
from bare_zmq import PATIENCE_MS, SPAWN, Line, end, start

from bus import codec
from bus.messages import (
    Account,
    Burst,
    Candle,
    Decide,
    Decision,
    MarketEvent,
    Message,
    OrderAccepted,
    Quote,
    Side,
    Signal,
)
from bus.sockets import new_keys
from services.waiting import pause

_END = b"end|"
_ACCOUNT = Account(
    balance=Decimal("9994.0012"),
    equity=Decimal("9995.1"),
    unrealized=Decimal("1.0988"),
    side=Side.LONG,
    qty=Decimal("0.0554"),
    entry_price=Decimal("60000.1"),
    sl=Decimal("59820.1"),
    tp=Decimal("60270.1"),
    entry_ts=1,
    trades=1,
    halted=False,
)
_STATE = "s" * 1_200
"""As long as a broker's state is."""


class Cargo(Protocol):
    """What a round carries, and what is done with it on the way. A cargo is told to each peer's process anew."""

    @property
    def every(self) -> int:
        """Each so many-th tick, the first one too, makes the whole round."""

    def prepare(self, peer: str) -> None:
        """Make what `feed`, `broker` or `strategy` needs, before the first round."""

    def ticked(self, number: int) -> bytes:
        """Feed: return the frame of a tick."""

    def question(self, frame: bytes) -> bytes | None:
        """Broker: return what to ask because of it, None for one that makes no round."""

    def answer(self, question: bytes) -> bytes:
        """Strategy: return the answer."""

    def acknowledged(self, answer: bytes) -> bytes:
        """Broker: return what to publish."""

    def number(self, acknowledged: bytes) -> int:
        """Return the number of the tick that it goes back to."""


@dataclass(frozen=True)
class Empty:
    """Bytes; each `every`-th tick makes the whole round."""

    every: int

    def prepare(self, peer: str) -> None:
        """Nothing is needed."""

    def ticked(self, number: int) -> bytes:
        """Return a frame as long as a quote's."""
        return (b"%s|%d|" % (b"tick" if number % self.every else b"round", number)).ljust(90, b".")

    def question(self, frame: bytes) -> bytes | None:
        """Return the same."""
        return frame if frame.startswith(b"round") else None

    def answer(self, question: bytes) -> bytes:
        """Return the same."""
        return question

    def acknowledged(self, answer: bytes) -> bytes:
        """Return the same."""
        return answer

    def number(self, acknowledged: bytes) -> int:
        """Read it."""
        return int(acknowledged.split(b"|", 2)[1])


@dataclass(frozen=True)
class Laden:
    """Our messages, recorded and committed in a directory; each `every`-th tick makes the whole round."""

    every: int
    directory: Path

    def prepare(self, peer: str) -> None:
        """Open the files."""
        match peer:
            case "feed":
                _ = self._recording
            case "broker":
                _ = self._journal

    def ticked(self, number: int) -> bytes:
        """Record a quote and the candle that it closes, then encode them."""
        events: list[MarketEvent] = [Quote(number + 1, number, 60_000.0, 60_000.1, 0.5, 0.25)]
        if number % self.every == 0:
            shape = (60_000.0, 60_001.0, 59_999.0, 60_000.5, 1.25)
            events.insert(0, Candle(number + 1, 0, "BTCUSDT", 1_000, number, *shape))
        os.write(self._recording, b"".join(b"event|%s\n" % codec.encode_body(event) for event in events))
        return self._frame(Burst(tuple(events)))

    def question(self, frame: bytes) -> bytes | None:
        """Encode a question about the candle that came, if one did."""
        burst = codec.decode(frame).message
        assert isinstance(burst, Burst)
        first = burst.events[0]
        if not isinstance(first, Candle):
            return None
        self._asked.append(Decide(first.open_ms, (first,), _ACCOUNT))
        return self._frame(self._asked[-1])

    def answer(self, question: bytes) -> bytes:
        """Decode a question, encode the answer."""
        asked = codec.decode(question).message
        assert isinstance(asked, Decide)
        return self._frame(Decision(asked.open_ms, (Signal("BTCUSDT", Side.LONG, asked.open_ms, 30.0, 1.5),)))

    def acknowledged(self, answer: bytes) -> bytes:
        """Commit the question and an order, then encode the order."""
        decision = codec.decode(answer).message
        assert isinstance(decision, Decision)
        wanted = decision.signals[0]
        order = OrderAccepted("always-BTCUSDT", wanted.ts_ms, wanted, 100, wanted.ts_ms + 100, late=False)
        self._journal.execute("BEGIN IMMEDIATE")
        for message in (self._asked.pop(), order):
            self._journal.execute("INSERT INTO said (body) VALUES (?)", (codec.encode_body(message).decode(),))
        self._journal.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (_STATE,))
        self._journal.execute("COMMIT")
        return self._frame(order)

    def number(self, acknowledged: bytes) -> int:
        """Read it."""
        order = codec.decode(acknowledged).message
        assert isinstance(order, OrderAccepted)
        return order.seq

    def _frame(self, message: Message) -> bytes:
        return codec.encode(message, "bare", 1, 1, monotonic_ns())

    @cached_property
    def _asked(self) -> list[Decide]:
        return []

    @cached_property
    def _recording(self) -> int:
        return os.open(self.directory / "events", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    @cached_property
    def _journal(self) -> sqlite3.Connection:
        journal = sqlite3.connect(self.directory / "journal.db", isolation_level=None)
        journal.execute("PRAGMA journal_mode = WAL")
        journal.execute("PRAGMA synchronous = NORMAL")
        journal.execute("PRAGMA wal_autocheckpoint = 0")  # ours comes between decisions, too
        journal.execute("CREATE TABLE said (id INTEGER PRIMARY KEY, body TEXT)")
        journal.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, body TEXT)")
        return journal


def rounds(port: int, seconds: float, per_second: float, cargo: Cargo) -> list[float]:
    """Make rounds for some seconds at so many ticks a second; return how long each took, in ms.

    Args:
        port: three from here on are used.
        seconds: how long.
        per_second: ticks sent to the broker.
        cargo: what they carry, and which of them make the whole round.
    """
    line = Line(port, new_keys())
    told: Queue[Any] = SPAWN.Queue()
    count = int(seconds * per_second)
    peers = [
        start(_broker, line, cargo),
        start(_strategy, line, cargo),
        start(_feed, line, cargo, count, per_second, told),
    ]
    times: list[float] = told.get(timeout=seconds + PATIENCE_MS / 1000)
    end(peers)
    return times


def _feed(line: Line, cargo: Cargo, count: int, per_second: float, told: "Queue[Any]") -> None:
    cargo.prepare("feed")
    out = line.open(zmq.XPUB, binds=True)
    answers = line.open(zmq.SUB, binds=False, offset=1)
    out.recv()
    pause(500)  # nobody tells when the answers' subscription has arrived
    sent, sent_ns = 0, []
    times: list[float] = []
    began_ns = monotonic_ns()
    while len(times) < -(-count // cargo.every):
        due = min(count, int((monotonic_ns() - began_ns) * per_second / 1e9) + 1)
        for number in range(sent, due):
            sent_ns.append(monotonic_ns())
            out.send(cargo.ticked(number))
        sent = due
        wait_ns = began_ns + int(sent * 1e9 / per_second) - monotonic_ns() if sent < count else 1_000_000_000
        if answers.poll(max(0, (wait_ns + 999_999) // 1_000_000)):
            frame, now_ns = answers.recv(), monotonic_ns()
            times.append((now_ns - sent_ns[cargo.number(frame)]) / 1e6)
    out.send(_END)
    told.put(times)
    out.recv()


def _broker(line: Line, cargo: Cargo) -> None:
    cargo.prepare("broker")
    asked = line.open(zmq.ROUTER, binds=True, offset=2)
    out = line.open(zmq.XPUB, binds=True, offset=1)
    peer = asked.recv_multipart()[0]
    ticks = line.open(zmq.SUB, binds=False)
    while (frame := ticks.recv()) != _END:
        question = cargo.question(frame)
        if question is not None:
            asked.send_multipart([peer, question])
            out.send(cargo.acknowledged(asked.recv_multipart()[1]))
    asked.send_multipart([peer, _END])
    ticks.close()


def _strategy(line: Line, cargo: Cargo) -> None:
    cargo.prepare("strategy")
    socket = line.open(zmq.DEALER, binds=False, offset=2)
    socket.send(b"hello")
    while (frame := socket.recv()) != _END:
        socket.send(cargo.answer(frame))
