"""Settings of a session: built-in default < `lap.toml` < environment (`.env` over the shell's) < options.

Heavy to import (pydantic): services never do. They read what was resolved once a session, by
`python -P -m services.settings`, from `session.json` or the run's `config.json`; `services.session.locate` is the light part.
"""

from services.settings.layers import SettingsError
from services.settings.resolution import Resolved, SettingRow, changed, check_each, describe, markdown_table, resolve

__all__ = ["Resolved", "SettingRow", "SettingsError", "changed", "check_each", "describe", "markdown_table", "resolve"]
