"""`lap kill`: write the kill file, wait until every process of the session is gone, on demand use force."""

from bus.messages import StopReason
from services.alerts_file import alert
from services.clock import wall_ms
from services.session.launcher import Process, launcher_of_dict
from services.session.opening import close_in_child, living
from services.session.state import Session, Stop, ask_to_stop, is_done, remove_kill_file
from services.waiting import wait_until


def kill_session(session: Session, reason: str, timeout_s: float, *, force: bool) -> list[str]:
    """Stop a session; return the names of processes that are still there.

    Args:
        session: the running session.
        reason: goes into the kill file's first line.
        timeout_s: how long to wait.
        force: kill what is left then, supervisors first, and close the books of the session; at once where the kill file can
            not be made.

    Raises:
        OSError: the kill file can not be made, or not be removed.
    """
    try:
        if not is_done(session):
            ask_to_stop(session, reason or "lap kill")
    except OSError:
        if not force:
            raise
        timeout_s = 0
    wait_until(lambda: not _left(session), int(timeout_s * 1000))
    left = _left(session)
    if left and force:
        for name in sorted(left, key=lambda name: "supervisor" not in name):
            left[name].kill()
        wait_until(lambda: not _left(session), 3_000)
        alert(session.log_dir, "CRITICAL", f"lap kill --force: killed {', '.join(left)}")
        left = _left(session)
        if not left and not is_done(session):
            detail = reason or "lap kill --force"
            close_in_child(session.state_dir, Stop(session.run_id, StopReason.KILL, "lap kill", detail, wall_ms()))
    if not left:
        remove_kill_file(session)  # the session's end may have come just before it was made
    return list(left)


def _left(session: Session) -> dict[str, Process]:
    """Return the session's living processes; honcho, or `lap run`, is one of them."""
    found = living(session)
    launcher = launcher_of_dict(session.launcher)
    if launcher.kind != "shell" and launcher.head.is_alive:
        found[launcher.kind] = launcher.head
    return found
