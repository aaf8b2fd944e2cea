"""What to say on one connection to Bitunix, and when to give it up. Pure: told the time, returns texts.

Subscribe first (a ping as the very first frame can cost the connection), then a JSON ping at once and every 15 s, at
most 4 messages a second. A subscription has no acknowledgement, its first data is the answer: a channel without any
for 10 s is asked for again (it does no harm: twice subscribed is once), and so is one that falls silent for a minute,
less and less often. A connection without ticks for 30 s is dead, whatever TCP says.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from services.feed.bitunix_frames import CHANNELS

MOST_PER_SECOND: Final = 4
LONGEST_WAIT_MS: Final = 300_000
"""Between two subscriptions to a channel that stays silent: perhaps nobody trades."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in ms.

    Attributes:
        ping_ms: between two pings.
        first_data_ms: for a channel's first data, before it is subscribed to again; then twice as long each time.
        quiet_ms: for a channel's further data, before it is subscribed to again; the same.
        silence_ms: without ticks, before the connection is given up.
        good_ms: with ticks, before a connection has proved itself.
        server_ms: at the very start, for a server that is being started beside us; nobody there is no failure then.
    """

    ping_ms: int = 15_000
    first_data_ms: int = 10_000
    quiet_ms: int = 60_000
    silence_ms: int = 30_000
    good_ms: int = 60_000
    server_ms: int = 0


class Talk:
    """One connection's side of the conversation, from its opening on.

    Args:
        symbol: what to subscribe to.
        now_ms: monotonic time of the opening.
        unix_s: wall time of the opening; pings carry it on, nothing depends on it.
        patience: how long to wait for what.
    """

    def __init__(self, symbol: str, now_ms: int, unix_s: int, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._symbol = symbol
        self._opened_ms = now_ms
        self._unix_s = unix_s
        self._waits_ms = dict.fromkeys(CHANNELS, self._patience.first_data_ms)
        self._since_ms = dict.fromkeys(CHANNELS, now_ms)
        """When each channel was heard, or asked for, last."""
        self._next_ping_ms = now_ms
        self._sent_ms: deque[int] = deque(maxlen=MOST_PER_SECOND)
        self._queue = deque([self._subscription(CHANNELS)])
        self._tick_ms = now_ms
        self._first_tick_ms: int | None = None

    def ask_again(self, now_ms: int) -> list[str]:
        """Return the channels whose data is overdue; they are subscribed to once more."""
        late = [channel for channel, wait_ms in self._waits_ms.items() if self._since_ms[channel] + wait_ms <= now_ms]
        for channel in late:
            self._waits_ms[channel] = min(LONGEST_WAIT_MS, 2 * self._waits_ms[channel])
            self._since_ms[channel] = now_ms
        if late:
            self._queue.append(self._subscription(late))
        return late

    def due(self, now_ms: int) -> list[bytes]:
        """Return the texts to send now."""
        if now_ms >= self._next_ping_ms:
            seconds = self._unix_s + (now_ms - self._opened_ms) // 1000
            self._queue.append(orjson.dumps({"op": "ping", "ping": seconds}))
            self._next_ping_ms = now_ms + self._patience.ping_ms
        texts = []
        while self._queue and self._may_send(now_ms):
            self._sent_ms.append(now_ms)
            texts.append(self._queue.popleft())
        return texts

    def wait_ms(self, now_ms: int) -> int:
        """Return how long until something may be due, or the silence too long."""
        overdue = (self._since_ms[channel] + wait_ms for channel, wait_ms in self._waits_ms.items())
        times = [self._next_ping_ms, self._tick_ms + self._patience.silence_ms, *overdue]
        if self._queue:
            times.append(self._sent_ms[0] + 1_000)
        return max(1, min(times) - now_ms)

    def heard(self, channel: str, now_ms: int, *, tick: bool) -> None:
        """Data came in on a channel; `tick`: a quote or a trade among it."""
        self._since_ms[channel], self._waits_ms[channel] = now_ms, self._patience.quiet_ms
        if tick:
            self._tick_ms = now_ms
            if self._first_tick_ms is None:
                self._first_tick_ms = now_ms

    def is_silent(self, now_ms: int) -> bool:
        """Whether no tick has come for too long."""
        return now_ms - self._tick_ms >= self._patience.silence_ms

    @property
    def is_proven(self) -> bool:
        """Whether ticks have come for long enough to forget earlier failures."""
        return self._first_tick_ms is not None and self._tick_ms - self._first_tick_ms >= self._patience.good_ms

    @property
    def had_ticks(self) -> bool:
        """Whether any tick came at all."""
        return self._first_tick_ms is not None

    def _may_send(self, now_ms: int) -> bool:
        return len(self._sent_ms) < MOST_PER_SECOND or now_ms - self._sent_ms[0] >= 1_000

    def _subscription(self, channels: Iterable[str]) -> bytes:
        arguments = [{"symbol": self._symbol, "ch": channel} for channel in channels]
        return orjson.dumps({"op": "subscribe", "args": arguments})
