"""The market's clock: a start instant and the time since it, times a speed. Pure: it is told the machine's time.

`now_ms` is the machine's clock that goes on in a suspend, so a step of the wall clock does nothing.
"""

from math import ceil


class MarketClock:
    """Market time, from `start_ms` on; before `began_ms` (None: not yet known) it stands just before the start."""

    def __init__(self, start_ms: int, speed: float, began_ms: int | None, end_ms: int | None = None) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._end_ms = end_ms
        self.began_ms = began_ms

    def market_ms(self, now_ms: int) -> int:
        """Return the market time; never past the end of the tape."""
        if self.began_ms is None or now_ms < self.began_ms:
            return self._start_ms - 1
        market_ms = self._start_ms + int((now_ms - self.began_ms) * self._speed)
        return market_ms if self._end_ms is None else min(market_ms, self._end_ms)

    def elapsed_s(self, now_ms: int) -> float:
        """Return the seconds since the clock began, 0 before: the time of the faults."""
        return 0.0 if self.began_ms is None else max(0, now_ms - self.began_ms) / 1000

    def wait_ms(self, market_ms: int, now_ms: int) -> int | None:
        """Return how long it is until a market time is reached; None while the clock stands."""
        if self.began_ms is None:
            return None
        return self.began_ms + ceil((market_ms - self._start_ms) / self._speed) - now_ms
