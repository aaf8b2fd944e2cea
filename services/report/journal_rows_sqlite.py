"""Rows of the journal as the report takes them: candles, fills, orders, refusals. A row that is garbled raises."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from bus.messages import ExitReason, Fill, Side, TradeClosed
from services.report.run import AcceptedOrder, Bar, EquityPoint, Refusal

TRADES = (
    "SELECT trade_id, seq, symbol, side, qty, entry_ts, entry_price, exit_ts, exit_price, exit_reason, fees, funding, "
    "pnl, r, equity, client_order_id, latency_ms FROM trades ORDER BY trade_id"
)
EQUITY = "SELECT ts_ms, equity FROM equity ORDER BY ts_ms"
FILLS = (
    "SELECT client_order_id, seq, ts_ms, trade_id, side, is_entry, qty, base_price, price, fee, liquidity, sl, tp, "
    "exit_reason FROM fills ORDER BY id"
)
ORDERS = "SELECT client_order_id, ts_ms, latency_ms, late FROM orders ORDER BY ts_ms, client_order_id"
REFUSALS = "SELECT ts_ms, side, reason FROM rejections ORDER BY id"
BARS = "SELECT candles FROM decisions ORDER BY open_ms"
UNANSWERED = "SELECT open_ms FROM decisions WHERE timed_out ORDER BY open_ms"

_TRADE_MONEY = ("qty", "entry_price", "exit_price", "fees", "funding", "pnl", "r", "equity")
_FILL_MONEY = ("qty", "base_price", "price", "fee", "sl", "tp")


def trade_of(row: sqlite3.Row) -> TradeClosed:
    """Return the trade of a row."""
    money = {name: Decimal(row[name]) for name in _TRADE_MONEY}
    words = {"side": Side(row["side"]), "exit_reason": ExitReason(row["exit_reason"])}
    return TradeClosed(**{**dict(row), **money, **words})


def fill_of(row: sqlite3.Row) -> Fill:
    """Return the execution of a row."""
    money = {name: Decimal(row[name]) for name in _FILL_MONEY}
    reason = row["exit_reason"]
    words = {
        "side": Side(row["side"]),
        "is_entry": bool(row["is_entry"]),
        "exit_reason": ExitReason(reason) if reason else None,
    }
    return Fill(**{**dict(row), **money, **words})


def point_of(row: sqlite3.Row) -> EquityPoint:
    """Return the point of equity of a row."""
    return int(row["ts_ms"]), float(row["equity"])


def order_of(row: sqlite3.Row) -> AcceptedOrder:
    """Return the accepted order of a row."""
    return AcceptedOrder(str(row["client_order_id"]), int(row["ts_ms"]), int(row["latency_ms"]), bool(row["late"]))


def refusal_of(row: sqlite3.Row) -> Refusal:
    """Return the refusal of a row."""
    return Refusal(int(row["ts_ms"]), str(row["side"]), str(row["reason"]))


def bars_of(row: sqlite3.Row) -> list[Bar]:
    """Return the candles of a question."""
    return [_bar(candle) for candle in orjson.loads(row["candles"])]


def _bar(candle: Mapping[str, Any]) -> Bar:
    first, high, low, last, volume = (float(candle[name]) for name in ("open", "high", "low", "close", "volume"))
    return int(candle["open_ms"]), first, high, low, last, volume, bool(candle["complete"])
