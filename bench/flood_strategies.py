"""The strategy of the latency bench: a signal on every candle."""

from collections.abc import Iterable

from bus.messages import Candle, Side, Signal
from services.strategy.interface import Context


class Always:
    """Wants in on every candle, so that every candle has an answer that the broker acknowledges."""

    warmup = 0

    def on_candle(self, context: Context, candle: Candle) -> Iterable[Signal]:
        """Return one signal."""
        return (context.market(Side.LONG),)
