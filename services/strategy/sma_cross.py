"""The built-in `sma_cross`: a crossing of two simple moving averages of closes.

LONG on a complete candle where the fast average is above the slow one and was not on the candle before; SHORT
mirrored. Incomplete candles count and give no signals. It signals whatever the account holds: the broker decides.
Source: any text on moving-average crossovers, e.g. J. Murphy, Technical Analysis of the Financial Markets, ch. 9.
"""

from collections import deque
from collections.abc import Iterable
from math import fsum

from bus.messages import Candle, Side, Signal
from services.strategy.interface import Context, StrategyError

EQUAL_WITHIN = 1e-9
"""Averages closer than this fraction of the close are equal: rounding is no crossing."""


class SmaCross:
    """Crossing of the averages of the last `fast` and `slow` closes, 0 < fast < slow.

    Raises:
        StrategyError: the parameters are no whole numbers in that order.
    """

    def __init__(self, fast: int = 10, slow: int = 30) -> None:
        if type(fast) is not int or type(slow) is not int or not 0 < fast < slow:
            raise StrategyError(f"sma_cross needs whole numbers 0 < fast < slow, was fast={fast!r}, slow={slow!r}")
        self.warmup = slow + 1
        self._fast = fast
        self._closes: deque[float] = deque(maxlen=slow)
        self._before: int | None = None

    def on_candle(self, context: Context, candle: Candle) -> Iterable[Signal]:
        """Take a closed candle; return a signal on a crossing."""
        self._closes.append(candle.close)
        if len(self._closes) < (self._closes.maxlen or 0):
            return ()
        now, before = self._sign(candle.close), self._before
        self._before = now
        if before is None or now == 0 or before * now > 0 or not candle.complete:
            return ()
        return (context.market(Side.LONG if now > 0 else Side.SHORT, "sma cross"),)

    def _sign(self, close: float) -> int:
        """+1 when the fast average is above the slow one, -1 below, 0 when they are equal."""
        closes = list(self._closes)
        difference = fsum(closes[-self._fast :]) / self._fast - fsum(closes) / len(closes)
        if abs(difference) < EQUAL_WITHIN * close:
            return 0
        return 1 if difference > 0 else -1
