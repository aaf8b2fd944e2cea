"""Published candles against the exchange's own, and what a loss of data is called."""

import pytest
from feed_builders import MINUTE, T0, feed_core, history_candle, published, raw_candle, raw_quote, raw_trade
from msgspec.structs import replace

from bus.messages import Candle
from services.feed.facts import Backfill, DataLost, RawCandle
from services.feed.gaps import Gap, words
from services.feed.hearing import Hearing
from services.feed.minutes import Minutes
from services.feed.reconciling import (
    ANSWER_MS,
    FIRST_LOOK_MS,
    LONGEST_WAIT_MS,
    MOST_AT_ONCE,
    MOST_WAITING,
    NEXT_LOOK_MS,
    Difference,
    Reconciliation,
    Span,
)


def candle(minute: int, close: float = 100.0, volume: float = 1.0) -> Candle:
    return replace(history_candle(minute, close), seq=minute + 1, volume=volume)


def asked(minutes: int = 3) -> Reconciliation:
    """A reconciliation that has just asked for the first minutes."""
    reconciliation = Reconciliation()
    for minute in range(minutes):
        reconciliation.published(candle(minute), 0)
    assert reconciliation.question(FIRST_LOOK_MS) == Span(T0, T0 + (minutes - 1) * MINUTE)
    return reconciliation


def test_what_agrees_is_confirmed_and_asked_for_once() -> None:
    reconciliation = asked()
    assert reconciliation.question(FIRST_LOOK_MS) is None, "one question at a time"
    assert reconciliation.answered([raw_candle(minute) for minute in range(3)], 5_000) == []
    assert reconciliation.confirmed == 3
    assert reconciliation.question(10**9) is None
    assert reconciliation.wait_ms(10**9) is None


def test_a_difference_is_told_when_a_second_look_confirms_it() -> None:
    reconciliation = asked()
    rows = [raw_candle(0), raw_candle(1, volume=1.5), raw_candle(2)]
    assert reconciliation.answered(rows, 5_000) == []
    assert reconciliation.wait_ms(5_000) == NEXT_LOOK_MS
    assert reconciliation.question(10_000) == Span(T0 + MINUTE, T0 + MINUTE)
    (difference,) = reconciliation.answered(rows[1:2], 11_000)
    assert difference == Difference(candle(1), rows[1])
    assert difference.text == (
        "the candle of 2023-11-14T22:15:00Z was published as 100/100/100/100 volume 1; "
        "the exchange has 100/100/100/100 volume 1.5"
    )
    assert reconciliation.question(10**9) is None


def test_a_candle_that_the_exchange_corrects_in_between_is_none() -> None:
    reconciliation = asked(1)
    assert reconciliation.answered([raw_candle(0, volume=0.9)], 5_000) == []
    assert reconciliation.question(10_000) is not None
    assert reconciliation.answered([raw_candle(0)], 11_000) == []
    assert reconciliation.confirmed == 1


def test_a_candle_that_the_exchange_does_not_have_yet_is_waited_for() -> None:
    reconciliation = asked()
    reconciliation.answered([raw_candle(0)], 5_000)
    assert reconciliation.question(10_000) == Span(T0 + MINUTE, T0 + 2 * MINUTE)


def test_no_answer_is_asked_for_again_at_growing_distances() -> None:
    reconciliation = asked()
    now_ms, waits = 5_000, []
    for _ in range(6):
        assert reconciliation.answered([], now_ms) == []
        wait_ms = reconciliation.wait_ms(now_ms)
        assert wait_ms is not None
        waits.append(wait_ms)
        now_ms += wait_ms
        assert reconciliation.question(now_ms - 1) is None
        assert reconciliation.question(now_ms) == Span(T0, T0 + 2 * MINUTE)
    assert waits == [10_000, 20_000, 40_000, LONGEST_WAIT_MS, LONGEST_WAIT_MS, LONGEST_WAIT_MS]


def test_a_question_that_nobody_answers_is_asked_again() -> None:
    reconciliation = asked()
    assert reconciliation.question(FIRST_LOOK_MS + ANSWER_MS - 1) is None
    assert reconciliation.question(FIRST_LOOK_MS + ANSWER_MS) == Span(T0, T0 + 2 * MINUTE)


@pytest.mark.parametrize(
    ("theirs", "same", "large"),
    [
        (RawCandle(T0, 100.0, 101.0, 99.0, 100.5, 10.0), True, False),
        (RawCandle(T0, 100.0, 101.0, 99.0, 100.5, 10.0 + 1e-9), True, False),
        (RawCandle(T0, 100.0, 101.0, 99.0, 100.5, 10.1), False, False),  # a trade of the last instant
        (RawCandle(T0, 100.0, 101.0, 99.0, 100.5, 11.0), False, True),
        (RawCandle(T0, 100.0, 101.0, 98.99, 100.5, 10.0), False, False),
        (RawCandle(T0, 100.0, 105.0, 99.0, 100.5, 10.0), False, True),
    ],
)
def test_small_differences_are_no_large_ones(theirs: RawCandle, same: bool, large: bool) -> None:
    ours = Candle(1, T0 + MINUTE, "BTCUSDT", MINUTE, T0, 100.0, 101.0, 99.0, 100.5, 10.0)
    reconciliation = Reconciliation()
    reconciliation.published(ours, 0)
    differences = []
    for now_ms in (10_000, 20_000):
        if reconciliation.question(now_ms) is not None:
            differences += reconciliation.answered([theirs], now_ms)
    assert [difference.is_large for difference in differences] == ([] if same else [large])


