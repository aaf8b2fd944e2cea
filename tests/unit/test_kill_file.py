"""The kill file as a command makes it: wherever it is to be, whatever it is to say, and gone afterwards."""

import os
from pathlib import Path

import pytest

from services.clock import boot_ms
from services.commands.killing import kill_session
from services.session.launcher import this_process
from services.session.state import Session, ask_to_stop, kill_words, mark_done, remove_kill_file


def session_in(directory: Path, kill_file: str = "kill.txt") -> Session:
    (directory / ".lap").mkdir()
    return Session(
        run_id="run",
        seed=7,
        started_ms=0,
        started_boot_ms=boot_ms(),
        ports={},
        settings={"kill_file": kill_file, "state_dir": ".lap", "source": "mock"},
        launcher={"kind": "shell", "head": {"pid": this_process().pid, "created": this_process().created}},
        fingerprint="",
        root=str(directory),
    )


def test_its_directory_is_made_with_it(tmp_path: Path) -> None:
    ask_to_stop(session_in(tmp_path, "control/room/kill.txt"), "enough")
    assert (tmp_path / "control/room/kill.txt").read_text() == "enough\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_its_reason_is_read_as_shells_write_it(tmp_path: Path, encoding: str) -> None:
    """PowerShell's `>` makes UTF-16."""
    (tmp_path / "kill.txt").write_bytes("größer\r\nand more".encode(encoding))
    assert kill_words(session_in(tmp_path)) == "größer"


@pytest.mark.parametrize(
    ("words", "line"),
    [("two\n lines", b"two lines\n"), (os.fsdecode(b"\xff!"), b"?!\n"), ("größer 💥", "größer 💥\n".encode())],
)
def test_any_words_become_its_first_line(tmp_path: Path, words: str, line: bytes) -> None:
    ask_to_stop(session_in(tmp_path), words)
    assert (tmp_path / "kill.txt").read_bytes() == line


def test_one_that_is_there_keeps_its_reason(tmp_path: Path) -> None:
    (tmp_path / "kill.txt").write_text("first\n")
    ask_to_stop(session_in(tmp_path), "second")
    assert (tmp_path / "kill.txt").read_text() == "first\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(("enough\nmore\n", "enough"), ("", "kill file"), ("   \n", "kill file"), ("ünï ✓", "ünï ✓")),
        *(("\x1b[31mred\x07\r\n", "[31mred"), ("\x00\x1b", "kill file")),
    ],
)
def test_its_first_line_is_the_reason_given(tmp_path: Path, text: str, words: str) -> None:
    session = session_in(tmp_path)
    assert kill_words(session) is None
    (tmp_path / "kill.txt").write_text(text, encoding="utf-8")
    assert kill_words(session) == words


def test_one_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "control").touch()
    with pytest.raises(OSError, match="control"):
        ask_to_stop(session_in(tmp_path, "control/kill.txt"), "enough")


def test_an_empty_directory_is_removed_as_a_file_is(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    (tmp_path / "kill.txt").mkdir()
    remove_kill_file(session)
    assert not (tmp_path / "kill.txt").exists()
    remove_kill_file(session)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_session_that_ends_by_itself_meanwhile_leaves_none_behind(tmp_path: Path, is_over: bool) -> None:
    session = session_in(tmp_path)
    if is_over:
        mark_done(session)
    assert kill_session(session, "enough", timeout_s=0, force=False) == []
    assert not (tmp_path / "kill.txt").exists()
