"""The built-in `sma_cross` over a whole column of closes: the same signals, told ahead. Pure.

Sums that run along the column round differently from the strategy's own. So they only settle what lies farther from
equality than all rounding together; the few candles that come closer are summed as the strategy sums them.
"""

from math import fsum

import numpy as np
from numpy.typing import NDArray

from services.strategy.built_in.sma_cross import EQUAL_WITHIN

_STRETCH = 1 << 14
"""Closes summed in one go: the shorter, the less is rounded."""
_EPSILON = float(np.finfo(np.float64).eps)


def crossings(fast: int, slow: int, closes: NDArray[np.float64], complete: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return for each candle what `sma_cross` signals on it: +1 LONG, -1 SHORT, 0 nothing.

    Args:
        fast: its short window, in candles.
        slow: its long one.
        closes: of all candles it sees, oldest first.
        complete: of the same.
    """
    signs = _signs(fast, slow, closes)
    crossed = np.zeros(closes.size, np.int8)
    now, before = signs[1:], signs[:-1]
    signals = (now != 0) & (now * before <= 0) & complete[slow:]
    crossed[slow:][signals] = now[signals]
    return crossed


def _signs(fast: int, slow: int, closes: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return for each candle from the `slow`-th on: +1 fast average above the slow one, -1 below, 0 equal."""
    count = max(0, closes.size - slow + 1)
    signs = np.empty(count, np.int8)
    for begin in range(0, count, _STRETCH):
        end = min(begin + _STRETCH, count)
        signs[begin:end] = _signs_of_stretch(fast, slow, closes[begin : end + slow - 1])
    return signs


def _signs_of_stretch(fast: int, slow: int, closes: NDArray[np.float64]) -> NDArray[np.int8]:
    sums = np.concatenate([[0.0], closes.cumsum()])
    fast_sums = sums[slow:] - sums[slow - fast : -fast]
    slow_sums = sums[slow:] - sums[:-slow]
    differences = fast_sums / fast - slow_sums / slow
    last = closes[slow - 1 :]
    # Each of the `slow` additions in a window rounds by half an epsilon of the sum so far at most; twice that is safe.
    doubt = 4 * (slow + 4) * _EPSILON * float(sums[-1])
    equal = EQUAL_WITHIN * last
    signs: NDArray[np.int8] = np.sign(differences).astype(np.int8)
    signs[np.abs(differences) < equal] = 0
    for place in np.flatnonzero(np.abs(np.abs(differences) - equal) <= doubt):
        window = closes[place : place + slow].tolist()
        difference = fsum(window[-fast:]) / fast - fsum(window) / slow
        signs[place] = 0 if abs(difference) < EQUAL_WITHIN * window[-1] else (1 if difference > 0 else -1)
    return signs
