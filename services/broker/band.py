"""The band: between which prices, and until when, a tick can change nothing.

Nearly all ticks change nothing. Five comparisons of doubles tell so; whatever touches the band is worked off in full,
in exact decimals. The band may be too narrow, never too wide.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import inf, nextafter

from services.broker.breaker import DAY_MS
from services.broker.decimals import exactly
from services.broker.desk import Desk
from services.broker.position import Position
from services.broker.prices import exit_price


@dataclass(slots=True)
class Band:
    """A tick before `wake_ms` changes nothing; a quote must also lie strictly between the four prices."""

    wake_ms: float = -inf
    bid_low: float = -inf
    bid_high: float = inf
    ask_low: float = -inf
    ask_high: float = inf


def band_of(desk: Desk) -> Band:
    """Return the band around the desk as it stands after a tick. A time of `-inf` means: look at the next tick, whatever it is."""
    band = Band(wake_ms=wake_ms(desk))
    if desk.position is not None:
        _watch_position(band, desk, desk.position)
    for order in desk.book.resting.values():
        if order.signal.side.sign > 0:
            band.ask_low = max(band.ask_low, order.signal.limit_price)
        else:
            band.bid_high = min(band.bid_high, order.signal.limit_price)
    return band


def wake_ms(desk: Desk) -> float:
    """Return until when no tick changes anything, whatever its prices."""
    if desk.fundings or desk.breaker.day < 0 or desk.closed is not None:
        return -inf
    held, most = desk.position, desk.config.max_bars_open
    if held is not None and most and held.bars >= most:
        return -inf
    wake = float((desk.breaker.day + 1) * DAY_MS)
    for order in desk.book.pending.values():
        wake = min(wake, -inf if order.late else order.due_ms)
    for order in desk.book.resting.values():
        wake = min(wake, order.due_ms + desk.config.limit_ttl_ms)
    return wake


def _watch_position(band: Band, desk: Desk, held: Position) -> None:
    worry = _worry_price(desk, held)
    if held.sign > 0:
        band.bid_low = max(held.sl_double, worry)
        band.bid_high = held.tp_double
    else:
        band.ask_high = min(held.sl_double, worry)
        band.ask_low = held.tp_double
    # Equity is looked at on trades, too, and the newest quote may already be there.
    if desk.quote is None or held.sign * exit_price(desk.quote, held.sign) <= held.sign * worry:
        band.wake_ms = -inf


@exactly
def _worry_price(desk: Desk, held: Position) -> float:
    """Return a mark at or before the one where equity meets the breaker's or the liquidation's floor."""
    floors: list[Decimal] = [floor for floor in (desk.breaker.floor, desk.liquidation_floor) if floor is not None]
    mark = held.entry_price + held.sign * (max(floors) - desk.ledger.balance) / held.qty
    return nextafter(float(mark), held.sign * inf)
