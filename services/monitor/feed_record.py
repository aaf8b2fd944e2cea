"""What befell the feed over the whole session, across its restarts: reconnects, refused events, silences. Pure.

The feed's own counts begin anew when it is restarted. A silence is a time without market data while the feed says it
is connected, longer than a quote may be old; it ends with the next data, or with the feed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bus.messages import FeedStatus


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that has ended: how long it was, and event time (ms) of the last data before it."""

    seconds: float
    market_ts: int


class FeedRecord:
    """Adds up what the feed says of itself.

    Args:
        silence_after_ms: a silence is at least this long.
        memory: of the record that a monitor kept which was restarted; None without one.
    """

    def __init__(self, silence_after_ms: int, memory: Mapping[str, Any] | None = None) -> None:
        self._silence_after_ms = silence_after_ms
        known = memory or {"before": [0, 0], "now": [0, 0], "stale_ms": 0, "age_ms": 0, "last_ts_ms": 0}
        self._before: list[int] = list(known["before"])
        self._now: list[int] = list(known["now"])
        self._stale_ms, self._age_ms = int(known["stale_ms"]), int(known["age_ms"])
        self._last_ts_ms = int(known["last_ts_ms"])
        self._is_closed = False

    @property
    def memory(self) -> dict[str, Any]:
        """All that is known, as JSON types: of earlier feeds, of this one, and the silence that goes on."""
        return {
            "before": self._before,
            "now": self._now,
            "stale_ms": self._stale_ms,
            "age_ms": self._age_ms,
            "last_ts_ms": self._last_ts_ms,
        }

    def take(self, status: FeedStatus) -> Silence | None:
        """Take what the feed says; return the silence that it ends, if it does."""
        said = [status.reconnects, status.refused]
        if any(now > then for now, then in zip(self._now, said, strict=True)):
            self._before = [sum(both) for both in zip(self._before, self._now, strict=True)]
        self._now = said
        if self._is_closed:
            return None
        ended = self._end() if status.data_age_ms < self._age_ms else None
        self._age_ms = status.data_age_ms
        self._last_ts_ms = status.last_ts_ms
        return ended

    def close(self) -> Silence | None:
        """The session ends, and with it the silence that goes on, if one does; what is not heard later is no silence."""
        self._is_closed = True
        return self._end()

    def _end(self) -> Silence | None:
        if self._age_ms < self._silence_after_ms:
            return None
        self._stale_ms += self._age_ms
        silence = Silence(self._age_ms / 1000, self._last_ts_ms)
        self._age_ms = 0
        return silence

    @property
    def reconnects(self) -> int:
        """How often the source was found again."""
        return self._before[0] + self._now[0]

    @property
    def refused(self) -> int:
        """Events that were malformed, late or impossible."""
        return self._before[1] + self._now[1]

    @property
    def stale_sec(self) -> float:
        """Seconds of silence so far, one that goes on among them."""
        going_on_ms = self._age_ms if self._age_ms >= self._silence_after_ms else 0
        return (self._stale_ms + going_on_ms) / 1000
