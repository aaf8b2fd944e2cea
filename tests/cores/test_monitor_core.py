"""When the monitor ends the session, and why."""

from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from bus.messages import (
    Account,
    BrokerStatus,
    FeedState,
    FeedStatus,
    Heartbeat,
    Message,
    SessionClosed,
    Shutdown,
    Side,
    StopReason,
    StrategyStatus,
)
from services.monitor.config import MonitorConfig
from services.monitor.core import MonitorCore
from services.monitor.status import clock, heartbeat, status_line

CONFIG = MonitorConfig("BTCUSDT", 60_000, 90_000, 1_000, 10_000.0)
T0 = 5_000_000


def feed(state: FeedState = FeedState.CONNECTED, age_ms: int = 0) -> FeedStatus:
    return FeedStatus(state, 10, 1, 60_000.0, 9, 1, age_ms, 0, 0)


def broker(side: Side = Side.FLAT, closed: StopReason | None = None) -> BrokerStatus:
    qty = D(0) if side is Side.FLAT else D("0.01")
    account = Account(D(10_000), D("10002.5"), D("2.5"), side, qty, D(59_750), D(59_700), D(60_100), 1, 2, False)
    return BrokerStatus(10, 1, 60_000.0, 3, account, 0, 0, False, closed)


def reasons(said: list[Message]) -> list[StopReason]:
    return [message.reason for message in said if isinstance(message, Shutdown)]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (feed(), []),
        (feed(age_ms=89_999), []),
        (feed(age_ms=90_000), [StopReason.STALE_DATA]),
        (feed(FeedState.CONNECTING, age_ms=500_000), []),
        (feed(FeedState.ENDED, age_ms=500_000), []),
        (feed(FeedState.LOST), [StopReason.FEED_LOST]),
        (broker(), []),
        (broker(closed=StopReason.KILL), []),
        (broker(closed=StopReason.CIRCUIT_BREAKER), [StopReason.CIRCUIT_BREAKER]),
        (broker(closed=StopReason.INTERNAL_ERROR), [StopReason.INTERNAL_ERROR]),
        (broker(closed=StopReason.END_OF_DATA), [StopReason.END_OF_DATA]),
        (SessionClosed(1, 1, StopReason.CIRCUIT_BREAKER, D(1), False), [StopReason.CIRCUIT_BREAKER]),
        (SessionClosed(1, 1, StopReason.END_OF_DATA, D(1), False), [StopReason.END_OF_DATA]),
        (SessionClosed(1, 1, StopReason.DURATION, D(1), False), []),
    ],
    ids=str,
)
def test_facts_that_end_a_session(message: Message, expected: list[StopReason]) -> None:
    assert reasons(MonitorCore(CONFIG, T0).handle(message, T0)) == expected


def test_a_silent_source_is_told_of_with_the_length_of_its_silence() -> None:
    told = "connected, but no market data for 90 s"
    assert MonitorCore(CONFIG, T0).handle(feed(age_ms=90_000), T0) == [Shutdown(StopReason.STALE_DATA, told)]


@pytest.mark.parametrize(("elapsed_ms", "expected"), [(0, []), (59_999, []), (60_000, [StopReason.DURATION])])
def test_the_countdown_ends_it(elapsed_ms: int, expected: list[StopReason]) -> None:
    assert reasons(MonitorCore(CONFIG, T0).on_timer(T0 + elapsed_ms)) == expected


def test_a_session_without_end_has_no_countdown() -> None:
    core = MonitorCore(MonitorConfig("BTCUSDT", None, 1, 1, 1.0), T0)
    assert core.on_timer(T0 + 10**12) == []
    assert "no end" in status_line("BTCUSDT", core.view(T0))
    assert heartbeat("r", "B", core.view(T0), 0, "", {})["remaining"] is None


def test_the_status_line_tells_the_truth() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(feed(), T0)
    core.handle(broker(Side.LONG), T0)
    line = status_line("BTCUSDT", core.view(T0 + 15_000))
    expected = "BTCUSDT 60,000.0 | LONG 0.01 @ 59750 +2.50 | equity 10,002.50 | 0:15 elapsed, 0:45 left"
    assert line == expected
    core.handle(feed(FeedState.CONNECTING), T0)
    assert status_line("BTCUSDT", core.view(T0 + 15_000)) == expected + " | feed connecting"


@pytest.mark.parametrize(("price", "shown"), [(0.00001234, "0.00001234"), (100.0, "100"), (12.3456789, "12.3457")])
def test_the_status_line_shows_cheap_coins_plainly(price: float, shown: str) -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(replace(feed(), price=price), T0)
    assert status_line("PEPEUSDT", core.view(T0)).startswith(f"PEPEUSDT {shown} | ")


def test_the_last_words_are_those_of_broker_and_feed() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(SessionClosed(1, 1, StopReason.DURATION, D(1), False), T0)
    core.handle(feed(), T0)
    assert not core.heard_last_word
    core.handle(replace(feed(), last=True), T0)
    assert core.heard_last_word
    assert not MonitorCore(CONFIG, T0).heard_last_word


