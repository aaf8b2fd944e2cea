"""The text of `trades.csv`. Pure: the same trades give the same bytes, live and in a replay.

Times are in ms, decimals plain text without exponent or trailing zeros, lines end in a line feed alone.
"""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum

from bus.messages import TradeClosed
from services.numbers import plain

COLUMNS = (
    "trade_id",
    "symbol",
    "side",
    "qty",
    "entry_ts",
    "entry_price",
    "exit_ts",
    "exit_price",
    "exit_reason",
    "fees",
    "funding",
    "pnl",
    "r",
    "equity",
    "client_order_id",
    "latency_ms",
)


def trades_csv(trades: Iterable[TradeClosed]) -> str:
    """The whole file: a head line, and one line for each trade in the order of closing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for trade in trades:
        writer.writerow(_cell(getattr(trade, column)) for column in COLUMNS)
    return out.getvalue()


def _cell(value: object) -> str:
    match value:
        case Decimal():
            return plain(value)
        case Enum():
            return str(value.value)
        case _:
            return str(value)
