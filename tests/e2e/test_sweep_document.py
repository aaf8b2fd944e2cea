"""docs/sweep.md is run as printed there: its file, its commands, in as many processes, and what they print."""

import re
import shlex
from pathlib import Path

import pytest
from processes import BIN, FACTOR, Desk, eventually

pytestmark = pytest.mark.timeout(180)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```python title="(\S+)"\n(.*?)^```$', DOCUMENT, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```console\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """Every command of the document with what it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(BLOCKS).splitlines():
        found.append((line[2:], [])) if line.startswith("$ ") else found[-1][1].append(line)
    return found


def test_every_command_of_the_page_prints_what_the_page_says(desk: Desk) -> None:
    for name, text in FILES.items():
        (desk.directory / name).write_text(text, encoding="utf-8")
    ran = [command.split()[:2] for command, _ in commands()]
    assert [words[0] for words in ran] == ["python", "lap", "lap", "lap", "dask", "dask", "dask", "lap"]
    for command, printed in commands():
        words = shlex.split(command)
        program = desk.start(str(BIN / words[0]), *words[1:], DASK_TEMPORARY_DIRECTORY=str(desk.directory))
        if words[:2] == ["dask", "scheduler"]:
            eventually((desk.directory / "cluster.json").exists, 30, "the scheduler is there")
        if words[0] == "dask":
            continue
        assert program.wait(60 * FACTOR) == 0, program.output()
        said = iter(program.output().splitlines())
        for line in printed:
            if line != "...":
                assert line.rstrip() in (other.rstrip() for other in said), f"{command}\n{line}\n{program.output()}"
