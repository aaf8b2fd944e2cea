"""The last act of a session: finish what a dead broker left, write the report, remove the kill file, say done.

A short-lived process of its own (`python -m services.closing STATE_DIR`), run by whoever supervised the broker, or by
whoever finds that nobody does. It works from the disk alone, under a lock, and doing it twice does nothing twice.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bus.messages import StopReason
from services.alerts_file import alert, alert_of_crashes
from services.broker.finishing import finish_journal
from services.clock import wall_ms
from services.feed.packed_file import pack
from services.file_names import HEARTBEAT, PAGE
from services.monitor.system_log_file import KEEP_FILES
from services.replay.seal_file import seal_run
from services.report.build import build_report, last_life_ms
from services.session.launcher import Process
from services.session.locks import FileLock
from services.session.state import (
    CLOSING_LOCK,
    Session,
    Stop,
    is_done,
    mark_done,
    read_session,
    read_stop,
    read_views,
    remove_kill_file,
    stop_of_json,
)
from services.waiting import read_json, wait_until

LOCK_TIMEOUT_MS = 25_000
LEAVE_MS = 10_000
"""Services leave within this: in order, killed by their supervisors, or by themselves when they hang without one."""


def close_session(session: Session, told: Stop | None = None) -> Path:
    """Bring a session whose services are gone to its end; return where the report is.

    Args:
        session: the session.
        told: the stop, by one that saw the session end; it counts where the session could not write it down.
    """
    crash = Stop(session.run_id, StopReason.INTERNAL_ERROR, "closing", "it crashed", last_life_ms(session.run_dir))
    stop = read_stop(session) or told or crash
    if stop.code and not (session.run_dir / PAGE).is_file():  # with a report it was told before
        alert(session.log_dir, "CRITICAL", f"the session ends: {stop.reason.value}: {stop.detail}")
    _see_off(session)
    finish_journal(session.run_dir, session.state_dir, session.settings, stop.reason)
    report = build_report(session.run_dir, _end(session, stop, ended_at_ms=wall_ms() if told else stop.at_ms))
    seal_run(session.run_dir)
    with contextlib.suppress(OSError):  # the plain recording does as well
        pack(session.run_dir)
    try:
        remove_kill_file(session)
    except OSError as error:
        text = (
            f"the kill file {session.kill_file} can not be removed ({error.strerror}): nothing starts before it is gone"
        )
        alert(session.log_dir, "ERROR", text)
    with contextlib.suppress(OSError):  # a state directory that can not be written: the report stands all the same
        mark_done(session)
    return report


def main() -> int:
    """Close the session of the state directory that is named on the command line; behind it may stand the stop."""
    state_dir = Path(sys.argv[1])
    session = read_session(state_dir)
    if session is None:
        sys.stderr.write(f"{state_dir} holds no session\n")
        return 2
    alert_of_crashes(session.log_dir, "closing")
    lock = FileLock(state_dir / CLOSING_LOCK)
    try:
        if not lock.acquire(LOCK_TIMEOUT_MS):
            return 1
        if is_done(session):
            return 0
        close_session(session, stop_of_json(sys.argv[2]) if len(sys.argv) > 2 else None)
    except OSError as error:
        alert(session.log_dir, "CRITICAL", f"the report can not be written: {error}; make it with 'lap report'")
        return 1
    return 0


def _see_off(session: Session) -> None:
    """Wait until nobody writes any more, and end what nobody else can end: a service that is stopped, its supervisor dead."""
    wait_until(lambda: not any(_staying(session)), LEAVE_MS)
    for process, is_orphan in _staying(session):
        if is_orphan:
            process.kill()


def _staying(session: Session) -> Iterator[tuple[Process, bool]]:
    """Yield the services that are there and either write or have no supervisor, and whether that is so."""
    for name, view in read_views(session).items():
        if view.get("service") and (service := Process(**view["service"])).is_alive:
            is_orphan = not Process(**view["supervisor"]).is_alive
            if is_orphan or name in {"feed", "broker"}:
                yield service, is_orphan


def _end(session: Session, stop: Stop, *, ended_at_ms: int) -> Mapping[str, Any]:
    views, logged = read_views(session), _logged(session)
    restarts = {service: view.get("restarts", 0) for service, view in views.items()}
    failures = [
        {
            "ts": failure["ts"],
            "service": service,
            "event": "service_failed",
            "message": f"{service} {failure['because']}",
            "market_ts": _market_ts(logged, failure["ts"]),
        }
        for service, view in views.items()
        for failure in view.get("failures", ())
    ]
    return {
        "reason": stop.reason.value,
        "code": stop.code,
        "by": stop.by,
        "detail": stop.detail,
        "ended_at_ms": ended_at_ms,
        "restarts": restarts,
        "feed": _feed_counts(session),
        "notes": [event["message"] for event in logged if event.get("event") == "warming_up"][:1],
        "incidents": sorted([*failures, *_incidents(logged)], key=lambda incident: str(incident["ts"])),
    }


def _incidents(logged: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the run's incidents out of the system log, oldest first."""
    wanted = ("ts", "service", "event", "message", "level", "market_ts", "seconds")
    return [{key: event[key] for key in wanted if key in event} for event in logged if event.get("incident")]


def _market_ts(logged: Sequence[Mapping[str, Any]], ts: str) -> int | None:
    """Return the market's time at a wall time, as the system log knew it."""
    known = [event["market_ts"] for event in logged if event.get("market_ts") and event["ts"] <= ts]
    return known[-1] if known else None


def _feed_counts(session: Session) -> dict[str, Any]:
    """Return what the monitor counted of the feed, as far as its last heartbeat tells."""
    beat = read_json(session.log_dir / HEARTBEAT)
    if not isinstance(beat, dict) or beat.get("run_id") != session.run_id:
        return {}
    return {name: beat.get("counts", {}).get(name, 0) for name in ("reconnects", "refused", "stale_sec")}


def _logged(session: Session) -> list[dict[str, Any]]:
    """Return the run's events out of the system log, oldest first; a line that is torn is left out."""
    found = []
    names = [*(f"system.jsonl.{number}" for number in range(KEEP_FILES, 0, -1)), "system.jsonl"]
    for path in (session.log_dir / name for name in names):
        with contextlib.suppress(OSError), path.open("rb") as file:
            for line in file:
                with contextlib.suppress(orjson.JSONDecodeError):
                    event = orjson.loads(line)
                    if event.get("run_id") == session.run_id:
                        found.append(event)
    return found


if __name__ == "__main__":
    sys.exit(main())
