"""Stretches cut out of a market: what is inside, and what came before."""

from decimal import Decimal

from sweep_builders import MINUTE, candle_wave, trade_wave

from bus.messages import Candle, StreamInfo
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Fact, RawCandle, RawTrade
from services.sweep.tape import Tape, cut


def tape(mode: str) -> Tape:
    """Five hours, of candles or of ticks; nothing of them is history."""
    info = StreamInfo("BTCUSDT", MINUTE, mode, Decimal("0.1"), Decimal("0.001"), Decimal("0.001"))
    core = FeedCore(info, FeedRules(), MINUTE)
    rows: list[Fact] = (
        [RawCandle(*row) for row in candle_wave(300)]  # type: ignore[arg-type]
        if mode == "candle"
        else [RawTrade(*row) for row in trade_wave(300)]  # type: ignore[arg-type]
    )
    return Tape(info, [event for row in rows for event in core.take(row)])


def test_a_window_of_candles_has_200_before_it_as_history_and_is_numbered_anew() -> None:
    whole = tape("candle")
    assert whole.span == (0, 300 * MINUTE)
    part = cut(whole, (250 * MINUTE, 280 * MINUTE), FeedRules())
    assert [candle.open_ms // MINUTE for candle in part.info.history] == list(range(50, 250))
    inside = [(event.seq, event.open_ms // MINUTE) for event in part.events if isinstance(event, Candle)]
    assert inside == [(seq, 249 + seq) for seq in range(1, 31)]
    assert [candle.seq for candle in part.info.history] == [0] * 200


def test_a_window_of_ticks_begins_with_a_price_of_its_own_and_ends_before_its_end() -> None:
    whole = tape("tick")
    assert whole.span == (0, 299 * MINUTE)
    part = cut(whole, (100 * MINUTE, 130 * MINUTE), FeedRules())
    assert [candle.open_ms // MINUTE for candle in part.info.history] == list(range(100))
    assert [event.seq for event in part.events] == list(range(1, len(part.events) + 1))
    first, last = part.events[0], part.events[-1]
    assert (type(first).__name__, first.ts_ms) == ("Quote", 100 * MINUTE)
    assert 129 * MINUTE < last.ts_ms < 130 * MINUTE
    assert sum(isinstance(event, Candle) for event in part.events) == 29
