"""The desk's state to JSON types and back: all that a restarted broker needs to be the one it was."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bus.messages import StopReason
from services.broker.desk import Desk
from services.broker.ledger import Ledger
from services.broker.orders import Order
from services.broker.packing import (
    optional_decimal,
    optional_text,
    pack,
    unpack_funding,
    unpack_order,
    unpack_position,
    unpack_stream,
)
from services.broker.prices import BidAsk

_AS_THEY_ARE = (
    "volume",
    "last_entry_ts",
    "halted",
    "first_ts",
    "trade_count",
    "closed_count",
    "rejected_count",
    "exposure_ms",
)


def remember_desk(desk: Desk) -> dict[str, Any]:
    """Return the desk's state. Used ids are in it only when they are a set of the desk's own."""
    ledger, breaker, quote = desk.ledger, desk.breaker, desk.quote
    return {
        "starting_balance": str(ledger.starting_balance),
        "balance": str(ledger.balance),
        "closed_pnl": str(ledger.closed_pnl),
        "open_costs": str(ledger.open_costs),
        "base": optional_text(breaker.base),
        "day": breaker.day,
        "streak": breaker.streak,
        "position": None if desk.position is None else pack(desk.position),
        "pending": [pack(order) for order in desk.book.pending.values()],
        "resting": [pack(order) for order in desk.book.resting.values()],
        "fundings": [pack(funding) for funding in desk.fundings],
        "quote": None if quote is None else [quote.bid, quote.ask],
        "market": pack(desk.market),
        "closed": None if desk.closed is None else desk.closed.value,
        "used_ids": sorted(desk.used_ids) if isinstance(desk.used_ids, set) else None,
        **{name: getattr(desk, name) for name in _AS_THEY_ARE},
    }


def recall_desk(desk: Desk, state: Mapping[str, Any]) -> None:
    """Make a new desk the one that was remembered."""
    money = ("starting_balance", "balance", "closed_pnl", "open_costs")
    desk.ledger = Ledger(*(Decimal(state[name]) for name in money))
    desk.breaker.base = optional_decimal(state["base"])
    desk.breaker.day = state["day"]
    desk.breaker.streak = state["streak"]
    desk.position = None if state["position"] is None else unpack_position(state["position"])
    desk.book.pending = _by_id(state["pending"])
    desk.book.resting = _by_id(state["resting"])
    desk.fundings = [unpack_funding(funding) for funding in state["fundings"]]
    desk.quote = None if state["quote"] is None else BidAsk(*state["quote"])
    desk.market = unpack_stream(state["market"])
    desk.closed = None if state["closed"] is None else StopReason(state["closed"])
    if state["used_ids"] is not None:
        for client_order_id in state["used_ids"]:
            desk.used_ids.add(client_order_id)
    for name in _AS_THEY_ARE:
        setattr(desk, name, state[name])


def _by_id(packed: list[dict[str, Any]]) -> dict[str, Order]:
    orders = [unpack_order(order) for order in packed]
    return {order.client_order_id: order for order in orders}
