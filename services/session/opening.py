"""How a session begins: whoever comes first makes `session.json`, the others join it, strangers are refused.

All of it happens under one lock, so that four processes started at once, or two sessions started at once, end in one
session or a clear refusal.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bus.ports import ALL_SERVICES
from services import signals
from services.alerts_file import alerts_size
from services.clock import boot_ms, iso, monotonic_ms, wall_ms
from services.file_names import CONFIG, without_secrets
from services.session import locate
from services.session.launcher import Launcher, Process, launcher_of_dict
from services.session.locks import FileLock
from services.session.ports_tcp import PortsTakenError, free_ports
from services.session.state import (
    CARRY_FILE,
    Session,
    Stop,
    is_done,
    keep_reserve,
    read_session,
    read_views,
    session_file,
)
from services.streams import utf8_for_children
from services.waiting import is_there, wait_until, write_atomic

START_TIMEOUT_MS = 60_000
"""How long a process waits for another one that is just opening the session (resolving settings takes a second)."""
CHILD_TIMEOUT_MS = 50_000
"""How long a short-lived child may take; those that wait for us at the lock outlast it."""
_LOOK_MS = 100
"""How often it is looked meanwhile whether a signal came."""
ROLE_TIMEOUT_MS = 3_000
"""How long a role's lock may be held by one that is just leaving."""
_STALE = (
    *("session.json", "stop.json", "done.json", "strategy.attempt"),
    *(f"{service}.json" for service in ALL_SERVICES),
)
_OPENING_MS = 10_000
"""How long a session of services started by hand may be without a living one: they are just being started."""


class RefusedError(Exception):
    """The session is refused; one sentence that says why and what to do."""

    code = 2


class StoppedError(RefusedError):
    """It was told to stop before there was a session."""

    code = 0

    def __init__(self) -> None:
        super().__init__("stopped before the session had begun")


@dataclass(frozen=True)
class Opening:
    """A session that this process may work in, and what was found on the way."""

    session: Session
    found: str = ""


def open_session(launcher: Launcher, options: Mapping[str, str], cwd: Path) -> Opening:
    """Join the launcher's session, or make it.

    Args:
        launcher: who starts the processes that belong together.
        options: settings given on the command line, by name.
        cwd: the working directory.

    Raises:
        RefusedError: bad settings, a kill file, another session, taken ports, a directory that is not writable.
        StoppedError: a signal came meanwhile.
    """
    try:
        str(cwd).encode()
    except UnicodeEncodeError:
        raise RefusedError(f"the name of the working directory {str(cwd)!r} is no UTF-8; use another one") from None
    state_dir = locate.state_dir(cwd, os.environ, options)
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(state_dir / "start.lock")
        locked = wait_until(lambda: bool(signals.received) or lock.try_acquire(), START_TIMEOUT_MS)
    except OSError as error:
        raise RefusedError(f"the state directory {state_dir} is not writable: {error.strerror}") from None
    if not locked:
        raise RefusedError(f"another process has been opening a session in {state_dir} for a minute; look for it there")
    try:
        if signals.received:
            raise StoppedError
        return _join_or_make(launcher, options, cwd, state_dir)
    except OSError as error:
        raise RefusedError(f"{error.filename or state_dir} can not be written: {error.strerror}") from None
    finally:
        lock.release()


def take_role(session: Session, service: str) -> FileLock:
    """Become the one process that keeps a service of this session; the lock goes with the process.

    Raises:
        RefusedError: somebody else keeps it.
    """
    lock = FileLock(session.state_dir / f"{service}.lock")
    if not lock.acquire(ROLE_TIMEOUT_MS):
        holder = read_views(session).get(service, {}).get("supervisor", {}).get("pid", "unknown")
        raise RefusedError(f"the {service} service of session {session.run_id} already runs (pid {holder})")
    return lock


def is_running(session: Session) -> bool:
    """Whether a session's processes are (still) there and its report is not yet."""
    if is_done(session):
        return False
    launcher = launcher_of_dict(session.launcher)
    if launcher.kind != "shell":
        return launcher.is_alive or bool(living(session))
    return boot_ms() - session.started_boot_ms < _OPENING_MS or bool(living(session))


def living(session: Session) -> dict[str, Process]:
    """Return the session's supervisors and services that are alive, by name."""
    found = {}
    for service, view in read_views(session).items():
        for name, key in ((f"{service} (supervisor)", "supervisor"), (service, "service")):
            data = view.get(key)
            is_bare = key == "supervisor" and data == view.get("service")
            if isinstance(data, dict) and not is_bare and (process := Process(**data)).is_alive:
                found[name] = process
    return found


