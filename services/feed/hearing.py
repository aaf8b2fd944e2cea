"""Whether trades are heard at all. Pure.

An exchange may forget a subscription while quotes go on. Then its own candles have trades where ours have none. A new
connection is the cure; where it does not help, the next comes later and later, for each costs a candle.
"""

from collections.abc import Iterable
from typing import Final

from services.feed.reconciling import Difference

FIRST_WAIT_MS: Final = 60_000
LONGEST_WAIT_MS: Final = 3_600_000


class Hearing:
    """Remembers the newest trade, and the cures."""

    def __init__(self) -> None:
        self._heard_ms = 0
        self._wait_ms = FIRST_WAIT_MS
        self._not_before_ms: int | None = None

    def heard(self, ts_ms: int) -> None:
        """A trade was heard; `ts_ms` is the exchange's."""
        self._heard_ms = ts_ms
        self._wait_ms = FIRST_WAIT_MS

    def needs_cure(self, differences: Iterable[Difference], now_ms: int) -> bool:
        """Whether these differences say that we hear nothing, and it is time (`now_ms`, monotonic) to do something."""
        if not any(found.is_deaf and self._heard_ms < found.ours.close_ms for found in differences):
            return False
        if self._not_before_ms is not None and now_ms < self._not_before_ms:
            return False
        self._not_before_ms = now_ms + self._wait_ms
        self._wait_ms = min(LONGEST_WAIT_MS, 2 * self._wait_ms)
        return True
