from dataclasses import astuple
from itertools import pairwise

import pytest
from exchange_builders import T0, quote, trade

from services.exchange.candles import INTERVALS, MONTH_MS, WEEK_MS, WS_INTERVALS, Chart, bar_of, open_of, shifted
from services.exchange.instruments import WELL_KNOWN, instrument
from services.exchange.market import DAY_MS, LISTED_MS, MINUTE_MS, Event, Quote, Recorded, Trade, Walk
from services.exchange.market_clock import MarketClock


def _walk(seed: int = 1, symbol: str = "BTCUSDT") -> Walk:
    return Walk(seed, instrument(symbol), T0)


def test_the_walk_is_a_function_of_the_seed() -> None:
    minute = _walk().events(T0, T0 + MINUTE_MS)
    assert minute == _walk().events(T0, T0 + MINUTE_MS)
    assert minute != _walk(seed=2).events(T0, T0 + MINUTE_MS)


def test_the_walk_gives_the_same_however_it_is_cut_and_wherever_it_is_entered() -> None:
    whole = _walk().events(T0, T0 + 200_000)
    walk, pieces = _walk(), list[Quote | Trade]()
    for from_ms in range(T0, T0 + 200_000, 137):
        pieces += walk.events(from_ms, min(from_ms + 137, T0 + 200_000))
    assert pieces == whole
    assert _walk().events(T0 + 150_000, T0 + 151_000) == [
        event for event in whole if T0 + 150_000 <= event.ts_ms < T0 + 151_000
    ]


def test_the_walk_says_when_the_next_event_is() -> None:
    walk, now_ms, times = _walk(), T0 - 1, list[int]()
    while now_ms < T0 + 3_000:
        now_ms = walk.next_ms(now_ms)
        times.append(now_ms)
    assert times[:-1] == sorted({event.ts_ms for event in walk.events(T0, T0 + 3_000)})


@pytest.mark.parametrize("symbol", [*WELL_KNOWN, "NEWUSDT"])
def test_the_walk_is_a_market_that_could_be(symbol: str) -> None:
    contract = instrument(symbol)
    events = _walk(symbol=symbol).events(T0, T0 + 60_000)
    times = [event.ts_ms for event in events]
    assert times == sorted(times)
    newest: Quote | None = None
    for event in events:
        if isinstance(event, Quote):
            newest = event
            assert 0 < event.bid < event.ask
            assert event.ask == round(event.ask, contract.price_decimals)
            assert min(event.bid_size, event.ask_size) > 0
        else:
            assert newest is not None
            assert event.price == (newest.ask if event.side == "buy" else newest.bid)
            assert event.size >= 1 / contract.size_scale


def test_the_walk_is_lively() -> None:
    walk = _walk()
    seconds = [walk.events(T0 + n * 1000, T0 + n * 1000 + 1000) for n in range(600)]
    trades = [sum(isinstance(event, Trade) for event in events) for events in seconds]
    assert (min(trades), max(trades)) == (8, 15)
    quotes = [len(events) - count for events, count in zip(seconds, trades, strict=True)]
    assert (min(quotes), max(quotes)) == (5, 10)
    closes = [events[-1][1] for events in seconds]
    returns = [(after / before - 1) * 1e4 for before, after in pairwise(closes)]
    deviation = (sum(change**2 for change in returns) / len(returns)) ** 0.5
    assert 3 < deviation < 8
    assert max(map(abs, returns)) > 3 * deviation


def test_the_walk_stays_in_sight_of_its_anchor_for_days() -> None:
    walk = _walk()
    prices = [walk.events(T0 + n * DAY_MS, T0 + n * DAY_MS + 1000)[0][1] for n in range(8)]
    assert all(45_000 < price < 80_000 for price in prices)


def test_the_past_joins_the_start_and_reaches_back_thirty_days() -> None:
    walk = _walk()
    last = walk.past(T0 - MINUTE_MS)
    assert last is not None
    assert abs(walk.events(T0, T0 + 1000)[0][1] / last.close - 1) < 0.002
    minutes = [walk.past(T0 - n * MINUTE_MS) for n in range(1, 500)]
    for later, earlier in pairwise(minutes):
        assert later is not None
        assert earlier is not None
        assert later.open == earlier.close
        assert later.low <= min(later.open, later.close) <= max(later.open, later.close) <= later.high
    assert walk.past(T0 - LISTED_MS) is not None
    assert walk.past(T0 - LISTED_MS - MINUTE_MS) is None
    assert walk.past(T0) is None


def test_a_recorded_tape_gives_its_events_back() -> None:
    events: list[Event] = [quote(5), trade(5), trade(7), quote(9)]
    tape = Recorded(events)
    assert (tape.start_ms, tape.end_ms) == (5, 9)
    assert tape.events(0, 100) == events
    assert tape.events(5, 7) == events[:2]
    assert [tape.next_ms(after_ms) for after_ms in (0, 5, 8, 9)] == [5, 7, 9, None]


