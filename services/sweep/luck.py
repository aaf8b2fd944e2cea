"""What the best of many trials is worth: the more are tried, the better the best one looks by luck alone. Pure.

- Expected best of N: D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, Pseudo-Mathematics and Financial Charlatanism,
  Notices of the AMS 61(5), 2014, proposition 1: for N independent normal trials about
  `mean + sd * ((1 - g) * Z(1 - 1/N) + g * Z(1 - 1/(N e)))`, `g` being the Euler-Mascheroni constant.
- Deflated Sharpe ratio: D. Bailey, M. López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5),
  2014: the probability that the true Sharpe ratio is above 0, given how many were tried, how long the returns are,
  and how far they are from normal.

Assumption: trials are independent. Neighbours in a grid are not, so both err on the strict side.
"""

from collections.abc import Sequence
from math import e, sqrt
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

from services.report.ratios import FEWEST_DAYS

EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()


class Shape(NamedTuple):
    """Daily returns in four numbers: how many, Sharpe ratio (of a day, not annualised), skewness, kurtosis (normal: 3)."""

    days: int
    sharpe: float
    skewness: float
    kurtosis: float


def shape_of(returns: Sequence[float]) -> Shape | None:
    """Measure daily returns; None where they are too few to mean anything, or never moved."""
    count = len(returns)
    if count < FEWEST_DAYS:
        return None
    mean = fmean(returns)
    second, third, fourth = (fmean((value - mean) ** power for value in returns) for power in (2, 3, 4))
    if not second:
        return None
    return Shape(count, mean / stdev(returns), third / second**1.5, fourth / second**2)


def expected_best(scores: Sequence[float]) -> float | None:
    """What the best of so many would be if their differences were luck alone; None for less than two."""
    if len(scores) < 2:
        return None
    return fmean(scores) + stdev(scores) * _lift(len(scores))


def deflated_sharpe(best: Shape, sharpes: Sequence[float]) -> float | None:
    """The probability, 0 to 1, that the best trial's true Sharpe ratio is above 0; None for less than two trials.

    Args:
        best: the returns of the trial that was chosen.
        sharpes: the daily Sharpe ratios of all trials, the chosen one's too.
    """
    if len(sharpes) < 2:
        return None
    by_luck = stdev(sharpes) * _lift(len(sharpes))
    error = 1 - best.skewness * best.sharpe + (best.kurtosis - 1) / 4 * best.sharpe**2
    if error <= 0:
        return None
    return _NORMAL.cdf((best.sharpe - by_luck) * sqrt((best.days - 1) / error))


def _lift(count: int) -> float:
    """How many standard deviations the best of `count` >= 2 independent normal draws lies above their mean."""
    first, second = _NORMAL.inv_cdf(1 - 1 / count), _NORMAL.inv_cdf(1 - 1 / (count * e))
    return (1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second
