"""Buys what has fallen too fast, sells what has risen too fast, and leaves when that is over.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978): the relative strength index and its levels of
30 and 70.
"""

from dataclasses import dataclass

from talipp.indicators import RSI

from services.strategy.built_in.indicators import forget_old
from services.strategy.interface import Answer, Candle, Context, Side, Strategy, param


@dataclass(frozen=True)
class RsiReversionParams:
    """Levels are of the index, 0 to 100."""

    period: int = param(14, "period of the index, candles", least=3)
    low: float = param(30.0, "below it the market is oversold", above=0, most=50)
    high: float = param(70.0, "above it the market is overbought", least=50, most=100)
    middle: float = param(50.0, "where a position is left again", above=0, most=100)


class RsiReversion(Strategy):
    """LONG when the RSI comes back above `low`, SHORT when it falls back below `high`, FLAT at `middle`."""

    params: RsiReversionParams

    def __init__(self, params: RsiReversionParams) -> None:
        super().__init__(params)
        self.warmup = params.period + 2
        self._rsi = RSI(params.period)
        self._first_close: float | None = None
        self._has_moved = False

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Signal when the index crosses a level on a complete candle."""
        self._rsi.add(candle.close)
        forget_old(self.warmup, self._rsi)
        self._first_close = self._first_close or candle.close
        had_moved, self._has_moved = self._has_moved, self._has_moved or candle.close != self._first_close
        if len(self._rsi) < self.warmup or not candle.complete or not had_moved:
            return None  # of a market that has never moved the index says nothing: 0 / 0
        before, now, levels = self._rsi[-2], self._rsi[-1], self.params
        if context.side is not Side.FLAT:
            is_over = (now - levels.middle) * context.side.sign >= 0
            return context.market(Side.FLAT, "back at the middle") if is_over else None
        if before < levels.low <= now:
            return context.market(Side.LONG, "no longer oversold")
        return context.market(Side.SHORT, "no longer overbought") if before > levels.high >= now else None
