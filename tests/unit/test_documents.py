"""The documents tell of everything there is: reasons, faults, tables, settings."""

import re
import sqlite3
from pathlib import Path

import pytest

from bus.messages import ExitReason, RejectReason
from services.broker.schema_sqlite import TABLES
from services.exchange.faults import KINDS, parse_faults
from services.settings.model import Settings
from services.settings.texts import shown

DOCS = Path(__file__).parents[2] / "docs"
EXECUTION = (DOCS / "execution.md").read_text(encoding="utf-8")
JOURNAL = (DOCS / "journal.md").read_text(encoding="utf-8")
REHEARSE = (DOCS / "rehearse.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", [*RejectReason, *ExitReason])
def test_every_reason_is_explained(reason: RejectReason | ExitReason) -> None:
    assert f"`{reason.value}`" in EXECUTION


DEFAULTS = re.findall(r"`(\w+)` \[([^\]:]+)[^\]]*\](?!\()", EXECUTION)


def test_the_document_names_defaults() -> None:
    assert len(DEFAULTS) >= 15


@pytest.mark.parametrize(("name", "default"), DEFAULTS)
def test_a_default_told_is_the_default(name: str, default: str) -> None:
    assert shown(name, Settings.model_fields[name].default) == default


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_is_in_the_tables(name: str) -> None:
    first_cells = [line.split("|")[1] for line in REHEARSE.splitlines() if line.startswith("|")]
    assert any(re.search(rf"`(\S*,)?{name}\b", cell) for cell in first_cells)


def test_every_fault_told_is_understood() -> None:
    first_cells = [line.split("|")[1] for line in REHEARSE.splitlines() if re.match(r"\| `\w+", line)]
    told = [
        spec
        for cell in first_cells
        for spec in re.findall(r"`(\S+)`", cell)
        if re.match(rf"({'|'.join(KINDS)})\b", spec)
    ]
    assert len(parse_faults(told).faults) >= len(KINDS)


def test_every_table_and_column_of_the_journal_is_told() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    rows = {line.split("|")[1].strip(" `"): line for line in JOURNAL.splitlines() if line.startswith("| `")}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
            assert f"`{column[1]}`" in rows[table], f"{table}.{column[1]}"
    connection.close()


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", JOURNAL, re.DOTALL))
def test_every_query_works_on_the_journals_layout(query: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    connection.execute(query)
    connection.close()
