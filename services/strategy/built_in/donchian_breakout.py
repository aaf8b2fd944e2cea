"""A breakout of the channel of the last candles' highs and lows, left at the opposite end of a narrower one.

Source: R. Donchian's four-week rule as the Turtles traded it: C. Faith, Way of the Turtle (2007), System 1: entry on the
20-day, exit on the 10-day channel.
"""

from dataclasses import dataclass

from services.strategy.interface import Answer, Candle, Context, Side, Strategy, param


@dataclass(frozen=True)
class DonchianParams:
    """Lengths of the two channels, in candles."""

    enter: int = param(20, "candles of the channel to break out of", least=1, most=900)
    leave: int = param(10, "candles of the channel to leave at", least=1, most=900)


class DonchianBreakout(Strategy):
    """LONG above the highest high of the candles before, SHORT below the lowest low; FLAT beyond the narrow channel."""

    params: DonchianParams

    def __init__(self, params: DonchianParams) -> None:
        super().__init__(params)
        self.warmup = max(params.enter, params.leave) + 1

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Compare the close with the channels of the candles before this one."""
        if len(context.history) < self.warmup or not candle.complete:
            return None
        highs, lows, close = context.history.high[:-1], context.history.low[:-1], candle.close
        enter, leave = self.params.enter, self.params.leave
        if context.side is Side.LONG and close < min(lows[-leave:]):
            return context.market(Side.FLAT, "below the narrow channel")
        if context.side is Side.SHORT and close > max(highs[-leave:]):
            return context.market(Side.FLAT, "above the narrow channel")
        if context.side is not Side.FLAT:
            return None
        if close > max(highs[-enter:]):
            return context.market(Side.LONG, "above the channel")
        return context.market(Side.SHORT, "below the channel") if close < min(lows[-enter:]) else None