def test_a_minute_in_which_nobody_traded_may_be_left_out() -> None:
    reconciliation = Reconciliation()
    for minute, volume in enumerate((0.0, 1.0, 1.0)):
        reconciliation.published(candle(minute, volume=volume), 0)
    for now_ms in (5_000, 15_000):
        assert reconciliation.question(now_ms) is not None
        differences = reconciliation.answered([raw_candle(2)], now_ms)
    assert [(found.ours.open_ms, found.theirs) for found in differences] == [(T0 + MINUTE, None)]
    assert "the exchange has none" in differences[0].text


def test_incomplete_candles_are_not_compared() -> None:
    reconciliation = Reconciliation()
    reconciliation.published(replace(candle(0), complete=False), 0)
    assert reconciliation.question(10**9) is None


def test_what_waits_and_what_is_asked_together_is_bounded() -> None:
    reconciliation = Reconciliation()
    for minute in range(MOST_WAITING + 7):
        reconciliation.published(candle(minute), 0)
    assert reconciliation.forgotten == 7
    span = reconciliation.question(10_000)
    assert span == Span(T0 + 7 * MINUTE, T0 + (7 + MOST_AT_ONCE - 1) * MINUTE)


def test_a_loss_is_told_with_its_candles() -> None:
    core = feed_core()
    published(core, [raw_quote(), raw_trade(1)])
    assert core.take_gaps() == []
    fetched = Backfill((raw_candle(0), raw_candle(1)))
    events = published(core, [DataLost(), fetched, raw_quote(3 * MINUTE + 5), raw_quote(4 * MINUTE)])
    (gap,) = core.take_gaps()
    assert gap == Gap(T0, T0 + 3 * MINUTE, 2)
    flagged = [event.open_ms for event in events if isinstance(event, Candle) and not event.complete]
    assert flagged == list(range(gap.first_ms, gap.last_ms + 1, MINUTE))
    assert words(gap, MINUTE) == (
        "data was lost in the candles from 2023-11-14T22:14:00Z to 2023-11-14T22:17:00Z: 4 are incomplete "
        "(2 from the exchange's REST)"
    )


def test_a_loss_within_a_candle_is_that_candle() -> None:
    core = feed_core()
    published(core, [raw_quote(), DataLost(), raw_quote(5)])
    (gap,) = core.take_gaps()
    assert words(gap, MINUTE) == "data was lost in the candle of 2023-11-14T22:14:00Z: it is incomplete"


def second(at: int, close: float, volume: float, *, complete: bool = True) -> Candle:
    """A candle of 15 s, `at` of them after T0, all at one price."""
    open_ms = T0 + at * 15_000
    return Candle(
        1 + at, open_ms + 15_000, "BTCUSDT", 15_000, open_ms, close, close, close, close, volume, complete=complete
    )


def test_short_candles_are_put_together_to_the_exchange_s_minutes() -> None:
    minutes = Minutes()
    parts = [second(0, 90.0, 0.0), second(1, 101.0, 1.0), second(2, 99.0, 2.0), second(3, 99.0, 0.0)]
    assert [minutes.add(part) for part in parts[:3]] == [None, None, None]
    assert minutes.add(parts[3]) == Candle(
        4, T0 + MINUTE, "BTCUSDT", MINUTE, T0, 101.0, 101.0, 99.0, 99.0, 3.0, complete=True
    )


def test_a_minute_is_what_its_parts_are() -> None:
    minutes = Minutes()
    begun = [minutes.add(second(at, 100.0, 1.0)) for at in (2, 3)]
    assert begun == [None, None], "its begin was not seen"
    flat = [minutes.add(second(at, 100.0, 0.0, complete=at != 5)) for at in (4, 5, 6, 7)]
    assert flat[3] == replace(second(7, 100.0, 0.0, complete=False), interval_ms=MINUTE, open_ms=T0 + MINUTE)


def deaf(minute: int) -> Difference:
    """We heard nothing in a minute in which the exchange had a trade."""
    return Difference(candle(minute, volume=0.0), raw_candle(minute))


def test_trades_that_are_not_heard_want_a_cure_less_and_less_often_until_one_is() -> None:
    hearing = Hearing()
    cures = [minute for minute in range(600) if hearing.needs_cure([deaf(minute)], minute * MINUTE)]
    assert cures == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543]
    hearing.heard(T0 + 600 * MINUTE)
    assert [minute for minute in range(604, 612) if hearing.needs_cure([deaf(minute)], minute * MINUTE)] == [
        604,
        605,
        607,
        611,
    ]


@pytest.mark.parametrize(
    "found",
    [
        deaf(3),
        Difference(candle(4, volume=1.0), raw_candle(4, volume=2.0)),
        Difference(candle(4, volume=0.0), raw_candle(4, volume=0.0)),
        Difference(candle(4, volume=0.0), None),
    ],
    ids=["a trade was heard since", "something was heard", "nobody traded", "the exchange has none"],
)
def test_other_differences_want_no_cure(found: Difference) -> None:
    hearing = Hearing()
    hearing.heard(T0 + 4 * MINUTE)
    assert not hearing.needs_cure([found], 0)
