"""Finding a run by its name, or by the path of its directory."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.file_names import CONFIG, JOURNAL
from services.session import locate
from services.session.state import read_session
from services.waiting import is_there

LATEST: Final = "latest"
_NAME: Final = re.compile(r"(\d{8}-\d{6})(?:-(\d+))?")


def find_run(run: str, options: Mapping[str, str]) -> Path | None:
    """Return a run's directory, None when there is none of that name or path. `latest` is the newest.

    Args:
        run: The name or path.
        options: Settings given on the command line, by name; `state_dir` says which session's runs are meant.
    """
    cwd = Path.cwd()
    session = read_session(locate.state_dir(cwd, os.environ, options))
    named = cwd / (locate.named("runs_dir", cwd, os.environ) or "runs")
    kept = session.path("runs_dir") if session else named  # perhaps where an option of that session wanted them
    is_asked_for = bool(locate.environment(cwd, os.environ).get("LAP_RUNS_DIR"))
    first, second = (named, kept) if is_asked_for else (kept, named)
    for candidate in (_named(first, run), _named(second, run), Path(run)):
        if any(is_there(candidate / name) for name in (CONFIG, JOURNAL)):
            return candidate.resolve()
    return None


def _named(runs: Path, run: str) -> Path:
    """Return a run by its name. `latest` is a link or, where a disk knows none (it may be a copy then), the newest name."""
    place = runs / run
    if run != LATEST or place.resolve().name != LATEST or not runs.is_dir():
        return place
    names = [match for path in runs.iterdir() if (match := _NAME.fullmatch(path.name))]
    return runs / max(names, key=lambda match: (match[1], int(match[2] or 1)))[0] if names else place
