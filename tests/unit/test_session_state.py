"""What lies in the state directory is a session's own: files of the one before say nothing about the next."""

from pathlib import Path

from bus.messages import StopReason
from services.session.state import (
    Session,
    is_done,
    mark_done,
    read_stop,
    read_views,
    stop_session,
    write_view,
)


def session(root: Path, run_id: str = "ours") -> Session:
    settings = {"state_dir": "state", "source": "mock"}
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
