"""What trading cost, and what the broker drew: fees, slippage, funding against gross; latencies. Pure.

Slippage of an execution is the distance of its price from the price before slippage, rounding to the tick included;
positive is adverse, as it always is. It is inside the prices, and so inside `pnl`; fees and funding come on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from bus.messages import Fill, TradeClosed
from services.report.run import AcceptedOrder

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class FiveNumbers:
    """A list of numbers in five: how many, least, median, 95th percentile (nearest rank), greatest."""

    count: int
    least: float
    median: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Of the closed trades, in quote currency: `gross - slippage - fees - funding` is their net profit."""

    gross: Decimal
    slippage: Decimal
    fees: Decimal
    funding: Decimal


def costs_of(trades: Sequence[TradeClosed], fills: Sequence[Fill]) -> Costs:
    """Take the costs of closed trades apart. An entry of an earlier session is not among `fills` and counts as 0."""
    closed = {trade.trade_id for trade in trades}
    slippage = sum((slippage_of(fill) for fill in fills if fill.trade_id in closed), _ZERO)
    fees = sum((trade.fees for trade in trades), _ZERO)
    funding = sum((trade.funding for trade in trades), _ZERO)
    net = sum((trade.pnl for trade in trades), _ZERO)
    return Costs(net + fees + funding + slippage, slippage, fees, funding)


def slippage_of(fill: Fill) -> Decimal:
    """Quote currency that an execution's slippage cost."""
    return abs(fill.price - fill.base_price) * fill.qty


def slippages_bps(fills: Sequence[Fill]) -> list[float]:
    """Slippage of each execution in 1/10,000 of the price before it; of one whose bid was no price there is none."""
    return [
        float(abs(fill.price - fill.base_price) / fill.base_price * 10_000) for fill in fills if fill.base_price > 0
    ]


def fee_share_pct(trades: Sequence[TradeClosed]) -> float | str:
    """Fees in percent of what the winning trades made before fees and funding; or why there is no such figure."""
    grosses = [trade.pnl + trade.fees + trade.funding for trade in trades]
    won = sum((gross for gross in grosses if gross > 0), _ZERO)
    if not won:
        return "no trade made anything before fees"
    return float(100 * sum((trade.fees for trade in trades), _ZERO) / won)


def latencies(orders: Sequence[AcceptedOrder]) -> list[float]:
    """Latencies that the broker drew, one for each order it took, in ms."""
    return [float(order.latency_ms) for order in orders]


def five_numbers(values: Sequence[float]) -> FiveNumbers | None:
    """Five numbers of a list; None of an empty one."""
    if not values:
        return None
    ordered = sorted(values)
    count = len(ordered)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    return FiveNumbers(count, ordered[0], middle, ordered[ceil(0.95 * count) - 1], ordered[-1])
