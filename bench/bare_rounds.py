"""What a decision's latency is measured against: a message that goes feed, broker, strategy, broker, and an answer back.

Over bare pyzmq on loopback TCP with CURVE, each peer a process of its own. `Empty` rounds carry bytes that nobody reads.
`Laden` ones do what no session can leave out, and nothing else: the candle that a tick closes is published with it, both are
lines in the recording, messages are encoded and decoded by our codec, the journal gets its rows: the question while it is thought
about, and before the order is acknowledged the answer, the order, and that the order before was refused.
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
from services import draws
from services.broker.rows_sqlite import Row
from services.broker.schema_sqlite import TABLES
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
_ACCOUNT_TEXT = "a" * 220
_STATE = "s" * 1_300
"""As long as the account, and a broker's state, are in a journal."""
_QUESTION = "INSERT INTO decisions (open_ms, seq, candles, account) VALUES (?, ?, ?, ?)"
_EQUITY = "INSERT INTO equity VALUES (?, ?, ?)"
_TAKEN = "UPDATE decisions SET answer = ?, answer_seq = ? WHERE open_ms = ?"
_ACCEPTED = f"INSERT INTO orders VALUES ({', '.join('?' * 15)})"
_REJECTED = "INSERT INTO rejections VALUES (NULL, ?, ?, ?, ?, ?, ?)"
_MARKED = "UPDATE orders SET status = 'rejected', status_ts_ms = ? WHERE client_order_id = ?"
_KEPT = "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?)"


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

    def meanwhile(self) -> None:
        """Broker: do what the question leaves to do, while it is thought about."""

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

    def meanwhile(self) -> None:
        """Nothing is left to do."""

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

    def meanwhile(self) -> None:
        """Commit the question, and the account it was asked with."""
        asked = self._asked.pop()
        at_ms, candle, account = asked.open_ms, codec.encode_body(asked.candles[0]).decode(), asked.account
        worth = (at_ms, str(account.balance), str(account.equity))
        self._commit([(_QUESTION, (at_ms, at_ms, candle, _ACCOUNT_TEXT)), (_EQUITY, worth)], at_ms)

    def answer(self, question: bytes) -> bytes:
        """Decode a question, encode the answer."""
        asked = codec.decode(question).message
        assert isinstance(asked, Decide)
        return self._frame(Decision(asked.open_ms, (Signal("BTCUSDT", Side.LONG, asked.open_ms, 30.0, 1.5),)))

    def acknowledged(self, answer: bytes) -> bytes:
        """Commit the answer, the order, and that the one before was refused; then encode the order."""
        decision = codec.decode(answer).message
        assert isinstance(decision, Decision)
        wanted, at_ms = decision.signals[0], decision.open_ms
        order_id = f"always-BTCUSDT-{at_ms}-LONG"
        latency_ms = 20 + draws.number(7, order_id, 0) * 181 // 2**64
        order = OrderAccepted(order_id, at_ms, wanted, latency_ms, at_ms + latency_ms, late=False)
        terms = (wanted.side, wanted.entry, 0.0, wanted.stop_bps, wanted.tp_r, "", latency_ms, order.due_ms, 0)
        rows: list[Row] = [
            (_TAKEN, (codec.encode_body(decision).decode(), at_ms, at_ms)),
            (_ACCEPTED, (order_id, at_ms, at_ms, *terms, "pending", at_ms, "")),
        ]
        if self._accepted:
            before = self._accepted.pop()
            rows += [(_REJECTED, (before, at_ms, at_ms, wanted.side, "throttled", "")), (_MARKED, (at_ms, before))]
        self._commit(rows, at_ms)
        self._accepted.append(order_id)
        return self._frame(order)

    def number(self, acknowledged: bytes) -> int:
        """Read it."""
        order = codec.decode(acknowledged).message
        assert isinstance(order, OrderAccepted)
        return order.seq

    def _commit(self, rows: list[Row], seq: int) -> None:
        self._journal.execute("BEGIN IMMEDIATE")
        for statement, values in [*rows, (_KEPT, (seq, seq, _STATE))]:
            self._journal.execute(statement, values)
        self._journal.execute("COMMIT")

    def _frame(self, message: Message) -> bytes:
        return codec.encode(message, "bare", 1, 1, monotonic_ns())

    @cached_property
    def _asked(self) -> list[Decide]:
        return []

    @cached_property
    def _accepted(self) -> list[str]:
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
        journal.executescript(TABLES)
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
            cargo.meanwhile()
            out.send(cargo.acknowledged(asked.recv_multipart()[1]))
    asked.send_multipart([peer, _END])
    ticks.close()


def _strategy(line: Line, cargo: Cargo) -> None:
    cargo.prepare("strategy")
    socket = line.open(zmq.DEALER, binds=False, offset=2)
    socket.send(b"hello")
    while (frame := socket.recv()) != _END:
        socket.send(cargo.answer(frame))
