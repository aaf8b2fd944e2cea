from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from feed_builders import (
    MINUTE,
    SYMBOL,
    T0,
    feed_core,
    history_candle,
    published,
    raw_candle,
    raw_quote,
    raw_trade,
    shape,
    stream_info,
)

from bus.messages import Candle, MarketEvent, Quote, Trade
from services.feed.core import MAX_EMPTY_BUCKETS, FeedCore, FeedRules
from services.feed.facts import Backfill, DataLost, Fact, RawCandle, RawQuote, RawTrade, Recorded

NAN = float("nan")
INF = float("inf")


def test_the_first_tick_is_number_one_and_numbers_go_on_over_all_kinds() -> None:
    events = published(feed_core(), [raw_quote(0), raw_trade(1), raw_quote(MINUTE)])
    assert [(event.seq, shape(event)) for event in events] == [
        (1, "quote +0"),
        (2, "trade +1"),
        (3, "candle +60000"),
        (4, "quote +60000"),
    ]


def test_events_carry_what_the_source_said() -> None:
    events = published(feed_core(), [raw_quote(5, 99.5, 100.5, 3.0, 4.0), raw_trade(6, 100.5, 0.25, "sell")])
    assert events == [Quote(1, T0 + 5, 99.5, 100.5, 3.0, 4.0), Trade(2, T0 + 6, 100.5, 0.25, "sell")]


@dataclass(frozen=True)
class Row:
    """A scenario: facts in, shapes of the events out, refusals by name."""

    name: str
    facts: list[Fact]
    shapes: list[str]
    refused: dict[str, int] = field(default_factory=dict)
    shifted: int = 0


