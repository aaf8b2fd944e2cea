"""What the broker is told once: the settings it needs, as the numbers it counts in."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import Any

from services.broker.decimals import decimal_of


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The broker's settings (names and rules as in the settings table), money and percentages as decimals.

    `max_order_age_ms` is the greatest whole age that still counts; `limit_ttl_ms` and `min_trade_interval_ms` are the
    least whole times that are over: so whole milliseconds compare exactly as with the fraction of a setting.
    """

    symbol: str
    strategy: str
    seed: int
    starting_balance: Decimal
    risk_pct: Decimal
    max_leverage: Decimal
    maintenance_margin_pct: Decimal
    taker_fee_bps: Decimal
    maker_fee_bps: Decimal
    slip_bps: Decimal
    half_spread_bps: Decimal
    latency_min_ms: int
    latency_max_ms: int
    min_trade_interval_ms: int
    max_daily_drawdown_pct: Decimal
    max_consecutive_losses: int
    max_bars_open: int
    limit_ttl_ms: int
    max_fill_pct_of_volume: Decimal
    max_order_age_ms: int
    keep: bool
    monitor_timeout_ms: int
    decision_timeout_ms: int
    max_strategy_errors: int

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "BrokerConfig":
        """Take the broker's part of a session's resolved settings.

        Raises:
            KeyError: A setting is missing.
        """
        return cls(
            symbol=settings["symbol"],
            strategy=settings["strategy"],
            seed=settings["seed"],
            starting_balance=decimal_of(settings["starting_balance"]),
            risk_pct=decimal_of(settings["risk_pct"]),
            max_leverage=decimal_of(settings["max_leverage"]),
            maintenance_margin_pct=decimal_of(settings["maintenance_margin_pct"]),
            taker_fee_bps=decimal_of(settings["taker_fee_bps"]),
            maker_fee_bps=decimal_of(settings["maker_fee_bps"]),
            slip_bps=decimal_of(settings["slip_bps"]),
            half_spread_bps=decimal_of(settings["half_spread_bps"]),
            latency_min_ms=settings["latency_min_ms"],
            latency_max_ms=settings["latency_max_ms"],
            min_trade_interval_ms=ceil(_ms(settings["min_trade_interval_sec"])),
            max_daily_drawdown_pct=decimal_of(settings["max_daily_drawdown_pct"]),
            max_consecutive_losses=settings["max_consecutive_losses"],
            max_bars_open=settings["max_bars_open"],
            limit_ttl_ms=ceil(_ms(settings["limit_ttl_sec"])),
            max_fill_pct_of_volume=decimal_of(settings["max_fill_pct_of_volume"]),
            max_order_age_ms=floor(_ms(settings["max_order_age_sec"])),
            keep=settings["on_stop"] == "keep",
            monitor_timeout_ms=ceil(_ms(settings["heartbeat_timeout_sec"])) + 5_000,
            decision_timeout_ms=ceil(_ms(settings["decision_timeout_sec"])),
            max_strategy_errors=settings["max_strategy_errors"],
        )


def _ms(seconds: float) -> Decimal:
    return decimal_of(seconds) * 1000
