"""Equity over event time: the curve, its falls, its days. Pure; doubles.

A fall (drawdown) is measured from the highest equity before it. It lasts from that peak to the first point that is at
least as high again, or to the curve's end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bus.messages import TradeClosed
from services.report.run import EquityPoint

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Fall:
    """The deepest fall in percent of its peak, the deepest in quote currency (perhaps another one), the longest one's length."""

    pct: float
    amount: float
    longest_ms: int


def equity_curve(
    trades: Sequence[TradeClosed], starting_balance: Decimal, marks: Sequence[EquityPoint], first_ts: int
) -> list[EquityPoint]:
    """All known points of equity in the order of time, the start first."""
    after_trades = [(trade.exit_ts, float(trade.equity)) for trade in trades]
    later = sorted([*marks, *after_trades], key=lambda point: point[0])
    start = min(first_ts, later[0][0]) if later and first_ts else later[0][0] if later else first_ts
    return [(start, float(starting_balance)), *later]


def deepest_fall(curve: Iterable[EquityPoint]) -> Fall:
    """Measure the falls of a curve."""
    peak, peak_ts = 0.0, 0
    pct = amount = 0.0
    longest_ms = 0
    fallen = False
    for ts, value in curve:
        if fallen:
            longest_ms = max(longest_ms, ts - peak_ts)
        if value >= peak:
            peak, peak_ts, fallen = value, ts, False
            continue
        fallen = True
        longest_ms = max(longest_ms, ts - peak_ts)
        amount = max(amount, peak - value)
        if peak > 0:
            pct = max(pct, 100 * (peak - value) / peak)
    return Fall(pct, amount, longest_ms)


def drawdowns(curve: Iterable[EquityPoint]) -> list[float]:
    """How far each point is below the highest before it, in percent, <= 0."""
    peak, falls = 0.0, []
    for _, value in curve:
        peak = max(peak, value)
        falls.append(-100 * (peak - value) / peak if peak > 0 else 0.0)
    return falls


def daily_returns(curve: Sequence[EquityPoint], marks: Iterable[EquityPoint] = ()) -> list[float]:
    """Return of each UTC day the curve touches, as a fraction: its last equity over the last one before it.

    The first day counts from the curve's start. A day without a point has the return 0. Points of `marks` are at a candle's
    close: at midnight they end a day, where a trade at midnight (of another equity) begins one, unless the curve ends with it.
    """
    if len(curve) < 2:
        return []
    last_ts = curve[-1][0]
    midnights = {point for point in marks if point[0] % DAY_MS == 0}
    closes: dict[int, float] = {}
    for ts, value in curve:
        ends_its_day = (ts, value) in midnights or (ts == last_ts and ts % DAY_MS == 0)
        closes[(ts - 1 if ends_its_day else ts) // DAY_MS] = value
    returns, before = [], curve[0][1]
    for day in range(min(closes), max(closes) + 1):
        value = closes.get(day, before)
        returns.append(value / before - 1 if before > 0 else 0.0)
        before = value
    return returns
