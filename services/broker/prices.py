"""Prices: the tick grid, slippage, and the two sides of a quote."""

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class BidAsk:
    """A bid and an ask that no event carried: around a candle's price, or remembered over a restart."""

    bid: float
    ask: float


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


def around(price: float, half_spread_bps: Decimal, tick: Decimal) -> BidAsk:
    """Return the bid and ask that a print at `price` stands for: half a spread away, rounded outward."""
    middle, half = decimal_of(price), EXACT.divide(half_spread_bps, BPS)
    return BidAsk(
        float(round_toward(EXACT.multiply(middle, EXACT.subtract(ONE, half)), tick, -1)),
        float(round_toward(EXACT.multiply(middle, EXACT.add(ONE, half)), tick, 1)),
    )


def exit_around(price: float, sign: int, half_spread_bps: Decimal, tick: Decimal) -> float:
    """Return the side of `around` that a position of `sign` could be left at."""
    share = EXACT.subtract(ONE, EXACT.divide(EXACT.multiply(sign, half_spread_bps), BPS))
    return float(round_toward(EXACT.multiply(decimal_of(price), share), tick, -sign))
