"""Closed candles as read-only arrays of doubles, oldest first. What was handed out never changes."""

from array import array
from collections.abc import Sequence
from typing import Final

from bus.messages import Candle

HISTORY_CANDLES: Final = 1_000
"""So many candles are kept, or as many as the strategy needs to warm up if these are more."""
_COLUMNS: Final = ("open", "high", "low", "close", "volume")


class History:
    """The newest `room` candles, in columns.

    A column is a read-only memory view: index, slice and iterate it, or give it to numpy, which copies nothing
    (`numpy.asarray(context.history.close)`). Columns are written behind what was handed out, never in it.
    """

    def __init__(self, room: int = HISTORY_CANDLES) -> None:
        self._room = max(1, room)
        self._columns = self._new_columns()
        self._times = array("q", bytes(16 * self._room))
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._room)

    @property
    def open(self) -> Sequence[float]:
        """Opening prices."""
        return self._view(self._columns[0])

    @property
    def high(self) -> Sequence[float]:
        """Highest prices."""
        return self._view(self._columns[1])

    @property
    def low(self) -> Sequence[float]:
        """Lowest prices."""
        return self._view(self._columns[2])

    @property
    def close(self) -> Sequence[float]:
        """Closing prices."""
        return self._view(self._columns[3])

    @property
    def volume(self) -> Sequence[float]:
        """Volumes, in base coin."""
        return self._view(self._columns[4])

    @property
    def open_ms(self) -> Sequence[int]:
        """Opening times, ms since the Unix epoch."""
        return self._view(self._times)

    def append(self, candle: Candle) -> None:
        """Take the next candle."""
        if self._end == len(self._times):
            self._make_room()
        at = self._end
        opens, highs, lows, closes, volumes = self._columns
        opens[at] = candle.open
        highs[at] = candle.high
        lows[at] = candle.low
        closes[at] = candle.close
        volumes[at] = candle.volume
        self._times[at] = candle.open_ms
        self._end = at + 1

    def _view(self, column: "array[int] | array[float]") -> memoryview:
        return memoryview(column)[max(0, self._end - self._room) : self._end].toreadonly()

    def _new_columns(self) -> "list[array[float]]":
        return [array("d", bytes(16 * self._room)) for _ in _COLUMNS]

    def _make_room(self) -> None:
        """Go on in new columns with the newest candles; views of the old ones stay as they are."""
        old, times, kept = self._columns, self._times, self._room
        self._columns = self._new_columns()
        self._times = array("q", bytes(16 * kept))
        for new, column in zip(self._columns, old, strict=True):
            new[:kept] = column[-kept:]
        self._times[:kept] = times[-kept:]
        self._end = kept
