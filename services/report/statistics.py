"""Figures of a list of trades. Pure; doubles, because statistics are for looking at, not for booking.

Conventions: a win is `pnl > 0`, a loss `pnl < 0`, both net of fees and funding. `win_rate` is a fraction of all trades.
Drawdown is the deepest fall from a former peak, in percent of that peak, over every known point of equity: the start,
the balance after each trade, and the marks in between. Exposure is the share of event time with a position open.
Every formula is in `docs/statistics.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from bus.messages import TradeClosed
from services.report.costs import fee_share_pct, five_numbers
from services.report.equity import daily_returns, deepest_fall, equity_curve
from services.report.ratios import calmar, sharpe, sortino
from services.report.run import EquityPoint


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a run. Without trades, rates and means are 0.

    A figure that is None has its reason in `undefined`, by name. Money is in quote currency.
    """

    trades: int
    wins: int
    losses: int
    win_rate: float
    profit_factor: float | None
    payoff_ratio: float | None
    expectancy: float
    expectancy_r: float
    average_win: float
    average_loss: float
    best: float
    worst: float
    longest_winning_streak: int
    longest_losing_streak: int
    average_holding_sec: float
    median_holding_sec: float
    longest_holding_sec: float
    max_drawdown_pct: float
    max_drawdown: float
    longest_drawdown_sec: float
    exposure_pct: float
    fee_share_pct: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    undefined: Mapping[str, str] = field(default_factory=dict)


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
    held_sec = [(trade.exit_ts - trade.entry_ts) / 1000 for trade in trades]
    held = five_numbers(held_sec)
    spells = [(trade.entry_ts, trade.exit_ts) for trade in trades]
    if open_since is not None:
        spells.append((open_since, last_ts))
    curve = equity_curve(trades, starting_balance, marks, first_ts)
    fall = deepest_fall(curve)
    known = _Known()
    returns = daily_returns(curve, marks)
    return Statistics(
        trades=len(trades),
        wins=len(wins),
        losses=len(losses),
        win_rate=len(wins) / len(trades) if trades else 0.0,
        profit_factor=known.take("profit_factor", sum(wins) / -sum(losses) if losses else "no trade lost"),
        payoff_ratio=known.take(
            "payoff_ratio", _mean(wins) / -_mean(losses) if wins and losses else "needs a trade won and a trade lost"
        ),
        expectancy=_mean(pnls),
        expectancy_r=_mean([float(trade.r) for trade in trades]),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        best=max(pnls, default=0.0),
        worst=min(pnls, default=0.0),
        longest_winning_streak=_streak(pnl > 0 for pnl in pnls),
        longest_losing_streak=_streak(pnl < 0 for pnl in pnls),
        average_holding_sec=_mean(held_sec),
        median_holding_sec=held.median if held else 0.0,
        longest_holding_sec=held.most if held else 0.0,
        max_drawdown_pct=fall.pct,
        max_drawdown=fall.amount,
        longest_drawdown_sec=fall.longest_ms / 1000,
        exposure_pct=_share_pct(spells, first_ts, last_ts),
        fee_share_pct=known.take("fee_share_pct", fee_share_pct(trades)),
        sharpe=known.take("sharpe", sharpe(returns)),
        sortino=known.take("sortino", sortino(returns)),
        calmar=known.take("calmar", calmar(returns, fall.pct)),
        undefined=known.reasons,
    )


class _Known:
    """Figures that may not exist: keeps the reasons of those that do not."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def take(self, name: str, found: float | str) -> float | None:
        if isinstance(found, str):
            self.reasons[name] = found
            return None
        return found


def _streak(hits: Iterable[bool]) -> int:
    return max((len(list(run)) for hit, run in groupby(hits) if hit), default=0)


def _share_pct(spells: Iterable[tuple[int, int]], first_ts: int, last_ts: int) -> float:
    """Percent of a window that spells cover; one may have begun before it (a position taken over)."""
    if last_ts <= first_ts:
        return 0.0
    covered = sum(max(0, min(end, last_ts) - max(begin, first_ts)) for begin, end in spells)
    return min(100.0, 100 * covered / (last_ts - first_ts))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
