"""The names of a run's files, and of the one that a session keeps beside its logs: whoever writes or reads them asks here."""

from typing import Final

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