def _join_or_make(launcher: Launcher, options: Mapping[str, str], cwd: Path, state_dir: Path) -> Opening:
    fingerprint = locate.fingerprint(options, cwd, os.environ)
    present = read_session(state_dir)
    if present is not None and is_running(present):
        return Opening(_join(present, launcher, fingerprint))
    settings = _resolve(options, cwd)
    _refuse_kill_file(Path(cwd) / str(settings["values"]["kill_file"]))
    _make_writable(Path(cwd) / str(settings["values"]["log_dir"]))
    _refuse_latest(Path(cwd) / str(settings["values"]["runs_dir"]) / "latest")
    try:
        ports = free_ports(settings["values"])
    except PortsTakenError as error:
        raise RefusedError(str(error)) from None
    alerts_from = alerts_size(Path(cwd) / str(settings["values"]["log_dir"]))
    found = _close_crashed(state_dir, present)
    _refuse_what_was_kept(settings["values"], state_dir, cwd)
    for name in _STALE:
        (state_dir / name).unlink(missing_ok=True)
    session = _make(launcher, settings, fingerprint, cwd, ports, alerts_from)
    keep_reserve(state_dir)
    _start_run(session, settings)
    write_atomic(session_file(state_dir), session.to_json(), private=True)
    return Opening(session, found)


def _join(session: Session, launcher: Launcher, fingerprint: str) -> Session:
    theirs = launcher_of_dict(session.launcher)
    are_by_hand = theirs.kind == launcher.kind == "shell"  # each from a terminal of its own
    if not are_by_hand and (theirs.kind, theirs.head) != (launcher.kind, launcher.head):
        raise RefusedError(
            f"session {session.run_id} is already running here (started by pid {theirs.head.pid}); "
            "end it with 'lap kill', or start yours in a directory of its own"
        )
    if session.fingerprint != fingerprint:
        raise RefusedError(
            f"session {session.run_id} was opened with other settings; give every service of a session the same options"
        )
    return session


def _resolve(options: Mapping[str, str], cwd: Path) -> dict[str, Any]:
    """Resolve the settings in a short-lived child, so that their library never weighs on a supervisor."""
    command = [sys.executable, "-P", "-m", "services.settings"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=cwd,
        env=utf8_for_children(),
        encoding="utf-8",
        errors="replace",
    ) as child:
        answer, complaint = _hear_out(child, json.dumps(dict(options)))
    if child.returncode and signals.received:  # a Ctrl-C is the child's as well
        raise StoppedError
    if child.returncode == 2:
        raise RefusedError(complaint.strip())
    # A strategy's module, imported there to see that it can be, may have printed something, or ended the child.
    with contextlib.suppress(IndexError, ValueError):
        resolved: dict[str, Any] = json.loads(answer.splitlines()[-1])
        return resolved
    raise RefusedError(f"the settings could not be resolved: {complaint.strip() or 'no answer came'}")


def _hear_out(child: "subprocess.Popen[str]", options: str) -> tuple[str, str]:
    """Return what a child that resolves settings wrote, its complaints second; ended with it when we are told to stop."""
    deadline = monotonic_ms() + CHILD_TIMEOUT_MS
    told: str | None = options
    while not signals.received:
        try:
            return child.communicate(told, timeout=_LOOK_MS / 1000)
        except subprocess.TimeoutExpired:
            told = None
        if monotonic_ms() >= deadline:
            child.kill()
            raise RefusedError(
                f"the settings were not resolved within {CHILD_TIMEOUT_MS // 1000} s; "
                "does the strategy's module wait for something while it is imported?"
            )
    child.kill()
    raise StoppedError


def _refuse_kill_file(kill_file: Path) -> None:
    if kill_file.is_dir() and any(kill_file.iterdir()):
        raise RefusedError(f"kill_file must name a file, but {kill_file} is a directory with something in it")
    if kill_file.exists():
        raise RefusedError(f"the kill file {kill_file} is there, so nothing starts; delete it to go on")


def _refuse_latest(latest: Path) -> None:
    if sys.platform != "win32" and latest.is_dir() and not latest.is_symlink():  # there the link is a directory
        raise RefusedError(f"{latest} is a directory, but must be the link to the newest run; move it away")


