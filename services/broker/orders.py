"""Orders between the signal and their end: pending until due, resting at a limit, then gone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Protocol

from bus.messages import Entry, Side, Signal
from services.broker.decimals import decimal_of
from services.broker.prices import on_grid


class UsedIds(Protocol):
    """The ids of all orders accepted in this run. A plain set will do; the journal offers one that stays small."""

    def __contains__(self, client_order_id: object, /) -> bool:
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


def fault_of(signal: Signal, symbol: str, tick: Decimal) -> str:
    """Return why `signal` is invalid, in words; empty when it is not."""
    for is_wrong, fault in _faults(signal, symbol):
        if is_wrong:
            return fault
    if signal.entry is Entry.LIMIT and not on_grid(decimal_of(signal.limit_price), tick):
        return f"limit_price must be a multiple of {tick}, was {signal.limit_price}"
    return ""


def _faults(signal: Signal, symbol: str) -> Iterable[tuple[bool, str]]:
    numbers = (signal.stop_bps, signal.tp_r, signal.limit_price)
    yield not isinstance(signal.side, Side), f"side must be LONG, SHORT or FLAT, was {signal.side!r}"
    yield not isinstance(signal.entry, Entry), f"entry must be market or limit, was {signal.entry!r}"
    yield signal.symbol != symbol, f"symbol must be {symbol}, was {signal.symbol!r}"
    yield not all(map(isfinite, numbers)), f"numbers must be finite, were {numbers}"
    yield not 0 < signal.stop_bps < 10_000, f"stop_bps must be in (0, 10000), was {signal.stop_bps}"
    yield not signal.tp_r > 0, f"tp_r must be greater than 0, was {signal.tp_r}"
    yield (
        signal.entry is Entry.LIMIT and not signal.limit_price > 0,
        f"limit_price must be greater than 0, was {signal.limit_price}",
    )
