"""Prices: the tick grid, slippage, and the two sides of a quote."""

from decimal import Context, Decimal
from typing import NamedTuple, Protocol

from services.broker.decimals import BPS, EXACT, ONE, decimal_of, exactly

# A signal may name any double: its ticks are counted in full, however many digits that takes.
_WIDE = Context(prec=1_000)


class TwoSided(Protocol):
    """Anything with a bid and an ask."""

    @property
    def bid(self) -> float:
        """Best price somebody pays."""

    @property
    def ask(self) -> float:
        """Best price somebody takes."""


class BidAsk(NamedTuple):
    """A bid and an ask that no event carried."""

    bid: float
    ask: float


class Around:
    """The bid and ask that a print stands for: half a spread away, rounded outward. A side nobody asks for costs nothing.

    Args:
        price: The print's.
        half_spread_bps: Half of the spread, in bps of the price.
        tick: The grid.
    """

    __slots__ = ("_ask", "_bid", "_half_spread_bps", "_price", "_tick")

    def __init__(self, price: float, half_spread_bps: Decimal, tick: Decimal) -> None:
        self._price = price
        self._half_spread_bps = half_spread_bps
        self._tick = tick
        self._bid: float | None = None
        self._ask: float | None = None

    @property
    def bid(self) -> float:
        """Best price somebody pays."""
        if self._bid is None:
            self._bid = self._beside(-1)
        return self._bid

    @property
    def ask(self) -> float:
        """Best price somebody takes."""
        if self._ask is None:
            self._ask = self._beside(1)
        return self._ask

    def _beside(self, direction: int) -> float:
        share = EXACT.add(ONE, EXACT.divide(EXACT.multiply(direction, self._half_spread_bps), BPS))
        return float(round_toward(EXACT.multiply(decimal_of(self._price), share), self._tick, direction))


def entry_price(quote: TwoSided, sign: int) -> float:
    """Return what a market order pays to get in: `ask` for LONG (+1), `bid` for SHORT (-1)."""
    return quote.ask if sign > 0 else quote.bid


def exit_price(quote: TwoSided, sign: int) -> float:
    """Return what the position could be left at now, its mark: `bid` for LONG (+1), `ask` for SHORT (-1)."""
    return quote.bid if sign > 0 else quote.ask


def round_toward(price: Decimal, tick: Decimal, direction: int) -> Decimal:
    """Return `price` on the grid of `tick`, rounded up (`direction` +1) or down (-1)."""
    ticks, rest = _WIDE.divmod(price, tick)
    if rest and (rest > 0) is (direction > 0):
        ticks = EXACT.add(ticks, direction)
    return EXACT.multiply(ticks, tick)


@exactly
def round_nearest(price: Decimal, tick: Decimal) -> Decimal:
    """Return `price` on the grid of `tick`, the nearest one; a tie goes to an even number of ticks."""
    ticks, rest = _WIDE.divmod(abs(price), tick)
    twice = 2 * rest
    if twice > tick or (twice == tick and ticks % 2 == 1):
        ticks += 1
    return (ticks * tick).copy_sign(price)


def on_grid(price: Decimal, tick: Decimal) -> bool:
    """Tell whether `price` is a whole number of ticks."""
    return not _WIDE.remainder(price, tick)


@exactly
def slipped(base: Decimal, slip_bps: Decimal, factor: Decimal, direction: int, tick: Decimal) -> Decimal:
    """Return `base` worsened by slippage and rounded to the tick on the adverse side.

    However large the slippage, a price of at least a tick leaves one tick.

    Args:
        base: The price before slippage.
        slip_bps: The setting, in bps.
        factor: This order's draw, 0.5 to 1.5.
        direction: +1 for a buy (dearer), -1 for a sell (cheaper).
        tick: The grid.
    """
    price = round_toward(base * (ONE + direction * slip_bps * factor / BPS), tick, direction)
    return price if price > 0 else min(tick, round_toward(base, tick, direction))
