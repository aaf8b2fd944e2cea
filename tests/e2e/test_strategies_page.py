"""The page on strategies is run as printed: its files are written, its commands typed, its output compared."""

import re
import subprocess
from pathlib import Path

import pytest
from processes import FACTOR, Desk, environment

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("many sessions")]

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands_of(block: str) -> list[tuple[str, str]]:
    """Each command of a block, and what is printed under it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def pattern_of(printed: str) -> str:
    """Output as printed; `...` stands for anything within a line and, alone on one, for any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in printed.splitlines()
    ]
    return "".join(lines)


def typed(desk: Desk, command: str) -> str:
    """What a command prints, on both streams."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=desk.directory,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90 * FACTOR,
        check=False,
    )
    return done.stdout


def test_what_stands_on_the_page_happens(desk: Desk) -> None:
    done = 0
    for kind, name, text in BLOCK.findall(PAGE):
        if name:
            (desk.directory / name).write_text(text, encoding="utf-8")
        if kind == "console":
            for command, printed in commands_of(text):
                output = typed(desk, command)
                assert re.fullmatch(pattern_of(printed), output), f"$ {command}\n{output}\n--- on the page:\n{printed}"
                done += 1
    assert done >= 12


def test_the_code_that_is_shown_is_the_code_that_is_written(desk: Desk) -> None:
    """The excerpts of what `lap new` writes stand there line by line, but for comments and docstrings."""
    assert desk.lap("new", "strategy", "my_idea").returncode == 0
    written = [path.read_text(encoding="utf-8") for path in desk.directory.glob("*my_idea.py")]
    lines = {line.strip() for text in written for line in text.splitlines()}
    shown = [text for kind, name, text in BLOCK.findall(PAGE) if kind == "python" and not name]
    assert shown
    for text in shown:
        assert {line.strip() for line in text.splitlines() if line.strip()} <= lines
