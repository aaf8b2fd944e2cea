"""What the documents tell a person to type is typed, and must answer as printed there.

A block of `console` right below `<!-- runs -->` is run, line by line, those of one page in one new directory. `...` in
its output stands for anything. A block with a title is a file, and is there from then on.
"""

import doctest
import os
import re
import subprocess
import sys

import pytest
from pages import DOCUMENTS, ROOT
from processes import BIN, FACTOR, Desk, environment

if sys.platform == "win32":
    pytest.skip("the documents' shell is a POSIX one", allow_module_level=True)
BLOCK = re.compile(
    r'^(?:<!-- runs -->\n```console|```\w+ title="(?P<file>[\w.]+)")\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
PAGES = {
    document.stem: BLOCK.findall(text)
    for document in DOCUMENTS
    if "<!-- runs -->" in (text := document.read_text("utf-8"))
}


def steps(block: str) -> list[tuple[str, str]]:
    """Each command of a block with the output that is printed below it."""
    found = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in found]


def test_a_first_session_and_the_refusals_are_among_them() -> None:
    assert {"index", "settings", "faults", "strategies"} <= PAGES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_typed_in(page: str, desk: Desk) -> None:
    path = os.pathsep.join((str(BIN), os.environ["PATH"]))
    for file, text in PAGES[page]:
        if file:
            (desk.directory / file).write_text(text, encoding="utf-8")
        for command, printed in () if file else steps(text):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=desk.directory,
                env=environment({"PATH": path}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=40 * FACTOR,
                check=False,
            )
            is_as_printed = doctest.OutputChecker().check_output(printed, done.stdout, doctest.ELLIPSIS)
            assert is_as_printed, f"$ {command}\n{done.stdout}\nbut the page has\n{printed}"


def test_the_code_shown_of_a_new_strategy_is_what_is_written(desk: Desk) -> None:
    """Line by line, but for comments and docstrings."""
    assert desk.lap("new", "strategy", "my_idea").returncode == 0
    written = {line for path in desk.directory.glob("*.py") for line in path.read_text("utf-8").splitlines()}
    shown = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "strategies.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert shown
    assert {line for block in shown for line in block.splitlines()} - written == set()
