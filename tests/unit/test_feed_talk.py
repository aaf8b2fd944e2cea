"""What is said on a connection and when; when it is dead; when ticks are held; which times are believed."""

import orjson
import pytest
from feed_builders import T0, raw_candle, raw_quote, raw_trade

from services.feed.age import DataAge
from services.feed.bitunix_talk import Talk
from services.feed.facts import Backfill, DataLost, RawQuote, RawTrade, Refusal
from services.feed.hold import Hold, Question
from services.feed.leap import AGREE_MS, LEAP_MS, LeapGuard
from services.feed.pace import RESTART_MS, Pace
from services.feed.refusals import RefusalReport
from services.feed.source import Now


def told(texts: list[bytes]) -> list[str]:
    return [orjson.loads(text)["op"] for text in texts]


def test_subscribing_comes_first_then_a_ping_at_once_and_every_15_s() -> None:
    talk = Talk("BTCUSDT", 0, 1_700_000_000)
    first = talk.due(0)
    assert orjson.loads(first[0]) == {
        "op": "subscribe",
        "args": [{"symbol": "BTCUSDT", "ch": channel} for channel in ("depth_book1", "trade", "price")],
    }
    assert orjson.loads(first[1]) == {"op": "ping", "ping": 1_700_000_000}
    assert talk.due(14_999) == []
    assert orjson.loads(talk.due(15_000)[0]) == {"op": "ping", "ping": 1_700_000_015}


def test_a_channel_without_data_for_10_s_is_asked_for_again() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    talk.due(0)
    talk.heard("depth_book1", 9_000, tick=True)
    talk.heard("price", 9_000, tick=False)
    assert talk.ask_again(9_999) == []
    assert talk.ask_again(10_000) == ["trade"]
    assert orjson.loads(talk.due(10_000)[0])["args"] == [{"symbol": "BTCUSDT", "ch": "trade"}]
    assert talk.ask_again(10_001) == []
    talk.heard("trade", 19_000, tick=True)
    assert talk.ask_again(30_000) == []


