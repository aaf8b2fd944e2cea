"""The rows of `lap check`: settings with their origins, the session's surroundings, and with `--online` the source.

Looks, and leaves nothing behind: no lock is taken, no directory made. Each row that is not well says in one sentence
what to do.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.broker.finishing import carry_fault
from services.commands.check_online import check_source
from services.feed.config import FeedConfig
from services.feed.source import SourceError
from services.feed.source_replay import open_replay
from services.session.state import CARRY_FILE, is_done, read_session
from services.settings import Resolved, describe
from services.streams import utf8_for_children
from services.supervision.keeper import FIRST_BEAT_MS
from services.waiting import is_there

LEAST_FREE_MB = 200

Running = Callable[[], str]
"""Says which session runs on the state directory, in words; empty when there is none."""
LoadStrategy = Callable[[Mapping[str, Any]], str]
"""Loads the strategy of these settings; says what is wrong with it, empty when nothing is."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One thing looked at. `origin` is where a setting comes from, else empty; `advice` is empty when it is `ok`."""

    name: str
    value: str
    origin: str
    ok: bool
    advice: str = ""


def run_checks(
    resolved: Resolved, cwd: Path, online: bool, *, running: Running, load_strategy: LoadStrategy
) -> list[CheckRow]:
    """Look at everything a session needs.

    Args:
        resolved: The settings; those that can not be resolved never get here.
        cwd: The working directory.
        online: Whether to ask the source; may take some 30 s when it does not answer.
        running: Tells of a session on the same state directory.
        load_strategy: Tries the strategy.

    Returns:
        One row for each setting, then the surroundings, then the source.
    """
    rows = [CheckRow(row.name, row.value, row.origin, ok=True) for row in describe(resolved)]
    rows += [
        _writable(name, cwd / resolved.values[name], resolved.origins[name])
        for name in ("state_dir", "log_dir", "runs_dir")
    ]
    rows.append(_free_space(cwd / resolved.values["runs_dir"], resolved.origins["runs_dir"]))
    rows.append(_kill_file(cwd / resolved.values["kill_file"], resolved.origins["kill_file"]))
    rows.append(_no_session(running()))
    rows.append(_strategy(resolved, load_strategy))
    rows.append(_kept(resolved.values, cwd))
    if resolved.values["source"] == "replay":
        rows.append(_replay_file(resolved, cwd))
    if resolved.values["alert_urls"]:
        rows.append(_alert_urls(resolved))
    if online:
        rows += [
            CheckRow(found.name, found.value, "", found.ok, found.advice) for found in check_source(resolved.values)
        ]
    return rows


def strategy_fault(settings: Mapping[str, Any], cwd: Path, within_ms: int = FIRST_BEAT_MS) -> str:
    """Load the strategy in a process of its own; return what is wrong with it, empty when nothing is.

    Args:
        settings: They name it and its parameters.
        cwd: The working directory.
        within_ms: How long it may take: as long as a session waits for the process that loads it.
    """
    name = settings["strategy"]
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "services.strategy.loading"],
            input=json.dumps([name, settings["strategy_params"] or {}]).encode(),
            capture_output=True,
            cwd=cwd,
            env=utf8_for_children(),
            timeout=within_ms / 1000,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return (
            f"strategy {name} had not finished loading after {within_ms / 1000:g} s: its module may wait for something"
        )
    # The module may have printed something itself, or have ended the process.
    with contextlib.suppress(IndexError, KeyError, TypeError, ValueError):
        return str(json.loads(child.stdout.splitlines()[-1])["fault"])
    return f"strategy {name} ended the process that loaded it (code {child.returncode})"


def _nearest_directory(path: Path) -> Path:
    """The path itself, or the part of it that exists: what is missing would be made there."""
    return next(place for place in (path, *path.parents) if is_there(place))


def _writable(setting: str, path: Path, origin: str) -> CheckRow:
    name = f"{setting} is writable"
    place = _nearest_directory(path)
    if not place.is_dir():
        return CheckRow(name, str(path), origin, ok=False, advice=f"{place} is a file; move it or set {setting}.")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".lap-check-"):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        advice = f"Nothing can be written into {place} ({reason}); change its rights or set {setting}."
        return CheckRow(name, str(path), origin, ok=False, advice=advice)
    return CheckRow(name, str(path), origin, ok=True)


def _free_space(path: Path, origin: str) -> CheckRow:
    free_mb = shutil.disk_usage(_nearest_directory(path)).free // 1_000_000
    enough = free_mb >= LEAST_FREE_MB
    advice = "" if enough else f"A session records what it sees; free at least {LEAST_FREE_MB} MB or set runs_dir."
    return CheckRow("free space", f"{free_mb} MB", origin, enough, advice)


def _kill_file(path: Path, origin: str) -> CheckRow:
    if is_there(path) and path.is_dir() and any(path.iterdir()):
        advice = "It is a directory with something in it; set kill_file to the name of a file."
        return CheckRow("kill file is absent", f"{path} is there", origin, ok=False, advice=advice)
    if is_there(path):
        advice = f"A session would refuse to start; delete {path} to go on."
        return CheckRow("kill file is absent", f"{path} is there", origin, ok=False, advice=advice)
    return CheckRow("kill file is absent", str(path), origin, ok=True)


def _no_session(running: str) -> CheckRow:
    advice = "End it with 'lap kill', or start yours in a directory of its own." if running else ""
    return CheckRow("no session is running", running or "none", "", not running, advice)


def _kept(settings: Mapping[str, Any], cwd: Path) -> CheckRow:
    state_dir = cwd / settings["state_dir"]
    before = read_session(state_dir)
    is_over = before is None or is_done(before)  # else its end may yet change what it leaves
    is_kept = is_over and is_there(state_dir / CARRY_FILE)
    problem = carry_fault(settings, state_dir) if is_kept else ""
    advice = f"{problem}." if problem else ""
    return CheckRow("what was kept fits", CARRY_FILE if is_kept else "nothing was kept", "", not problem, advice)


def _replay_file(resolved: Resolved, cwd: Path) -> CheckRow:
    try:
        open_replay(FeedConfig.from_settings(resolved.values), cwd, 0, None)
        problem = ""
    except SourceError as error:
        problem = f"{error}; correct replay_file."
    value, origin = ", ".join(resolved.values["replay_file"]), resolved.origins["replay_file"]
    return CheckRow("replay_file can be replayed", value, origin, not problem, problem)


def _alert_urls(resolved: Resolved) -> CheckRow:
    urls = resolved.values["alert_urls"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its plugins' imports
        import apprise  # noqa: PLC0415 - heavy, and only for those who want alerts

        strange = [number for number, url in enumerate(urls, 1) if not apprise.Apprise().add(url)]
    numbers = ", ".join(map(str, strange))
    advice = f"No. {numbers} of them is of no known kind; apprise's documents list those there are." if strange else ""
    return CheckRow(
        "alert_urls are of known kinds", f"{len(urls)}", resolved.origins["alert_urls"], not strange, advice
    )


def _strategy(resolved: Resolved, load_strategy: LoadStrategy) -> CheckRow:
    problem = load_strategy(resolved.values)
    advice = f"{problem.rstrip('.')}; correct strategy or strategy_params." if problem else ""
    value = str(resolved.values["strategy"])
    return CheckRow("strategy loads", value, resolved.origins["strategy"], not problem, advice)