ROWS = [
    Row(
        "an event exactly a second late is published with the newest time",
        [raw_quote(5_000), raw_quote(4_000)],
        ["quote +5000", "quote +5000"],
        shifted=1,
    ),
    Row(
        "an event more than a second late is dropped",
        [raw_quote(5_000), raw_quote(3_999), raw_quote(5_001)],
        ["quote +5000", "quote +5001"],
        {"late": 1},
    ),
    Row(
        "a refused quote does not move the newest time",
        [raw_quote(9_000, 2.0, 1.0), raw_quote(0)],
        ["quote +0"],
        {"crossed": 1},
    ),
    Row("a price beyond all markets is refused", [raw_quote(0, 1.0, 1e13), raw_trade(0, 1e45)], [], {"absurd": 2}),
    Row("a quote that is not finite is refused", [raw_quote(0, NAN), raw_quote(0, 1.0, INF)], [], {"not_finite": 2}),
    Row("a locked quote is a quote", [raw_quote(0, 100.0, 100.0)], ["quote +0"]),
    Row("a price of zero is refused", [raw_quote(0, 0.0), raw_trade(0, 0.0)], [], {"price_not_positive": 2}),
    Row(
        "a quote may be empty, not negative",
        [raw_quote(0, bid_size=0.0), raw_quote(0, ask_size=-1.0)],
        ["quote +0"],
        {"negative_size": 1},
    ),
    Row(
        "a trade of nothing is refused", [raw_trade(0, size=0.0), raw_trade(0, size=-1.0)], [], {"size_not_positive": 2}
    ),
    Row("a trade that is not finite is refused", [raw_trade(0, NAN), raw_trade(0, size=INF)], [], {"not_finite": 2}),
    Row("a side that is none is refused", [raw_trade(0, aggressor="both")], [], {"unknown_side": 1}),
    Row("a time before the epoch is refused", [RawQuote(-1, 1.0, 2.0, 0.0, 0.0)], [], {"bad_time": 1}),
    Row("a candle is not for a stream of ticks", [raw_candle(0)], [], {"unexpected_kind": 1}),
    Row(
        "a trade without a quote brings its own",
        [raw_trade(0), raw_trade(1)],
        ["quote +0", "trade +0", "quote +1", "trade +1"],
    ),
    Row(
        "a trade after a fresh quote brings none",
        [raw_quote(0), raw_trade(10_000)],
        ["quote +0", "trade +10000"],
    ),
    Row(
        "a trade after a quote that is too old brings its own",
        [raw_quote(0), raw_trade(10_001)],
        ["quote +0", "quote +10001", "trade +10001"],
    ),
    Row(
        "a real quote ends the synthetic ones",
        [raw_trade(0), raw_quote(1), raw_trade(2)],
        ["quote +0", "trade +0", "quote +1", "trade +2"],
    ),
    Row(
        "a candle closes before the synthetic quote of the trade that closes it",
        [raw_quote(0), raw_trade(1), raw_trade(MINUTE + 1)],
        ["quote +0", "trade +1", "candle +60000", "quote +60001", "trade +60001"],
    ),
    Row(
        "quotes alone make no candle without a price before them",
        [raw_quote(0), raw_quote(MINUTE)],
        ["quote +0", "quote +60000"],
    ),
    Row(
        "a late tick closes by the time it is published with",
        [raw_quote(0), raw_trade(1), raw_quote(MINUTE), raw_trade(MINUTE - 1), raw_quote(2 * MINUTE)],
        ["quote +0", "trade +1", "candle +60000", "quote +60000", "trade +60000", "candle +120000", "quote +120000"],
        shifted=1,
    ),
    Row(
        "a time out of the world is refused and does no harm",
        [raw_quote(0), raw_trade(1), raw_quote((MAX_EMPTY_BUCKETS + 1) * MINUTE), raw_quote(2)],
        ["quote +0", "trade +1", "quote +2"],
        {"leap": 1},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_stream_obeys_its_rules(row: Row) -> None:
    core = feed_core()
    assert [shape(event) for event in published(core, row.facts)] == row.shapes
    assert dict(core.refused) == row.refused
    assert core.shifted == row.shifted


def test_the_synthetic_quote_is_half_a_spread_around_the_trade_on_the_grid() -> None:
    quote, trade = published(feed_core(rules=FeedRules(Decimal(10))), [raw_trade(0, 100.05)])
    assert quote == Quote(1, T0, 99.9, 100.2, 0.0, 0.0, synthetic=True)
    assert trade == Trade(2, T0, 100.05, 1.0, "buy")


def test_a_trade_below_the_grid_is_published_without_a_quote() -> None:
    core = feed_core()
    assert [shape(event) for event in published(core, [raw_trade(0, 0.05)])] == ["trade +0"]
    assert core.refused == {"no_synthetic_quote": 1}


def candles(events: list[MarketEvent]) -> list[Candle]:
    return [event for event in events if isinstance(event, Candle)]


def test_a_candle_is_made_of_the_trades_of_its_minute() -> None:
    facts: list[Fact] = [
        raw_quote(0),
        raw_trade(1, 100.0, 1.0),
        raw_trade(2, 103.0, 2.0),
        raw_trade(3, 99.0, 3.0),
        raw_trade(4, 101.0, 4.0),
    ]
    closed = candles(published(feed_core(), [*facts, raw_quote(MINUTE)]))
    assert closed == [Candle(6, T0 + MINUTE, SYMBOL, MINUTE, T0, 100.0, 103.0, 99.0, 101.0, 10.0, complete=True)]


def test_buckets_without_trades_are_flat_and_complete() -> None:
    closed = candles(published(feed_core(), [raw_quote(0), raw_trade(1, 100.0), raw_quote(3 * MINUTE + 5)]))
    assert [(c.open_ms - T0, c.close, c.volume, c.complete) for c in closed] == [
        (0, 100.0, 1.0, True),
        (MINUTE, 100.0, 0.0, True),
        (2 * MINUTE, 100.0, 0.0, True),
    ]
    assert [c.ts_ms for c in closed] == [T0 + MINUTE, T0 + 2 * MINUTE, T0 + 3 * MINUTE]


def test_candles_follow_the_history_without_a_hole() -> None:
    events = published(feed_core(history=(history_candle(-1, 99.0),)), [raw_quote(MINUTE)])
    assert [(c.open_ms - T0, c.close, c.complete) for c in candles(events)] == [(0, 99.0, True)]


def test_a_loss_spoils_the_candle_in_progress_the_missed_ones_and_the_one_it_ends_in() -> None:
    facts: list[Fact] = [
        raw_quote(0),
        raw_trade(1),
        DataLost(),
        raw_quote(2 * MINUTE + 1),
        raw_quote(3 * MINUTE),
        raw_quote(4 * MINUTE),
    ]
    closed = candles(published(feed_core(), facts))
    assert [(c.open_ms - T0, c.complete) for c in closed] == [
        (0, False),
        (MINUTE, False),
        (2 * MINUTE, False),
        (3 * MINUTE, True),
    ]


def test_a_loss_within_a_minute_spoils_that_minute_only() -> None:
    facts: list[Fact] = [raw_quote(0), raw_trade(1), DataLost(), raw_quote(2), raw_quote(MINUTE), raw_quote(2 * MINUTE)]
    assert [c.complete for c in candles(published(feed_core(), facts))] == [False, True]


def test_a_stream_that_begins_within_a_minute_begins_with_an_incomplete_candle() -> None:
    facts: list[Fact] = [DataLost(), raw_quote(30_000), raw_trade(30_001), raw_quote(MINUTE), raw_quote(2 * MINUTE)]
    assert [c.complete for c in candles(published(feed_core(), facts))] == [False, True]


def test_missed_candles_come_from_rest_before_the_held_ticks() -> None:
    core = feed_core()
    published(core, [raw_quote(0), raw_trade(1, 100.0), DataLost()])
    rows = (raw_candle(0, 101.0, 7.0), raw_candle(2, 103.0, 9.0), raw_candle(3, 999.0, 1.0))
    events = published(core, [Backfill(rows), raw_quote(3 * MINUTE + 1)])
    assert [(c.open_ms - T0, c.close, c.volume, c.complete) for c in candles(events)] == [
        (0, 101.0, 7.0, False),
        (MINUTE, 101.0, 0.0, False),
        (2 * MINUTE, 103.0, 9.0, False),
    ]
    assert shape(events[-1]) == "quote +180001"


def test_unbelievable_rows_of_a_back_fill_are_counted_and_replaced_by_flat_candles() -> None:
    core = feed_core()
    published(core, [raw_quote(0), raw_trade(1, 100.0), DataLost()])
    bad = RawCandle(T0, 100.0, 99.0, 101.0, 100.0, 1.0)
    closed = candles(published(core, [Backfill((bad,)), raw_quote(MINUTE)]))
    assert [(c.close, c.volume, c.complete) for c in closed] == [(100.0, 1.0, False)]
    assert core.refused == {"bad_backfill": 1}


CANDLE_ROWS = [
    ("one after the other", [raw_candle(0), raw_candle(1)], [(0, True), (1, True)], {}),
    (
        "a hole is filled with incomplete flat ones",
        [raw_candle(0), raw_candle(3)],
        [(0, True), (1, False), (2, False), (3, True)],
        {},
    ),
    ("one that is not later is dropped", [raw_candle(1), raw_candle(1), raw_candle(0)], [(1, True)], {"old_candle": 2}),
    ("misaligned", [RawCandle(T0 + 1, 1.0, 1.0, 1.0, 1.0, 1.0)], [], {"misaligned": 1}),
    ("high below low", [RawCandle(T0, 2.0, 1.0, 2.0, 1.0, 1.0)], [], {"high_below_low": 1}),
    ("negative volume", [raw_candle(0, volume=-1.0)], [], {"negative_volume": 1}),
    ("not finite", [raw_candle(0, volume=NAN)], [], {"not_finite": 1}),
    ("a tick", [raw_quote(0), raw_trade(0)], [], {"unexpected_kind": 2}),
]


@pytest.mark.parametrize(
    ("facts", "expected", "refused"), [row[1:] for row in CANDLE_ROWS], ids=[row[0] for row in CANDLE_ROWS]
)
def test_a_source_of_candles_obeys_its_rules(
    facts: list[Fact], expected: list[tuple[int, bool]], refused: dict[str, int]
) -> None:
    core = feed_core(mode="candle")
    closed = candles(published(core, facts))
    assert [((c.open_ms - T0) // MINUTE, c.complete) for c in closed] == expected
    assert [c.ts_ms for c in closed] == [c.close_ms for c in closed]
    assert [c.seq for c in closed] == list(range(1, len(closed) + 1))
    assert dict(core.refused) == refused


def test_candles_add_up_to_the_interval_of_the_session() -> None:
    core = feed_core(3 * MINUTE, "candle", source_interval_ms=MINUTE)
    first = T0 // (3 * MINUTE) * 3 * MINUTE + 3 * MINUTE
    rows = [RawCandle(first + n * MINUTE, 100.0 + n, 110.0 + n, 90.0 + n, 101.0 + n, 1.0) for n in range(6)]
    assert published(core, [row for row in rows if row.open_ms != first + 4 * MINUTE]) == [
        Candle(1, first + 3 * MINUTE, SYMBOL, 3 * MINUTE, first, 100.0, 112.0, 90.0, 103.0, 3.0, complete=True),
        Candle(
            2,
            first + 6 * MINUTE,
            SYMBOL,
            3 * MINUTE,
            first + 3 * MINUTE,
            103.0,
            115.0,
            93.0,
            106.0,
            2.0,
            complete=False,
        ),
    ]


def test_data_that_begin_within_a_candle_begin_with_an_incomplete_one() -> None:
    core = feed_core(5 * MINUTE, "candle", source_interval_ms=MINUTE)
    whole = T0 // (5 * MINUTE) * 5 * MINUTE
    rows = [RawCandle(whole + minute * MINUTE, 100.0, 100.0, 100.0, 100.0, 1.0) for minute in range(2, 10)]
    closed = candles(published(core, rows))
    assert [((c.open_ms - whole) // MINUTE, c.volume, c.complete) for c in closed] == [(0, 3.0, False), (5, 5.0, True)]


def test_a_recorded_run_is_said_again_as_it_was() -> None:
    events = published(feed_core(), [raw_quote(0), raw_trade(1), raw_quote(MINUTE)])
    again = feed_core()
    assert published(again, [Recorded(event) for event in events]) == events
    assert (again.last_seq, again.ticks, again.candles, again.price) == (4, 3, 1, 100.05)
    assert published(again, [Recorded(events[0])]) == []
    assert again.refused == {"out_of_order": 1}


FACTS: list[Fact] = [
    raw_quote(0),
    raw_trade(1, 100.0),
    raw_trade(20_000, 101.0),
    raw_trade(20_000, 102.0),
    raw_quote(70_000),
    raw_trade(70_001, 103.0),
    raw_trade(200_000, 99.0),
    raw_quote(200_001),
    raw_trade(250_000, 98.0),
]


def test_a_core_restored_anywhere_goes_on_as_if_nothing_had_been() -> None:
    """Killed after any published event, even within what one fact makes."""
    whole = published(feed_core(), FACTS)
    for kept in range(1, len(whole) + 1):
        core = feed_core()
        core.restore(whole[:kept])
        seen = [
            event for event in whole[:kept] if not isinstance(event, Candle) and not getattr(event, "synthetic", False)
        ]
        assert published(core, FACTS[len(seen) :]) == whole[kept:], f"cut after {kept}"


def test_a_restored_core_counts_on() -> None:
    core = FeedCore(stream_info(), FeedRules())
    core.restore(published(feed_core(), FACTS[:2]), ticks=2, candles=0)
    published(core, [RawTrade(T0 + 2, 101.0, 1.0, "buy")])
    assert (core.last_seq, core.ticks, core.candles, core.price, core.last_ts_ms) == (3, 3, 0, 101.0, T0 + 2)
