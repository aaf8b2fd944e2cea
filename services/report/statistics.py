"""Figures of a list of trades. Pure; doubles, because statistics are for looking at, not for booking.

Conventions: a win is `pnl > 0`, a loss `pnl < 0`, both net of fees and funding. `win_rate` is a fraction of all trades.
Drawdown is the deepest fall from a former peak, in percent of that peak, over every known point of equity: the start,
the balance after each trade, and the marks in between. Exposure is the share of event time with a position open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from bus.messages import TradeClosed
from services.report.run import EquityPoint


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a run. Without trades, rates and means are 0; without losses there is no `profit_factor`."""

    trades: int
    wins: int
    losses: int
    win_rate: float
    profit_factor: float | None
    expectancy: float
    expectancy_r: float
    average_win: float
    average_loss: float
    best: float
    worst: float
    longest_losing_streak: int
    average_holding_sec: float
    max_drawdown_pct: float
    exposure_pct: float


def measure(
    trades: Sequence[TradeClosed],
    starting_balance: Decimal,
    marks: Sequence[EquityPoint] = (),
    *,
    first_ts: int = 0,
    last_ts: int = 0,
    open_since: int | None = None,
) -> Statistics:
    """Measure a run.

    Args:
        trades: Closed trades in the order of closing.
        starting_balance: Quote currency.
        marks: Points of marked equity, in the order of time.
        first_ts: Event time of the first event, ms.
        last_ts: Event time of the last event, ms.
        open_since: Entry time of a position that is still open, ms.
    """
    pnls = [float(trade.pnl) for trade in trades]
    wins = [pnl for pnl in pnls if pnl > 0]
    losses = [pnl for pnl in pnls if pnl < 0]
    held_ms = sum(trade.exit_ts - trade.entry_ts for trade in trades)
    spells = [(trade.entry_ts, trade.exit_ts) for trade in trades]
    if open_since is not None:
        spells.append((open_since, last_ts))
    return Statistics(
        trades=len(trades),
        wins=len(wins),
        losses=len(losses),
        win_rate=len(wins) / len(trades) if trades else 0.0,
        profit_factor=sum(wins) / -sum(losses) if losses else None,
        expectancy=_mean(pnls),
        expectancy_r=_mean([float(trade.r) for trade in trades]),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        best=max(pnls, default=0.0),
        worst=min(pnls, default=0.0),
        longest_losing_streak=max(
            (len(list(run)) for lost, run in groupby(pnl < 0 for pnl in pnls) if lost), default=0
        ),
        average_holding_sec=held_ms / len(trades) / 1000 if trades else 0.0,
        max_drawdown_pct=max_drawdown_pct(
            value for _, value in equity_curve(trades, starting_balance, marks, first_ts)
        ),
        exposure_pct=_share_pct(spells, first_ts, last_ts),
    )


def equity_curve(
    trades: Sequence[TradeClosed], starting_balance: Decimal, marks: Sequence[EquityPoint], first_ts: int
) -> list[EquityPoint]:
    """All known points of equity in the order of time, the start first."""
    after_trades = [(trade.exit_ts, float(trade.equity)) for trade in trades]
    later = sorted([*marks, *after_trades], key=lambda point: point[0])
    start = min(first_ts, later[0][0]) if later and first_ts else later[0][0] if later else first_ts
    return [(start, float(starting_balance)), *later]


def max_drawdown_pct(equity: Iterable[float]) -> float:
    """Deepest fall below a former peak, in percent of that peak, >= 0."""
    peak, deepest = 0.0, 0.0
    for value in equity:
        peak = max(peak, value)
        if peak > 0:
            deepest = max(deepest, 100 * (peak - value) / peak)
    return deepest


def _share_pct(spells: Iterable[tuple[int, int]], first_ts: int, last_ts: int) -> float:
    """Percent of a window that spells cover; one may have begun before it (a position taken over)."""
    if last_ts <= first_ts:
        return 0.0
    covered = sum(max(0, min(end, last_ts) - max(begin, first_ts)) for begin, end in spells)
    return min(100.0, 100 * covered / (last_ts - first_ts))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
