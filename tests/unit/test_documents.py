"""The documents tell of everything there is: reasons, faults, tables, settings."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import DOCUMENTS, ROOT, renewed

from bus.messages import ExitReason, RejectReason, StopReason
from services.broker.schema_sqlite import TABLES
from services.commands.reference import commands, options_of
from services.exchange.faults import KINDS, parse_faults
from services.settings.model import Settings
from services.settings.texts import shown

DOCS = ROOT / "docs"
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_the_program_writes_into_a_document_is_not_old(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert renewed(text) == text, "make pages"


def pages_in(nav: object) -> Iterator[str]:
    """The pages that a navigation leads to."""
    match nav:
        case str():
            yield nav
        case list():
            for part in nav:
                yield from pages_in(part)
        case dict():
            for part in nav.values():
                yield from pages_in(part)


def test_the_navigation_of_the_site_leads_to_every_page_once() -> None:
    site = pytest.importorskip("yaml").safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages_in(site["nav"])) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def blocks(language: str) -> list[str]:
    """All blocks of code in a language."""
    pattern = re.compile(rf"^```{language}\b.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [found for document in DOCUMENTS for found in pattern.findall(document.read_text(encoding="utf-8"))]


def test_examples_in_python_and_toml_can_be_read() -> None:
    for code in blocks("python"):
        compile(code, "example", "exec")
    for text in blocks("toml"):
        assert tomllib.loads(text).keys() - {"project"} <= Settings.model_fields.keys()


TYPED = sorted(
    {
        " ".join(line.split())
        for block in blocks("console")
        for line in re.findall(r"^\$ (?:\w+=\S+ )*(lap [^#;|&\n\\]*(?:\\\n[^#;|&\n\\]*)*)", block, re.MULTILINE)
    }
)


@pytest.mark.parametrize("line", TYPED)
def test_what_is_to_be_typed_is_a_command_with_its_options(line: str) -> None:
    words = line.replace("\\", "").split()
    name = next((known for known in commands() if words[1:][: len(known.split())] == known.split()), None)
    assert name is not None
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options_of(name)


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_stop_is_on_the_page_of_faults_with_its_code(reason: StopReason) -> None:
    faults = (DOCS / "faults.md").read_text(encoding="utf-8")
    assert f"| {reason.exit_code} | `{reason.value}` |" in faults


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_block_begins_so_that_every_reader_shows_it_as_one(document: Path) -> None:
    """A language, and perhaps a title; the site takes anything else for text."""
    fences = re.findall(r"^```(.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert [fence for fence in fences if not re.fullmatch(r'\w+( title="[\w.]+")?', fence)] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_in_deploy_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = (DOCS / "deploy.md").read_text(encoding="utf-8").partition("```ini\n")[2].partition("```")[0]
    command = tmp_path / ".local" / "bin" / "lap"
    command.parent.mkdir(parents=True)
    command.symlink_to(sys.executable)
    (tmp_path / "lap.service").write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(tmp_path / "lap.service")],
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