def test_a_warm_up_is_shown_until_it_is_over() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(StrategyStatus(5, 1_000, 3_000), T0)
    assert "warming up, 5 candles to go" in status_line("BTCUSDT", core.view(T0))
    assert heartbeat("r", "B", core.view(T0), 0, "", {})["warm_at_ms"] == 9_000
    core.handle(StrategyStatus(0, 1_000, 9_000), T0)
    assert "warming" not in status_line("BTCUSDT", core.view(T0))


def test_a_last_candle_that_is_missing_is_told_as_one() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(StrategyStatus(1, 1_000, 3_000), T0)
    assert status_line("BTCUSDT", core.view(T0)).endswith(" | warming up, 1 candle to go")


def test_before_anything_is_known_the_view_is_honest() -> None:
    view = MonitorCore(CONFIG, T0).view(T0)
    assert (view.price, view.side, view.equity, view.feed) == (0.0, Side.FLAT, D("10000.0"), "connecting")


def test_the_market_has_no_time_before_its_first_data() -> None:
    core = MonitorCore(CONFIG, T0)
    assert (core.market_ts, heartbeat("r", "B", core.view(T0), 0, "", {})["market_ts"]) == (0, None)
    core.handle(replace(feed(), last_ts_ms=123_456), T0)
    assert (core.market_ts, heartbeat("r", "B", core.view(T0), 0, "", {})["market_ts"]) == (123_456, 123_456)


def test_times_in_the_heartbeat_are_seconds() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(feed(age_ms=1_500), T0)
    core.handle(Heartbeat("feed", 42, T0, True), T0)
    beat = heartbeat("r", "B", core.view(T0 + 2_250), 3_125, "", {"feed": {}})
    assert (beat["data_age"], beat["services"]["feed"]["age"], beat["unix_ts"]) == (1.5, 2.25, 3.125)
    assert (beat["elapsed"], beat["remaining"]) == (2.25, 57.75)


def test_the_heartbeat_holds_what_the_contract_names() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(broker(Side.SHORT), T0)
    core.handle(Heartbeat("feed", 42, T0, True), T0)
    beat = heartbeat("r1", "BTCUSDT", core.view(T0 + 500), 1_000, "now", {"feed": {"state": "RUNNING", "restarts": 2}})
    assert beat["services"] == {"feed": {"pid": 42, "age": 0.5, "state": "RUNNING", "restarts": 2}}
    assert {"ts", "unix_ts", "run_id", "symbol", "elapsed", "remaining", "candle_idx", "price", "equity"} <= set(beat)
    assert beat["position"]["side"] == "SHORT"
    assert (beat["unix_ts"], beat["remaining"]) == (1.0, 59.5)


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0:00"), (999, "0:00"), (61_000, "1:01"), (3_600_000, "1:00:00"), (-5, "0:00")]
)
def test_spans_read_as_a_clock(ms: int, text: str) -> None:
    assert clock(ms) == text


def test_a_source_that_was_lost_is_told_with_what_the_feed_says_of_it() -> None:
    core = MonitorCore(CONFIG, T0)
    assert core.handle(replace(feed(FeedState.LOST), detail="no route"), T0) == [
        Shutdown(StopReason.FEED_LOST, "no route")
    ]
    assert core.handle(feed(FeedState.LOST), T0) == [Shutdown(StopReason.FEED_LOST, "reconnect attempts exhausted")]


def test_the_price_is_the_brokers_and_the_feeds_until_it_has_one() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(replace(feed(), price=60_000.0), T0)
    core.handle(replace(broker(), price=0.0), T0)
    assert core.view(T0).price == 60_000.0
    core.handle(replace(broker(), price=59_000.0), T0)
    assert core.view(T0).price == 59_000.0


def test_the_counts_are_those_of_feed_and_broker_and_nothing_before_they_speak() -> None:
    core = MonitorCore(CONFIG, T0)
    assert set(core.view(T0).counts.values()) == {0}
    core.handle(replace(feed(), last_seq=21, ticks=22, candles=23, reconnects=24, refused=25), T0)
    core.handle(replace(broker(), last_seq=11, pending=12, rejected=13, candles=14), T0)
    assert core.view(T0).candles == 14
    assert core.view(T0).counts == {
        "ticks": 22,
        "candles": 23,
        "last_seq": 21,
        "worked_seq": 11,
        "trades": 2,
        "pending": 12,
        "rejected": 13,
        "reconnects": 24,
        "refused": 25,
        "stale_sec": 0.0,
    }


def test_without_a_position_there_is_none_to_show() -> None:
    core = MonitorCore(CONFIG, T0)
    core.handle(broker(Side.FLAT), T0)
    assert " | flat | " in status_line("BTCUSDT", core.view(T0))
    assert heartbeat("r", "B", core.view(T0), 0, "", {})["position"] is None


def test_a_service_that_has_not_been_heard_of_has_no_age() -> None:
    view = MonitorCore(CONFIG, T0).view(T0)
    beat = heartbeat("r", "B", view, 0, "", {"feed": {"state": "STARTING", "pid": 42}})
    assert beat["services"] == {"feed": {"pid": 42, "age": None, "state": "STARTING", "restarts": 0}}
