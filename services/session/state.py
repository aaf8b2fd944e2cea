"""The running session as its processes know it: `session.json` in the state directory, and what lies around it.

Written once, by whoever comes first (`opening`); everybody else reads. The stop file and the done file are here too:
one stop, the first wins; done, when the report stands.
"""

import codecs
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bus.ports import EXCHANGE, SERVICES
from bus.words import StopReason
from services.clock import iso, wall_ms
from services.waiting import read_json, write_atomic, write_first

CLOSING_LOCK = "closing.lock"
"""Held by the process that closes the session."""
CARRY_FILE = "carry.json"
"""What a session with `on_stop = keep` leaves to the next one."""
KILL_FILE_PATIENCE_MS = 1_000
"""How long the kill file may lie there before others act in the monitor's stead."""
_RESERVE = "reserve"
_RESERVE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Session:
    """What was fixed at the session's start.

    Attributes:
        run_id: the name of the run's directory.
        seed: every draw is a function of it.
        started_ms: wall clock at the start, ms since the epoch.
        started_boot_ms: `clock.boot_ms` at the start; the countdown runs on it.
        ports: TCP ports on loopback by name (`bus.ports.PORTS`).
        settings: the settings as resolved; unset ones are None, and so is an endless `duration`.
        launcher: who started the session (`launcher.Launcher` as a dict).
        fingerprint: of the settings' sources, so that joining processes can tell that they mean the same session.
        root: the working directory.
        on_ticks: the strategy decides on ticks, too.
        alerts_from: bytes of `alert.txt` that were there before the session, and before the one it found crashed was closed.
    """

    run_id: str
    seed: int
    started_ms: int
    started_boot_ms: int
    ports: Mapping[str, int]
    settings: Mapping[str, Any]
    launcher: Mapping[str, Any]
    fingerprint: str
    root: str
    on_ticks: bool = False
    alerts_from: int = 0

    def path(self, setting: str) -> Path:
        """Return the path that a setting names, relative to the working directory."""
        return Path(self.root) / str(self.settings[setting])

    @property
    def state_dir(self) -> Path:
        """Where `session.json`, locks and keys are."""
        return self.path("state_dir")

    @property
    def log_dir(self) -> Path:
        """Where logs, alerts and the heartbeat are."""
        return self.path("log_dir")

    @property
    def run_dir(self) -> Path:
        """Where the run's recording, journal and report are."""
        return self.path("runs_dir") / self.run_id

    @property
    def kill_file(self) -> Path:
        """The file whose appearance stops the session."""
        return self.path("kill_file")

    @property
    def services(self) -> tuple[str, ...]:
        """The services of this session, in the order in which they are started."""
        return (EXCHANGE, *SERVICES) if self.settings["source"] == "demo" else SERVICES

    def to_json(self) -> bytes:
        """Return the content of `session.json`."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Stop:
    """The one stop of a session: why, said by whom, when (wall ms)."""

    run_id: str
    reason: StopReason
    by: str
    detail: str
    at_ms: int

    @property
    def code(self) -> int:
        """The exit code of everybody who lives to exit."""
        return self.reason.exit_code

    def to_json(self) -> str:
        """Return it as a text, for a process that can not read it from the stop file."""
        return json.dumps(asdict(self))


def stop_of_json(text: str) -> Stop:
    """Return what `Stop.to_json` was made of."""
    data = json.loads(text)
    return Stop(**{**data, "reason": StopReason(data["reason"])})


def session_file(state_dir: Path) -> Path:
    """Where a state directory says which session runs."""
    return state_dir / "session.json"


def read_session(state_dir: Path) -> Session | None:
    """Return the session that a state directory speaks of, running or not; None when there is none to read."""
    data = read_json(session_file(state_dir))
    try:
        return Session(**data)
    except TypeError:
        return None


def stop_session(session: Session, reason: StopReason, by: str, detail: str = "") -> Stop:
    """Say that the session stops; the first to say it is right. Return the stop that holds."""
    content = {
        "run_id": session.run_id,
        "reason": reason.value,
        "code": reason.exit_code,
        "by": by,
        "detail": detail,
        "at_ms": wall_ms(),
        "ts": iso(wall_ms()),
    }
    data = json.dumps(content).encode()
    try:
        write_first(session.state_dir / "stop.json", data)
    except OSError:
        _write_all_the_same(session, data)
    return read_stop(session) or Stop(session.run_id, reason, by, detail, wall_ms())


def ask_to_stop(session: Session, words: str) -> None:
    """Make the kill file, its directory too; its first line is `words`. One that is there already stays as it is.

    Raises:
        OSError: it can not be made.
    """
    line = f"{' '.join(words.split())}\n".encode(errors="replace")
    try:
        session.kill_file.parent.mkdir(parents=True, exist_ok=True)
        write_first(session.kill_file, line)
    except OSError:
        session.kill_file.touch()  # a full disk still takes a name, and a name is enough


def remove_kill_file(session: Session) -> None:
    """Remove what stopped the session, be it an empty directory.

    Raises:
        OSError: it can not be removed.
    """
    path = session.kill_file
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def kill_words(session: Session) -> str | None:
    """Return the reason that the kill file gives, its first line; None when there is no kill file.

    It is shown in terminals, so what is not printable, such as the escape of a colour, is left out.
    """
    # Asked first, which takes no handle: without one left even a file that is not there "can not be opened".
    if not session.kill_file.exists():
        return None
    try:
        with session.kill_file.open("rb") as file:
            line = _text_of(file.read(1000)).partition("\n")[0]
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"kill file ({error.strerror})"
    return "".join(character for character in line if character.isprintable()).strip() or "kill file"


def _text_of(data: bytes) -> str:
    """Return a text as editors and shells write it: PowerShell's `>` makes UTF-16."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_wide else "utf-8-sig", "replace")


