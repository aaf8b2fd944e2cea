"""The broker's facts as lines of the system log, pure: level, event name, text."""

from collections.abc import Callable
from typing import Any

from bus import messages as m
from services.numbers import plain

_Line = tuple[str, str, str]


def describe(message: m.Message) -> _Line:
    """Return level, event name (one everywhere) and text of a broker's fact."""
    return _LINES[type(message)](message)


def happened_ms(message: m.Message) -> int | None:
    """Return the event time of a broker's fact, in ms; None of one that bears none."""
    ts_ms: int | None = message.exit_ts if isinstance(message, m.TradeClosed) else getattr(message, "ts_ms", None)
    return ts_ms


def _fill(fill: m.Fill) -> _Line:
    verb = "enters" if fill.is_entry else f"exits ({fill.exit_reason})"
    return "INFO", "fill", f"{fill.side.value} {plain(fill.qty)} {verb} at {plain(fill.price)}"


def _trade_closed(trade: m.TradeClosed) -> _Line:
    return "INFO", "trade_closed", f"trade {trade.trade_id}: {trade.pnl:+,.2f} ({trade.r:+.2f} R)"


def _order_accepted(order: m.OrderAccepted) -> _Line:
    return "INFO", "order_accepted", f"{order.client_order_id}: due after {order.latency_ms} ms"


def _order_rejected(order: m.OrderRejected) -> _Line:
    return "INFO", "order_rejected", f"{order.client_order_id}: {order.reason.value}"


def _order_cancelled(order: m.OrderCancelled) -> _Line:
    return "INFO", "order_cancelled", f"{order.client_order_id}: {order.detail}"


def _funding_paid(funding: m.FundingPaid) -> _Line:
    return "INFO", "funding_paid", f"{plain(funding.amount)} at rate {funding.rate:g}"


def _session_closed(closed: m.SessionClosed) -> _Line:
    return "INFO", "session_closed", f"balance {plain(closed.balance)}"


_LINES: dict[type, Callable[[Any], _Line]] = {
    m.Fill: _fill,
    m.TradeClosed: _trade_closed,
    m.OrderAccepted: _order_accepted,
    m.OrderRejected: _order_rejected,
    m.OrderCancelled: _order_cancelled,
    m.FundingPaid: _funding_paid,
    m.SessionClosed: _session_closed,
}
FACTS = tuple(_LINES)
"""The classes that can be described. What is an incident besides, the broker tells in a notice of its own."""
