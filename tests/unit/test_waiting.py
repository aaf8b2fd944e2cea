"""Atomic files, first-wins files and locks, also with many at once."""

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest

from services.session.locks import FileLock
from services.waiting import read_json, wait_until, write_atomic, write_first


def test_a_replaced_file_is_never_half_there(tmp_path: Path) -> None:
    path = tmp_path / "view.json"
    sizes = set()
    write_atomic(path, b"1" * 100_000)

    def write_often() -> None:
        for number in range(200):
            write_atomic(path, str(number % 10).encode() * 100_000)

    writer = threading.Thread(target=write_often)
    writer.start()
    while writer.is_alive():
        sizes.add(len(path.read_bytes()))
    writer.join()
    assert sizes == {100_000}
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_file_that_can_not_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom services.waiting import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try:\n    write_atomic(Path(sys.argv[1]), b'1' * 11)\nexcept OSError as error:\n    print(error.filename)"
    )
    path = tmp_path / "view.json"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}\n"
    assert list(tmp_path.iterdir()) == []


def test_of_many_first_writers_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "stop.json"
    won: list[int] = []
    gate = threading.Barrier(8)

    def write(number: int) -> None:
        gate.wait()
        if write_first(path, str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert path.read_text() == str(won[0])


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"a": '])
def test_a_broken_json_file_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert read_json(path) is None
    assert read_json(tmp_path / "absent.json") is None


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "feed.lock"
    code = (
        "import sys; from pathlib import Path; from services.session.locks import FileLock\n"
        "assert FileLock(Path(sys.argv[1])).try_acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        lock = FileLock(path)
        assert lock.is_taken
        assert not lock.try_acquire()
        holder.kill()
        assert wait_until(lock.try_acquire, 5_000)
    assert lock.is_taken
    lock.release()
    assert not lock.is_taken


@pytest.mark.parametrize("write", [write_first, write_atomic])
def test_a_file_that_a_virus_scanner_holds_for_a_moment_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], object]
) -> None:
    """As Windows has it: what somebody has open can not be moved."""
    names = {"rename": Path.rename, "replace": Path.replace}
    held = iter([True, True])

    def scanned(path: Path, to: Path, move: str) -> Path:
        if next(held, False):
            raise PermissionError
        return names[move](path, to)

    monkeypatch.setattr("services.waiting.os.name", "nt")
    for name in names:
        monkeypatch.setattr(Path, name, partialmethod(scanned, move=name))
    write(tmp_path / "key", b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"content")]


def test_a_lock_that_stays_taken_is_waited_for_no_longer_than_told(tmp_path: Path) -> None:
    held, asked = FileLock(tmp_path / "feed.lock"), FileLock(tmp_path / "feed.lock")
    assert held.acquire(0)
    assert not asked.acquire(1)
    held.release()
    assert asked.acquire(0)
    asked.release()
