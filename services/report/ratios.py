"""Annualised ratios of return to risk, from daily returns. Pure.

They are given only for a run that is long enough to mean anything; else a sentence says why not. The formulas, and
what they are checked against, are in `docs/statistics.md`.
"""

from collections.abc import Sequence
from math import sqrt

DAYS_A_YEAR = 365
"""A perpetual trades every day."""
FEWEST_DAYS = 30


def sharpe(returns: Sequence[float]) -> float | str:
    """Mean daily return over its standard deviation (n - 1), annualised; or why there is none."""
    if len(returns) < FEWEST_DAYS:
        return _too_short(returns)
    mean = sum(returns) / len(returns)
    variance = sum((value - mean) ** 2 for value in returns) / (len(returns) - 1)
    if not variance:
        return "equity did not move"
    return mean / sqrt(variance) * sqrt(DAYS_A_YEAR)


def sortino(returns: Sequence[float]) -> float | str:
    """Mean daily return over its downside deviation (from 0, over all days), annualised; or why there is none."""
    if len(returns) < FEWEST_DAYS:
        return _too_short(returns)
    downside = sum(min(value, 0.0) ** 2 for value in returns) / len(returns)
    if not downside:
        return "no day lost"
    return sum(returns) / len(returns) / sqrt(downside) * sqrt(DAYS_A_YEAR)


def calmar(returns: Sequence[float], max_drawdown_pct: float) -> float | str:
    """Compound annual return over the deepest drawdown of the whole curve; or why there is none."""
    if len(returns) < FEWEST_DAYS:
        return _too_short(returns)
    if not max_drawdown_pct:
        return "equity never fell"
    grown = 1.0
    for value in returns:
        grown *= 1 + value
    if grown <= 0:
        return "nothing is left"
    a_year = float(grown ** (DAYS_A_YEAR / len(returns)))
    return (a_year - 1) / (max_drawdown_pct / 100)


def _too_short(returns: Sequence[float]) -> str:
    return f"needs {FEWEST_DAYS} days, the run has {len(returns)}"
