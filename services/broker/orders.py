"""Orders between the signal and their end: pending until due, resting at a limit, then gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Protocol

from bus.messages import Entry, Side, Signal
from services.broker.decimals import decimal_of
from services.broker.prices import on_grid


class UsedIds(Protocol):
    """The ids of all orders accepted in this run. A plain set will do; the journal offers one that stays small."""

    def __contains__(self, client_order_id: str, /) -> bool:
        """Tell whether the id is used up."""

    def add(self, client_order_id: str, /) -> None:
        """Use the id up."""


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted signal: due at `due_ms`, or on the very next tick when it is `late`."""

    client_order_id: str
    signal: Signal
    latency_ms: int
    due_ms: int
    late: bool

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands among several at one tick."""
        return self.due_ms, self.client_order_id

    @property
    def is_limit(self) -> bool:
        """An entry at a limit price."""
        return self.signal.entry is Entry.LIMIT

    @property
    def limit(self) -> Decimal:
        """The limit price as a decimal."""
        return decimal_of(self.signal.limit_price)

    def is_reached(self, price: float) -> bool:
        """Tell whether the limit is reached by `price`, the side of the quote an entry pays."""
        sign = self.signal.side.sign
        return sign * price <= sign * self.signal.limit_price

    def is_passed(self, price: float) -> bool:
        """Tell whether `price` is beyond the limit, not only at it (candles)."""
        return self.is_reached(price) and price != self.signal.limit_price


@dataclass(slots=True)
class OrderBook:
    """Our orders, by id: `pending` ones are not judged yet, `resting` ones wait for their limit."""

    pending: dict[str, Order] = field(default_factory=dict)
    resting: dict[str, Order] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pending) + len(self.resting)

    def __iter__(self) -> Iterator[Order]:
        """All orders in the order of (due, id)."""
        return iter(sorted([*self.pending.values(), *self.resting.values()], key=lambda order: order.rank))

    def drop(self, client_order_id: str) -> None:
        """Forget an order that reached its end."""
        self.pending.pop(client_order_id, None)
        self.resting.pop(client_order_id, None)

    def rest(self, order: Order) -> None:
        """Move a pending order to the resting ones."""
        self.drop(order.client_order_id)
        self.resting[order.client_order_id] = order


def order_id(strategy: str, symbol: str, signal: Signal) -> str:
    """Return the `client_order_id`: a function of the decision alone."""
    return f"{strategy}-{symbol}-{signal.ts_ms}-{signal.side}"


def decided_at_ms(client_order_id: str) -> int | None:
    """Return the event time in an id; None for one of a side that is none."""
    time = client_order_id.rpartition("-")[0].rpartition("-")[2]
    return int(time) if time.isdecimal() else None


def fault_of(signal: Signal, symbol: str, tick: Decimal) -> str:
    """Return why `signal` is invalid, in words; empty when it is not."""
    if signal.fault:
        return signal.fault
    numbers = (signal.stop_bps, signal.tp_r, signal.limit_price)
    if not isinstance(signal.side, Side):
        return f"side must be LONG, SHORT or FLAT, was {signal.side!r}"
    if not isinstance(signal.entry, Entry):
        return f"entry must be market or limit, was {signal.entry!r}"
    if signal.symbol != symbol:
        return f"symbol must be {symbol}, was {signal.symbol!r}"
    if not all(map(isfinite, numbers)):
        return f"numbers must be finite, were {numbers}"
    if not 0 < signal.stop_bps < 10_000:
        return f"stop_bps must be in (0, 10000), was {signal.stop_bps}"
    if not signal.tp_r > 0:
        return f"tp_r must be greater than 0, was {signal.tp_r}"
    return _fault_of_limit(signal.limit_price, tick) if signal.entry is Entry.LIMIT else ""


def _fault_of_limit(limit_price: float, tick: Decimal) -> str:
    if not limit_price > 0:
        return f"limit_price must be greater than 0, was {limit_price}"
    return (
        "" if on_grid(decimal_of(limit_price), tick) else f"limit_price must be a multiple of {tick}, was {limit_price}"
    )
