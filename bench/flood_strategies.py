"""The strategy of the latency bench: a signal on every candle."""

from services.strategy.interface import Answer, Candle, Context, Side, Strategy


class Always(Strategy):
    """Wants in on every candle, so that every candle has an answer that the broker acknowledges."""

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Return one signal."""
        return context.market(Side.LONG)
