"""A crossing of two simple moving averages of closes, as docs/execution.md states it to the last digit.

Source: J. Murphy, Technical Analysis of the Financial Markets (1999), ch. 9.
"""

from collections import deque
from dataclasses import dataclass
from math import fsum

from services.strategy.interface import Answer, Candle, Context, Side, Strategy, param

EQUAL_WITHIN = 1e-9
"""Averages closer than this fraction of the close are equal: rounding is no crossing."""
REASON = "sma cross"


@dataclass(frozen=True)
class SmaCrossParams:
    """Periods of the averages, 0 < fast < slow."""

    fast: int = param(10, "period of the fast average, candles", least=1)
    slow: int = param(30, "period of the slow average, candles", least=2)

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, was fast={self.fast}, slow={self.slow}")


class SmaCross(Strategy):
    """LONG when the fast average crosses above the slow one, SHORT when it crosses below."""

    params: SmaCrossParams

    def __init__(self, params: SmaCrossParams) -> None:
        super().__init__(params)
        self.warmup = params.slow + 1
        self._closes: deque[float] = deque(maxlen=params.slow)
        self._before: int | None = None

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Signal on a crossing, whatever the account holds; incomplete candles count and give no signals."""
        self._closes.append(candle.close)
        if len(self._closes) < self.params.slow:
            return None
        now, before = self._sign(candle.close), self._before
        self._before = now
        if before is None or now == 0 or before * now > 0 or not candle.complete:
            return None
        return context.market(Side.LONG if now > 0 else Side.SHORT, REASON)

    def _sign(self, close: float) -> int:
        """+1 when the fast average is above the slow one, -1 below, 0 when they are equal."""
        closes = list(self._closes)
        difference = fsum(closes[-self.params.fast :]) / self.params.fast - fsum(closes) / len(closes)
        if abs(difference) < EQUAL_WITHIN * close:
            return 0
        return 1 if difference > 0 else -1
