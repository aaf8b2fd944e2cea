"""The broker's randomness: functions of the seed and an order's id, of nothing else.

Restarts, history and other orders can not change a draw.
"""

from decimal import Decimal

from services.broker.decimals import exactly
from services.draws import number

_HALF = Decimal("0.5")
_TWO_64 = Decimal(2**64)


def latency_ms(seed: int, client_order_id: str, least: int, most: int) -> int:
    """Return how long the order travels, `least` to `most` ms, both included."""
    return least + number(seed, client_order_id, 0) * (most - least + 1) // 2**64


def entry_factor(seed: int, client_order_id: str) -> Decimal:
    """Return the entry's share of `slip_bps`, 0.5 to 1.5."""
    return _factor(seed, client_order_id, 1)


def exit_factor(seed: int, client_order_id: str) -> Decimal:
    """Return the exit's share of `slip_bps`, 0.5 to 1.5, by the entry's id whatever closes the position."""
    return _factor(seed, client_order_id, 2)


@exactly
def _factor(seed: int, client_order_id: str, k: int) -> Decimal:
    return _HALF + Decimal(number(seed, client_order_id, k)) / _TWO_64
