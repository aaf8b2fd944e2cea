"""The quote that is made from a trade when there is no real one. Pure.

Assumption: the market is `half_spread_bps` wide on either side of a print. Worked out in decimals from the price's
shortest text, the bid rounded down and the ask up to the tick, then the nearest doubles.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from bus.messages import MOST

_CONTEXT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)
_BPS = Decimal(10_000)


class SyntheticSpread:
    """A half spread on a price grid.

    Args:
        half_spread_bps: half of the spread, in 1/10,000 of the price; >= 0.
        tick_size: the price grid; > 0.
    """

    def __init__(self, half_spread_bps: Decimal, tick_size: Decimal) -> None:
        part = _CONTEXT.divide(half_spread_bps, _BPS)
        self._below = _CONTEXT.subtract(_ONE, part)
        self._above = _CONTEXT.add(_ONE, part)
        self._tick_size = tick_size
        self._last: tuple[float, tuple[float, float] | None] = (0.0, None)

    def around(self, price: float) -> tuple[float, float] | None:
        """Return bid and ask around a price, None where the grid leaves no bid above 0 (or no ask at all)."""
        if self._last[0] != price:
            self._last = (price, self._work_out(price))
        return self._last[1]

    def _work_out(self, price: float) -> tuple[float, float] | None:
        exact = Decimal(repr(price))
        bid = float(self._grid(_CONTEXT.multiply(exact, self._below), up=False))
        ask = float(self._grid(_CONTEXT.multiply(exact, self._above), up=True))
        return None if bid <= 0.0 or ask >= MOST else (bid, ask)

    def _grid(self, value: Decimal, *, up: bool) -> Decimal:
        ticks = _CONTEXT.divide(value, self._tick_size)
        whole = ticks.to_integral_value("ROUND_CEILING" if up else "ROUND_FLOOR", _CONTEXT)
        return _CONTEXT.multiply(whole, self._tick_size)
