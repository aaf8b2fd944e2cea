"""Markets and words for sweeps: waves on disk, and the command as a person gives it, in this process."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sin
from pathlib import Path
from typing import Any

from replay_builders import write_csv

MINUTE = 60_000
CALM = ("max_daily_drawdown_pct=100", "max_consecutive_losses=100000")
"""Settings under which no breaker ends a run."""


def wave(place: float) -> float:
    """A price that swings slowly and quickly."""
    return round(1000 + 20 * sin(place / 37) + 8 * sin(place / 11.3) + 3 * sin(place / 2.9), 1)


def candle_wave(count: int, first: int = 0) -> list[tuple[object, ...]]:
    """Rows of minute candles, the `first` and those behind it."""
    rows: list[tuple[object, ...]] = []
    for number in range(first, first + count):
        before, close = wave(number - 1), wave(number)
        rows.append((number * MINUTE, before, max(before, close) + 0.4, min(before, close) - 0.4, close, 50.0))
    return rows


def trade_wave(minutes: int) -> list[tuple[object, ...]]:
    """Rows of a trade every 6 s, so that no order is too old when the next one comes."""
    return [
        (number * 6_000, wave(number / 10), 1.0 + number % 3, "buy" if number % 2 else "sell")
        for number in range(10 * minutes)
    ]


def candles(directory: Path, count: int = 700, name: str = "candles.csv") -> Path:
    """A file of minute candles."""
    return write_csv(directory / name, "candles", candle_wave(count))


@dataclass(frozen=True)
class Rows:
    """A table of results: its lines as dictionaries, as texts."""

    rows: Sequence[dict[str, str]]

    def where(self, **values: object) -> dict[str, str]:
        """The one row with these values."""
        found = [row for row in self.rows if all(row[name] == str(value) for name, value in values.items())]
        assert len(found) == 1, (values, len(found))
        return found[0]


def figure(row: dict[str, str], name: str) -> Any:
    """A figure of a row, None where it is empty."""
    return float(row[name]) if row[name] else None
