"""Settings, synthetic quotes, and the built-in market's numbers."""

from decimal import Decimal
from itertools import islice, pairwise, takewhile

import pytest
from feed_builders import MINUTE, SYMBOL, settings

from services.feed.config import INTERVALS_MS, Backoff, FeedConfig, Instrument
from services.feed.facts import RawQuote, RawTrade
from services.feed.mock import START_MS, START_PRICE, MockMarket
from services.feed.source import make_info
from services.feed.synthetic import SyntheticSpread

TENTH = Decimal("0.1")


def test_settings_become_the_rooms_own_types() -> None:
    config = FeedConfig.from_settings(
        settings(interval="5s", half_spread_bps=2, max_quote_age_sec=1.5, tick_size=0.25, lot_size=1.0)
    )
    assert (config.interval_ms, config.max_quote_age_ms, config.half_spread_bps) == (5_000, 1_500.0, Decimal(2))
    assert (config.tick_size, str(config.lot_size), config.min_qty) == (Decimal("0.25"), "1", None)
    assert (config.backoff, config.replay_speed, config.replay_files) == (Backoff(10, 2.0, 60.0), 1.0, ())


def test_the_fastest_replay_has_no_speed() -> None:
    config = FeedConfig.from_settings(settings(replay_speed="max", replay_file=["a.csv", "b.csv"]))
    assert (config.replay_speed, config.replay_files) == (None, ("a.csv", "b.csv"))


def test_the_simulated_exchange_is_on_loopback() -> None:
    config = FeedConfig.from_settings(settings()).at_exchange(1234)
    assert (config.ws_url, config.rest_url) == ("ws://127.0.0.1:1234/public/", "http://127.0.0.1:1234")


def test_a_setting_goes_over_what_the_source_says() -> None:
    config = FeedConfig.from_settings(settings(tick_size=0.01, min_qty=0.5))
    info = make_info(config, Instrument(TENTH, Decimal("0.001"), Decimal("0.002")))
    assert (info.tick_size, info.lot_size, info.min_qty) == (Decimal("0.01"), Decimal("0.001"), Decimal("0.5"))


@pytest.mark.parametrize(
    ("price", "bps", "tick", "sides"),
    [
        (100.0, "0.5", "0.1", (99.9, 100.1)),
        (100.0, "0", "0.1", (100.0, 100.0)),
        (61_800.3, "0.5", "0.1", (61_797.2, 61_803.4)),
        (0.1 + 0.2, "0", "0.1", (0.3, 0.4)),
        (100.05, "0", "0.1", (100.0, 100.1)),
        (100.0, "100", "0.25", (99.0, 101.0)),
        (100.0, "100", "3", (99.0, 102.0)),
        (1e-7, "0.5", "1E-9", (9.9e-08, 1.01e-07)),
        (1e14, "0", "1", (1e14, 1e14)),
        (0.05, "0.5", "0.1", None),
        (1.7e308, "9999", "1", None),
        (5e-324, "0", "0.1", None),
    ],
)
def test_a_synthetic_quote_is_rounded_away_from_the_trade(
    price: float, bps: str, tick: str, sides: tuple[float, float] | None
) -> None:
    assert SyntheticSpread(Decimal(bps), Decimal(tick)).around(price) == sides


def test_the_same_seed_is_the_same_market_and_another_is_another() -> None:
    def first(seed: int) -> list[RawQuote | RawTrade]:
        return list(islice(MockMarket(seed, TENTH, SYMBOL).facts(), 300))

    assert first(7) == first(7)
    assert first(7) != first(8)


def test_the_market_is_what_it_always_was() -> None:
    """Sessions of a published seed must not change under people: this is a promise, not a measurement."""
    first = list(islice(MockMarket(7, TENTH, SYMBOL).facts(), 3))
    assert first[0] == RawQuote(START_MS, 59_997.4, 59_997.5, 3.433, 4.6611)
    assert first[2] == RawTrade(START_MS + 400, 59_990.0, 0.202, "buy")


def test_the_market_moves_enough_to_trade_and_not_out_of_sight() -> None:
    facts = list(takewhile(lambda fact: fact.ts_ms < START_MS + 60 * MINUTE, MockMarket(1, TENTH, SYMBOL).facts()))
    trades = [fact.price for fact in facts if isinstance(fact, RawTrade)]
    assert 5 * 3_600 < len(facts) < 15 * 3_600
    assert 0.3 < len(trades) / len(facts) < 0.45
    assert 1.003 < max(trades) / min(trades) < 1.15


@pytest.mark.parametrize("interval", INTERVALS_MS.values(), ids=INTERVALS_MS)
def test_every_interval_has_history_up_to_the_start(interval: int) -> None:
    history = MockMarket(3, TENTH, SYMBOL).history(interval, 200)
    assert [candle.close_ms for candle in history] == [START_MS - n * interval for n in range(199, -1, -1)]
    assert all(
        candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
        for candle in history
    )
    assert all(before.close == after.open for before, after in pairwise(history))
    assert history[-1].close == START_PRICE
    assert {(candle.seq, candle.complete, candle.symbol) for candle in history} == {(0, True, SYMBOL)}


def test_a_day_later_the_market_is_there_at_once() -> None:
    """A restarted feed does not work through the day again: minutes are made without the events before them."""
    market = MockMarket(7, TENTH, SYMBOL)
    fact = next(market.facts(START_MS + 24 * 60 * MINUTE))
    assert fact.ts_ms == START_MS + 24 * 60 * MINUTE
