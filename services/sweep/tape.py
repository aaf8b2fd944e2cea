"""A market in memory, played many times, and stretches cut out of it. Pure.

A tape that is cut comes from data files: a recorded session has facts of its own, which no stretch of it would keep.
A stretch is what a replay of a data file would be that holds its rows and the 200 candles before it: those are the
history, and its events are numbered from 1 again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from bus.messages import Candle, MarketEvent, Quote, StreamInfo, Trade
from services.feed.config import HISTORY_CANDLES
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import RawQuote, RawTrade
from services.sweep.folds import Window


@dataclass(frozen=True, slots=True)
class Tape:
    """The stream's head, and its events in order."""

    info: StreamInfo
    events: Sequence[MarketEvent]

    @property
    def span(self) -> Window:
        """Where the session begins (the first candle's open), and where the last candle ends that is whole."""
        step = self.info.interval_ms
        if not self.events:
            return 0, 0
        first, last = self.events[0], self.events[-1]
        if not self.info.has_ticks:
            assert isinstance(first, Candle), "a source of candles has nothing else"
            return first.open_ms, last.ts_ms
        return -(-first.ts_ms // step) * step, last.ts_ms // step * step


def cut(tape: Tape, window: Window, rules: FeedRules) -> Tape:
    """Return what happens in a window, with the candles before it as history.

    Args:
        tape: the whole market.
        window: both times fall on a candle's open.
        rules: the settings that shape the stream, for synthetic quotes are made anew.
    """
    begin_ms, end_ms = window
    closed = [*tape.info.history, *(event for event in tape.events if isinstance(event, Candle))]
    before = [candle for candle in closed if candle.close_ms <= begin_ms][-HISTORY_CANDLES:]
    info = replace(tape.info, history=tuple(replace(candle, seq=0, ts_ms=candle.close_ms) for candle in before))
    if not info.has_ticks:
        inside = (candle for candle in closed if begin_ms <= candle.open_ms and candle.close_ms <= end_ms)
        return Tape(info, [replace(candle, seq=seq) for seq, candle in enumerate(inside, 1)])
    return Tape(info, list(_ticks(tape, window, FeedCore(info, rules))))


def _ticks(tape: Tape, window: Window, core: FeedCore) -> Iterator[MarketEvent]:
    """Work the window's ticks up to events again: candles, synthetic quotes and numbers are the window's own."""
    begin_ms, end_ms = window
    for event in tape.events:
        if not begin_ms <= event.ts_ms < end_ms:
            continue
        match event:
            case Quote(synthetic=False):
                yield from core.take(RawQuote(event.ts_ms, event.bid, event.ask, event.bid_size, event.ask_size))
            case Trade():
                yield from core.take(RawTrade(event.ts_ms, event.price, event.size, event.aggressor))
            case _:  # made again; a data file has no funding
                continue
