"""`alert.txt`: one line a message, no floods, and no harm from a place that can not be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.alerts_file import alert


def lines(tmp_path: Path) -> list[str]:
    return (tmp_path / "alert.txt").read_text().splitlines()


def test_a_message_is_one_line_with_time_and_level(tmp_path: Path) -> None:
    alert(tmp_path, "CRITICAL", "feed crashed:\nexit code 1")
    (line,) = lines(tmp_path)
    assert line.startswith("[2")
    assert line.endswith("Z] CRITICAL feed crashed: exit code 1")


def test_the_same_again_and_again_is_told_once(tmp_path: Path) -> None:
    for _ in range(100):
        alert(tmp_path, "ERROR", "the heartbeat can not be written")
    alert(tmp_path, "ERROR", "something else")
    assert [line.split("Z] ")[1] for line in lines(tmp_path)] == [
        "ERROR the heartbeat can not be written",
        "ERROR something else",
    ]


def test_a_directory_that_is_gone_is_made(tmp_path: Path) -> None:
    alert(tmp_path / "gone" / "logs", "ERROR", "a directory was deleted")
    assert len(lines(tmp_path / "gone" / "logs")) == 1


def test_a_place_that_can_not_be_written_is_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file\n")
    alert(tmp_path / "logs", "ERROR", "nobody will read this file")
    assert "nobody will read this file" in capsys.readouterr().err


@pytest.mark.parametrize(("statement", "code"), [("fail()", 1), ("t = Thread(target=fail); t.start(); t.join()", 0)])
def test_an_exception_that_nobody_handles_is_told(tmp_path: Path, statement: str, code: int) -> None:
    program = f"""
import sys
from pathlib import Path
from threading import Thread
from services.alerts_file import alert_of_crashes
def fail(): raise ValueError("no way on")
alert_of_crashes(Path(sys.argv[1]), "lap feed")
{statement}
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, "ValueError: no way on")
    assert [line.split("Z] ")[1] for line in lines(tmp_path)] == ["CRITICAL lap feed failed: ValueError: no way on"]
