"""The figures of a run that a sweep keeps and compares, and which of two runs is the better one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any

from services.report.equity import daily_returns, equity_curve
from services.report.run import Run
from services.report.statistics import Statistics
from services.report.summary import starting_balance, summary
from services.settings.layers import nearest
from services.sweep.errors import SweepError
from services.sweep.luck import shape_of

FIGURES = (
    *("net_pnl", "net_pnl_pct", "buy_and_hold_pct", "gross_pnl", "slippage", "fees", "funding"),
    *(field.name for field in fields(Statistics) if field.name != "undefined"),
    *("cancelled_orders", "candle_count", "tick_count"),
)
"""Names in `summary.json`, as `docs/statistics.md` explains them, in the order of the table's columns."""
LESS_IS_BETTER = frozenset(
    {
        *("slippage", "fees", "funding", "fee_share_pct", "losses", "longest_losing_streak", "cancelled_orders"),
        *("max_drawdown_pct", "max_drawdown", "longest_drawdown_sec", "exposure_pct"),
        *("average_holding_sec", "median_holding_sec", "longest_holding_sec"),
    }
)

_OVER_LOSSES = frozenset({"profit_factor", "payoff_ratio"})
"""Figures that are divided by what was lost."""

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure a sweep optimises."""

    figure: str

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is."""
        return -1 if self.figure in LESS_IS_BETTER else 1

    def score(self, figures: Figures) -> float | None:
        """What is to be as great as possible: without end where nothing was lost to divide by; None without such a figure."""
        value = figures.get(self.figure)
        if value is None and self.figure in _OVER_LOSSES and figures.get("wins") and not figures.get("losses"):
            return inf
        return None if value is None else self.sign * value

    def rank(self, figures: Figures) -> tuple[float, float] | None:
        """What sorts the best first; of those without end the one that made most."""
        score = self.score(figures)
        return None if score is None else (-score, -(figures.get("net_pnl") or 0.0) if score == inf else 0.0)

    def best(self, candidates: Iterable[tuple[int, Figures]]) -> int | None:
        """The number of the best; of equal ones the lowest; None where none has the figure."""
        ranks = [(rank, number) for number, figures in candidates if (rank := self.rank(figures)) is not None]
        return min(ranks)[1] if ranks else None


def goal_of(name: str) -> Goal:
    """Read `--optimize`.

    Raises:
        SweepError: there is no such figure.
    """
    if name not in FIGURES:
        raise SweepError(f"--optimize: there is no figure {name!r}; did you mean {nearest(name, FIGURES)}?")
    return Goal(name)


def measured(run: Run) -> dict[str, Any]:
    """Return a run's outcome as JSON types: `figures`, why it stopped, and the `shape` of its daily returns."""
    whole = summary(run)
    facts = run.facts
    curve = equity_curve(facts.trades, starting_balance(run), facts.equity, facts.first_ts)
    shape = shape_of(daily_returns(curve, facts.equity))
    return {
        "figures": {name: whole[name] for name in FIGURES},
        "stop_reason": whole["stop_reason"],
        "shape": None if shape is None else list(shape),
    }
