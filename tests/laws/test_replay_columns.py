"""What a replay works out over columns is what the rooms work out one by one: candles, quotes, spreads, crossings."""

import gzip
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import strategy_config
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_builders import HEADS, write_csv

from bus.messages import Candle, Decide, Decision
from services.broker.prices import Around
from services.broker.standing import Standing
from services.data_file.files import DataFileError
from services.feed.config import FeedConfig
from services.replay.columnar.data_columns import columns_of_files
from services.replay.columnar.spread import Spread
from services.replay.script import row_by_row
from services.settings import resolve
from services.strategy.built_in.sma_cross import SmaCross, SmaCrossParams
from services.strategy.built_in.sma_cross_columns import crossings
from services.strategy.core import StrategyCore

T0 = 1_750_000_000_000
MINUTE = 60_000
PRICES = st.sampled_from([100.0, 100.1, 99.9, 101.37, 98.2, 100.05, 1e-3, 60_000.1])
SIZES = st.sampled_from([1.0, 0.1, 0.2, 0.3, 1e9])
STEPS = st.sampled_from([0, 1, 400, 999, 1_000, 7_000, 30_000, 200_000, -1, -900, -1_500])
TRADES = st.lists(st.tuples(STEPS, PRICES, SIZES, st.sampled_from(["buy", "sell"])), min_size=2, max_size=60)
QUOTES = st.lists(st.tuples(STEPS, PRICES, st.sampled_from([0.0, 0.1, 3.0]), SIZES, SIZES), max_size=60)


@contextmanager
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def feed_config(paths: Sequence[Path], **changes: str) -> FeedConfig:
    files = {"source": "replay", "replay_file": ":".join(map(str, paths)), "replay_speed": "max"}
    return FeedConfig.from_settings(resolve({**changes, **files}, paths[0].parent, {}).values)


def assert_the_same(paths: Sequence[Path], **changes: str) -> bool:
    """Hold the two ways together; tell whether there are two."""
    config = feed_config(paths, **changes)
    columns = columns_of_files(config, paths)
    if columns is None:
        return False
    info, events, refused = row_by_row(config, paths[0].parent)
    assert (columns.info, list(columns.events()), columns.refused) == (info, list(events), refused())
    return True


def timed(steps: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    now_ms, rows = T0, []
    for step, *rest in steps:
        now_ms += step
        rows.append((now_ms, *rest))
    return rows


@settings(max_examples=100, deadline=None)
@given(
    TRADES,
    QUOTES,
    st.sampled_from(["1s", "15s", "1m"]),
    st.sampled_from(["0", "0.5", "3.3"]),
    st.sampled_from(["0.1", "0.01", "0.3"]),
)
def test_ticks_become_the_events_that_the_feed_makes_of_them(
    trades: list[Any], quotes: list[Any], interval: str, half_spread_bps: str, tick_size: str
) -> None:
    with directory() as folder:
        paths = [write_csv(folder / "trades.csv", "trades", timed(trades))]
        rows = [(ts_ms, bid, bid + spread, *sizes) for ts_ms, bid, spread, *sizes in timed(quotes)]
        if rows:
            paths.append(write_csv(folder / "quotes.csv.gz", "quotes", rows))
        changes = {"interval": interval, "half_spread_bps": half_spread_bps, "tick_size": tick_size}
        is_columnar = assert_the_same(paths, **changes)
        cheap = any(price < float(tick_size) for _, price, *_ in trades)
        assert is_columnar or cheap, "only where the grid may leave no bid the feed has to look itself"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(900, 1_100)] * 4, st.sampled_from([0.0, 1.5])), min_size=3, max_size=80),
    st.sampled_from(["1m", "5m"]),
    st.integers(0, 100),
)
def test_candles_do_too(bars: list[Any], interval: str, hole: int) -> None:
    opens = [T0 // MINUTE * MINUTE + MINUTE * (place + (place > hole)) for place in range(len(bars))]
    rows = [
        (at, a / 10, max(b, c) / 10, min(b, c) / 10, d / 10, volume)
        for at, (a, b, c, d, volume) in zip(opens, bars, strict=True)
    ]
    with directory() as folder:
        is_columnar = assert_the_same([write_csv(folder / "candles.csv", "candles", rows)], interval=interval)
    assert is_columnar == (interval == "1m" and hole >= len(bars) - 1)


def test_a_file_that_is_not_plain_gives_the_same_rows(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "plain.csv", "trades", [(T0 + n * 7_000, 100 + n / 10, 1, "buy") for n in range(50)])
    lines = plain.read_text().splitlines()
    odd = tmp_path / "odd.csv.gz"
    odd.write_bytes(
        gzip.compress(
            "\ufeff{}\r\n\r\n{}\r\n".format(
                lines[0].upper(), "\r\n".join(f" {line.replace('buy', 'Buy ')}" for line in lines[1:])
            ).encode()
        )
    )
    one, other = (columns_of_files(feed_config([path]), [path]) for path in (plain, odd))
    assert one is not None
    assert other is not None
    assert list(one.events()) == list(other.events())
    assert HEADS["trades"] == tuple(lines[0].split(","))


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("ts_ms,price,size,side", "no row"),
        ("ts_ms,price,size,side", "1,2"),
        ("ts_ms,price,size,side", f"{T0},100,1,1"),
        ("ts_ms,price,size,side", f"{T0},100,0,buy"),
    ],
)
def test_a_file_with_a_row_that_is_refused_is_left_to_the_feed(tmp_path: Path, head: str, row: str) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("\n".join([head, *(f"{T0 + n * 7_000},100,1,buy" for n in range(50)), row]))
    assert not assert_the_same([path])
    _, events, refused = row_by_row(feed_config([path]), tmp_path)
    assert (bool(list(events)), refused()) == (True, 1)


