"""The report's statistics against what others make of the same trades: empyrical (returns, risk) and pandas.

The lists are what this broker made: the golden sessions, a made-up year, and a month of a real market where its data
is at hand.
"""

import csv
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import empyrical
import pandas as pd
import pytest
from report_builders import START, closed

from bus.messages import ExitReason, Side, StopReason, TradeClosed
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.replay.script import read_script
from services.replay.stage import Stage
from services.report.equity import DAY_MS, daily_returns, equity_curve
from services.report.ratios import DAYS_A_YEAR
from services.report.run import EquityPoint
from services.report.statistics import Statistics, measure
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.loading import load_strategy

TESTS = Path(__file__).parents[1]
GOLDEN = sorted((TESTS / "replay" / "golden").glob("*/trades.csv"))
MONTH = TESTS.parents[1] / "shared" / "data" / "binanceperp_btcusdt_20250504_0603_candles_1m.csv.gz"
BALANCE = Decimal(10000)
LIVELY = {"interval": "15m", "strategy_params": "fast=4,slow=10", "stop_bps": "40", "risk_pct": "0.2"}
LIVELY |= {"max_consecutive_losses": "100000", "max_daily_drawdown_pct": "99"}
MONEY = ("qty", "entry_price", "exit_price", "fees", "funding", "pnl", "r", "equity")
NUMBERS = ("trade_id", "entry_ts", "exit_ts", "latency_ms")

Sample = tuple[list[TradeClosed], list[EquityPoint]]


def read(path: Path) -> list[TradeClosed]:
    """The trades of a `trades.csv`."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return [_trade(row) for row in rows]


def _trade(row: Mapping[str, str]) -> TradeClosed:
    fields: dict[str, Any] = {
        **row,
        **{name: int(row[name]) for name in NUMBERS},
        **{name: Decimal(row[name]) for name in MONEY},
        "side": Side(row["side"]),
        "exit_reason": ExitReason(row["exit_reason"]),
        "seq": 1,
    }
    return TradeClosed(**fields)


def made_up_year() -> Sample:
    """Three trades a day for a year, drawn from a hash; wins are larger and rarer than losses."""
    pnls = []
    for number in range(3 * DAYS_A_YEAR):
        draw = int.from_bytes(hashlib.sha256(f"pnl:{number}".encode()).digest()[:4], "big") % 1000
        pnls.append(Decimal(draw - 640 if draw < 600 else draw - 500) / 10)
    balances = list(accumulate(pnls, initial=BALANCE))[1:]
    trades = [
        closed(str(pnl), trade_id=number, at=number * 28_800, held=3_600 + number, equity=str(balance))
        for number, (pnl, balance) in enumerate(zip(pnls, balances, strict=True), 1)
    ]
    return trades, [(trade.exit_ts - 60_000, float(trade.equity) - 3) for trade in trades]


def real_month() -> Sample:
    """What the built-in strategy makes of a month of a real market."""
    if not MONTH.exists():
        pytest.skip(f"{MONTH.name} is not at hand")
    script = read_script([MONTH], LIVELY, TESTS)
    config = StrategyConfig.from_settings(script.settings)
    strategy = StrategyCore(config, load_strategy(config.name, config.params, TESTS))
    broker = BrokerCore(BrokerConfig.from_settings(script.settings), wall_clock=False)
    stage = Stage(broker, strategy, script.info, script.facts)
    marks = []
    for event in script.events:
        stage.play(event)
        marks.append((event.ts_ms, float(broker.status().account.equity)))
    stage.finish(StopReason.END_OF_DATA)
    return [message for message in stage.take_said() if isinstance(message, TradeClosed)], marks


SAMPLES = {path.parent.name: path for path in GOLDEN}


@pytest.fixture(params=[*SAMPLES, "a made-up year", "a real month"], scope="module")
def sample(request: pytest.FixtureRequest) -> Sample:
    match request.param:
        case "a made-up year":
            return made_up_year()
        case "a real month":
            return real_month()
        case name:
            return read(SAMPLES[name]), []


def measured(sample: Sample) -> Statistics:
    trades, marks = sample
    first, last = (trades[0].entry_ts, trades[-1].exit_ts) if trades else (0, 0)
    return measure(trades, start_of(trades), marks, first_ts=first, last_ts=last)


def start_of(trades: list[TradeClosed]) -> Decimal:
    """The balance before the first trade; a golden session may have taken over another one's."""
    return trades[0].equity - trades[0].pnl if trades else BALANCE


