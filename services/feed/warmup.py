"""Where a data file's history ends and its session begins. Pure.

The candles that close within the first part of a file are the history its session starts from, so that a strategy is
warm: 200 of them, or what closes within the first third of the file's time, whichever is less. The events of that
part are not published; the session's first event is the first one after it.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from bus.messages import Candle, StreamInfo
from services.feed.config import HISTORY_CANDLES
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Fact


def session_start_ms(first_ms: int, last_ms: int, interval_ms: int) -> int:
    """Return where the session of a file from `first_ms` to `last_ms` begins: a candle's open, or the file's begin."""
    wanted_ms = first_ms // interval_ms * interval_ms + HISTORY_CANDLES * interval_ms
    third_ms = (first_ms + (last_ms - first_ms) // 3) // interval_ms * interval_ms
    return max(first_ms, min(wanted_ms, third_ms))


def history_of(
    facts: Iterable[Fact], info: StreamInfo, start_ms: int, source_interval_ms: int | None = None
) -> tuple[Candle, ...]:
    """Return the candles that close at or before `start_ms`, oldest first.

    Args:
        facts: the file's begin, with one fact at or after `start_ms`, which closes the last candle.
        info: the stream's head, without history.
        start_ms: where the session begins.
        source_interval_ms: for a file of candles: their interval.
    """
    core = FeedCore(replace(info, history=()), FeedRules(), source_interval_ms)
    candles = [
        event for fact in facts for event in core.take(fact) if isinstance(event, Candle) and event.close_ms <= start_ms
    ]
    return tuple(replace(candle, seq=0, ts_ms=candle.close_ms) for candle in candles[-HISTORY_CANDLES:])