def test_the_two_spellings_of_the_intervals_agree() -> None:
    assert WS_INTERVALS["60min"] == INTERVALS["1h"]
    assert WS_INTERVALS["1month"] == INTERVALS["1M"]
    assert len(WS_INTERVALS) == len(INTERVALS) == 15


@pytest.mark.parametrize(
    ("interval_ms", "ts_ms", "open_ms", "next_ms"),
    [
        (MINUTE_MS, T0 + 61_000, T0 + 60_000, T0 + 120_000),
        (DAY_MS, T0 + 5, T0, T0 + DAY_MS),
        (WEEK_MS, T0, T0 - 3 * DAY_MS, T0 + 4 * DAY_MS),  # a Thursday's week began on Monday
        (MONTH_MS, T0 + 5, T0, T0 + 31 * DAY_MS),
        (MONTH_MS, T0 - 5, T0 - 31 * DAY_MS, T0),
    ],
)
def test_buckets_begin_where_they_should(interval_ms: int, ts_ms: int, open_ms: int, next_ms: int) -> None:
    assert open_of(interval_ms, ts_ms) == open_ms
    assert shifted(interval_ms, open_ms, 1) == next_ms
    assert shifted(interval_ms, next_ms, -1) == open_ms


def test_a_bar_is_made_of_trades() -> None:
    bar = bar_of(0, [quote(1), trade(2, 10.0, 1.0), trade(3, 12.0, 2.0), quote(4), trade(5, 9.0, 3.0)])
    assert bar is not None
    assert astuple(bar) == (0, 10.0, 12.0, 9.0, 9.0, 6.0, 61.0)
    assert bar_of(0, [quote(1)]) is None


def test_a_chart_shows_nothing_of_the_future() -> None:
    tape = Recorded([trade(T0, 10.0), trade(T0 + 90_000, 11.0), trade(T0 + 130_000, 12.0)])
    chart = Chart(tape)
    assert chart.running(MINUTE_MS) is None
    chart.begin(T0 + 70_000)
    assert [bar.close for bar in chart.bars(MINUTE_MS, 0, T0 + DAY_MS)] == [10.0]
    assert chart.running(MINUTE_MS) is None
    chart.begin(T0 + 90_000)
    assert [bar.close for bar in chart.bars(MINUTE_MS, 0, T0 + DAY_MS)] == [10.0, 11.0]


def test_a_chart_that_grew_equals_one_that_began_later() -> None:
    walk, chart = _walk(), Chart(_walk())
    for event in walk.events(T0, T0 + 150_000):
        if isinstance(event, Trade):
            chart.add(event)
    chart.now_ms = T0 + 149_999
    later = Chart(_walk())
    later.begin(T0 + 149_999)
    for interval_ms in (MINUTE_MS, 5 * MINUTE_MS, DAY_MS, WEEK_MS, MONTH_MS):
        assert chart.running(interval_ms) == later.running(interval_ms)
        first_ms = T0 - 20 * MINUTE_MS
        assert chart.bars(interval_ms, first_ms, T0 + DAY_MS) == later.bars(interval_ms, first_ms, T0 + DAY_MS)


def test_long_candles_are_made_of_the_short_ones() -> None:
    chart = Chart(_walk())
    chart.begin(T0)
    hour = chart.bars(INTERVALS["1h"], T0 - 3_600_000, T0)[0]
    minutes = chart.bars(MINUTE_MS, T0 - 3_600_000, T0)
    assert len(minutes) == 60
    assert (hour.open, hour.close) == (minutes[0].open, minutes[-1].close)
    assert (hour.high, hour.low) == (max(bar.high for bar in minutes), min(bar.low for bar in minutes))
    assert hour.volume == pytest.approx(sum(bar.volume for bar in minutes))


@pytest.mark.parametrize(
    ("speed", "began_ms", "end_ms", "now_ms", "market_ms"),
    [
        (1.0, 1_000, None, 1_000, T0),
        (1.0, 1_000, None, 6_000, T0 + 5_000),
        (10.0, 1_000, None, 6_000, T0 + 50_000),
        (0.5, 1_000, None, 6_000, T0 + 2_500),
        (1.0, 1_000, T0 + 700, 6_000, T0 + 700),
        (1.0, None, None, 6_000, T0 - 1),
        (1.0, 7_000, None, 6_000, T0 - 1),
    ],
)
def test_the_markets_clock_is_the_time_since_it_began_times_the_speed(
    speed: float, began_ms: int | None, end_ms: int | None, now_ms: int, market_ms: int
) -> None:
    assert MarketClock(T0, speed, began_ms, end_ms).market_ms(now_ms) == market_ms


def test_the_clock_says_how_long_to_wait_and_for_how_long_it_has_run() -> None:
    clock = MarketClock(T0, 10.0, None)
    assert (clock.wait_ms(T0 + 100, 0), clock.elapsed_s(5_000)) == (None, 0.0)
    clock.began_ms = 1_000
    assert [clock.wait_ms(T0 + 95, now_ms) for now_ms in (1_000, 1_010)] == [10, 0]
    assert clock.elapsed_s(3_500) == 2.5
