"""What lies in the state directory is a session's own: files of the one before say nothing about the next."""

import shutil
from pathlib import Path

from bus.messages import StopReason
from services.session.state import (
    KILL_FILE_PATIENCE_MS,
    KillFile,
    Session,
    is_done,
    keep_reserve,
    mark_done,
    read_session,
    read_stop,
    read_views,
    stop_of_json,
    stop_session,
    write_view,
)


def session(root: Path, run_id: str = "ours") -> Session:
    settings = {"state_dir": "state", "kill_file": "kill.txt", "source": "mock"}
    (root / "state").mkdir(exist_ok=True)
    return Session(run_id, 7, 0, 0, {}, settings, {}, "", str(root))


def test_a_session_is_done_when_it_has_said_so(tmp_path: Path) -> None:
    ours = session(tmp_path)
    assert not is_done(ours)
    mark_done(ours)
    assert is_done(ours)


def test_that_another_session_is_done_does_not_say_that_this_one_is(tmp_path: Path) -> None:
    mark_done(session(tmp_path, "theirs"))
    assert not is_done(session(tmp_path))


def test_a_session_is_stopped_once_and_the_first_to_say_it_is_right(tmp_path: Path) -> None:
    ours = session(tmp_path)
    assert read_stop(ours) is None
    first = stop_session(ours, StopReason.KILL, "monitor", "enough")
    assert (first.reason, first.by, first.detail) == (StopReason.KILL, "monitor", "enough")
    assert stop_session(ours, StopReason.SIGNAL, "feed") == first
    assert read_stop(ours) == first


def test_the_stop_of_another_session_does_not_stop_this_one(tmp_path: Path) -> None:
    stop_session(session(tmp_path, "theirs"), StopReason.KILL, "monitor")
    assert read_stop(session(tmp_path)) is None


def test_a_service_is_shown_as_its_own_session_left_it(tmp_path: Path) -> None:
    ours = session(tmp_path)
    write_view(ours, "feed", {"state": "RUNNING", "pid": 42})
    write_view(session(tmp_path, "theirs"), "broker", {"state": "RUNNING", "pid": 43})
    views = read_views(ours)
    assert {name: (view["state"], view["pid"]) for name, view in views.items()} == {"feed": ("RUNNING", 42)}


def test_a_session_whose_state_directory_was_deleted_stops_all_the_same(tmp_path: Path) -> None:
    ours = session(tmp_path)
    shutil.rmtree(ours.state_dir)
    stop = stop_session(ours, StopReason.KILL, "monitor", "enough")
    assert read_stop(ours) == stop == stop_of_json(stop.to_json())
    assert read_session(ours.state_dir) == ours


def test_what_is_set_aside_for_the_stop_takes_its_room_on_the_disk(tmp_path: Path) -> None:
    keep_reserve(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) >= 2**16


def test_a_kill_file_is_obeyed_by_others_once_a_monitor_had_its_time(tmp_path: Path) -> None:
    ours = session(tmp_path)
    watch, late = KillFile(ours), KILL_FILE_PATIENCE_MS
    assert watch.words(0) is None
    ours.kill_file.write_text("enough\n")
    assert [watch.words(now) for now in (10, 10 + late - 1, 10 + late)] == [None, None, "enough"]
    watch.forget()
    assert [watch.words(now) for now in (5 * late, 6 * late)] == [None, "enough"]
    ours.kill_file.unlink()
    assert watch.words(7 * late) is None
    ours.kill_file.write_text("again\n")
    assert [watch.words(now) for now in (8 * late, 9 * late)] == [None, "again"]
