"""The README says what the program does: settings, commands, exit codes, dependencies, and links that lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from bus.messages import StopReason
from services.commands.app import app
from services.settings import markdown_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """First cell to the whole row, of the tables under a heading."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return {line.split("|")[1].strip(): line for line in lines}


def names(requirements: list[str]) -> list[str]:
    return [re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in requirements]


def test_the_table_of_settings_is_the_programs_own() -> None:
    assert markdown_table() in section("Settings"), "replace it by what services.settings.markdown_table() returns"


def test_every_command_is_in_the_table() -> None:
    told = set(re.findall(r"`lap ([a-z]+)", "".join(rows("Commands"))))
    assert {name for name, command in COMMANDS.items() if not command.hidden} <= told


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_stop_reason_is_there_with_its_exit_code(reason: StopReason) -> None:
    assert f"| {reason.exit_code} | `{reason.value}` |" in section("Exit codes")


@pytest.mark.parametrize("name", names(PROJECT["project"]["dependencies"]))
def test_every_dependency_has_a_row(name: str) -> None:
    assert f"`{name}`" in rows("Dependencies")


def test_no_row_tells_of_a_dependency_that_is_none() -> None:
    told = {row.strip("`") for row in rows("Dependencies") if row.startswith("`")}
    assert told == set(names(PROJECT["project"]["dependencies"]))


@pytest.mark.parametrize("name", names(PROJECT["dependency-groups"]["dev"]))
def test_every_tool_of_development_is_told(name: str) -> None:
    assert f"`{name}`" in section("Dependencies")


def anchors(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for path, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", text):
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
