"""What the monitor needs to know, from the resolved settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MonitorConfig:
    """The monitor's part of the settings; times in ms, `duration_ms` None for a session without end.

    Data is stale after `stale_after_ms`, which ends the session; a silence worth telling is one of `silence_after_ms`.
    """

    symbol: str
    duration_ms: int | None
    stale_after_ms: int
    heartbeat_every_ms: int
    starting_balance: float
    silence_after_ms: int = 10_000

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "MonitorConfig":
        """Take the monitor's settings out of all."""
        minutes = settings["duration"]
        return cls(
            symbol=settings["symbol"],
            duration_ms=None if minutes is None else int(minutes * 60_000),
            stale_after_ms=int(settings["stale_data_timeout_sec"] * 1000),
            silence_after_ms=int(settings["max_quote_age_sec"] * 1000),
            heartbeat_every_ms=int(settings["heartbeat_interval_sec"] * 1000),
            starting_balance=float(settings["starting_balance"]),
        )
