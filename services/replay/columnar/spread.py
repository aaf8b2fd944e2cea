"""Bid and ask around prices, a whole column at once, to the last bit as `services.broker.prices.Around` has them. Pure.

A price with few digits is a whole number of its last decimal place, so that the half spread and the rounding to the
grid are divisions of whole numbers. They are held as doubles: below 2^53 the quotient of two of them is the nearest
double, and its whole part is exact. A column that is not such is worked out price by price.
"""

from decimal import Decimal
from math import gcd

import numpy as np

from services.broker.decimals import BPS, ONE
from services.broker.prices import Around
from services.replay.columnar.columns import Floats

_MOST_PLACES = 8
_MOST_DIGITS = 10**15
"""Below it no two decimals share a double: the digits found are those of the shortest text."""
_MOST_EXACT = 2**53
_FIRST_LOOK = 64


class Spread:
    """A half spread on a price grid.

    Args:
        half_spread_bps: half of the spread, in 1/10,000 of the price; >= 0.
        tick_size: the price grid; > 0.
    """

    def __init__(self, half_spread_bps: Decimal, tick_size: Decimal) -> None:
        self._half_spread_bps = half_spread_bps
        self._tick_size = tick_size

    def around(self, prices: Floats) -> tuple[Floats, Floats]:
        """Return bids and asks around prices greater than 0."""
        found = self._whole_numbers(prices)
        if found is None:
            return self._one_by_one(prices)
        return found

    def _whole_numbers(self, prices: Floats) -> tuple[Floats, Floats] | None:
        digits = _digits_of(prices)
        if digits is None:
            return None
        numbers, places = digits
        part = self._half_spread_bps / BPS
        tick = self._tick_size.as_integer_ratio()
        sides: list[Floats] = []
        for factor, is_up in ((ONE - part, False), (ONE + part, True)):
            above, below = factor.as_integer_ratio()
            above *= tick[1]
            below *= tick[0] * 10**places
            shared = gcd(above, below)
            ticks = _rounded(numbers, above // shared, below // shared, is_up=is_up)
            if ticks is None:
                return None
            side = _times(ticks, *tick)
            if side is None:
                return None
            sides.append(side)
        return sides[0], sides[1]

    def _one_by_one(self, prices: Floats) -> tuple[Floats, Floats]:
        different, places = np.unique(prices, return_inverse=True)
        sides = [Around(price, self._half_spread_bps, self._tick_size) for price in different.tolist()]
        bids, asks = (np.array([getattr(one, side) for one in sides], np.float64) for side in ("bid", "ask"))
        return bids[places], asks[places]


def _digits_of(prices: Floats) -> tuple[Floats, int] | None:
    """Return prices as whole numbers of the last decimal place any of them has, and which place that is."""
    for places in range(_MOST_PLACES + 1):
        # Most columns show with their first prices that it is not this place.
        if _numbers_of(prices[:_FIRST_LOOK], places) is not None:
            numbers = _numbers_of(prices, places)
            if numbers is not None:
                return numbers, places
    return None


def _numbers_of(prices: Floats, places: int) -> Floats | None:
    """Return prices as whole numbers of a decimal place; None where one has more places, or too many digits."""
    scale = 10.0**places
    numbers = prices * scale
    np.rint(numbers, out=numbers)
    if numbers.size and numbers.max() >= _MOST_DIGITS:
        return None
    return numbers if np.array_equal(numbers / scale, prices) else None


def _rounded(numbers: Floats, above: int, below: int, *, is_up: bool) -> Floats | None:
    """Return `numbers * above / below`, rounded to whole numbers; None where that would not be exact."""
    most = numbers.max() if numbers.size else 0.0
    if int(most) * abs(above) >= _MOST_EXACT or below >= _MOST_EXACT:
        return None
    ticks = numbers * float(above)
    ticks /= float(below)
    rounded: Floats = (np.ceil if is_up else np.floor)(ticks, out=ticks)
    return rounded


def _times(ticks: Floats, above: int, below: int) -> Floats | None:
    """Return the doubles nearest to `ticks * above / below`; None where that is not one exact division."""
    most = ticks.max() if ticks.size else 0.0
    if int(most) * above >= _MOST_EXACT or below >= _MOST_EXACT:
        return None
    ticks *= float(above)
    ticks /= float(below)
    return ticks
