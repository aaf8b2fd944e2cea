"""What the strategy room needs to know, from the resolved settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.strategy.interface import SessionSettings


@dataclass(frozen=True)
class StrategyConfig:
    """The strategy's part of the settings.

    Attributes:
        name: a built-in name, a plug-in's, or `package.module:Class`.
        params: handed to the class; validated by it.
        seed: of its draws.
        known: what the strategy itself may know.
    """

    name: str
    params: Mapping[str, Any]
    seed: int
    known: SessionSettings

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "StrategyConfig":
        """Take the strategy's settings out of all."""
        return cls(
            name=settings["strategy"],
            params=dict(settings["strategy_params"] or {}),
            seed=int(settings["seed"] or 0),
            known=SessionSettings(
                symbol=settings["symbol"],
                interval_ms=1,  # these two until the head of the stream tells
                tick_size=Decimal("0.1"),
                stop_bps=float(settings["stop_bps"]),
                tp_r=float(settings["tp_r"]),
                risk_pct=float(settings["risk_pct"]),
                max_leverage=float(settings["max_leverage"]),
                taker_fee_bps=float(settings["taker_fee_bps"]),
                maker_fee_bps=float(settings["maker_fee_bps"]),
                limit_ttl_sec=float(settings["limit_ttl_sec"]),
                min_trade_interval_sec=float(settings["min_trade_interval_sec"]),
            ),
        )