def test_a_channel_that_falls_silent_is_asked_for_again_less_and_less_often() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    asked = []
    for now in range(0, 1_200_000, 1_000):
        if now <= 5_000:
            talk.heard("trade", now, tick=True)
        talk.heard("depth_book1", now, tick=True)
        talk.heard("price", now, tick=False)
        asked += [(now // 1_000, channel) for channel in talk.ask_again(now)]
    assert asked == [(at, "trade") for at in (65, 65 + 120, 185 + 240, 425 + 300, 725 + 300)]


def test_never_more_than_four_messages_a_second() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    sent = []
    for now in range(0, 40_000, 10):
        talk.ask_again(now)
        sent += [(now, op) for op in told(talk.due(now))]
    times = [now for now, _ in sent]
    assert all(later - earlier >= 1_000 for earlier, later in zip(times, times[4:], strict=False))
    assert [op for _, op in sent].count("ping") == 3


def test_silence_is_30_s_without_a_tick_whatever_else_comes() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    talk.heard("depth_book1", 1_000, tick=True)
    talk.heard("price", 29_000, tick=False)
    assert not talk.is_silent(30_999)
    assert talk.is_silent(31_000)


def test_a_connection_is_proven_by_60_s_of_ticks() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    assert not talk.had_ticks
    talk.heard("trade", 5_000, tick=True)
    talk.heard("trade", 64_999, tick=True)
    assert (talk.had_ticks, talk.is_proven) == (True, False)
    talk.heard("trade", 65_000, tick=True)
    assert talk.is_proven


def test_the_wait_ends_when_something_is_due() -> None:
    talk = Talk("BTCUSDT", 0, 0)
    talk.due(0)
    assert talk.wait_ms(0) == 10_000
    assert talk.wait_ms(12_000) == 1


def test_ticks_are_held_from_the_first_one_until_rest_answers() -> None:
    hold = Hold(asks=True, last_ms=T0 - 70_000)
    assert hold.take(DataLost(), 0) == ([DataLost()], None)
    hold.arm()
    assert hold.take(raw_quote(1), 100) == ([], Question(T0 + 1, T0 - 70_000))
    assert hold.take(raw_trade(2), 200) == ([], None)
    assert hold.answered([raw_candle(-1)]) == [Backfill((raw_candle(-1),)), raw_quote(1), raw_trade(2)]
    assert hold.take(raw_trade(3), 300) == ([raw_trade(3)], None)
    assert hold.answered([]) == []


def test_ticks_are_held_for_5_s_at_most() -> None:
    hold = Hold(asks=True)
    hold.arm()
    hold.take(raw_quote(1), 100)
    assert hold.wait_ms(100) == 5_000
    assert hold.overdue(5_099) == []
    assert hold.overdue(5_100) == [raw_quote(1)]
    assert hold.wait_ms(5_100) is None


def test_a_second_loss_within_the_hold_keeps_its_place_and_the_first_deadline() -> None:
    hold = Hold(asks=True)
    hold.arm()
    hold.take(raw_quote(1), 0)
    hold.take(DataLost(), 1_000)
    hold.arm()
    assert hold.take(raw_quote(2), 2_000) == ([], None)
    assert hold.overdue(5_000) == [raw_quote(1), DataLost(), raw_quote(2)]


def test_without_candles_to_ask_for_nothing_is_held() -> None:
    hold = Hold(asks=False)
    hold.arm()
    assert hold.take(raw_quote(1), 0) == ([raw_quote(1)], None)


def leap(ts_ms: int) -> RawQuote:
    return RawQuote(ts_ms, 1.0, 2.0, 0.0, 0.0)


def test_the_first_time_is_believed_when_the_second_agrees() -> None:
    guard = LeapGuard()
    assert guard.take(leap(T0), 0) == []
    assert guard.take(leap(T0 + 5), 1) == [leap(T0), leap(T0 + 5)]
    assert guard.take(leap(T0 + 6), 2) == [leap(T0 + 6)]


@pytest.mark.parametrize("ahead_ms", [LEAP_MS + 2, 30 * LEAP_MS, 1_000 * LEAP_MS])
def test_a_single_absurd_time_is_refused(ahead_ms: int) -> None:
    guard = LeapGuard(T0)
    absurd = leap(T0 + ahead_ms)
    assert guard.take(absurd, 0) == []
    assert guard.take(leap(T0 + 1), 1) == [Refusal("leap", f"ts {absurd.ts_ms}"), leap(T0 + 1)]


@pytest.mark.parametrize("first", [9 * T0, T0 - LEAP_MS - 2, T0 - 30 * LEAP_MS], ids=["absurd", "stale", "very stale"])
def test_a_first_time_that_the_second_does_not_agree_with_is_refused(first: int) -> None:
    guard = LeapGuard()
    guard.take(leap(first), 0)
    assert guard.take(leap(T0), 1) == [Refusal("leap", f"ts {first}")]
    assert guard.take(leap(T0 + 1), 2) == [leap(T0), leap(T0 + 1)]


def test_a_quiet_market_s_second_event_may_be_as_much_later_as_we_waited() -> None:
    guard = LeapGuard()
    assert guard.take(leap(T0), 0) == []
    assert guard.take(leap(T0 + 5 * LEAP_MS), 5 * LEAP_MS) == [leap(T0), leap(T0 + 5 * LEAP_MS)]


def test_a_source_whose_events_are_all_far_apart_is_believed_in_the_end() -> None:
    """A file of few rows, played a hundred times as fast."""
    guard, said = LeapGuard(), []
    for event in range(9):
        said += guard.take(leap(T0 + 2 * LEAP_MS * event), event)
    assert [type(word) for word in said] == [Refusal] * 3 + [RawQuote] * 6


def test_a_leap_that_the_next_event_confirms_is_a_hole_in_the_data() -> None:
    guard = LeapGuard(T0)
    later = T0 + 4 * AGREE_MS
    assert guard.take(leap(later), 0) == []
    assert guard.take(leap(later + AGREE_MS), 1) == [leap(later), leap(later + AGREE_MS)]


def test_trades_of_one_push_do_not_confirm_each_other_s_time() -> None:
    guard = LeapGuard(T0)
    absurd = [RawTrade(T0 + 2 * LEAP_MS, price, 1.0, "buy") for price in (1.0, 2.0, 3.0)]
    assert [guard.take(trade, 0) for trade in absurd] == [[], [], []]
    assert [type(said) for said in guard.take(leap(T0 + 1), 1)] == [Refusal, Refusal, Refusal, RawQuote]
    assert [guard.take(trade, 2) for trade in absurd] == [[], [], []]
    assert guard.take(leap(T0 + 2 * LEAP_MS + 1), 3) == [*absurd, leap(T0 + 2 * LEAP_MS + 1)]


def test_a_push_of_very_many_trades_of_an_absurd_time_is_not_believed() -> None:
    guard = LeapGuard(T0)
    absurd = RawTrade(T0 + 9 * AGREE_MS, 1.0, 1.0, "buy")
    said = [word for _ in range(1_500) for word in guard.take(absurd, 0)]
    said += guard.take(leap(T0 + 1), 1)
    assert said == [*[Refusal("leap", f"ts {absurd.ts_ms}")] * 1_500, leap(T0 + 1)]


def test_after_a_sleep_the_time_may_be_as_much_later() -> None:
    guard = LeapGuard(T0)
    guard.take(leap(T0), 0)
    assert guard.take(leap(T0 + 9 * LEAP_MS), 9 * LEAP_MS) == [leap(T0 + 9 * LEAP_MS)]


def test_the_pace_is_the_age_of_the_session() -> None:
    pace = Pace(1_000)
    assert [pace.elapsed_ms(Now(at, at)) for at in (1_000, 1_500, 9_000)] == [0, 500, 8_000]


def test_the_pace_stands_still_while_the_machine_sleeps() -> None:
    pace = Pace(0)
    pace.elapsed_ms(Now(1_000, 1_000))
    assert pace.elapsed_ms(Now(1_010, 1_000_000)) == 1_000 + 10
    assert pace.elapsed_ms(Now(2_010, 1_001_000)) == 2_010


def test_after_a_restart_the_pace_does_not_play_what_was_slept_before() -> None:
    assert Pace(0, recorded_ms=5_000).elapsed_ms(Now(0, 7_000)) == 7_000
    assert Pace(0, recorded_ms=5_000).elapsed_ms(Now(0, 9_000_000)) == 5_000 + RESTART_MS


def test_silence_counts_while_connected_and_while_we_ran() -> None:
    age = DataAge()
    for now_ms, connected, expected in [
        (0, True, 0),
        (1_000, True, 1_000),
        (2_000, False, 1_000),
        (3_000, True, 2_000),
        (60_000, True, 2_000),
    ]:
        age.pass_to(now_ms, connected=connected)
        assert age.ms == expected
    age.renew()
    assert age.ms == 0


def test_refusals_are_told_now_and_then_with_an_example() -> None:
    report = RefusalReport()
    assert report.due({}, 0) is None
    report.example("crossed", "bid 2 ask 1")
    assert report.due({"crossed": 2}, 0) == "refused from the source: 2 crossed (for example crossed: bid 2 ask 1)"
    assert report.due({"crossed": 3}, 9_999) is None
    assert report.due({"crossed": 3, "late": 1}, 10_000) == "refused from the source: 1 crossed, 1 late"
    assert report.due({"crossed": 3, "late": 1}, 99_000) is None
    assert report.due({"crossed": 3, "late": 2}, 99_000) == "refused from the source: 1 late"
    assert report.rest({"crossed": 3, "late": 2}) is None
    assert report.rest({"crossed": 3, "late": 4}) == "refused from the source: 2 late", "without waiting"
