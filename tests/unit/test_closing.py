"""The last act of a session, made from the disk alone: when it ended, and what it went through."""

import json
import os
from pathlib import Path
from typing import Any

from services.clock import boot_ms, iso
from services.closing import close_session
from services.session.launcher import this_process
from services.session.state import Session
from services.settings import resolve

ENDED_MS = 1_790_000_000_000


def crashed_session(directory: Path) -> Session:
    """Everybody is gone, and nobody has said why; the last that was written was the run's configuration."""
    session = Session(
        run_id="run",
        seed=7,
        started_ms=0,
        started_boot_ms=boot_ms(),
        ports={},
        settings=dict(resolve({"source": "mock"}, directory, {}).values),
        launcher={"kind": "shell", "head": {"pid": this_process().pid, "created": this_process().created}},
        fingerprint="",
        root=str(directory),
    )
    for place in (session.state_dir, session.log_dir, session.run_dir):
        place.mkdir(parents=True)
    (session.run_dir / "config.json").write_text("{}")
    os.utime(session.run_dir / "config.json", (ENDED_MS / 1000, ENDED_MS / 1000))
    return session


def closed(session: Session) -> dict[str, Any]:
    close_session(session)
    found: dict[str, Any] = json.loads((session.run_dir / "summary.json").read_bytes())
    return found


def test_a_crashed_session_ended_when_it_was_last_alive_not_when_it_was_found(tmp_path: Path) -> None:
    summary = closed(crashed_session(tmp_path))
    assert (summary["stop_reason"], summary["ended_at"]) == ("internal_error", iso(ENDED_MS))


def test_incidents_come_from_all_files_of_the_system_log(tmp_path: Path) -> None:
    session = crashed_session(tmp_path)
    for number, name in enumerate(("system.jsonl.5", "system.jsonl.2", "system.jsonl.1", "system.jsonl")):
        event = {"ts": iso(number), "service": "feed", "event": "data_gap", "message": name, "level": "WARNING"}
        (session.log_dir / name).write_text(f"{json.dumps({**event, 'run_id': 'run', 'incident': True})}\n{{torn")
    messages = [incident["message"] for incident in closed(session)["incidents"]]
    assert messages == ["system.jsonl.5", "system.jsonl.2", "system.jsonl.1", "system.jsonl"]
