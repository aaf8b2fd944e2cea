"""What the documents tell a person to type is typed, and must answer as printed there.

A block of `console` right below `<!-- runs -->` is run, line by line, those of one page in one new directory. `...` in
its output stands for anything.
"""

import doctest
import os
import re
import subprocess
import sys

import pytest
from pages import DOCUMENTS
from processes import BIN, FACTOR, Desk, environment

if sys.platform == "win32":
    pytest.skip("the documents' shell is a POSIX one", allow_module_level=True)
BLOCK = re.compile(r"^<!-- runs -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = {document.stem: found for document in DOCUMENTS if (found := BLOCK.findall(document.read_text("utf-8")))}


def steps(block: str) -> list[tuple[str, str]]:
    """Each command of a block with the output that is printed below it."""
    found = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in found]


def test_a_first_session_and_the_refusals_are_among_them() -> None:
    assert {"index", "settings", "faults"} <= PAGES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_typed_in(page: str, desk: Desk) -> None:
    path = os.pathsep.join((str(BIN), os.environ["PATH"]))
    for command, printed in (step for block in PAGES[page] for step in steps(block)):
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
