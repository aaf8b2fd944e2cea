"""Short candles that were published, put together to the minutes that the exchange has. Pure."""

from msgspec.structs import replace

from bus.messages import Candle
from services.feed.config import MINUTE_MS


class Minutes:
    """Collects the candles of an interval that divides a minute."""

    def __init__(self) -> None:
        self._parts: list[Candle] = []

    def add(self, candle: Candle) -> Candle | None:
        """Take the next candle; return the minute that ends with it, None if none does, or its begin was not seen."""
        if candle.open_ms % MINUTE_MS == 0:
            self._parts = []
        self._parts.append(candle)
        if candle.close_ms % MINUTE_MS:
            return None
        parts, self._parts = self._parts, []
        if len(parts) * candle.interval_ms < MINUTE_MS:
            return None
        # A flat part bears the price before it, which need not be one of this minute's.
        traded = [part for part in parts if part.volume] or parts
        return replace(
            candle,
            interval_ms=MINUTE_MS,
            open_ms=parts[0].open_ms,
            open=traded[0].open,
            high=max(part.high for part in traded),
            low=min(part.low for part in traded),
            close=traded[-1].close,
            volume=sum(part.volume for part in parts),
            complete=all(part.complete for part in parts),
        )
