"""Finding a run by its name, or by the path of its directory."""

import os
from collections.abc import Mapping
from pathlib import Path

from services.session import locate
from services.session.state import read_session
from services.waiting import is_there


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
    for candidate in (first / run, second / run, Path(run)):
        if any(is_there(candidate / name) for name in ("config.json", "journal.db")):
            return candidate.resolve()
    return None
