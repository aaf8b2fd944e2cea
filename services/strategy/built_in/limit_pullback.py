"""In a trend, waits with a limit order at the moving average for the price to come back to it.

Source: L. Connors and L. Raschke, Street Smarts (1995), "The Holy Grail": in a trending market, buy the pullback to the
20-period EMA. Here the trend is the average's own slope.
"""

from dataclasses import dataclass

from talipp.indicators import EMA

from services.strategy.built_in.indicators import forget_old
from services.strategy.interface import Answer, Candle, Context, Side, Strategy, param


@dataclass(frozen=True)
class LimitPullbackParams:
    """Lengths in candles."""

    period: int = param(20, "period of the average, candles", least=2)
    slope: int = param(5, "candles over which the average must have risen or fallen", least=1)


class LimitPullback(Strategy):
    """A limit order at the average: LONG while it rises and the close is above, SHORT while it falls and it is below."""

    params: LimitPullbackParams

    def __init__(self, params: LimitPullbackParams) -> None:
        super().__init__(params)
        self.warmup = params.period + params.slope
        self._average = EMA(params.period)

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Order while flat; an order that is not reached ends by itself after `limit_ttl_sec`."""
        self._average.add(candle.close)
        forget_old(self.warmup + 1, self._average)
        if len(self._average) < self.warmup or context.side is not Side.FLAT or not candle.complete:
            return None
        now, before = self._average[-1], self._average[-1 - self.params.slope]
        if now > before and candle.close > now:
            return context.limit(Side.LONG, now, "pullback")
        return context.limit(Side.SHORT, now, "pullback") if now < before and candle.close < now else None