def test_what_is_counted_from_trades(sample: Sample) -> None:
    found, trades = measured(sample), sample[0]
    pnl = pd.Series([float(trade.pnl) for trade in trades], dtype=float)
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    assert (found.trades, found.wins, found.losses) == (pnl.size, won.size, lost.size)
    if not pnl.size:
        return
    assert found.win_rate == pytest.approx((pnl > 0).mean())
    assert found.expectancy == pytest.approx(pnl.mean())
    assert found.expectancy_r == pytest.approx(pd.Series([float(trade.r) for trade in trades]).mean())
    assert (found.best, found.worst) == (pnl.max(), pnl.min())
    assert found.profit_factor == (pytest.approx(won.sum() / -lost.sum()) if lost.size else None)
    both = won.size and lost.size
    assert found.payoff_ratio == (pytest.approx(won.mean() / -lost.mean()) if both else None)
    for hit, streak in ((pnl > 0, found.longest_winning_streak), (pnl < 0, found.longest_losing_streak)):
        assert streak == hit.groupby((hit != hit.shift()).cumsum()).sum().max()
    held = pd.Series([trade.exit_ts - trade.entry_ts for trade in trades]) / 1000
    assert found.average_holding_sec == pytest.approx(held.mean())
    assert found.median_holding_sec == pytest.approx(held.median())
    assert found.longest_holding_sec == held.max()
    window = (trades[-1].exit_ts - trades[0].entry_ts) / 1000
    assert found.exposure_pct == pytest.approx(100 * held.sum() / window)


def test_falls_of_equity(sample: Sample) -> None:
    trades, marks = sample
    found = measured(sample)
    curve = equity_curve(trades, start_of(trades), marks, trades[0].entry_ts if trades else 0)
    equity = pd.Series([value for _, value in curve], index=pd.to_datetime([ts for ts, _ in curve], unit="ms"))
    assert found.max_drawdown_pct == pytest.approx(-100 * empyrical.max_drawdown(equity.pct_change().fillna(0.0)))
    assert found.max_drawdown == pytest.approx((equity.cummax() - equity).max())
    under, longest, peak = equity < equity.cummax(), pd.Timedelta(0), equity.index[0]
    for at, is_under in under.items():
        longest = max(longest, at - peak) if is_under or under.shift(fill_value=False)[at].any() else longest
        peak = peak if is_under else at
    assert found.longest_drawdown_sec == pytest.approx(longest.total_seconds())


def test_ratios_of_return_to_risk(sample: Sample) -> None:
    trades, marks = sample
    found = measured(sample)
    curve = equity_curve(trades, start_of(trades), marks, trades[0].entry_ts if trades else 0)
    days = pd.Series([value for _, value in curve], index=pd.to_datetime([ts for ts, _ in curve], unit="ms"))
    closes = days.resample("1D").last().ffill()
    returns = closes.pct_change()
    returns.iloc[0] = closes.iloc[0] / days.iloc[0] - 1
    assert daily_returns(curve) == pytest.approx(list(returns) if len(curve) > 1 else [])
    if len(returns) < 30:
        assert {found.sharpe, found.sortino, found.calmar} == {None}
        assert found.undefined["sharpe"] == f"needs 30 days, the run has {len(daily_returns(curve))}"
        return
    assert found.sharpe == pytest.approx(empyrical.sharpe_ratio(returns, annualization=DAYS_A_YEAR))
    assert found.sortino == pytest.approx(empyrical.sortino_ratio(returns, annualization=DAYS_A_YEAR))
    grown = empyrical.cagr(returns, annualization=DAYS_A_YEAR)
    assert found.calmar == pytest.approx(grown / (found.max_drawdown_pct / 100))


def test_the_long_samples_are_long_enough_to_have_ratios() -> None:
    assert len(made_up_year()[0]) == 1095
    assert measured(made_up_year()).sharpe is not None


@pytest.mark.parametrize(
    ("equity", "returns"),
    [
        ([], []),
        ([(START, 100.0)], []),
        ([(START, 100.0), (START + 1, 110.0)], [0.1]),
        ([(START, 100.0), (START + DAY_MS, 110.0), (START + 3 * DAY_MS, 55.0)], [0.0, 0.1, 0.0, -0.5]),
    ],
)
def test_a_day_counts_from_the_last_equity_before_it(equity: list[EquityPoint], returns: list[float]) -> None:
    assert daily_returns(equity) == pytest.approx(returns)


def test_a_candle_that_closes_at_midnight_ends_its_day_and_a_trade_of_that_instant_begins_the_next() -> None:
    midnight = START // DAY_MS * DAY_MS + DAY_MS
    marks = [(midnight, 95.0), (midnight + DAY_MS, 190.0)]
    assert daily_returns([(midnight - 1000, 100.0), *marks], marks) == pytest.approx([-0.05, 1.0])
    exit_at_midnight = (midnight, 100.0)
    curve = [(midnight - 1000, 100.0), marks[0], exit_at_midnight, (midnight + 1, 100.0)]
    assert daily_returns(curve, marks) == pytest.approx([-0.05, 100 / 95 - 1])


def test_the_end_of_a_session_at_midnight_begins_no_day() -> None:
    midnight = START // DAY_MS * DAY_MS + DAY_MS
    curve = [(midnight - 1000, 100.0), (midnight, 95.0), (midnight, 90.0)]
    assert daily_returns(curve, curve[1:2]) == pytest.approx([-0.1])
    assert daily_returns(curve) == pytest.approx([-0.1])
