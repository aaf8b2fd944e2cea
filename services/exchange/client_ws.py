"""One connected client: its frames counted on the way in, and written, late or never on the way out. A shell."""

from collections import deque

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request, Response

from services.clock import boot_ms
from services.exchange.conduct import Conduct, Limits
from services.exchange.line import Frame, Line
from services.exchange.protocol import Dialogue

_BUFFER_BYTES = 16 * 1024 * 1024


class Connection(ServerConnection):
    """A connection that notes the client's frames, control frames too."""

    conduct: Conduct | None = None

    def process_event(self, event: WireFrame | Request | Response) -> None:
        """Note a frame, then treat it as usual."""
        if self.conduct is None:
            self.conduct = Conduct(boot_ms())
        if isinstance(event, WireFrame) and event.opcode is not Opcode.CONT:
            self.conduct.note(
                boot_ms(),
                ping=event.opcode is Opcode.PING,
                message=event.opcode in {Opcode.TEXT, Opcode.BINARY},
            )
        super().process_event(event)


class Client:
    """One connected client: its talk, its line, and its frames that are still on the way."""

    def __init__(self, connection: ServerConnection, dialogue: Dialogue, line: Line) -> None:
        self.connection = connection
        self.dialogue = dialogue
        self.line = line
        self.dead = False
        self._late: deque[tuple[int, Frame]] = deque()

    def send(self, frame: Frame, delay_ms: float) -> None:
        """Write a frame, now or, behind a delay, later; always in order."""
        if self.dead:
            return
        if delay_ms or self._late:
            due_ms = boot_ms() + int(delay_ms)
            self._late.append((max(due_ms, self._late[-1][0]) if self._late else due_ms, frame))
        else:
            broadcast([self.connection], frame)

    def flush(self, now_ms: int) -> None:
        """Write what has been late for long enough."""
        while self._late and self._late[0][0] <= now_ms:
            broadcast([self.connection], self._late.popleft()[1])

    def due_ms(self) -> int | None:
        """Return when the next late frame goes out, None without one."""
        return self._late[0][0] if self._late else None

    @property
    def is_slow(self) -> bool:
        """Whether more waits to be read than anybody should have to keep."""
        return self.connection.transport.get_write_buffer_size() > _BUFFER_BYTES

    def verdict(self, now_ms: int, limits: Limits) -> str:
        """Return why this connection is to be cut, or nothing."""
        conduct = self.connection.conduct if isinstance(self.connection, Connection) else None
        return "" if conduct is None else conduct.verdict(now_ms, limits)

    def die(self) -> None:
        """Stay connected, and never again read or write."""
        self.dead = True
        self._late.clear()
        self.connection.transport.pause_reading()

    def cut(self) -> None:
        """End the connection without a word, as the original does."""
        self.dead = True
        self._late.clear()
        self.connection.transport.abort()