class KillFile:
    """Watches for a session's kill file in the stead of a monitor that does not, or is not there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._since_ms: int | None = None

    def words(self, now_ms: int) -> str | None:
        """Return the reason it gives when it has been seen for so long that a monitor would have obeyed, else None."""
        if not self._session.kill_file.exists():
            self._since_ms = None
            return None
        self._since_ms = self._since_ms or now_ms
        return kill_words(self._session) if now_ms - self._since_ms >= KILL_FILE_PATIENCE_MS else None

    def forget(self) -> None:
        """Begin anew: the watcher itself has not run for a while."""
        self._since_ms = None


def keep_reserve(state_dir: Path) -> None:
    """Set aside what a session needs to stop on a disk that takes nothing more.

    Raises:
        OSError: there is none even now.
    """
    (state_dir / _RESERVE).write_bytes(b"\0" * _RESERVE_BYTES)
    (state_dir / CLOSING_LOCK).touch(mode=0o600)


def _write_all_the_same(session: Session, data: bytes) -> None:
    """Write the stop on a full disk, or into a state directory that was deleted meanwhile."""
    state_dir = session.state_dir
    try:
        (state_dir / _RESERVE).unlink(missing_ok=True)
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not session_file(state_dir).exists():
            write_atomic(session_file(state_dir), session.to_json(), private=True)
        write_first(state_dir / "stop.json", data)
    except OSError as error:
        sys.stderr.write(f"the stop file can not be written: {error}\n")


def read_stop(session: Session) -> Stop | None:
    """Return the session's stop, if it has one."""
    data = read_json(session.state_dir / "stop.json")
    if not isinstance(data, dict) or data.get("run_id") != session.run_id:
        return None
    return Stop(session.run_id, StopReason(data["reason"]), data["by"], data["detail"], data["at_ms"])


def mark_done(session: Session) -> None:
    """Say that everything of the session is on disk, the report too."""
    write_first(session.state_dir / "done.json", json.dumps({"run_id": session.run_id, "ts": iso(wall_ms())}).encode())


def is_done(session: Session) -> bool:
    """Whether the session has ended and its report stands."""
    data = read_json(session.state_dir / "done.json")
    return isinstance(data, dict) and data.get("run_id") == session.run_id


def write_view(session: Session, service: str, view: Mapping[str, Any]) -> None:
    """Show who keeps a service and how it stands: `state`, `pid`, `service`, `supervisor`, `restarts`, `failures`.

    Raises:
        OSError: the disk is full, or the state directory gone.
    """
    content = {"run_id": session.run_id, "service_name": service, **view, "ts": iso(wall_ms())}
    write_atomic(session.state_dir / f"{service}.json", json.dumps(content).encode())


def read_views(session: Session) -> dict[str, dict[str, Any]]:
    """Return each supervisor's view of its service, by service."""
    views = {}
    for service in session.services:
        data = read_json(session.state_dir / f"{service}.json")
        if isinstance(data, dict) and data.get("run_id") == session.run_id:
            views[service] = data
    return views
