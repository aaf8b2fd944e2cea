"""The execution model a second time, as plainly as it can be said: what the paper broker does, event by event.

Nothing here is shared with the broker but the vocabulary; nothing is optimised, stored or taken back. Numbers in
brackets are the steps of a tick (section 1); other comments name sections of the execution model. Not modelled: the
wall clock (decisions that time out), restarts, and what a session takes over from the one before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from hashlib import sha256
from math import isfinite
from typing import Any, TypeAlias

from bus.messages import (
    Account,
    Candle,
    Decide,
    EntriesHalted,
    Entry,
    ExitReason,
    Funding,
    MarketEvent,
    Quote,
    RejectReason,
    Side,
    Signal,
    StopReason,
    StreamInfo,
    Tick,
    TradeClosed,
)

Sides: TypeAlias = tuple[float, float]
"""Bid and ask."""
DAY_MS = 86_400_000
BPS = 10_000
ZERO = Decimal(0)


@dataclass
class Result:
    """All that came of a session; `asked` are the questions put to the strategy."""

    balance: Decimal
    trades: list[TradeClosed] = field(default_factory=list)
    rejections: list[tuple[str, RejectReason]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    asked: list[Decide] = field(default_factory=list)
    closed: StopReason = StopReason.END_OF_DATA


@dataclass
class Order:
    """A signal that was taken."""

    name: str
    signal: Signal
    latency_ms: int
    due_ms: int
    is_resting: bool = False


@dataclass
class Position:
    """What an entry opened: `fees` and `funding` so far, `bars` the candles closed since."""

    order: Order
    side: Side
    qty: Decimal
    price: Decimal
    sl: Decimal
    tp: Decimal
    entry_ts: int
    fees: Decimal
    funding: Decimal = ZERO
    bars: int = 0


def run(
    settings: Mapping[str, Any],
    info: StreamInfo,
    events: Sequence[MarketEvent | EntriesHalted],
    decide: Callable[[Decide], Sequence[Signal]],
    end: StopReason = StopReason.END_OF_DATA,
) -> Result:
    """Work `events` off, answered by `decide`, and stop for the reason `end`.

    Args:
        settings: the session's settings by their names in the contract.
        info: the head of the stream.
        events: what the feed publishes; `EntriesHalted` stands after the event after which it took effect.
        decide: the strategy: a question in, signals out.
        end: why the session stops after the last event, unless the breaker stops it before.
    """
    with localcontext(prec=50, rounding=ROUND_HALF_EVEN):  # section 6: decimals
        model = Model(settings, info, decide)
        for event in events:
            model.on_event(event)
            if model.is_over:
                return model.result
        model.stop(end)
        return model.result


def decimal(number: float) -> Decimal:
    """Section 6: a double enters as its shortest decimal text."""
    return Decimal(str(number))


class Model:
    """The account, the orders and the newest quote."""

    def __init__(
        self, settings: Mapping[str, Any], info: StreamInfo, decide: Callable[[Decide], Sequence[Signal]]
    ) -> None:
        self.settings, self.info, self.decide = settings, info, decide
        self.result = Result(self.number("starting_balance"))
        self.orders: list[Order] = []
        self.position: Position | None = None
        self.names: set[str] = set()
        self.quote: Sides | None = None
        self.closed_candles: list[Candle] = []  # not asked about yet
        self.fundings: list[Funding] = []  # not settled yet
        self.volume: Decimal | None = None  # of the last closed candle
        self.last_entry_ms: int | None = None
        self.is_halted = self.is_over = False
        self.has_entered = self.has_left = self.is_first_of_day = False  # on this tick
        self.seq = self.last_ms = self.losses = 0
        self.day: int | None = None
        self.base = ZERO

    def number(self, name: str) -> Decimal:
        return decimal(self.settings[name])

    # --- section 1: what one event does

    def on_event(self, event: MarketEvent | EntriesHalted) -> None:
        self.seq = event.seq
        if isinstance(event, EntriesHalted):
            self.is_halted = event.halted
            return
        is_candle_mode = self.info.mode == "candle"
        if isinstance(event, Candle) or not is_candle_mode:
            self.last_ms = event.close_ms if isinstance(event, Candle) and is_candle_mode else event.ts_ms
        if isinstance(event, Funding):
            self.fundings.append(event)
        elif not isinstance(event, Candle):
            self.on_tick(event)
        elif is_candle_mode:
            self.on_candle(event)
        else:
            self.closed_candles.append(event)

    def on_tick(self, tick: Tick) -> None:
        closed, self.closed_candles = self.closed_candles, []
        if closed:  # (1)
            self.ask(closed)
        if isinstance(tick, Quote):  # (2)
            self.quote = tick.bid, tick.ask
        self.begin(tick.ts_ms)
        if self.position:  # (3)
            self.position.bars += len(closed)
            self.liquidate(tick.ts_ms)
        if isinstance(tick, Quote):
            self.stop_or_target((tick.bid, tick.ask), (tick.bid, tick.ask), (tick.bid, tick.ask), tick.ts_ms)
        if closed:
            self.close_after_max_bars(tick.ts_ms)
        if not self.is_over:
            self.cancel_old(tick.ts_ms)  # (4)
            self.work_orders(tick.ts_ms, tick.ts_ms)
            self.watch(tick.ts_ms)  # (5) (6)

    def on_candle(self, candle: Candle) -> None:
        """Section 6, candle mode: orders at the open, stop and target over the range, the rest at the close."""
        at_open, at_low, at_high = (self.around(price) for price in (candle.open, candle.low, candle.high))
        self.quote = at_open  # (2)
        self.begin(candle.open_ms)
        self.cancel_old(candle.open_ms)  # (4)
        before = None
        if candle.complete:
            self.work_orders(candle.open_ms, candle.close_ms - 1)
            before = self.position
            for order in self.in_order():
                is_long = order.signal.side is Side.LONG
                limit = order.signal.limit_price
                if order.is_resting and (at_low[1] < limit if is_long else at_high[0] > limit):
                    self.enter_later(order, candle.open_ms)
        if self.position:  # (3)
            against, toward = (at_low, at_high) if self.position.side is Side.LONG else (at_high, at_low)
            is_in_range = candle.complete and self.position is not before
            self.stop_or_target(at_open, against, None if is_in_range else toward, candle.open_ms)
        self.quote = self.around(candle.close)
        if self.position:
            self.position.bars += 1
            self.liquidate(candle.close_ms)
        if candle.complete:
            self.close_after_max_bars(candle.close_ms)
        if not self.is_over:
            self.watch(candle.close_ms)  # (5) (6)
        if not self.is_over:
            self.ask([candle])  # (1)

    def begin(self, ts_ms: int) -> None:
        """The rest of step (2): a new day, and the funding times crossed (section 7)."""
        self.has_entered = self.has_left = False
        self.is_first_of_day = self.day != ts_ms // DAY_MS
        self.day = ts_ms // DAY_MS
        if self.is_first_of_day:
            self.losses = 0
        for funding in self.fundings:
            if self.position and self.quote:
                middle = (decimal(self.quote[0]) + decimal(self.quote[1])) / 2
                mark = decimal(funding.mark) if funding.mark else middle
                paid = self.position.side.sign * self.position.qty * mark * decimal(funding.rate)
                self.position.funding += paid
                self.result.balance -= paid
        self.fundings = []

    def around(self, price: float) -> Sides:
        """Section 2: the synthetic quote around a price."""
        half = self.number("half_spread_bps") / BPS
        bid = self.on_grid(decimal(price) * (1 - half), ROUND_FLOOR)
        ask = self.on_grid(decimal(price) * (1 + half), ROUND_CEILING)
        return float(bid), float(ask)

    def on_grid(self, price: Decimal, rounding: str) -> Decimal:
        return (price / self.info.tick_size).to_integral_value(rounding) * self.info.tick_size

    # --- sections 3 and 4: the strategy, and what arrives

    def ask(self, candles: list[Candle]) -> None:
        self.volume = decimal(candles[-1].volume)
        question = Decide(candles[-1].open_ms, tuple(candles), self.account())
        self.result.asked.append(question)
        for signal in self.decide(question):
            self.arrive(signal)

    def arrive(self, signal: Signal) -> None:
        name = f"{self.settings['strategy']}-{self.info.symbol}-{signal.ts_ms}-{signal.side}"
        if name in self.names:
            self.result.rejections.append((name, RejectReason.DUPLICATE))
        elif not self.is_possible(signal):
            self.result.rejections.append((name, RejectReason.INVALID))
        else:
            least, most = self.settings["latency_min_ms"], self.settings["latency_max_ms"]
            latency_ms = least + self.draw(name, 0) * (most - least + 1) // 2**64
            self.names.add(name)
            self.orders.append(Order(name, signal, latency_ms, signal.ts_ms + latency_ms))

    def is_possible(self, signal: Signal) -> bool:
        if signal.side not in set(Side) or signal.entry not in set(Entry) or signal.symbol != self.info.symbol:
            return False
        if not all(isfinite(number) for number in (signal.stop_bps, signal.tp_r, signal.limit_price)):
            return False
        if not 0 < signal.stop_bps < BPS or signal.tp_r <= 0:
            return False
        if signal.entry is Entry.MARKET:
            return True
        ticks = Fraction(decimal(signal.limit_price)) / Fraction(self.info.tick_size)
        return ticks > 0 and ticks.denominator == 1

    def draw(self, name: str, k: int) -> int:
        """Section 5."""
        return int.from_bytes(sha256(f"{self.settings['seed']}:{name}:{k}".encode()).digest()[:8], "big")

    # --- sections 4 and 6: orders

    def in_order(self) -> list[Order]:
        return sorted(self.orders, key=lambda order: (order.due_ms, order.name))

    def work_orders(self, now_ms: int, until_ms: int) -> None:
        """Step (4): all that are due until `until_ms`; in candle mode resting ones wait for the range."""
        for order in self.in_order():
            if order not in self.orders or order.due_ms > until_ms:
                continue
            if order.signal.side is Side.FLAT:
                self.leave(order, now_ms)
            elif not order.is_resting:
                self.enter_when_due(order, now_ms)
            elif self.info.mode == "tick" and self.is_reached(order):
                self.enter_later(order, now_ms)

    def cancel_old(self, now_ms: int) -> None:
        for order in self.in_order():
            if order.is_resting and self.is_too_old(order, now_ms):
                self.cancel(order)

    def leave(self, order: Order, now_ms: int) -> None:
        """Work a FLAT off."""
        if self.has_entered:
            return  # on the next tick
        resting = [other for other in self.in_order() if other.is_resting]
        for other in resting:
            self.cancel(other)
        if self.position:
            self.orders.remove(order)
            self.close_at_market(ExitReason.FLAT, now_ms)
        elif resting:
            self.cancel(order)  # it has done its work, without a fill
        else:
            self.reject(order, RejectReason.NO_POSITION)

    def enter_when_due(self, order: Order, now_ms: int) -> None:
        signal = order.signal
        refused = self.refusal(order, now_ms, may_expire=True)
        if refused:
            self.reject(order, refused)
            return
        assert self.quote, "refused without one"
        quoted = decimal(self.quote[1] if signal.side is Side.LONG else self.quote[0])
        price = self.slipped(order, 1, quoted, signal.side.sign)
        limit = decimal(signal.limit_price)
        if signal.entry is Entry.MARKET:
            self.enter(order, price, "taker_fee_bps", now_ms)
        elif self.size(signal, limit) < self.info.min_qty:
            self.reject(order, RejectReason.MIN_QTY)
        elif self.is_too_old(order, now_ms):
            self.cancel(order)
        elif self.is_reached(order):
            never_worse = min if signal.side is Side.LONG else max
            self.enter(order, never_worse(price, limit), "taker_fee_bps", now_ms)
        else:
            order.is_resting = True

    def enter_later(self, order: Order, now_ms: int) -> None:
        """A limit that is reached after its due tick."""
        refused = self.refusal(order, now_ms, may_expire=False)
        if refused:
            self.reject(order, refused)
        else:
            self.enter(order, decimal(order.signal.limit_price), "maker_fee_bps", now_ms)

    def is_reached(self, order: Order) -> bool:
        if not self.quote:
            return False
        bid, ask = self.quote
        limit = order.signal.limit_price
        return ask <= limit if order.signal.side is Side.LONG else bid >= limit

    def is_too_old(self, order: Order, now_ms: int) -> bool:
        return now_ms >= order.due_ms + 1000 * self.number("limit_ttl_sec")

    def refusal(self, order: Order, now_ms: int, *, may_expire: bool) -> RejectReason | None:
        """Section 4: the first reason that holds; `min_qty`, the last, comes with the size."""
        if self.is_halted:
            return RejectReason.HALTED
        if may_expire and now_ms - order.due_ms > 1000 * self.number("max_order_age_sec"):
            return RejectReason.EXPIRED
        if self.quote is None or self.quote[0] <= 0:
            return RejectReason.NO_QUOTE
        if self.position or self.has_left:
            return RejectReason.POSITION_OPEN
        pause_ms = 1000 * self.number("min_trade_interval_sec")
        if self.last_entry_ms is not None and now_ms - self.last_entry_ms < pause_ms:
            return RejectReason.THROTTLED
        return None

    def reject(self, order: Order, reason: RejectReason) -> None:
        self.orders.remove(order)
        self.result.rejections.append((order.name, reason))

    def cancel(self, order: Order) -> None:
        self.orders.remove(order)
        self.result.cancelled.append(order.name)

    # --- section 6: fills

    def slipped(self, order: Order, k: int, price: Decimal, sign: int) -> Decimal:
        """Return a price after slippage, on the grid; of a tick or more one is left; `sign` is +1 for a buy."""
        factor = Decimal("0.5") + Decimal(self.draw(order.name, k)) / 2**64
        moved = price * (1 + sign * self.number("slip_bps") * factor / BPS)
        rounded = self.on_grid(moved, ROUND_CEILING if sign > 0 else ROUND_FLOOR)
        return self.info.tick_size if rounded < self.info.tick_size <= price else rounded

    def size(self, signal: Signal, price: Decimal) -> Decimal:
        if price <= 0:
            return ZERO  # sold below a tick
        distance = price * decimal(signal.stop_bps) / BPS
        qty = self.result.balance * self.number("risk_pct") / 100 / distance
        qty = min(qty, self.result.balance * self.number("max_leverage") / price)
        share = self.number("max_fill_pct_of_volume")
        if share and self.volume is not None:
            qty = min(qty, self.volume * share / 100)
        return qty // self.info.lot_size * self.info.lot_size

    def enter(self, order: Order, price: Decimal, fee_name: str, now_ms: int) -> None:
        side, tick = order.signal.side, self.info.tick_size
        qty = self.size(order.signal, price)
        if qty < self.info.min_qty:
            self.reject(order, RejectReason.MIN_QTY)
            return
        distance = price * decimal(order.signal.stop_bps) / BPS
        sl = self.on_grid(price - side.sign * max(distance, tick), ROUND_HALF_EVEN)
        tp = self.on_grid(price + side.sign * max(decimal(order.signal.tp_r) * distance, tick), ROUND_HALF_EVEN)
        fee = qty * price * self.number(fee_name) / BPS
        self.orders.remove(order)
        self.result.balance -= fee
        self.position = Position(order, side, qty, price, sl, tp, now_ms, fee)
        self.last_entry_ms = now_ms
        self.has_entered = True

    def stop_or_target(self, first: Sides, against: Sides, toward: Sides | None, ts_ms: int) -> None:
        """Test the stop on the quote `against` the position, filled no better than `first`; the target on `toward`."""
        position = self.position
        if not position:
            return
        sl, tp, place = position.sl, position.tp, 0 if position.side is Side.LONG else 1
        if position.side is Side.LONG:
            is_stopped = against[place] <= float(sl)
            is_target = toward is not None and toward[place] >= float(tp)
        else:
            is_stopped = against[place] >= float(sl)
            is_target = toward is not None and toward[place] <= float(tp)
        if is_stopped:
            worse = min if position.side is Side.LONG else max
            self.close(worse(sl, decimal(first[place])), ExitReason.SL, ts_ms)
        elif is_target:
            self.close(tp, ExitReason.TP, ts_ms)

    def close_after_max_bars(self, ts_ms: int) -> None:
        if self.position and 0 < self.settings["max_bars_open"] <= self.position.bars:
            self.close_at_market(ExitReason.MAX_BARS, ts_ms)

    def liquidate(self, ts_ms: int) -> None:
        assert self.position, "called with one"
        least = self.number("maintenance_margin_pct") / 100 * self.position.qty * self.position.price
        if self.result.balance + self.unrealized() <= least:
            self.close_at_market(ExitReason.LIQUIDATION, ts_ms)
            self.trip(ts_ms)

    def close_at_market(self, reason: ExitReason, ts_ms: int) -> None:
        assert self.position, "called with one"
        self.close(self.mark(self.position), reason, ts_ms)

    def close(self, base: Decimal, reason: ExitReason, ts_ms: int) -> None:
        """Fill the exit; section 7: the money."""
        assert self.position, "called with one"
        position, self.position = self.position, None
        sign, qty = position.side.sign, position.qty
        price = self.slipped(position.order, 2, base, -sign)
        fee = qty * price * self.number("taker_fee_bps") / BPS
        profit = sign * (price - position.price) * qty
        pnl = profit - position.fees - fee - position.funding
        r = (pnl / (qty * abs(position.price - position.sl))).quantize(Decimal("0.000001"))
        self.result.balance += profit - fee
        self.result.trades.append(
            TradeClosed(
                trade_id=len(self.result.trades) + 1,
                seq=self.seq,
                symbol=self.info.symbol,
                side=position.side,
                qty=qty,
                entry_ts=position.entry_ts,
                entry_price=position.price,
                exit_ts=ts_ms,
                exit_price=price,
                exit_reason=reason,
                fees=position.fees + fee,
                funding=position.funding,
                pnl=pnl,
                r=r,
                equity=self.result.balance,
                client_order_id=position.order.name,
                latency_ms=position.order.latency_ms,
            )
        )
        self.has_left = True
        self.losses = self.losses + 1 if pnl < 0 else 0

    # --- sections 7 to 9: the account, the breaker, the end

    def mark(self, position: Position) -> Decimal:
        assert self.quote, "no position without a quote"
        return decimal(self.quote[0] if position.side is Side.LONG else self.quote[1])

    def unrealized(self) -> Decimal:
        position = self.position
        return position.side.sign * (self.mark(position) - position.price) * position.qty if position else ZERO

    def account(self) -> Account:
        balance, profit, trades = self.result.balance, self.unrealized(), len(self.result.trades)
        holds = self.position
        held = (holds.side, holds.qty, holds.price, holds.sl, holds.tp, holds.entry_ts) if holds else NOTHING
        return Account(balance, balance + profit, profit, *held, trades, self.is_halted)

    def watch(self, ts_ms: int) -> None:
        """Steps (5) and (6)."""
        equity = self.result.balance + self.unrealized()
        if self.is_first_of_day:
            self.base = equity
        least = self.base * (1 - self.number("max_daily_drawdown_pct") / 100)
        if equity <= least or self.losses >= self.settings["max_consecutive_losses"]:
            self.trip(ts_ms)

    def trip(self, ts_ms: int) -> None:
        self.is_over = True
        self.result.closed = StopReason.CIRCUIT_BREAKER
        self.cancel_all()
        if self.position:
            self.close_at_market(ExitReason.CIRCUIT_BREAKER, ts_ms)

    def stop(self, reason: StopReason) -> None:
        self.result.closed = reason
        self.cancel_all()
        if self.position and self.settings["on_stop"] == "flatten":
            self.close_at_market(reason.exit_reason, self.last_ms)

    def cancel_all(self) -> None:
        for order in self.in_order():
            self.cancel(order)


NOTHING = (Side.FLAT, ZERO, ZERO, ZERO, ZERO, 0)