def test_a_column_that_comes_twice_is_refused_by_both(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(f"ts_ms,price,size,side,size\n{T0},100,1,buy,2\n{T0 + 9},100,1,buy,2\n")
    with pytest.raises(DataFileError):
        columns_of_files(feed_config([path]), [path])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(PRICES, st.floats(1e-6, 1e11), st.decimals(1, 90_000, places=4).map(float)), min_size=1, max_size=9
    ),
    st.sampled_from(["0", "0.5", "1", "12.345", "9999"]),
    st.sampled_from(["0.1", "0.01", "0.3", "5", "0.00000001"]),
)
def test_a_column_of_spreads_is_the_spreads_of_a_column(prices: list[float], half_spread_bps: str, tick: str) -> None:
    bids, asks = Spread(Decimal(half_spread_bps), Decimal(tick)).around(np.array(prices))
    one_by_one = [Around(price, Decimal(half_spread_bps), Decimal(tick)) for price in prices]
    assert [(one.bid, one.ask) for one in one_by_one] == list(zip(bids.tolist(), asks.tolist(), strict=True))


def signs_told(windows: tuple[int, int], closes: Sequence[float], complete: Sequence[bool]) -> list[int]:
    """What the strategy says to each candle: +1 LONG, -1 SHORT, 0 nothing."""
    core = StrategyCore(strategy_config(), SmaCross(SmaCrossParams(*windows)))
    told = []
    for place, close in enumerate(closes):
        candle = Candle(place + 1, place + 1, "X", 1, place, close, close, close, close, 1.0, complete[place])
        (decision,) = core.handle(Decide(place, (candle,), Standing(Decimal(1), None, 0, False).account(None)), 0)
        assert isinstance(decision, Decision)
        told.append(sum(signal.side.sign for signal in decision.signals))
    return told


def closes_of(steps: Sequence[float]) -> list[float]:
    """A walk, in steps some of which are hardly there: averages come as close to each other as they may."""
    closes, price = [], 100.0
    for step in steps:
        price = max(1.0, price + step)
        closes.append(price)
    return closes


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, -0.1, 1e-7, -1e-7, 3e-8, 1e-10, -1e-10, 0.5, -0.7]), min_size=1, max_size=120),
    st.sampled_from([(1, 2), (2, 5), (3, 8), (10, 30)]),
    st.integers(1, 7),
)
def test_crossings_of_a_column_are_those_of_the_strategy(
    steps: list[float], windows: tuple[int, int], torn: int
) -> None:
    closes = closes_of(steps)
    complete = [place % torn != 0 or torn == 1 for place in range(len(closes))]
    assert signs_told(windows, closes, complete) == crossings(*windows, np.array(closes), np.array(complete)).tolist()


def test_a_long_column_crosses_as_often_as_the_strategy_does() -> None:
    """Long enough for several stretches, and for sums that have rounded a lot."""
    closes = [60_000 + 300 * math.sin(place / 9) + 40 * math.sin(place * place) for place in range(40_000)]
    complete = np.ones(len(closes), np.bool_)
    told = signs_told((3, 8), closes, complete.tolist())
    assert crossings(3, 8, np.array(closes), complete).tolist() == told
    assert np.count_nonzero(told) > 1_000
