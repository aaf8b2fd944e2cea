"""The files that logs are: bounded, new with each session, and no disk ends whoever writes them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.messages import Level
from services import log
from services.log import LinesFile


@pytest.fixture
def _closed_log() -> Iterator[None]:
    yield
    log.close_log()


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_it_never_grows_without_bound(tmp_path: Path) -> None:
    file = LinesFile(tmp_path / "logs" / "a.jsonl", 100, 2, fresh=False)
    for number in range(100):
        file.write_line(f"line {number:03}")
    file.close()
    found = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert found == ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]
    assert all(path.stat().st_size <= 100 for path in (tmp_path / "logs").iterdir())
    assert read(tmp_path / "logs" / "a.jsonl")[-1] == "line 099"


def test_while_its_file_can_not_be_moved_no_line_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a reader keeps it from being moved. What earlier sessions left stays, too."""
    move = Path.replace

    def is_read(path: Path, to: Path) -> Path:
        if path.name == "a.jsonl":
            raise PermissionError
        return move(path, to)

    for number in (1, 2):
        (tmp_path / f"a.jsonl.{number}").write_text(f"{number} before\n")
    file = LinesFile(tmp_path / "a.jsonl", 100, 2, fresh=False)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", is_read)
        for number in range(20):
            file.write_line(f"line {number:03}")
    assert read(tmp_path / "a.jsonl") == [f"line {number:03}" for number in range(20)]
    assert [read(tmp_path / f"a.jsonl.{number}") for number in (1, 2)] == [["1 before"], ["2 before"]]
    for number in range(20, 40):
        file.write_line(f"line {number:03}")
    file.close()
    assert (tmp_path / "a.jsonl").stat().st_size <= 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_new_session_begins_a_new_file_and_a_restart_goes_on(tmp_path: Path, fresh: bool) -> None:
    for text in ("before", "now"):
        file = LinesFile(tmp_path / "a.jsonl", 1_000, 2, fresh=fresh)
        file.write_line(text)
        file.close()
    assert read(tmp_path / "a.jsonl") == (["now"] if fresh else ["before", "now"])
    assert (tmp_path / "a.jsonl.1").exists() is fresh


@pytest.mark.usefixtures("_closed_log")
def test_an_event_is_a_line_of_json_whatever_its_text(tmp_path: Path) -> None:
    text = 'two\nlines, 100 %s of "quotes" and ünïcödé ✓'
    log.open_log(tmp_path, "feed", fresh=True, to_terminal=False)
    log.write(Level.WARNING, "data_gap", text)
    log.write(Level.INFO, "", "only words")
    (first, second) = map(json.loads, read(tmp_path / "feed.jsonl"))
    assert (first["level"], first["event"], first["message"]) == ("WARNING", "data_gap", text)
    assert (first["service"], first["pid"]) == ("feed", os.getpid())
    assert first["ts"].endswith("Z")
    assert "event" not in second


@pytest.mark.usefixtures("_closed_log")
def test_a_bare_service_shows_its_log_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.open_log(tmp_path, "feed", fresh=True, to_terminal=True)
    log.write(Level.ERROR, "feed_lost", "the exchange is gone")
    assert capsys.readouterr().err.endswith(" ERROR    the exchange is gone\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full: Linux")
@pytest.mark.usefixtures("_closed_log")
def test_a_full_disk_is_told_of_once_and_ends_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "feed.jsonl").symlink_to("/dev/full")
    log.open_log(tmp_path, "feed", fresh=True, to_terminal=False)
    for _ in range(3):
        log.write(Level.INFO, "tick", "hello")
    log.close_log()
    (told,) = capsys.readouterr().err.splitlines()
    assert told == f"{tmp_path / 'feed.jsonl'} can not be written: No space left on device"
