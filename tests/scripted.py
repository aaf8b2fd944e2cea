"""A strategy that signals what it was told to, when it was told to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bus.messages import Entry
from services.strategy.interface import Answer, Candle, Context, Side, Signal, Strategy

NUMBERS = ("stop_bps", "tp_r", "limit_price")


@dataclass(frozen=True)
class Lines:
    lines: tuple[str, ...]


class Plan(Strategy):
    """Follows lines such as `00:05 LONG` or `00:07 SHORT stop_bps=50 limit_price=99.5`.

    The time is the UTC time of day of the decision, the close of a candle. Lines of one time are signalled in their
    order; what a line does not say is the session's.
    """

    params: Lines

    def __init__(self, params: Lines) -> None:
        super().__init__(params)
        self._lines: dict[str, list[str]] = {}
        for line in params.lines:
            clock, _, wish = line.partition(" ")
            self._lines.setdefault(clock, []).append(wish)

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Return what the plan has for the candle's close."""
        clock = datetime.fromtimestamp(candle.close_ms / 1000, UTC).strftime("%H:%M")
        return [_signal(context, *wish.split()) for wish in self._lines.get(clock, ())]


def _signal(context: Context, side: str, *words: str) -> Signal:
    fields: dict[str, Any] = {"stop_bps": context.settings.stop_bps, "tp_r": context.settings.tp_r}
    for word in words:
        name, _, text = word.partition("=")
        assert name in NUMBERS, word
        fields[name] = float(text)
    entry = Entry.LIMIT if "limit_price" in fields else Entry.MARKET
    return Signal(symbol=context.symbol, side=Side(side), ts_ms=context.ts_ms, entry=entry, **fields)
