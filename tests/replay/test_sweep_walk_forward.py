"""`lap sweep --walk-forward` on a real market, against windows, averages and fills that are reckoned here, apart."""

import csv
import gzip
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby, product
from pathlib import Path
from statistics import fmean

import pytest
import reference_broker
from msgspec.structs import replace
from sweep_builders import CALM
from typer.testing import CliRunner

from bus.messages import Candle, Decide, Entry, Side, Signal, StreamInfo
from services.commands.app import app

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "binanceperp_btcusdt_20250504_0603_candles_1m.csv.gz"
STEP = 1_800_000
TRAIN, TEST, HISTORY = 480, 240, 200
SETTINGS = {
    "risk_pct": 1.0,
    "taker_fee_bps": 6.0,
    "maker_fee_bps": 2.0,
    "slip_bps": 0.5,
    "half_spread_bps": 0.5,
    "seed": 0,
    "starting_balance": 10_000.0,
    "max_daily_drawdown_pct": 100.0,
    "max_consecutive_losses": 100_000,
    "max_leverage": 5.0,
    "maintenance_margin_pct": 0.5,
    "min_trade_interval_sec": 60.0,
    "strategy": "sma_cross",
    "latency_min_ms": 50,
    "latency_max_ms": 500,
    "max_bars_open": 0,
    "limit_ttl_sec": 60.0,
    "symbol": "BTCUSDT",
    "max_fill_pct_of_volume": 0.0,
    "max_order_age_sec": 10.0,
    "max_quote_age_sec": 10.0,
    "on_stop": "flatten",
}


def half_hours() -> list[Candle]:
    """The file's minutes, added up; the first bucket may lack some."""
    with gzip.open(DATA, "rt") as file:
        rows = [
            (int(row["ts_ms"]), *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
            for row in csv.DictReader(file)
        ]
    found = []
    for bucket, group in groupby(rows, lambda row: row[0] // STEP):
        part = list(group)
        high, low = max(row[2] for row in part), min(row[3] for row in part)
        start, end = bucket * STEP, (bucket + 1) * STEP
        found.append(
            Candle(
                1,
                end,
                "BTCUSDT",
                STEP,
                start,
                part[0][1],
                high,
                low,
                part[-1][4],
                sum(row[5] for row in part),
                len(part) == 30,
            )
        )
    return found if len(part) == 30 else found[:-1]


def profit(before: Sequence[Candle], window: Sequence[Candle], fast: int, slow: int) -> float:
    """What crossings of two averages made in a window, filled by the second broker."""
    closes = [candle.close for candle in before[-HISTORY:]]

    def above() -> bool:
        return fmean(closes[-fast:]) > fmean(closes[-slow:])

    def decide(question: Decide) -> list[Signal]:
        was = above()
        closes.append(question.candles[-1].close)
        if above() == was or not question.candles[-1].complete:
            return []
        side = Side.SHORT if was else Side.LONG
        return [Signal("BTCUSDT", side, question.open_ms + STEP, 30.0, 1.5, Entry.MARKET, 0.0, "")]

    tick, lot = Decimal("0.1"), Decimal("0.0001")
    info = StreamInfo("BTCUSDT", STEP, "candle", tick, lot, lot)
    events = [replace(candle, seq=seq) for seq, candle in enumerate(window, 1)]
    return float(reference_broker.run(SETTINGS, info, events, decide).balance - 10_000)


@pytest.mark.skipif(not DATA.is_file(), reason="the real market data is not at ../shared/data")
def test_in_sample_and_out_of_sample_figures_are_those_reckoned_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = f"--grid fast=4,8 --grid slow=20,40 --walk-forward {TRAIN},{TEST} --workers 0 --out out".split()
    settings = [word for setting in (*CALM, "interval=30m") for word in ("--set", setting)]
    done = CliRunner().invoke(app, ["sweep", str(DATA), *words, *settings])
    assert done.exit_code == 0, done.output
    with Path("out/folds.csv").open(encoding="utf-8") as file:
        told = [
            [float(row[name]) for name in ("fast", "slow", "net_pnl_train", "net_pnl_test")]
            for row in csv.DictReader(file)
        ]

    candles, expected = half_hours(), []
    for begin in range(HISTORY, len(candles) - TRAIN - TEST + 1, TEST):
        end = begin + TRAIN
        trained = [(profit(candles[:begin], candles[begin:end], *pair), *pair) for pair in product((4, 8), (20, 40))]
        best, fast, slow = max(trained)
        expected.append([fast, slow, best, profit(candles[:end], candles[end : end + TEST], fast, slow)])
    assert len(told) == len(expected) == 3
    for one, other in zip(told, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
