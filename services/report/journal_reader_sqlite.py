"""Reads a run's journal for its report, read-only, whatever state it is in.

The broker writes it (`services/broker/schema_sqlite.py` describes the tables); it may be missing, empty, cut off in
the middle, or still written. What can be read is taken, and what can not becomes a sentence in `problems`.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import DecimalException
from pathlib import Path
from typing import Any, TypeVar

from bus.messages import StopReason
from services.report import journal_rows_sqlite as rows
from services.report.money import Money
from services.report.run import JournalFacts
from services.report.summary import iso
from services.sqlite_link import sqlite_link

BUSY_TIMEOUT_SEC = 5.0

_T = TypeVar("_T")
# What a row that is not as it was written makes of itself
_GARBLED = (ValueError, TypeError, KeyError, AttributeError, DecimalException)


def read_journal(path: Path) -> JournalFacts:
    """All that a report needs of a journal; never raises for what is wrong with the file."""
    if not path.is_file():
        return JournalFacts(problems=[f"There is no {path.name}: nothing is known of trades."])
    if not path.stat().st_size:
        return JournalFacts(problems=[f"{path.name} is empty: nothing is known of trades."])
    try:
        with closing(sqlite3.connect(sqlite_link(path, "ro"), uri=True, timeout=BUSY_TIMEOUT_SEC)) as connection:
            connection.row_factory = sqlite3.Row
            return _Reader(connection, path.name).facts()
    except sqlite3.Error as error:
        return JournalFacts(problems=[f"{path.name} can not be opened ({error}): nothing is known of trades."])


class _Reader:
    """One reading of one journal; it remembers which tables could not be read, by reason."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._broken: dict[str, list[str]] = {}
        self._is_locked = False

    def facts(self) -> JournalFacts:
        trades = list(self._rows("trades", rows.TRADES, rows.trade_of))
        state = next(self._rows("state", "SELECT snapshot FROM state", _snapshot), {})
        money = Money.of(state) if state else Money(ending=trades[-1].equity if trades else None)
        rejections = "SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY count(*) DESC, reason"
        cancelled = "SELECT count(*) FROM orders WHERE status = 'cancelled'"
        failed = "SELECT count(*) FROM facts WHERE kind = 'strategy_failed'"
        return JournalFacts(
            starting_balance=money.starting,
            ending_balance=money.ending,
            trades=trades,
            equity=list(self._rows("equity", rows.EQUITY, rows.point_of)),
            bars=[bar for bars in self._rows("decisions", rows.BARS, rows.bars_of) for bar in bars],
            fills=list(self._rows("fills", rows.FILLS, rows.fill_of)),
            orders=list(self._rows("orders", rows.ORDERS, rows.order_of)),
            refusals=list(self._rows("rejections", rows.REFUSALS, rows.refusal_of)),
            unanswered=list(self._rows("decisions", rows.UNANSWERED, lambda row: int(row[0]))),
            failed=next(self._rows("facts", failed, lambda row: int(row[0])), 0),
            entry_fees_open=money.entry_fees_open,
            open_costs=money.open_costs,
            rejections=dict(self._rows("rejections", rejections, _count)),
            cancelled=next(self._rows("orders", cancelled, lambda row: int(row[0])), 0),
            incidents=list(self._rows("incidents", "SELECT * FROM incidents ORDER BY id", _incident)),
            position=money.position,
            first_ts=state.get("first_ts") or 0,
            last_ts=state.get("last_ts") or 0,
            last_close=state.get("last_close"),
            tick_size=money.tick_size,
            ticks=state.get("tick_count") or 0,
            candles=state.get("candle_count") or 0,
            stop_reason=self._stop_reason(),
            problems=[
                f"{self._name}: {', '.join(tables)} can not be read to the end ({reason}); figures may be incomplete."
                for reason, tables in self._broken.items()
            ],
            is_locked=self._is_locked,
        )

    def _stop_reason(self) -> StopReason | None:
        query = "SELECT detail FROM facts WHERE kind = 'session_closed' ORDER BY id"
        return next(self._rows("facts", query, lambda row: StopReason(json.loads(row["detail"])["reason"])), None)

    def _rows(self, table: str, query: str, read: Callable[[sqlite3.Row], _T]) -> Iterator[_T]:
        """Yield what can be read of a table, from its beginning up to where it is broken."""
        try:
            for row in self._connection.execute(query):
                yield read(row)
        except sqlite3.Error as error:
            self._is_locked |= getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            self._note(str(error), table)
        except _GARBLED:
            self._note("a row is garbled", table)

    def _note(self, reason: str, table: str) -> None:
        tables = self._broken.setdefault(reason, [])
        if table not in tables:
            tables.append(table)


def _snapshot(row: sqlite3.Row) -> dict[str, Any]:
    """The broker's state, looked through for what the report takes from it."""
    state: dict[str, Any] = json.loads(row["snapshot"])
    Money.of(state)
    return state


def _count(row: sqlite3.Row) -> tuple[str, int]:
    return str(row[0]), int(row[1])


def _incident(row: sqlite3.Row) -> dict[str, Any]:
    return {"ts": iso(row["ts_ms"]), "service": row["service"], "event": row["event"], "message": row["detail"]}
