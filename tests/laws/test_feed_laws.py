"""Whatever comes in, what is published obeys the rules of the market stream; whatever bytes come, the parsers answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import orjson
from feed_builders import SYMBOL, T0, feed_core, published
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Candle, MarketEvent, Quote, Trade
from services.feed.bitunix_frames import parse_frame
from services.feed.bitunix_rows import parse_klines, parse_pair
from services.feed.config import Instrument
from services.feed.core import LATE_MS, FeedRules
from services.feed.facts import Backfill, DataLost, Fact, RawCandle, RawFunding, RawQuote, RawTrade, Refusal
from services.feed.guards import refuse_candle, refuse_quote, refuse_trade
from services.feed.mock import START_MS, MockMarket

STEP = 5_000

times = st.integers(T0 - 3_000, T0 + 60_000) | st.integers(-5, 2**70)
near = st.integers(T0, T0 + 60_000)
numbers = st.floats() | st.sampled_from([0.0, -0.0, 1e-320, 1.7e308, float("inf"), float("nan")])
prices = st.integers(1, 2_000).map(lambda tenths: tenths / 10)
sizes = st.integers(1, 50).map(lambda tenths: tenths / 10)

good_quotes = st.builds(
    lambda ts, bid, width, size: RawQuote(ts, bid, bid + width / 10, size, size), near, prices, st.integers(0, 5), sizes
)
good_trades = st.builds(RawTrade, near, prices, sizes, st.sampled_from(["buy", "sell"]))
bad_quotes = st.builds(RawQuote, times, numbers, numbers, numbers, numbers)
bad_trades = st.builds(RawTrade, times, numbers, numbers, st.sampled_from(["buy", "sell", "", "BUY"]))
rows = st.builds(
    RawCandle,
    st.integers(T0 // STEP - 2, T0 // STEP + 15).map(lambda n: n * STEP),
    prices,
    prices,
    prices,
    prices,
    sizes,
)
fundings = st.builds(RawFunding, times, numbers, numbers, st.none() | times, st.none() | times)
facts: st.SearchStrategy[list[Fact]] = st.lists(
    good_quotes
    | good_trades
    | good_trades
    | bad_quotes
    | bad_trades
    | fundings
    | st.just(DataLost())
    | rows
    | st.builds(Backfill, st.tuples(rows, rows)),
    max_size=60,
)


@given(facts)
@settings(max_examples=150, deadline=None)
def test_numbers_are_whole_and_time_never_goes_back(said: list[Fact]) -> None:
    core = feed_core(STEP)
    events = published(core, said)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.ts_ms for event in events] == sorted(event.ts_ms for event in events)
    assert core.last_seq == len(events)
    assert core.ticks == sum(isinstance(event, Quote | Trade) for event in events)
    assert core.candles == sum(isinstance(event, Candle) for event in events)


@given(facts)
@settings(max_examples=150, deadline=None)
def test_candles_are_contiguous_and_stand_before_the_tick_that_closes_them(said: list[Fact]) -> None:
    events = published(feed_core(STEP), said)
    candles = [event for event in events if isinstance(event, Candle)]
    for before, after in pairwise(candles):
        assert after.open_ms == before.close_ms
    open_until = None
    for event in events:
        if isinstance(event, Candle):
            open_until = event.close_ms + STEP
        elif isinstance(event, Quote | Trade) and open_until is not None:
            assert event.ts_ms < open_until, "a candle that is over is published before the tick"


@given(facts)
@settings(max_examples=150, deadline=None)
def test_a_trade_never_comes_without_a_fresh_quote(said: list[Fact]) -> None:
    events = published(feed_core(STEP), said)
    quote: Quote | None = None
    last: MarketEvent | None = None
    for event in events:
        if isinstance(event, Trade):
            needs_one = quote is None or event.ts_ms - quote.ts_ms > 10_000
            makes_one = isinstance(last, Quote) and last.synthetic
            assert makes_one or not needs_one or event.price < 0.2 or event.price > 1e300
        if isinstance(event, Quote):
            quote = None if event.synthetic else event
        last = event


@given(st.lists(good_quotes | good_trades | bad_quotes | bad_trades, max_size=50))
@settings(max_examples=100, deadline=None)
def test_everything_that_is_not_published_is_counted(said: list[RawQuote | RawTrade]) -> None:
    core = feed_core(STEP)
    newest, dropped = 0, 0
    for tick in said:
        refused = refuse_quote(tick) if isinstance(tick, RawQuote) else refuse_trade(tick)
        before = core.refused.total() - core.refused["no_synthetic_quote"]
        made = core.take(tick)
        counted = core.refused.total() - core.refused["no_synthetic_quote"] - before
        if refused or tick.ts_ms < newest - LATE_MS:
            dropped += 1
            assert (made, counted) == ([], 1)
        assert bool(made) != bool(counted)
        newest = core.last_ts_ms
    assert core.refused.total() >= dropped


@dataclass
class Reduced:
    """A bucket reduced from its trades, independently of the room."""

    prices: list[float]
    volume: float


def reduce_trades(trades: Sequence[Trade]) -> dict[int, Reduced]:
    buckets: dict[int, Reduced] = {}
    for trade in trades:
        bucket = buckets.setdefault(trade.ts_ms - trade.ts_ms % STEP, Reduced([], 0.0))
        bucket.prices.append(trade.price)
        bucket.volume += trade.size
    return buckets


@given(st.lists(good_quotes | good_trades, max_size=80))
@settings(max_examples=150, deadline=None)
def test_candles_equal_an_independent_reduction_over_the_published_trades(said: list[RawQuote | RawTrade]) -> None:
    in_order: list[RawQuote | RawTrade] = sorted(said, key=lambda fact: fact.ts_ms)
    events = published(feed_core(STEP), in_order)
    candles = [event for event in events if isinstance(event, Candle)]
    buckets = reduce_trades([event for event in events if isinstance(event, Trade)])
    previous = None
    for candle in candles:
        bucket = buckets.get(candle.open_ms)
        if bucket is None:
            assert previous is not None
            assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (previous,) * 4 + (0.0,)
        else:
            expected = (bucket.prices[0], max(bucket.prices), min(bucket.prices), bucket.prices[-1], bucket.volume)
            assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == expected
        assert candle.complete
        previous = candle.close
    if events and buckets:
        first, newest = min(buckets), events[-1].ts_ms
        assert [candle.open_ms for candle in candles] == list(range(first, newest - newest % STEP, STEP))


@given(st.lists(good_quotes | good_trades | bad_trades, max_size=50), st.data())
@settings(max_examples=100, deadline=None)
def test_a_restored_core_makes_the_same_of_what_follows(said: list[Fact], data: st.DataObject) -> None:
    whole_core = feed_core(STEP)
    made = [whole_core.take(fact) for fact in said]
    cut = data.draw(st.integers(0, len(said)))
    core = feed_core(STEP)
    core.restore([event for events in made[:cut] for event in events])
    assert [core.take(fact) for fact in said[cut:]] == made[cut:]


@given(
    st.lists(
        st.builds(RawCandle, st.integers(0, 40).map(lambda n: T0 + n * 1_000), prices, prices, prices, prices, sizes)
        | rows,
        max_size=40,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_source_of_candles_gives_a_stream_without_holes(said: list[RawCandle]) -> None:
    core = feed_core(STEP, "candle", source_interval_ms=1_000)
    events = published(core, said)
    candles = [event for event in events if isinstance(event, Candle)]
    assert candles == events
    assert all(after.open_ms == before.close_ms for before, after in pairwise(candles))
    assert all(
        refuse_candle(RawCandle(c.open_ms, c.open, c.high, c.low, c.close, c.volume), STEP) is None for c in candles
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["1.5", "", "nan", "1e999", "buy", "2026-09-23T00:00:00Z", 1790126515684, "1790126515684"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["p", "v", "s", "t", "b", "a", "mp", "fr", "ft", "nft", "o", "h", "l", "c", "q", "la"])
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "ch": st.sampled_from(
            [
                "trade",
                "price",
                "depth_book1",
                "depth_books",
                "ticker",
                "tickers",
                "market_kline_1min",
                "mark_kline_1min",
                "x",
            ]
        )
        | json_values,
        "op": st.sampled_from(["connect", "subscribe", "ping", "pong"]) | json_values,
        "symbol": st.sampled_from([SYMBOL, "btcusdt", "ETHUSDT"]) | json_values,
        "ts": st.just(1790126515684) | json_values,
        "data": json_values,
        "pong": json_values,
        "args": json_values,
    },
)


@given(frames)
@settings(max_examples=400, deadline=None)
def test_any_json_frame_gives_facts_or_a_named_refusal(frame: dict[str, object]) -> None:
    facts = parse_frame(orjson.dumps(frame), SYMBOL)
    assert all(fact.name for fact in facts if isinstance(fact, Refusal))
    assert facts or frame.get("data") == []
    core = feed_core(STEP)
    for fact in facts:
        if isinstance(fact, RawQuote | RawTrade | RawFunding):
            core.take(fact)


@given(st.binary(max_size=80) | st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_one_answer(frame: bytes | str) -> None:
    assert len(parse_frame(frame, SYMBOL)) == 1


def test_a_frame_nested_without_end_is_refused() -> None:
    assert isinstance(parse_frame(b"[" * 100_000, SYMBOL)[0], Refusal)
    assert isinstance(parse_frame(b'{"data":' * 5_000 + b"1" + b"}" * 5_000, SYMBOL)[0], Refusal)


rest_rows = st.dictionaries(
    st.sampled_from(
        [
            "time",
            "open",
            "high",
            "low",
            "close",
            "quoteVol",
            "baseVol",
            "symbol",
            "quotePrecision",
            "basePrecision",
            "minTradeVolume",
        ]
    ),
    json_values | st.just(SYMBOL) | st.integers(0, 20),
)


@given(
    st.fixed_dictionaries({"code": st.just(0) | json_values, "data": st.lists(rest_rows, max_size=4) | json_values})
    | json_values
)
@settings(max_examples=300, deadline=None)
def test_any_rest_answer_gives_rows_or_a_named_refusal(answer: object) -> None:
    body = orjson.dumps(answer)
    klines = parse_klines(body, 60_000)
    assert isinstance(klines, Refusal) or all(refuse_candle(row, 60_000) is None for row in klines)
    pair = parse_pair(body, SYMBOL)
    assert isinstance(pair, Refusal) or (isinstance(pair, Instrument) and pair.tick_size > 0 and pair.min_qty > 0)


@given(st.integers(0, 2**64), st.sampled_from(["0.1", "0.01", "0.00001", "0.5", "25", "1E+6"]))
@settings(max_examples=25, deadline=None)
def test_every_seed_walks_on_the_grid_in_order(seed: int, tick: str) -> None:
    market = MockMarket(seed, Decimal(tick), SYMBOL)
    events = []
    for fact in market.facts():
        if fact.ts_ms >= START_MS + 90_000:
            break
        events.append(fact)
        exact = [Decimal(repr(price)) for price in (fact[1:3] if isinstance(fact, RawQuote) else fact[1:2])]
        assert all(price % Decimal(tick) == 0 for price in exact)
    assert [fact.ts_ms for fact in events] == sorted(fact.ts_ms for fact in events)
    core = feed_core(STEP, rules=FeedRules(max_quote_age_ms=60_000.0))
    assert len([event for event in published(core, events) if not isinstance(event, Candle)]) == len(events)
    assert core.refused.total() == 0
    half = events[len(events) // 2].ts_ms
    later = MockMarket(seed, Decimal(tick), SYMBOL).facts(half)
    assert [next(later) for fact in events if fact.ts_ms >= half] == [fact for fact in events if fact.ts_ms >= half]
