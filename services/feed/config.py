"""What the feed is told: its settings, typed, and the intervals it knows. Pure; read from the session's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000

INTERVALS_MS: Final = {
    "1s": SECOND_MS,
    "5s": 5 * SECOND_MS,
    "15s": 15 * SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "1d": 24 * HOUR_MS,
}
HISTORY_CANDLES: Final = 200
"""Closed candles that a stream begins with, where its source has them."""

DEFAULT_TICK_SIZE: Final = Decimal("0.1")
DEFAULT_LOT_SIZE: Final = Decimal("0.0001")
DEFAULT_MIN_QTY: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Instrument:
    """Grids and the least quantity of a symbol: price steps in quote currency, the others in base coin."""

    tick_size: Decimal = DEFAULT_TICK_SIZE
    lot_size: Decimal = DEFAULT_LOT_SIZE
    min_qty: Decimal = DEFAULT_MIN_QTY


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to connect again: at most `max_retries` failed attempts in a row, waits between the two bounds."""

    max_retries: int
    min_sec: float
    max_sec: float


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """The feed's part of the settings.

    Attributes:
        tick_size, lot_size, min_qty: None where the source (or, without one, the default) decides.
        max_quote_age_ms: event time after which a quote no longer stands for the market; > 0.
        max_jump_pct: percent by which a price may differ from the one before it without being confirmed; > 0.
        replay_speed: how many times faster than the recording; None is "as fast as it goes".
    """

    source: str
    symbol: str
    interval_ms: int
    half_spread_bps: Decimal
    max_quote_age_ms: float
    max_jump_pct: float
    tick_size: Decimal | None
    lot_size: Decimal | None
    min_qty: Decimal | None
    ws_url: str
    rest_url: str
    backoff: Backoff
    replay_files: tuple[str, ...]
    replay_speed: float | None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "FeedConfig":
        """Read the session's resolved settings."""
        speed = settings["replay_speed"]
        return cls(
            source=settings["source"],
            symbol=settings["symbol"],
            interval_ms=INTERVALS_MS[settings["interval"]],
            half_spread_bps=decimal_of(settings["half_spread_bps"]),
            max_quote_age_ms=settings["max_quote_age_sec"] * 1000,
            max_jump_pct=float(settings["max_jump_pct"]),
            tick_size=_optional(settings["tick_size"]),
            lot_size=_optional(settings["lot_size"]),
            min_qty=_optional(settings["min_qty"]),
            ws_url=settings["bitunix_ws_url"],
            rest_url=settings["bitunix_rest_url"],
            backoff=Backoff(
                max_retries=int(settings["ws_max_retries"]),
                min_sec=float(settings["ws_backoff_min_sec"]),
                max_sec=float(settings["ws_backoff_max_sec"]),
            ),
            replay_files=tuple(settings["replay_file"] or ()),
            replay_speed=None if speed == "max" else float(speed),
        )

    def at_exchange(self, port: int) -> "FeedConfig":
        """Return the same, pointed at the simulated exchange on a loopback port."""
        return replace(self, ws_url=f"ws://127.0.0.1:{port}/public/", rest_url=f"http://127.0.0.1:{port}")

    def instrument(self, said: Instrument) -> Instrument:
        """Return what holds: a setting over what the source said."""
        return Instrument(
            tick_size=self.tick_size or said.tick_size,
            lot_size=self.lot_size or said.lot_size,
            min_qty=self.min_qty or said.min_qty,
        )


def decimal_of(number: float) -> Decimal:
    """Return a number as the decimal of its shortest text; a whole double has no fraction (`1.0` is 1)."""
    return Decimal(repr(number)) if number != int(number) else Decimal(int(number))


def _optional(number: float | None) -> Decimal | None:
    return None if number is None else decimal_of(number)
