"""The rules for a source that has candles only. Pure.

A candle whose open time is not later than the last one's is dropped; a hole is filled with flat candles at the close
before it, volume 0, incomplete; a source's interval that divides the session's is aggregated, any other is refused.
An aggregated candle is complete when all its parts are there and complete.
"""

from bus.messages import Candle
from services.feed.candles import Bar, added, flat
from services.feed.facts import RawCandle
from services.feed.guards import refuse_candle

MAX_HOLE = 500_000
"""Candles that a hole is filled with at most; a candle behind a wider one is refused as `leap`."""


def mismatch(source_ms: int, session_ms: int) -> str | None:
    """Return in words why candles of one interval can not make candles of the other; None when they can."""
    if session_ms % source_ms == 0:
        return None
    return f"candles of {source_ms / 1000:g} s do not add up to the interval of {session_ms / 1000:g} s"


class CandleAggregator:
    """Puts a source's candles in order, fills its holes, and adds them up to the session's interval.

    Args:
        source_ms: the source's interval; divides `session_ms`.
        session_ms: the session's interval.
        previous: the newest closed candle before the first, if any is known.
    """

    def __init__(self, source_ms: int, session_ms: int, previous: Candle | None = None) -> None:
        self.source_ms = source_ms
        self._session_ms = session_ms
        self._next_ms = previous.close_ms if previous is not None else None
        self._close = previous.close if previous is not None else 0.0
        self._parts: list[Bar] = []

    def take(self, row: RawCandle) -> list[Bar] | str:
        """Return the session's candles that this one closes, or the name of why it is not believed."""
        refused = refuse_candle(row, self.source_ms)
        if refused is not None:
            return refused
        if self._next_ms is None:
            self._next_ms = row.open_ms
        if row.open_ms < self._next_ms:
            return "old_candle"
        if row.open_ms - self._next_ms > MAX_HOLE * self.source_ms:
            return "leap"
        bars: list[Bar] = []
        while self._next_ms < row.open_ms:
            self._add(flat(self._next_ms, self._close, complete=False), bars)
        self._add(Bar(*row, complete=True), bars)
        return bars

    def _add(self, part: Bar, bars: list[Bar]) -> None:
        self._parts.append(part)
        self._next_ms = part.open_ms + self.source_ms
        self._close = part.close
        if self._next_ms % self._session_ms == 0:
            bars.append(self._whole())
            self._parts = []

    def _whole(self) -> Bar:
        first, last = self._parts[0], self._parts[-1]
        volume = 0.0
        for part in self._parts:
            volume = added(volume, part.volume)
        return Bar(
            open_ms=first.open_ms // self._session_ms * self._session_ms,
            open=first.open,
            high=max(part.high for part in self._parts),
            low=min(part.low for part in self._parts),
            close=last.close,
            volume=volume,
            complete=first.open_ms % self._session_ms == 0 and all(part.complete for part in self._parts),
        )
