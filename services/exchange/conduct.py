"""How a client behaves on its connection, and when the exchange has had enough of it. Pure."""

from collections import deque
from dataclasses import dataclass
from math import inf

_PING_FIRST_MS = 1_500


@dataclass(frozen=True, slots=True)
class Limits:
    """What is put up with. `idle_s` and `per_second` 0: without limit; `life_s`: how long a connection lasts."""

    idle_s: float = 60.0
    per_second: int = 5
    ping_first: bool = False
    life_s: float = inf


class Conduct:
    """One connection's record; times in ms of one clock."""

    def __init__(self, opened_ms: int) -> None:
        self._opened_ms = opened_ms
        self._heard_ms = opened_ms
        self._recent: deque[int] = deque()
        self._most_in_a_second = 0
        self._any_message = False
        self._ping_first_ms: int | None = None

    def note(self, now_ms: int, *, ping: bool, message: bool) -> None:
        """Note a frame of the client: a protocol ping, a message, or neither (a pong)."""
        self._heard_ms = now_ms
        if ping and not self._any_message and self._ping_first_ms is None:
            self._ping_first_ms = now_ms
        self._any_message |= message
        self._recent.append(now_ms)
        while self._recent[0] <= now_ms - 1_000:
            self._recent.popleft()
        self._most_in_a_second = max(self._most_in_a_second, len(self._recent))

    def verdict(self, now_ms: int, limits: Limits) -> str:
        """Return why the connection is to be cut, or nothing."""
        if now_ms - self._opened_ms >= 1_000 * limits.life_s:
            return "its time was up"
        if limits.idle_s and now_ms - self._heard_ms >= 1_000 * limits.idle_s:
            return f"nothing heard for {limits.idle_s:g} s"
        if limits.per_second and self._most_in_a_second > limits.per_second:
            return f"more than {limits.per_second} messages in a second"
        if self._ping_first_ms is not None and not limits.ping_first and now_ms - self._ping_first_ms >= _PING_FIRST_MS:
            return "a protocol ping before any message"
        return ""
