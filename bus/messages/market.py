"""Market events, recorded and numbered 1, 2, 3 ... by the feed, and the head of their stream."""

from decimal import Decimal
from typing import Final, TypeAlias

from bus.errors import InvalidMessageError
from bus.messages.body import Body, Int
from bus.messages.checks import (
    MOST,
    check_flag,
    check_money,
    check_number,
    check_price,
    check_require,
    check_size,
    check_text,
    check_whole,
)

_AGGRESSORS: Final = frozenset({"buy", "sell"})


class Quote(Body, frozen=True, tag="quote"):
    """Best bid and ask. `synthetic`: made from a trade, with the configured half spread, sizes 0."""

    seq: Int
    ts_ms: Int
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    synthetic: bool = False

    def __post_init__(self) -> None:
        seq, ts_ms = self.seq, self.ts_ms
        bid, ask, bid_size, ask_size = self.bid, self.ask, self.bid_size, self.ask_size
        # Thousands a second are made: one expression says that all is well, the checks below say what is not.
        if (
            type(seq) is type(ts_ms) is int
            and seq >= 1
            and ts_ms >= 0
            and type(bid) is type(ask) is type(bid_size) is type(ask_size) is float
            and 0.0 < bid <= ask < MOST
            and 0.0 <= bid_size < MOST
            and 0.0 <= ask_size < MOST
            and type(self.synthetic) is bool
        ):
            return
        self._refuse()

    def _refuse(self) -> None:
        check_whole("seq", self.seq, 1)
        check_whole("ts_ms", self.ts_ms)
        check_price("bid", self.bid)
        check_price("ask", self.ask)
        check_size("bid_size", self.bid_size)
        check_size("ask_size", self.ask_size)
        check_flag("synthetic", self.synthetic)
        raise InvalidMessageError(f"bid must not be above ask, was {self.bid} > {self.ask}")


class Trade(Body, frozen=True, tag="trade"):
    """A public print on the exchange: `size` in base coin, `aggressor` is `buy` or `sell`."""

    seq: Int
    ts_ms: Int
    price: float
    size: float
    aggressor: str

    def __post_init__(self) -> None:
        seq, ts_ms, price, size = self.seq, self.ts_ms, self.price, self.size
        if (
            type(seq) is type(ts_ms) is int
            and seq >= 1
            and ts_ms >= 0
            and type(price) is type(size) is float
            and 0.0 < price < MOST
            and 0.0 < size < MOST
            and self.aggressor in _AGGRESSORS
        ):
            return
        self._refuse()

    def _refuse(self) -> None:
        check_whole("seq", self.seq, 1)
        check_whole("ts_ms", self.ts_ms)
        check_price("price", self.price)
        check_price("size", self.size)
        check_require(False, "aggressor must be buy or sell", self.aggressor)


class Candle(Body, frozen=True, tag="candle"):
    """A closed candle over `[open_ms, open_ms + interval_ms)`.

    `seq` is 0 for one from before the session (history). `complete` is false when the feed lost data during it.
    """

    seq: Int
    ts_ms: Int
    symbol: str
    interval_ms: Int
    open_ms: Int
    open: float
    high: float
    low: float
    close: float
    volume: float
    complete: bool = True

    def __post_init__(self) -> None:
        seq, ts_ms, interval_ms, open_ms = self.seq, self.ts_ms, self.interval_ms, self.open_ms
        high, low, close, volume = self.high, self.low, self.close, self.volume
        if (
            type(seq) is type(ts_ms) is type(interval_ms) is type(open_ms) is int
            and seq >= 0
            and ts_ms >= 0
            and interval_ms >= 1
            and open_ms >= 0
            and type(self.symbol) is str
            and type(self.open) is type(high) is type(low) is type(close) is type(volume) is float
            and 0.0 < self.open < MOST
            and 0.0 < low <= high < MOST
            and 0.0 < close < MOST
            and 0.0 <= volume < MOST
            and type(self.complete) is bool
        ):
            return
        self._refuse()

    def _refuse(self) -> None:
        check_whole("seq", self.seq)
        check_whole("ts_ms", self.ts_ms)
        check_text("symbol", self.symbol)
        check_whole("interval_ms", self.interval_ms, 1)
        check_whole("open_ms", self.open_ms)
        for name in ("open", "high", "low", "close"):
            check_price(name, getattr(self, name))
        check_size("volume", self.volume)
        check_flag("complete", self.complete)
        check_require(False, "high must not be below low", (self.high, self.low))

    @property
    def close_ms(self) -> int:
        """The first instant after the candle, in ms."""
        return self.open_ms + self.interval_ms


class Funding(Body, frozen=True, tag="funding"):
    """A funding time: longs pay `rate` (a fraction) of notional at `mark`; 0.0 for `mark` means unknown."""

    seq: Int
    ts_ms: Int
    symbol: str
    rate: float
    mark: float

    def __post_init__(self) -> None:
        check_whole("seq", self.seq, 1)
        check_whole("ts_ms", self.ts_ms)
        check_text("symbol", self.symbol)
        check_number("rate", self.rate)
        check_require(abs(self.rate) < 1.0, "rate must be a fraction below 1", self.rate)
        check_size("mark", self.mark)


Tick: TypeAlias = Quote | Trade
MarketEvent: TypeAlias = Quote | Trade | Candle | Funding


class StreamInfo(Body, frozen=True):
    """Head of the market stream and of a recording: what must be known before the first event.

    `mode` is `tick` or `candle` (a source that has candles only). `history` are candles from before the session,
    oldest first. `note` says in words what is missing (for example until when a strategy warms up live).
    """

    symbol: str
    interval_ms: Int
    mode: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    history: tuple[Candle, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        check_text("symbol", self.symbol)
        check_whole("interval_ms", self.interval_ms, 1)
        check_require(self.mode in {"tick", "candle"}, "mode must be tick or candle", self.mode)
        for name in ("tick_size", "lot_size", "min_qty"):
            check_money(name, getattr(self, name))
            check_require(getattr(self, name) > 0, f"{name} must be greater than 0", getattr(self, name))
        check_text("note", self.note)

    @property
    def has_ticks(self) -> bool:
        """Tick mode; otherwise the source has candles only."""
        return self.mode == "tick"
