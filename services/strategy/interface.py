"""What a strategy is and what it is told: everything that a strategy's own file imports. Pure.

A strategy is a function of its inputs: the same candles, ticks and accounts give the same signals. It has no clock,
file or socket, and no randomness but `Context.draw`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, TypeAlias, get_type_hints

from bus.messages import Account, Candle, Entry, Quote, Side, Signal, Tick, Trade
from services.strategy.history import History
from services.strategy.params import NoParams, StrategyError, param

__all__ = [
    "Account",
    "Answer",
    "Candle",
    "Context",
    "History",
    "Quote",
    "Side",
    "Signal",
    "Strategy",
    "StrategyError",
    "Tick",
    "Trade",
    "param",
]

Answer: TypeAlias = Signal | Iterable[Signal] | None
"""What a strategy returns: a signal, several, or nothing."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings of the session that a strategy may know; names and units as in the table of settings.

    Attributes:
        interval_ms: length of a candle.
        tick_size: the price grid of the instrument.
    """

    symbol: str
    interval_ms: int
    tick_size: Decimal
    stop_bps: float
    tp_r: float
    risk_pct: float
    max_leverage: float
    taker_fee_bps: float
    maker_fee_bps: float
    limit_ttl_sec: float
    min_trade_interval_sec: float


@dataclass(frozen=True, slots=True)
class Context:
    """What a strategy may know when it decides.

    Attributes:
        ts_ms: the event time of the decision: the candle's end, or the tick's time.
        account: the account as it stood just before the tick that closed the candle (or the tick asked about); None
            for history, whose signals go nowhere.
        settings: the session's, as far as a strategy may know them.
        history: the closed candles up to now, the newest last, as read-only arrays.
    """

    ts_ms: int
    account: Account | None
    settings: SessionSettings
    history: History
    _draw: Callable[[int], float] = field(repr=False)

    @property
    def symbol(self) -> str:
        """The session's symbol."""
        return self.settings.symbol

    @property
    def side(self) -> Side:
        """Side of the open position; FLAT without one, and for history."""
        return Side.FLAT if self.account is None else self.account.side

    def market(
        self, side: Side, reason: str = "", *, stop_bps: float | None = None, tp_r: float | None = None
    ) -> Signal:
        """Return a signal to enter at market or, with FLAT, to leave.

        Args:
            side: LONG, SHORT or FLAT.
            reason: for people, in the journal.
            stop_bps: distance of the stop in bps of the fill price; the session's without.
            tp_r: distance of the target in multiples of the stop's; the session's without.
        """
        return self._signal(side, Entry.MARKET, 0.0, reason, stop_bps, tp_r)

    def limit(
        self,
        side: Side,
        limit_price: float,
        reason: str = "",
        *,
        stop_bps: float | None = None,
        tp_r: float | None = None,
    ) -> Signal:
        """Return a signal to enter at `limit_price` or better, put on the price grid away from the market.

        The other arguments are those of `market`.
        """
        price = _on_grid(float(limit_price), self.settings.tick_size, side)
        return self._signal(side, Entry.LIMIT, price, reason, stop_bps, tp_r)

    def draw(self, k: int = 0) -> float:
        """Return the decision's `k`-th draw, in [0, 1): a function of the session's seed and the decision alone."""
        return self._draw(k)

    def _signal(
        self, side: Side, entry: Entry, price: float, reason: str, stop_bps: float | None, tp_r: float | None
    ) -> Signal:
        stop = self.settings.stop_bps if stop_bps is None else float(stop_bps)
        target = self.settings.tp_r if tp_r is None else float(tp_r)
        return Signal(self.settings.symbol, side, self.ts_ms, stop, target, entry, price, reason)


def _on_grid(price: float, tick_size: Decimal, side: Side) -> float:
    """Return the nearest price on the grid that is not worse: below for LONG, above for SHORT."""
    rounding = ROUND_CEILING if side is Side.SHORT else ROUND_FLOOR
    ticks = (Decimal(repr(price)) / tick_size).to_integral_value(rounding)
    return float(ticks * tick_size)


class Strategy(ABC):
    """The base of every strategy.

    Attributes:
        params: the parameters, checked. A strategy that has some declares the frozen dataclass they are of:
            `params: MyParams`.
        warmup: closed candles it needs before it can signal; set it in `__init__` when it depends on parameters.

    A strategy with an `on_tick` of its own decides on ticks too: the broker works off each tick only after its answer.
    """

    params: Any = NoParams()
    warmup: int = 0

    def __init__(self, params: Any) -> None:
        self.params = params

    @abstractmethod
    def on_candle(self, context: Context, candle: Candle) -> Answer:
        """Take a closed candle; return signals or nothing.

        It is called for history too, to warm up; signals given there go nowhere. `candle.complete` is false when data
        were lost during it: count it, but do not trust it.
        """

    def on_tick(self, context: Context, tick: Tick) -> Answer:
        """Take a quote or a trade, before it is worked off; return signals or nothing."""
        return None

    @property
    def decides_on_ticks(self) -> bool:
        """Whether it has an `on_tick` of its own."""
        return type(self).on_tick is not Strategy.on_tick


def params_class(cls: type[Strategy]) -> type:
    """Return the dataclass that a strategy declares for its parameters.

    Raises:
        Exception: whatever looking up its annotations raises.
    """
    found = get_type_hints(cls).get("params", Any)
    return NoParams if found is Any else found
