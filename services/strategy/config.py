"""What the strategy room needs to know, from the resolved settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StrategyConfig:
    """The strategy's part of the settings.

    Attributes:
        name: a built-in name or `package.module:Class`.
        params: handed to the class; validated by it.
        symbol: the session's symbol.
        stop_bps: the session's stop distance, in bps of the fill price.
        tp_r: the session's target, in multiples of the stop distance.
    """

    name: str
    params: Mapping[str, Any]
    symbol: str
    stop_bps: float
    tp_r: float

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "StrategyConfig":
        """Take the strategy's settings out of all."""
        return cls(
            name=settings["strategy"],
            params=dict(settings["strategy_params"] or {}),
            symbol=settings["symbol"],
            stop_bps=float(settings["stop_bps"]),
            tp_r=float(settings["tp_r"]),
        )
