"""The journal: the broker's only memory, one SQLite file in the run's directory, readable by people.

Whatever the broker says is in here before it is published, together with the state after it, in one transaction.
WAL with `synchronous = NORMAL`: a killed process loses nothing, a power cut perhaps the last second. The tables are
described in `schema_sqlite`.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bus.messages import Decide, Message, QuestionKey, Signal, TradeClosed
from services.broker.errors import JournalError
from services.broker.orders import decided_at_ms
from services.broker.packing import json_text
from services.broker.rows_sqlite import answer_of, fact_of, question_of, rows_of, trade_of
from services.broker.schema_sqlite import READABLE, TABLES, VERSION
from services.sqlite_link import sqlite_link

BUSY_TIMEOUT_MS = 2_000
CHECKPOINT_COMMITS = 200
"""After so many commits the write-ahead log, some megabytes by then, is worth copying into the file."""
MOST_COMMITS = 10 * CHECKPOINT_COMMITS
"""After so many it is copied whether or not there is a quiet moment."""


class Journal:
    """The open journal. One writer (the broker); others may read the file at any time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the journal, or create it; read only, not a byte of it changes.

        Raises:
            JournalError: The file is locked, of another version, or no journal.
        """
        self._path = path
        self._read_only = read_only
        self._fresh_ids: set[str] = set()
        self._recorded: int | None = None
        self._commits = 0
        with self._clear_errors():
            link = sqlite_link(path, "ro" if read_only else "rwc")
            self._db = sqlite3.connect(link, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, uri=True)
            try:
                self._check_version() if read_only else self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")  # it would come in the middle of a decision; see checkpoint
        self._db.execute("BEGIN IMMEDIATE")
        if self._check_version() == 0:
            for statement in TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("COMMIT")

    def _check_version(self) -> int:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (READABLE if self._read_only else {0, VERSION}):
            raise JournalError(f"journal {self._path} is of version {version}, this program writes {VERSION}")
        return version

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was recorded is in it."""
        self._db.close()

    def seal(self) -> None:
        """Make the journal one file: nothing will be written any more, readers need no companions.

        Raises:
            JournalError: somebody else has it open.
        """
        with self._clear_errors():
            self._db.execute("PRAGMA journal_mode = DELETE")

    def record(self, messages: Iterable[Message], snapshot: Mapping[str, Any]) -> None:
        """Write down what the core said and its state after it, all or nothing.

        Recording the same again changes nothing: the state's count of things said tells.

        Raises:
            JournalError: The disk is full, or the file locked; nothing was written.
        """
        with self._transaction():
            if snapshot["emitted"] > self._emitted():
                for message in messages:
                    for statement, values in rows_of(message):
                        self._db.execute(statement, values)
            state = (snapshot["last_seq"], snapshot["emitted"], json_text(snapshot))
            self._db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?)", state)
        self._recorded = snapshot["emitted"]
        self._fresh_ids.clear()

    def _emitted(self) -> int:
        """Return how many things said are recorded, -1 in a new journal. There is one writer: it has to look once."""
        if self._recorded is None:
            row = self._db.execute("SELECT emitted FROM state").fetchone()
            self._recorded = -1 if row is None else int(row[0])
        return self._recorded

    def checkpoint(self, *, is_quiet: bool) -> None:
        """Copy the write-ahead log into the file when it has become long: milliseconds, for it waits for the disk.

        Nothing depends on it but the log's length, so what goes wrong here (a full disk) is tried again.

        Args:
            is_quiet: nobody waits for the broker; otherwise only a log that is far too long is copied.
        """
        if self._commits >= (CHECKPOINT_COMMITS if is_quiet else MOST_COMMITS):
            self._commits = 0
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                # The log's next write waits for the disk once more: let it be this one, which changes nothing.
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    def load(self) -> dict[str, Any] | None:
        """Return the last recorded state, None from a new journal.

        Raises:
            JournalError: The file can not be read.
        """
        rows = self._read("SELECT snapshot FROM state")
        return json.loads(rows[0][0]) if rows else None

    def used_ids(self) -> "JournalIds":
        """Return the ids of all orders accepted in this run, for the core: looked up, not held in memory."""
        return JournalIds(self, self._fresh_ids)

    def has_order(self, client_order_id: str) -> bool:
        """Tell whether an order of that id was recorded."""
        return bool(self._read("SELECT 1 FROM orders WHERE client_order_id = ?", client_order_id))

    def newest_order_ms(self) -> int:
        """Return the event time of the newest decision of which an order was recorded, -1 without one."""
        return int(self._read("SELECT coalesce(max(ts_ms), -1) FROM orders")[0][0])

    def questions_after(self, seq: int, limit: int) -> list[Decide]:
        """Return at most `limit` earlier questions about events after `seq`, oldest first."""
        rows = self._read(
            "SELECT open_ms, candles, account, NULL, seq FROM decisions WHERE seq > ? UNION ALL "
            "SELECT 0, '[]', account, tick, seq FROM tick_decisions WHERE seq > ? ORDER BY seq LIMIT ?",
            *(seq, seq, limit),
        )
        return [question_of(*row[:-1]) for row in rows]

    def answers(self) -> dict[QuestionKey, tuple[Signal, ...]]:
        """Return the strategy's answers by what names the question; those that never came are left out."""
        rows = self._read("SELECT open_ms, 0, answer FROM decisions WHERE answer IS NOT NULL")
        if self._check_version() > 1:
            rows += self._read("SELECT 0, seq, answer FROM tick_decisions WHERE answer IS NOT NULL")
        return {(open_ms, tick_seq): answer_of(answer) for open_ms, tick_seq, answer in rows}

    def trades(self) -> list[TradeClosed]:
        """Return the closed trades, in the order of closing."""
        return [trade_of(row) for row in self._read("SELECT * FROM trades ORDER BY trade_id")]

    def facts(self) -> list[Message]:
        """Return halts, time-outs, late answers, the breaker and the session's end, in the order of happening."""
        return [fact_of(*row) for row in self._read("SELECT kind, seq, ts_ms, detail FROM facts ORDER BY id")]

    def add_incident(self, ts_ms: int, service: str, event: str, detail: str) -> None:
        """Write down what a person should know; `ts_ms` is wall time.

        Raises:
            JournalError: The disk is full, or the file locked.
        """
        with self._transaction():
            self._db.execute("INSERT INTO incidents VALUES (NULL, ?, ?, ?, ?)", (ts_ms, service, event, detail))

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the run.

        Raises:
            JournalError: The disk is full, or the file locked.
        """
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def meta(self, key: str) -> str | None:
        """Return a fact about the run, None when it was never set."""
        rows = self._read("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else None

    def _read(self, query: str, *values: object) -> list[Any]:
        with self._clear_errors():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._clear_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
                self._commits += 1
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"journal {self._path}: {error}") from error


class JournalIds:
    """The used ids of a run: those not yet recorded in memory, all others in the journal."""

    def __init__(self, journal: Journal, fresh: set[str]) -> None:
        self._journal = journal
        self._fresh = fresh
        self._newest_ms: int | None = None

    def __contains__(self, client_order_id: str, /) -> bool:
        if client_order_id in self._fresh:
            return True
        decided_ms = decided_at_ms(client_order_id)
        if self._newest_ms is None:
            self._newest_ms = self._journal.newest_order_ms()
        # Nearly always a decision is newer than all before, and its id can not be among theirs.
        return (decided_ms is None or decided_ms <= self._newest_ms) and self._journal.has_order(client_order_id)

    def add(self, client_order_id: str, /) -> None:
        """Use the id up; it is in the journal with the next record."""
        self._fresh.add(client_order_id)
        if self._newest_ms is not None:
            self._newest_ms = max(self._newest_ms, decided_at_ms(client_order_id) or 0)
