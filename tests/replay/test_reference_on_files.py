"""Real markets: the broker and its reference give the same trade list, crossings and odd signals alike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import shake_256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import reference_broker
from builders import strategy_config
from feed_builders import rows_of
from reference_markets import Strategy, Tape, draw_settings, draw_wish, run_broker

from bus.messages import Decide, Decision, MarketEvent, Signal, StreamInfo
from services.feed.core import FeedCore, FeedRules
from services.feed.source_replay import Row
from services.strategy.built_in.sma_cross import SmaCross, SmaCrossParams
from services.strategy.core import StrategyCore

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SECOND, MINUTE = 1_000, 60_000


@dataclass(frozen=True)
class Real:
    """Data files, and which of their rows make a market of how long candles."""

    files: tuple[str, ...]
    interval_ms: int
    tick: str
    lot: str
    first_ms: int = 0
    rows: int | None = None

    def stream(self) -> tuple[StreamInfo, list[MarketEvent]]:
        rows = rows_of([DATA / f"{name}.csv.gz" for name in self.files])
        mode = "candle" if "candles" in self.files[0] else "tick"
        info = StreamInfo("BTCUSDT", self.interval_ms, mode, Decimal(self.tick), Decimal(self.lot), Decimal(self.lot))
        feed = FeedCore(info, FeedRules(), MINUTE)
        wanted: Iterable[Row] = (row for row in rows if row[0] >= self.first_ms)
        return info, [event for row in islice(wanted, self.rows) for event in feed.take(row)]


BURST = "binanceperp_btcusdt_20240808_2354"
REAL = {
    "a burst of quotes and trades": Real((f"{BURST}_quotes", f"{BURST}_trades"), SECOND, "0.1", "0.001"),
    "trades with a hole of four hours": Real(
        ("binance_ltcusdt_20250621_22_trades",), 15 * SECOND, "0.01", "0.001", first_ms=1_750_605_000_000
    ),
    "candles": Real(("binanceperp_ethusdt_20250504_0615_candles_1m",), MINUTE, "0.01", "0.001", rows=6_000),
    "a violent hour": Real(("excerpt_binance_btcusdt_perp_20200313_0150_0250_candles_1m",), MINUTE, "0.1", "0.0001"),
}
COSTS: dict[str, Any] = {
    "risk_pct": 0.1,
    "taker_fee_bps": 6.0,
    "maker_fee_bps": 2.0,
    "slip_bps": 0.5,
    "half_spread_bps": 0.5,
    "starting_balance": 100_000.0,
    "max_daily_drawdown_pct": 100.0,
    "max_consecutive_losses": 1_000_000,
    "max_leverage": 5.0,
    "min_trade_interval_sec": 0.5,
    "maintenance_margin_pct": 0.5,
}


def crossings(info: StreamInfo) -> Strategy:
    core = StrategyCore(strategy_config(symbol=info.symbol, stop_bps=10.0), SmaCross(SmaCrossParams(2, 5)))

    def answer(asked: Decide) -> Sequence[Signal]:
        (decision,) = core.handle(asked, 0)
        assert isinstance(decision, Decision)
        return decision.signals

    return answer


def whims(info: StreamInfo) -> Strategy:
    """On every third candle something, a function of its time alone."""

    def answer(asked: Decide) -> Sequence[Signal]:
        tape = Tape(shake_256(b"%d" % asked.open_ms).digest(20))
        return [draw_wish(tape).signal(asked.candles[-1], info)] if tape.once_in(3) else []

    return answer


@pytest.mark.skipif(not DATA.is_dir(), reason="the real market data is not at ../shared/data")
@pytest.mark.parametrize("real", REAL.values(), ids=REAL)
def test_the_same_trades_come_of_a_real_market(real: Real) -> None:
    info, events = real.stream()
    made: list[int] = []
    strategies: list[Callable[[StreamInfo], Strategy]] = [crossings, whims]
    for number, strategy in enumerate(strategies):
        chosen = draw_settings(Tape(shake_256(real.files[0].encode() + b"%d" % number).digest(64))) | COSTS
        reference = reference_broker.run(chosen, info, events, strategy(info))
        assert run_broker(chosen, info, events, strategy(info)) == reference
        made.append(len(reference.trades))
    assert min(made) > 0
