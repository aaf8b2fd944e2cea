"""The position: at most one, LONG or SHORT, with everything it needs to be left again."""

from dataclasses import dataclass, field
from decimal import Decimal

from bus.messages import Side
from services.broker.decimals import ZERO, decimal_of
from services.broker.prices import TwoSided, exit_price


@dataclass(slots=True)
class Position:
    """An open round trip. `bars` are the candles closed since its entry, the entry's own being the first.

    Only `funding` (paid so far, in quote currency) and `bars` change while it is open; `entry_ts` when a later session, whose
    market begins before it, takes the position over. Made of the others: `sign` is
    +1 LONG, -1 SHORT; `sl_double` and `tp_double` are the doubles nearest to stop and target, for comparisons.
    """

    trade_id: int
    client_order_id: str
    side: Side
    qty: Decimal
    entry_price: Decimal
    entry_ts: int
    entry_fee: Decimal
    sl: Decimal
    tp: Decimal
    latency_ms: int
    exit_factor: Decimal
    funding: Decimal = ZERO
    bars: int = 0
    sign: int = field(init=False)
    sl_double: float = field(init=False)
    tp_double: float = field(init=False)

    def __post_init__(self) -> None:
        self.sign = self.side.sign
        self.sl_double, self.tp_double = float(self.sl), float(self.tp)

    @property
    def notional(self) -> Decimal:
        """Size at the entry price, in quote currency."""
        return self.qty * self.entry_price

    @property
    def costs(self) -> Decimal:
        """Entry fee and funding paid so far."""
        return self.entry_fee + self.funding

    def profit(self, price: Decimal) -> Decimal:
        """Return the price profit if left at `price`, before fees and funding."""
        return self.sign * (price - self.entry_price) * self.qty

    def unrealized(self, quote: TwoSided) -> Decimal:
        """Return the price profit at the mark: `bid` for LONG, `ask` for SHORT."""
        return self.profit(decimal_of(exit_price(quote, self.sign)))

    def is_stopped_at(self, price: float) -> bool:
        """Tell whether a quote's exit side at `price` triggers the stop; compared as doubles."""
        return self.sign * price <= self.sign * self.sl_double

    def is_target_at(self, price: float) -> bool:
        """Tell whether a quote's exit side at `price` triggers the target; compared as doubles."""
        return self.sign * price >= self.sign * self.tp_double

    def stop_base(self, price: float) -> Decimal:
        """Return the stop's base price when the exit side stands (candles: opened) at `price`: the worse of the two."""
        is_gap = self.sign * price < self.sign * self.sl_double
        return decimal_of(price) if is_gap else self.sl
