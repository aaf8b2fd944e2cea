"""The names of a run's files, and of the one that a session keeps beside its logs: whoever writes or reads them asks here."""

from collections.abc import Mapping
from typing import Any, Final

CONFIG: Final = "config.json"
"""Identity and settings, from the run's start."""
JOURNAL: Final = "journal.db"
"""The broker's memory."""
END: Final = "end.json"
"""How the session ended."""
TRADES: Final = "trades.csv"
FIGURES: Final = "summary.json"
PAGE: Final = "summary.html"
HEARTBEAT: Final = "heartbeat.json"
"""How the session is right now, in `log_dir`."""


def without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they may stand in `CONFIG`: the addresses that alerts go to hold passwords and tokens."""
    return {**settings, "alert_urls": ["(not written here)"] * len(settings["alert_urls"] or ())}
