"""What a strategy is, and what it is told. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bus.messages import Account, Candle, Entry, Side, Signal


class StrategyError(Exception):
    """A strategy can not be loaded, or refuses its parameters; one sentence."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a strategy may know when it decides.

    Attributes:
        symbol: the session's symbol.
        ts_ms: the event time of the decision: the candle's end.
        account: the account as it stood just before the tick that closed the candle; None for history.
        stop_bps: the session's stop distance, in bps.
        tp_r: the session's target, in multiples of the stop distance.
    """

    symbol: str
    ts_ms: int
    account: Account | None
    stop_bps: float
    tp_r: float

    def market(self, side: Side, reason: str = "") -> Signal:
        """Return a signal to enter at market (or, with FLAT, to leave) with the session's stop and target."""
        return Signal(self.symbol, side, self.ts_ms, self.stop_bps, self.tp_r, Entry.MARKET, 0.0, reason)

    def limit(self, side: Side, limit_price: float, reason: str = "") -> Signal:
        """Return a signal to enter at `limit_price` or better with the session's stop and target."""
        return Signal(self.symbol, side, self.ts_ms, self.stop_bps, self.tp_r, Entry.LIMIT, limit_price, reason)


class Strategy(Protocol):
    """Decides on closed candles. A function of its inputs alone: the same candles and accounts, the same signals.

    `on_candle` is called for history too (to warm up); signals given there, or for a candle that is told as history,
    go nowhere.
    """

    warmup: int
    """Closed candles it needs before it can signal."""

    def on_candle(self, context: Context, candle: Candle) -> Iterable[Signal]:
        """Take a closed candle; return signals, or nothing (an empty tuple)."""
