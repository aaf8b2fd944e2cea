"""What the monitor counts of the feed over a whole session: reconnects, refusals, silences."""

import json

import pytest

from bus.messages import FeedState, FeedStatus
from services.monitor.config import MonitorConfig
from services.monitor.core import MonitorCore
from services.monitor.feed_record import FeedRecord, Silence


def said(age_sec: float = 0, *, reconnects: int = 0, refused: int = 0, ts: int = 7) -> FeedStatus:
    return FeedStatus(FeedState.CONNECTED, 1, ts, 100.0, 1, 0, int(age_sec * 1000), refused, reconnects)


def test_a_silence_is_told_when_data_comes_again() -> None:
    record = FeedRecord(10_000)
    heard = [record.take(said(age)) for age in (0, 9, 9.9, 0, 5, 10, 12.5)]
    assert heard == [None] * 7
    assert record.stale_sec == 12.5, "one that goes on counts already"
    assert record.take(said(0.2)) == Silence(12.5, 7)
    assert record.take(said(0.1)) is None
    assert record.stale_sec == 12.5


def test_a_silence_that_goes_on_ends_with_the_session() -> None:
    record = FeedRecord(10_000)
    record.take(said(11))
    assert record.close() == Silence(11.0, 7)
    assert record.close() is None
    assert record.take(said(11.5)) is None
    assert record.stale_sec == 11.0, "the feed's last word tells of the same silence"


@pytest.mark.parametrize(
    ("counts", "total"),
    [([0, 1, 2], 2), ([1, 2, 0], 2), ([1, 2, 0, 1], 3), ([3, 1, 1, 4, 0], 7)],
)
def test_counts_go_on_over_restarts_of_the_feed(counts: list[int], total: int) -> None:
    record = FeedRecord(10_000)
    for count in counts:
        record.take(said(reconnects=count, refused=2 * count))
    assert (record.reconnects, record.refused) == (total, 2 * total)


@pytest.mark.parametrize(
    ("then", "total"),
    [(said(16, reconnects=3, refused=5), (4, 7, 16.0)), (said(reconnects=1, refused=1), (5, 8, 15.0))],
    ids=["the feed goes on", "the feed was restarted, too"],
)
def test_a_monitor_that_was_restarted_goes_on_counting(then: FeedStatus, total: tuple[int, int, float]) -> None:
    record = FeedRecord(10_000)
    for status in (said(reconnects=1, refused=2), said(15, reconnects=0, refused=0), said(15, reconnects=3, refused=5)):
        record.take(status)
    again = FeedRecord(10_000, json.loads(json.dumps(record.memory)))
    again.take(then)
    assert (again.reconnects, again.refused, again.stale_sec) == total


def test_the_core_hands_on_what_it_noticed_and_shows_the_counts() -> None:
    core = MonitorCore(MonitorConfig("BTCUSDT", None, 90_000, 1_000, 10_000.0), 0)
    for status in (said(20), said(0, reconnects=1, ts=30_000), said(15, reconnects=1, ts=30_000)):
        core.handle(status, 0)
    assert core.take_silences() == [Silence(20.0, 7)]
    assert core.take_silences() == []
    assert core.take_silences(end=True) == [Silence(15.0, 30_000)]
    counts = core.view(0).counts
    assert (counts["reconnects"], counts["stale_sec"], core.market_ts) == (1, 35.0, 30_000)


def test_the_core_of_a_monitor_that_was_restarted_goes_on_with_what_the_first_counted() -> None:
    config, first = MonitorConfig("BTCUSDT", None, 90_000, 1_000, 10_000.0), FeedRecord(1_000)
    first.take(said(reconnects=2, refused=3))
    core = MonitorCore(config, 0, FeedRecord(1_000, first.memory))
    core.handle(said(reconnects=1, refused=0), 0)
    counts = core.view(0).counts
    assert (counts["reconnects"], counts["refused"]) == (3, 3)
