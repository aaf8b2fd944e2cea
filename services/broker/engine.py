"""The engine: what one market event does to the account, in event time alone.

It knows no clock, no strategy and no bus. Closed candles collect in `candles` until they are asked about; the core
around it sees to it that a tick comes only after the answer.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from bus.messages import Account, Candle, Decide, Funding, MarketEvent, Message, Quote, Signal, StopReason, StreamInfo
from bus.messages import Trade as Print
from services.broker import candle_mode, order_desk, tick_mode
from services.broker.band import Band, band_of, wake_ms
from services.broker.config import BrokerConfig
from services.broker.decimals import exactly
from services.broker.desk import Desk
from services.broker.desk_snapshot import recall_desk, remember_desk
from services.broker.errors import CarryOverError, ImpossibleError
from services.broker.orders import UsedIds
from services.broker.packing import optional_decimal, pack, unpack_candle, unpack_position
from services.broker.passage import Passage
from services.numbers import plain


class Engine:
    """One account against one market stream.

    Attributes:
        desk: The account.
        candles: Closed since the last question, oldest first.
        tick_count, candle_count: Events seen in this session, synthetic quotes among the ticks.
        last_close: Of the last closed candle, None before the first one.
    """

    def __init__(self, config: BrokerConfig, used_ids: UsedIds) -> None:
        self.desk = Desk(config, _placeholder(config), used_ids)
        self.is_open = False
        self.candles: list[Candle] = []
        self.tick_count = 0
        self.candle_count = 0
        self.last_close: float | None = None
        self._last_print: float | None = None
        self._band: Band | None = _AWAKE

    def open(self, info: StreamInfo) -> None:
        """Learn the instrument and the mode; the head of the stream comes before its first event."""
        self.desk.market = replace(info, history=())
        self.is_open = True

    @property
    def has_ticks(self) -> bool:
        """Tick mode; otherwise the source has candles only."""
        return self.desk.market.has_ticks

    @property
    def price(self) -> float:
        """The last price seen: a print's, a close, else the middle of the newest quote; 0 before any."""
        if self._last_print is not None:
            return self._last_print
        quote = self.desk.quote
        return 0.0 if quote is None else (quote.bid + quote.ask) / 2

    @exactly
    def account(self) -> Account:
        """Return the account at the newest quote."""
        return self.desk.account()

    def question(self) -> Decide:
        """Return the question about the candles collected; there must be one."""
        return Decide(self.candles[-1].open_ms, tuple(self.candles), self.account())

    def question_about(self, tick: Quote | Print) -> Decide:
        """Return the question about a tick that is not worked off yet."""
        return Decide(0, (), self.account(), tick)

    def work(self, event: MarketEvent) -> list[Message]:
        """Work off the next event and return what it did, in order.

        Raises:
            ImpossibleError: A tick in candle mode, or books that contradict themselves.
        """
        if isinstance(event, Quote | Print):
            return self.tick(event)
        self._band = _AWAKE
        if isinstance(event, Candle):
            return self._candle(event)
        return self._funding(event)

    def tick(self, tick: Quote | Print) -> list[Message]:
        """Work off one tick; nearly all change nothing, and five comparisons tell so."""
        band, desk = self._band or self._look_around(), self.desk
        self.tick_count += 1
        if tick.ts_ms < band.wake_ms:
            if isinstance(tick, Print):
                self._last_print = tick.price
                desk.seq = tick.seq
                desk.ts_ms = tick.ts_ms
                return []
            if band.bid_low < tick.bid < band.bid_high and band.ask_low < tick.ask < band.ask_high:
                desk.quote = tick
                desk.seq = tick.seq
                desk.ts_ms = tick.ts_ms
                return []
        return self._tick_in_full(tick)

    @property
    def wake_ms(self) -> float:
        """From this event time on the next tick (a candle that ends later) matters, whatever its prices."""
        return self.band.wake_ms if self.has_ticks else wake_ms(self.desk)

    @property
    def band(self) -> Band:
        """The band as it stands: a tick (or a candle over its whole range) within it changes nothing."""
        return (self._band or self._look_around()) if self.has_ticks else band_of(self.desk)

    @property
    def bars_left(self) -> int | None:
        """Candles that may still close before `max_bars_open` matters; None when it never does."""
        held, most = self.desk.position, self.desk.config.max_bars_open
        return most - held.bars if held is not None and most else None

    def pass_over(self, passage: Passage) -> None:
        """Stand after a run of events within the band, as if each had been worked off and each question answered."""
        desk = self.desk
        self.candles.clear()
        self.tick_count += passage.ticks
        self.candle_count += passage.candles
        desk.seq, desk.ts_ms = passage.seq, passage.ts_ms
        if passage.quote is not None:
            desk.quote = passage.quote
        if passage.price is not None:
            self._last_print = passage.price
        if passage.candles:
            self._band = _AWAKE
            self.last_close, desk.volume = passage.close, passage.volume
            if desk.position is not None:
                desk.position.bars += passage.candles

    @exactly
    def _tick_in_full(self, tick: Quote | Print) -> list[Message]:
        if not self.has_ticks:
            raise ImpossibleError("a stream of candles must have no ticks")
        if isinstance(tick, Print):
            self._last_print = tick.price
        tick_mode.work(self.desk, tick)
        self._band = None
        return self.desk.out

    def _look_around(self) -> Band:
        """Return the band, made when the next tick comes: nobody waits then, and what came between may forbid it."""
        self._band = band_of(self.desk)
        return self._band

    @exactly
    def _candle(self, candle: Candle) -> list[Message]:
        desk = self.desk
        self.candles.append(candle)
        self.candle_count += 1
        self.last_close = candle.close
        if self.has_ticks:
            desk.begin(candle.seq, candle.ts_ms)
            desk.volume = candle.volume
            if desk.position is not None:
                desk.position.bars += 1
        else:
            self._last_print = candle.close
            candle_mode.work(desk, candle)
        return desk.out

    def _funding(self, funding: Funding) -> list[Message]:
        desk = self.desk
        desk.begin(funding.seq, funding.ts_ms if self.has_ticks else desk.ts_ms)
        if funding.symbol == desk.config.symbol:
            desk.fundings.append(funding)
        return desk.out

    @exactly
    def take(self, signals: Iterable[Signal], *, late: bool) -> list[Message]:
        """Take a decision's signals after the last event; `late` ones are due on the next tick."""
        self.desk.out = []
        order_desk.take(self.desk, signals, late=late)
        self._band = _AWAKE
        return self.desk.out

    @exactly
    def stop(self, reason: StopReason) -> list[Message]:
        """End the session after the last event."""
        self.desk.out = []
        self.desk.stop(reason)
        self.desk.ledger.check()
        return self.desk.out

    def carry_over(self) -> dict[str, Any]:
        """Return what the next session on this state directory takes over with `on_stop = keep`, as JSON types."""
        desk = self.desk
        return {
            "symbol": desk.config.symbol,
            "balance": plain(desk.ledger.balance),
            "position": None if desk.position is None else pack(desk.position),
            "last_entry_ts": desk.last_entry_ts,
            "base": None if desk.breaker.base is None else plain(desk.breaker.base),
            "day": desk.breaker.day,
            "streak": desk.breaker.streak,
            "trade_count": desk.trade_count,
        }

    @exactly
    def adopt(self, carried: Mapping[str, Any]) -> None:
        """Take over the state of the session before; the starting balance is what the account then had put in.

        Raises:
            CarryOverError: Its position is of another symbol, or it is not what a session keeps.
        """
        try:
            self._adopt(carried)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            raise CarryOverError("what the session before kept is broken") from None

    def _adopt(self, carried: Mapping[str, Any]) -> None:
        desk = self.desk
        if carried["position"] is not None:
            if carried["symbol"] != desk.config.symbol:
                raise CarryOverError(f"the kept position is of {carried['symbol']}, not of {desk.config.symbol}")
            desk.position = unpack_position(carried["position"])
        costs = Decimal(0) if desk.position is None else desk.position.costs
        desk.ledger.balance = Decimal(carried["balance"])
        if desk.ledger.balance <= 0:
            raise CarryOverError(
                f"of the kept account {desk.ledger.balance} is left, and nothing can be traded with that"
            )
        desk.ledger.open_costs = costs
        desk.ledger.starting_balance = desk.ledger.balance + costs
        desk.last_entry_ts = carried["last_entry_ts"]
        desk.breaker.base = optional_decimal(carried["base"])
        desk.breaker.day = carried["day"]
        desk.breaker.streak = carried["streak"]
        desk.trade_count = carried["trade_count"]
        held = desk.position
        moneys = [desk.ledger.balance, desk.breaker.base_or()]
        if held is not None:
            moneys += [held.qty, held.entry_price, held.entry_fee, held.sl, held.tp, held.exit_factor, held.funding]
        counts = [desk.breaker.day, desk.breaker.streak, desk.trade_count, desk.last_entry_ts or 0]
        if not all(money.is_finite() for money in moneys) or not all(type(count) is int for count in counts):
            raise ValueError("not what a session keeps")

    @exactly
    def snapshot(self) -> dict[str, Any]:
        """Return the whole state after the last event worked off, as JSON types; `equity` is for readers only."""
        return {
            "equity": plain(self.desk.equity),
            "last_seq": self.desk.seq,
            "last_ts": self.desk.ts_ms,
            "last_close": self.last_close,
            "tick_count": self.tick_count,
            "candle_count": self.candle_count,
            "price": self._last_print,
            "is_open": self.is_open,
            "candles": [pack(candle) for candle in self.candles],
            **remember_desk(self.desk),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become the engine that was snapshot; the first tick is looked at in full, which changes nothing."""
        recall_desk(self.desk, snapshot)
        self.desk.seq = snapshot["last_seq"]
        self.desk.ts_ms = snapshot["last_ts"]
        self.last_close = snapshot["last_close"]
        self.tick_count = snapshot["tick_count"]
        self.candle_count = snapshot["candle_count"]
        self._last_print = snapshot["price"]
        self.is_open = snapshot["is_open"]
        self.candles = [unpack_candle(candle) for candle in snapshot["candles"]]


_AWAKE: Final = Band()
"""The next tick matters, whatever it is."""


def _placeholder(config: BrokerConfig) -> StreamInfo:
    # Stands in until the stream's head arrives; no event is worked off before that.
    return StreamInfo(config.symbol, 60_000, "tick", Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001"))
