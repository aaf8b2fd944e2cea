"""What a service does whose supervisor is gone: it says why the session stops, and sees to it that the report is made."""

import subprocess
import sys

from bus.messages import StopReason
from services import signals
from services.session.state import Session, Stop, stop_session


def stop_orphaned(session: Session, service: str) -> Stop:
    """Stop the session for want of a supervisor; return the stop that holds."""
    from services.session.launcher import launcher_of_dict  # noqa: PLC0415 - psutil weighs, and this comes seldom

    launcher = launcher_of_dict(session.launcher)
    # The one supervisor of 'lap run' is the launcher itself, even while it is still dying.
    is_alone = launcher.kind == "run" or not launcher.is_alive
    reason = StopReason.ORPHANED if is_alone else StopReason.INTERNAL_ERROR
    return stop_session(session, reason, service, f"the supervisor of {service} is gone")


def leave_the_report_to_a_child(session: Session, stop: Stop) -> None:
    """Do what the broker's supervisor would have done, had it lived; doing it twice does nothing twice.

    Every orphan does it: the others may be dead, or hang.
    """
    subprocess.Popen(
        [sys.executable, "-P", "-m", "services.closing", str(session.state_dir), stop.to_json()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        creationflags=signals.OWN_CONSOLE,
    )
