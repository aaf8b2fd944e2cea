"""Processes by pid, start and boot: which one is the one that was meant."""

import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from services.session.launcher import Launcher, Process, identify, this_process
from services.waiting import wait_until

GONE = Process(2**22 + 1, 0.0)


def test_this_process_is_alive_and_told_the_same_again() -> None:
    me = this_process()
    assert me.is_alive
    assert me == identify(os.getpid()) == Process(**asdict(me))


@pytest.mark.parametrize("other", [{"created": 3.0}, {"boot": "another"}, {"pid": 2**22 + 1}], ids=str)
def test_a_process_of_another_start_boot_or_pid_is_not_this_one(other: dict[str, float]) -> None:
    assert not replace(this_process(), **other).is_alive  # type: ignore[arg-type]  # one of three kinds


def test_what_is_left_of_a_killed_process_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = identify(child.pid)
        assert process.is_alive
        process.kill()
        assert wait_until(lambda: not process.is_alive, 5_000), "a zombie, until its parent asks for it"
        process.kill()


def test_one_that_is_gone_is_told_without_a_start() -> None:
    assert identify(GONE.pid) == GONE


@pytest.mark.parametrize("kind", ["honcho", "run", "shell"])
def test_a_launcher_is_there_while_all_its_links_are_and_a_shell_may_go(kind: str) -> None:
    me = this_process()
    assert Launcher(kind, me, (me,)).is_alive
    assert Launcher(kind, GONE, (me,)).is_alive is (kind == "shell")
    assert Launcher(kind, me, (me, GONE)).is_alive is (kind == "shell")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the time of a start is psutil's")
def test_a_process_is_told_by_its_boot_which_no_wall_clock_moves() -> None:
    me = this_process()
    assert me.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert 0 < me.created < time.clock_gettime(time.CLOCK_BOOTTIME)


WATCHING = """
import sys
from services.session.launcher import Launcher, OutputWatch, this_process
from services.waiting import wait_until
watch = OutputWatch(Launcher(sys.argv[1], this_process()))
print(watch.reader_is_gone, flush=True)
input()
sys.exit(0 if wait_until(lambda: watch.reader_is_gone, int(sys.argv[2])) else 5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can tell")
@pytest.mark.parametrize(("kind", "patience_ms", "code"), [("honcho", 20_000, 0), ("run", 20_000, 0), ("shell", 0, 5)])
def test_that_nobody_reads_any_more_is_told_of_honcho_and_lap_run_alone(kind: str, patience_ms: int, code: int) -> None:
    """A shell may go: what it started by hand stays."""
    words = [sys.executable, "-c", WATCHING, kind, str(patience_ms)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"False\n"
        child.stdout.close()
        child.stdin.write(b"\n")
        child.stdin.close()
        assert child.wait(30) == code


ASKING = "from services.session.launcher import find_launcher as found; print(found().kind, found().head.pid)"
PARENT = f"""
import os, subprocess, sys
print(os.getpid(), flush=True)
sys.exit(subprocess.call([{sys.executable!r}, "-c", {ASKING!r}], timeout=30))
"""


@pytest.mark.parametrize(
    "words",
    [
        "honcho start",
        "-X dev -u honcho start",
        "-Xdev honcho",
        "-m honcho start",
        "-um honcho",
        "-mhoncho",
        "-umhoncho",
    ],
)
def test_honcho_holds_together_what_it_started(tmp_path: Path, words: str) -> None:
    head, kind, pid = launcher_told_under(tmp_path, words)
    assert (kind, pid) == ("honcho", head)


@pytest.mark.parametrize(
    "words",
    [
        "editor.py honcho",
        "editor.py /home/me/honcho",
        "-m editor honcho",
        "-meditor honcho",
        "-W error editor.py -m honcho",
    ],
)
def test_what_is_only_about_honcho_is_not_taken_for_it(tmp_path: Path, words: str) -> None:
    head, kind, pid = launcher_told_under(tmp_path, words)
    assert (kind, pid) == ("shell", head)


def test_an_editor_whose_name_begins_like_an_interpreters_is_not_one(tmp_path: Path) -> None:
    _, kind, _ = launcher_told_under(tmp_path, "honcho", called="pycharm")
    assert kind == "shell"


def launcher_told_under(place: Path, words: str, called: str = sys.executable) -> list[str]:
    """Run a Python program that has a child; return its pid, and the kind and pid of the launcher that the child finds."""
    for name in ("honcho", "honcho.py", "editor.py"):
        (place / name).write_text(PARENT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), *sys.path])}
    done = subprocess.run(
        [called, *words.split()],
        executable=sys.executable,
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
