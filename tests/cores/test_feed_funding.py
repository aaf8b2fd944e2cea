"""Funding in the market stream: each time once, in its place, and none from before the session."""

import pytest
from feed_builders import MINUTE, SYMBOL, T0, feed_core, published, raw_funding, raw_quote, raw_trade, shape

from bus.messages import Funding
from services.feed.facts import DataLost, Fact

NAN = float("nan")
HOUR = 3_600_000


def test_funding_is_published_once_between_the_candles_and_the_tick_that_crosses_it() -> None:
    core = feed_core()
    facts: list[Fact] = [
        raw_quote(0),
        raw_trade(1),
        raw_funding(2, following=MINUTE),
        raw_funding(3, 0.0002, 101.0, following=MINUTE),
        raw_quote(2 * MINUTE),
        raw_quote(2 * MINUTE),
    ]
    events = published(core, facts)
    assert [shape(event) for event in events[2:]] == [
        "candle +60000",
        "funding +60000",
        "candle +120000",
        "quote +120000",
        "quote +120000",
    ]
    assert events[3] == Funding(4, T0 + MINUTE, SYMBOL, 0.0002, 101.0)


def test_a_funding_time_of_the_past_is_not_ours() -> None:
    events = published(feed_core(), [raw_quote(0), raw_funding(1, last=-HOUR, following=HOUR), raw_quote(2)])
    assert [shape(event) for event in events] == ["quote +0", "quote +2"]


def test_a_funding_time_before_the_session_is_not_charged() -> None:
    facts: list[Fact] = [raw_funding(500, last=0, following=8 * HOUR), raw_quote(900)]
    assert [shape(event) for event in published(feed_core(), facts)] == ["quote +900"]


def test_a_funding_time_after_the_first_tick_counts_though_nothing_was_known_of_funding_then() -> None:
    facts: list[Fact] = [
        raw_quote(0),
        raw_quote(3_000),
        raw_funding(5_000, last=2_000, following=HOUR),
        raw_quote(5_001),
    ]
    assert [shape(event) for event in published(feed_core(), facts)] == [
        "quote +0",
        "quote +3000",
        "funding +3000",
        "quote +5001",
    ]


def test_a_funding_time_crossed_while_away_is_made_up_for() -> None:
    facts: list[Fact] = [
        raw_quote(0),
        DataLost(),
        raw_funding(5_000, last=2_000, following=HOUR),
        raw_quote(5_001),
        raw_quote(5_002),
    ]
    events = published(feed_core(), facts)
    assert [shape(event) for event in events] == ["quote +0", "funding +2000", "quote +5001", "quote +5002"]


def test_a_funding_time_is_not_lost_when_only_the_one_after_it_is_spoken_of() -> None:
    facts: list[Fact] = [
        raw_quote(0),
        raw_funding(1, following=HOUR),
        raw_funding(HOUR + 5, following=2 * HOUR),
        raw_quote(HOUR + 10),
        raw_quote(2 * HOUR),
    ]
    assert [shape(event) for event in published(feed_core(), facts) if isinstance(event, Funding)] == [
        "funding +3600000",
        "funding +7200000",
    ]


def test_several_funding_times_crossed_at_once_all_come() -> None:
    facts: list[Fact] = [raw_quote(0), raw_funding(1, last=-HOUR, following=0 + HOUR), raw_quote(5 * HOUR)]
    # The schedule said two hours apart: 1 h, 3 h and 5 h are crossed.
    assert [shape(event) for event in published(feed_core(), facts)][1:-1] == [
        f"funding {at * HOUR:+d}" for at in (1, 3, 5)
    ]


@pytest.mark.parametrize("last", [17 * HOUR, None])
def test_all_funding_times_of_a_long_silence_come_whatever_speaks_first_after_it(last: int | None) -> None:
    facts: list[Fact] = [
        raw_quote(0),
        raw_funding(1, last=-7 * HOUR, following=HOUR),
        DataLost(),
        raw_funding(18 * HOUR, 0.0002, last=last, following=25 * HOUR),
        raw_funding(18 * HOUR + 1, 0.0003, last=last, following=25 * HOUR),
        raw_quote(18 * HOUR + 5),
        raw_quote(26 * HOUR),
    ]
    settled = [event for event in published(feed_core(), facts) if isinstance(event, Funding)]
    assert [(event.ts_ms - T0) // HOUR for event in settled] == [1, 9, 17, 25]


def test_nonsense_about_funding_is_refused() -> None:
    core = feed_core()
    assert published(core, [raw_funding(0, NAN), raw_funding(0, mark=-1.0), raw_funding(0, following=-(T0 + 1))]) == []
    assert core.refused == {"bad_funding": 3}
