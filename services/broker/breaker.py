"""The circuit breaker: a daily drawdown, or too many losses in a row, end the session."""

from dataclasses import dataclass, field
from decimal import Decimal

from services.broker.decimals import EXACT, HUNDRED, ONE, ZERO

DAY_MS = 86_400_000


@dataclass(slots=True)
class Breaker:
    """`base` is the equity at the start of the UTC day `day` (days since the epoch; -1: none yet)."""

    max_daily_drawdown_pct: Decimal
    max_consecutive_losses: int
    base: Decimal | None = None
    day: int = -1
    streak: int = 0
    _share: Decimal = field(init=False)

    def __post_init__(self) -> None:
        self._share = EXACT.subtract(ONE, EXACT.divide(self.max_daily_drawdown_pct, HUNDRED))

    def turn_day(self, ts_ms: int) -> bool:
        """Begin the UTC day of `ts_ms` if it is a new one: the streak is cleared, the base wants to be set."""
        day = ts_ms // DAY_MS
        if day == self.day:
            return False
        self.day = day
        self.streak = 0
        return True

    def count(self, pnl: Decimal) -> None:
        """Take a closed trade into the streak of losses."""
        self.streak = self.streak + 1 if pnl < 0 else 0

    @property
    def floor(self) -> Decimal | None:
        """The equity at which it trips; None before the day's base is set."""
        return None if self.base is None else EXACT.multiply(self.base, self._share)

    def verdict(self, equity: Decimal) -> str:
        """Return why it trips at `equity`, in words; empty when it does not."""
        floor = self.floor
        if floor is not None and equity <= floor:
            return f"equity {equity:.2f} at or below {floor:.2f}, {self.max_daily_drawdown_pct} % under the day's base"
        if self.streak >= self.max_consecutive_losses:
            return f"{self.streak} losing trades in a row"
        return ""

    def base_or(self, fallback: Decimal = ZERO) -> Decimal:
        """Return the day's base, or `fallback` before it is set."""
        return fallback if self.base is None else self.base