def _make_writable(log_dir: Path) -> None:
    """Make the log directory; every process would fail in one that is there and takes no file."""
    probe = log_dir / f".probe.{os.getpid()}"
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RefusedError(f"the log directory {log_dir} is not writable: {error.strerror}") from None


def _close_crashed(state_dir: Path, crashed: Session | None) -> str:
    """Close a session that has crashed and make its report; return what was done, in words."""
    if crashed is None or is_done(crashed):
        return ""
    if close_in_child(state_dir):
        return f"session {crashed.run_id} had not ended in order; its books were closed and its report made"
    return f"session {crashed.run_id} had not ended in order; 'lap report {crashed.run_id}' makes its report"


def _refuse_what_was_kept(settings: Mapping[str, Any], state_dir: Path, cwd: Path) -> None:
    """Refuse a kept position that does not fit, as a short-lived child says: what it knows is heavy."""
    if not is_there(state_dir / CARRY_FILE):
        return
    command = [sys.executable, "-P", "-m", "services.broker.finishing", str(state_dir)]
    told = json.dumps(settings)
    timeout_s = CHILD_TIMEOUT_MS / 1000
    try:
        done = subprocess.run(
            command,
            input=told,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=cwd,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return  # the broker will look again
    if done.returncode == 2:
        raise RefusedError(done.stderr.strip())


def close_in_child(state_dir: Path, stop: Stop | None = None) -> bool:
    """Close a session of which nobody is left in a short-lived child; return whether it could.

    Args:
        state_dir: the session's.
        stop: why it ended, if it could not write that down itself; without one it has crashed.
    """
    command = [sys.executable, "-P", "-m", "services.closing", str(state_dir), *([stop.to_json()] if stop else [])]
    try:
        timeout_s = CHILD_TIMEOUT_MS / 1000
        with signals.held_back():
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False, creationflags=signals.OWN_CONSOLE
            )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def _make(
    launcher: Launcher,
    settings: Mapping[str, Any],
    fingerprint: str,
    cwd: Path,
    ports: Mapping[str, int],
    alerts_from: int,
) -> Session:
    values = dict(settings["values"])
    if values["seed"] is None:
        values["seed"] = secrets.randbits(32)
    started_ms = wall_ms()
    runs = cwd / str(values["runs_dir"])
    runs.mkdir(parents=True, exist_ok=True)
    return Session(
        run_id=_new_run(runs, started_ms),
        seed=values["seed"],
        started_ms=started_ms,
        started_boot_ms=boot_ms(),
        ports=ports,
        settings=values,
        launcher=launcher.to_dict(),
        fingerprint=fingerprint,
        root=str(cwd),
        on_ticks=bool(settings["on_ticks"]),
        alerts_from=alerts_from,
    )


def _new_run(runs: Path, started_ms: int) -> str:
    """Make the run's directory; its name is its start in UTC, with a number where that is taken."""
    stamp = iso(started_ms)[:19].replace("-", "").replace(":", "").replace("T", "-")
    for number in range(1, 1000):
        name = stamp if number == 1 else f"{stamp}-{number}"
        with contextlib.suppress(FileExistsError):
            (runs / name).mkdir()
            return name
    raise RefusedError(f"{runs} holds a thousand runs of this second")


def _start_run(session: Session, settings: Mapping[str, Any]) -> None:
    from importlib.metadata import version  # noqa: PLC0415 - only who comes first pays for the import

    config = {
        "run_id": session.run_id,
        "seed": session.seed,
        "started_at": iso(session.started_ms),
        "settings": without_secrets(session.settings),
        "origins": settings["origins"],
        "versions": {
            "python": sys.version.split()[0],
            "laptop-agents": version("laptop-agents"),
            "platform": sys.platform,
        },
    }
    write_atomic(session.run_dir / CONFIG, json.dumps(config, indent=1, ensure_ascii=False).encode())
    _point_latest(session.run_dir)


def _point_latest(run_dir: Path) -> None:
    latest = run_dir.parent / "latest"
    if sys.platform == "win32":
        import _winapi  # noqa: PLC0415 - exists there alone

        with contextlib.suppress(OSError):
            latest.rmdir()
        with contextlib.suppress(OSError):  # a network drive, a memory stick: a session does without the link
            _winapi.CreateJunction(str(run_dir), str(latest))
        return
    temp = run_dir.parent / f".latest.{os.getpid()}"
    temp.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the same: `find_run` looks at the names then
        temp.symlink_to(run_dir.name, target_is_directory=True)
        temp.replace(latest)
