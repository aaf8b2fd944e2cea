"""What the exchange must be told before it opens. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from services.exchange.faults import Faults

# The walk's market begins here whatever the wall clock says: 2026-01-01T00:00:00Z.
WALK_START_MS = 1_767_225_600_000


class ExchangeError(Exception):
    """The exchange cannot open; the text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """One exchange. `port` 0: a free one. `speed`: seconds of market time in a second.

    `started_boot_ms` is the instant at which the market's clock began, on the machine's clock that goes on in a
    suspend; None: when the exchange opens or, with `wait_for_subscription`, a moment after the first subscription.
    """

    symbol: str
    seed: int
    port: int = 0
    speed: float = 1.0
    faults: Faults = field(default_factory=Faults)
    data: tuple[Path, ...] = ()
    started_boot_ms: int | None = None
    wait_for_subscription: bool = False

    def __post_init__(self) -> None:
        if not (self.symbol.isascii() and self.symbol.isalnum() and self.symbol == self.symbol.upper()):
            raise ExchangeError(f"symbol must be upper-case letters and digits, got {self.symbol!r}")
        if not (isfinite(self.speed) and self.speed > 0):
            raise ExchangeError(f"speed must be greater than 0, got {self.speed:g}")
        if not 0 <= self.port <= 65_535:
            raise ExchangeError(f"port must be from 0 to 65535, got {self.port}")

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], *, seed: int, port: int, started_boot_ms: int
    ) -> "ExchangeConfig":
        """Return the exchange of a session: a walk of the session's symbol on the session's clock."""
        return cls(symbol=settings["symbol"], seed=seed, port=port, started_boot_ms=started_boot_ms)
