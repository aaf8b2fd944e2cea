"""What a loss of data cost, in words for the report. Pure.

A gap reaches from the candle that was open when data was lost up to and with the candle of the first tick after it;
all of these are published incomplete. The ones before the last come from REST where it answered, else they are flat.
"""

from datetime import UTC, datetime
from typing import NamedTuple


class Gap(NamedTuple):
    """A loss that is over: first and last incomplete candle by open time, and how many came from REST."""

    first_ms: int
    last_ms: int
    fetched: int


def words(gap: Gap, interval_ms: int, *, is_begin: bool = False) -> str:
    """Return what is missing; `is_begin`: nothing was lost, a session begins within a candle."""
    if is_begin:
        return f"the session begins within the candle of {iso(gap.last_ms)}: it is incomplete"
    count = (gap.last_ms - gap.first_ms) // interval_ms + 1
    if count == 1:
        return f"data was lost in the candle of {iso(gap.first_ms)}: it is incomplete"
    return (
        f"data was lost in the candles from {iso(gap.first_ms)} to {iso(gap.last_ms)}: {count} are incomplete "
        f"({gap.fetched} from the exchange's REST)"
    )


def iso(ms: int) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
