"""A crossing of two exponential moving averages, with the stop at a multiple of the average true range.

Sources: G. Appel, Technical Analysis: Power Tools (2005), on crossings of exponential averages; J. W. Wilder, New
Concepts in Technical Trading Systems (1978), on the average true range and stops at a multiple of it.
"""

from dataclasses import dataclass

from talipp.indicators import ATR, EMA
from talipp.ohlcv import OHLCV

from services.strategy.built_in.indicators import forget_old
from services.strategy.built_in.sma_cross import EQUAL_WITHIN
from services.strategy.interface import Answer, Candle, Context, Side, Strategy, param


@dataclass(frozen=True)
class EmaCrossParams:
    """Periods in candles, fast < slow."""

    fast: int = param(12, "period of the fast average, candles", least=1)
    slow: int = param(26, "period of the slow average, candles", least=2)
    atr: int = param(14, "period of the average true range, candles", least=2)
    stop_atr: float = param(2.0, "distance of the stop, in average true ranges", above=0)

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, was fast={self.fast}, slow={self.slow}")


class EmaCross(Strategy):
    """LONG when the fast EMA crosses above the slow one, SHORT when below; the stop follows volatility."""

    params: EmaCrossParams

    def __init__(self, params: EmaCrossParams) -> None:
        super().__init__(params)
        self.warmup = max(params.fast, params.slow, params.atr) + 1
        self._fast, self._slow, self._atr = EMA(params.fast), EMA(params.slow), ATR(params.atr)

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Signal on a crossing on a complete candle."""
        self._fast.add(candle.close)
        self._slow.add(candle.close)
        self._atr.add(OHLCV(candle.open, candle.high, candle.low, candle.close))
        forget_old(self.warmup + 1, self._fast, self._slow, self._atr)
        if len(self._slow) < self.warmup or not candle.complete:
            return None
        before, now = (self._sign(place, candle.close) for place in (-2, -1))
        stop_bps = self.params.stop_atr * self._atr[-1] / candle.close * 10_000
        if now in {0, before} or not 0 < stop_bps < 10_000:
            return None
        return context.market(Side.LONG if now > 0 else Side.SHORT, "ema cross", stop_bps=stop_bps)

    def _sign(self, place: int, close: float) -> int:
        """+1 when the fast average is above the slow one, -1 below, 0 when they are equal but for rounding."""
        difference = self._fast[place] - self._slow[place]
        return 0 if abs(difference) < EQUAL_WITHIN * close else 1 if difference > 0 else -1
