"""A sign of life while a person waits: on a terminal alone, and not when it is unwanted."""

import os
import sys

import pytest

from services.commands.progress import busy, counted

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is a POSIX thing", allow_module_level=True)

LAST = "that was all"


def shown(monkeypatch: pytest.MonkeyPatch, *, quiet: bool) -> str:
    """What a person sees on a terminal while something is done."""
    ours, theirs = os.openpty()
    said = b""
    with open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123 - it is a number
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with busy("asking", quiet=quiet):
            pass
        with counted("counting", 40, 5, quiet=quiet) as advance:
            advance(7)
        monkeypatch.undo()
        terminal.write(LAST)
        terminal.flush()
        while not said.endswith(LAST.encode()):
            said += os.read(ours, 10_000)
    os.close(ours)
    return said.decode().removesuffix(LAST)


def test_a_terminal_shows_it_unless_it_is_told_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown(monkeypatch, quiet=False)
    assert "asking" in said
    assert "counting" in said
    assert "12/40" in said
    assert shown(monkeypatch, quiet=True) == ""


def test_nothing_goes_into_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    with busy("asking"), counted("counting", 3) as advance:
        advance(1)
    assert capfd.readouterr() == ("", "")
