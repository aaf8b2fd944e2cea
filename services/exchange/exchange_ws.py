"""The open exchange: clients, boards, clock and faults brought together, turn by turn. A shell around the pure files."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from math import inf
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakSet

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from services.clock import boot_ms
from services.exchange import rest
from services.exchange.board import Board, Push
from services.exchange.client_ws import Client
from services.exchange.conduct import Limits
from services.exchange.config import ExchangeConfig
from services.exchange.line import Line
from services.exchange.listing import Listing
from services.exchange.market import SECOND_MS
from services.exchange.market_clock import MarketClock
from services.exchange.protocol import GREETING, Dialogue, Habits, Subscription

WS_PATH = "/public/"
TURN_MS = 100  # the longest time between two turns
_LEAST_TURN_MS = 2  # what falls due within it goes out together
_SETTLE_MS = 250  # between the first subscription and a waiting market: time for the client's other subscriptions
_STRETCH_MS = 100  # of work before the loop turns again, if the market runs faster than it can be told
_LATE_MS = 10_000  # a walk that stood still for longer was frozen or asleep: what it missed is gone


class Exchange:
    """The exchange while it is open: clients, boards, clock and faults, moved on by `run`."""

    def __init__(self, config: ExchangeConfig, say: Callable[[str], None]) -> None:
        self._config = config
        self._faults = config.faults
        self._say = say
        self._listing = Listing(config)
        began_ms = config.started_boot_ms
        if began_ms is None and not config.wait_for_subscription:
            began_ms = boot_ms()
        start_ms, end_ms = self._listing.start_ms, self._listing.end_ms
        self._clock = MarketClock(start_ms, config.speed, began_ms, end_ms)
        self._desk = rest.Desk(self._listing.contracts, self._board)
        self._boards: dict[str, Board] = {}
        self._clients: set[Client] = set()
        self._connections: WeakSet[ServerConnection] = WeakSet()
        self._wanted: dict[str, dict[str, list[Client]]] = {}
        self._elapsed_s = -1.0 if config.started_boot_ms is None else self._clock.elapsed_s(boot_ms())
        self._ended = False
        self._over = asyncio.Event()
        self._board(config.symbol)

    async def run(self, stop: asyncio.Event, on_turn: Callable[[], None]) -> None:
        """Let time pass until `stop`; calls `on_turn` about ten times a second."""
        turned_ms = -TURN_MS
        while not stop.is_set():
            now_ms = boot_ms()
            if now_ms - turned_ms >= TURN_MS:
                turned_ms = now_ms
                on_turn()
                self._police(now_ms)
            self._strike(now_ms)
            await self._move_on(now_ms)
            for client in self._clients:
                client.flush(boot_ms())
            await asyncio.sleep(self._wait_ms(boot_ms(), turned_ms) / 1000)
        self._over.set()
        for client in tuple(self._clients):
            if client.dead:
                client.cut()

    def cut_all(self) -> None:
        """Abort every connection there is, closing ones and REST's too."""
        for connection in tuple(self._connections):
            connection.transport.abort()

    async def talk(self, connection: ServerConnection) -> None:
        """Serve one WebSocket client until it leaves."""
        line, dialogue = Line(self._faults), Dialogue(self._market_ms() // 1000, self._listing.contracts.__contains__)
        client = Client(connection, dialogue, line)
        self._clients.add(client)
        if self._faults.on("half_open", self._now_s()):
            client.die()
        try:
            if not self._faults.on("no_greeting", self._now_s()):
                client.send(GREETING, self._delay_ms())
            with suppress(ConnectionClosed):
                async for message in connection:
                    if not client.dead:
                        self._hear(client, message)
        finally:
            self._clients.discard(client)
            self._sort_clients()

    async def meet(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let a WebSocket handshake through (None), or answer a REST request."""
        self._connections.add(connection)
        parts = urlsplit(request.path)
        elapsed_s = self._now_s()
        if parts.path.rstrip("/") == WS_PATH.rstrip("/"):
            status = int(self._faults.number("handshake", elapsed_s, 0))
            drop = self._faults.active("drop", elapsed_s)
            if drop is not None and not drop.number:
                connection.transport.abort()
                return _response(503, {})
            return _response(status, {}) if status else None
        delay_ms = self._faults.number("rest_delay", elapsed_s, 0.0)
        if delay_ms:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), delay_ms / 1000)
        answer = rest.answer(parts.path, dict(parse_qsl(parts.query)), self._desk, self._rest_habits())
        return _response(answer.status, answer.body)

    def _hear(self, client: Client, message: str | bytes) -> None:
        elapsed_s, delay_ms = self._now_s(), self._delay_ms()
        pong = self._faults.text("pong", elapsed_s)
        habits = Habits(
            ack=self._faults.on("ack", elapsed_s),
            unsubscribe_reply=not self._faults.on("no_unsubscribe_reply", elapsed_s),
            pong=pong if pong in {"pong", "none"} else "ping",
        )
        heard = client.dialogue.hear(message, self._market_ms(), habits)
        for reply in heard.replies:
            client.send(reply, delay_ms)
        if heard.pong is not None:
            late_s = float(pong) if pong and habits.pong == "ping" else 0.0
            asyncio.get_running_loop().call_later(late_s, client.send, heard.pong, delay_ms)
        forgets = self._faults.active("forget", elapsed_s)
        if forgets is not None:
            client.dialogue.forget(forgets.value)
        if heard.added or heard.removed:
            self._sort_clients()
        self._welcome(client, [new for new in heard.added if new in client.dialogue.subscriptions])

    def _welcome(self, client: Client, added: Iterable[Subscription]) -> None:
        for symbol, channel in added:
            if self._clock.began_ms is None:
                self._clock.began_ms = boot_ms() + _SETTLE_MS
            for push in self._board(symbol).snapshot(channel):
                self._deliver(client, push, self._now_s(), self._delay_ms())

    def _sort_clients(self) -> None:
        wanted: dict[str, dict[str, list[Client]]] = {}
        for client in self._clients:
            for symbol, channel in client.dialogue.subscriptions:
                wanted.setdefault(symbol, {}).setdefault(channel, []).append(client)
        self._wanted = wanted

    def _board(self, symbol: str) -> Board:
        board = self._boards.get(symbol)
        if board is None:
            board = self._boards[symbol] = self._listing.open_board(symbol)
            now_ms = self._market_ms()
            if not self._config.data and now_ms >= board.tape.start_ms:
                board.seek(now_ms)
        return board

    async def _move_on(self, now_ms: int) -> None:
        """Let every board catch up with the clock, a second of market time at a time; not for long at a stretch."""
        target_ms = self._clock.market_ms(now_ms)
        for board in tuple(self._boards.values()):
            if not self._config.data and target_ms - board.now_ms > _LATE_MS * max(1.0, self._config.speed):
                self._skip(board, target_ms)
            while board.now_ms < target_ms and boot_ms() - now_ms < _STRETCH_MS:
                self._push(board, min(target_ms, board.now_ms + SECOND_MS))
                if board.now_ms < target_ms:
                    await asyncio.sleep(0)
        if not self._ended and self._boards[self._config.symbol].now_ms == self._listing.end_ms:
            self._ended = True
            self._say("end of data: connections stay open, nothing more comes")

    def _skip(self, board: Board, target_ms: int) -> None:
        # The original would have gone on meanwhile, and lost these clients.
        self._say("stood still for a while (asleep?): connections cut, the market goes on at its present time")
        for client in tuple(self._clients):
            client.cut()
        board.seek(target_ms)

    def _push(self, board: Board, to_ms: int) -> None:
        elapsed_s, delay_ms = self._elapsed_s, self._delay_ms()
        wanted = self._wanted.get(board.instrument.symbol, {})
        pushes = board.advance(
            to_ms,
            wanted,
            nanoseconds=self._faults.on("nanoseconds", elapsed_s),
            kline_fault=self._faults.text("kline", elapsed_s),
        )
        for push in pushes:
            for client in wanted[push.channel]:
                self._deliver(client, push, elapsed_s, delay_ms)
        for client in tuple(self._clients):
            if client.is_slow and not client.dead:
                self._cut(client, "it is too slow, more than 16 MiB wait for it")

    def _deliver(self, client: Client, push: Push, elapsed_s: float, delay_ms: float) -> None:
        for frame in client.line.carry(push, elapsed_s):
            client.send(frame, delay_ms)

    def _strike(self, now_ms: int) -> None:
        """Let the moments among the faults happen."""
        before_s, self._elapsed_s = self._elapsed_s, self._clock.elapsed_s(now_ms)
        half_open = self._faults.struck("half_open", before_s, self._elapsed_s)
        drop = self._faults.struck("drop", before_s, self._elapsed_s)
        forgets = self._faults.struck("forget", before_s, self._elapsed_s)
        for client in tuple(self._clients):
            if half_open:
                client.die()
            if drop and not client.dead:
                self._cut(client, "fault drop")
            for fault in forgets:
                client.dialogue.forget(fault.value)
        if forgets:
            self._sort_clients()

    def _police(self, now_ms: int) -> None:
        drop = self._faults.active("drop", self._elapsed_s)
        limits = Limits(
            idle_s=self._faults.number("idle_cut", self._elapsed_s, 60.0),
            per_second=int(self._faults.number("rate_limit", self._elapsed_s, 5)),
            ping_first=self._faults.on("protocol_ping", self._elapsed_s),
            life_s=drop.number if drop is not None and drop.number else inf,
        )
        for client in tuple(self._clients):
            reason = "" if client.dead else client.verdict(now_ms, limits)
            if reason:
                self._cut(client, reason)

    def _cut(self, client: Client, reason: str) -> None:
        self._say(f"connection cut: {reason}")
        client.cut()

    def _wait_ms(self, now_ms: int, turned_ms: int) -> int:
        waits = [turned_ms + TURN_MS - now_ms]
        waits += [due_ms - now_ms for client in self._clients if (due_ms := client.due_ms()) is not None]
        for symbol, channels in self._wanted.items():
            next_ms = self._boards[symbol].next_ms(channels)
            wait_ms = None if next_ms is None else self._clock.wait_ms(next_ms, now_ms)
            if wait_ms is not None:
                waits.append(wait_ms)
        return max(min(waits), _LEAST_TURN_MS)

    def _rest_habits(self) -> rest.RestHabits:
        elapsed_s = self._now_s()
        return rest.RestHabits(
            status=int(self._faults.number("http", elapsed_s, 0)),
            code=int(self._faults.number("code", elapsed_s, 0)),
            empty=self._faults.on("empty", elapsed_s),
            numeric=self._faults.on("numeric", elapsed_s),
            unswapped=self._faults.on("unswapped", elapsed_s),
            forming=self._faults.on("forming", elapsed_s),
            symbol_status=self._faults.text("symbol_status", elapsed_s),
        )

    def _market_ms(self) -> int:
        return self._clock.market_ms(boot_ms())

    def _now_s(self) -> float:
        return self._clock.elapsed_s(boot_ms())

    def _delay_ms(self) -> float:
        return self._faults.number("delay", self._now_s(), 0.0)


def _response(status: int, body: object) -> Response:
    text = orjson.dumps(body)
    headers = Headers(
        [("Content-Type", "application/json"), ("Content-Length", str(len(text))), ("Connection", "close")]
    )
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Fault"
    return Response(status, phrase, headers, text)
