"""The desk: one account, at most one position, its orders, and what it says while an event is worked off.

Everything here runs inside one event (`begin` opens it) and in the 50-digit context of the engine's entry points.
A market order fills in full at the newest quote, worsened by slippage; nothing of ours moves the market.
"""

from decimal import Decimal

from bus.messages import (
    Account,
    BreakerTripped,
    ExitReason,
    Fill,
    Funding,
    FundingPaid,
    Message,
    OrderCancelled,
    SessionClosed,
    StopReason,
    StreamInfo,
    TradeClosed,
)
from services.broker.breaker import Breaker
from services.broker.config import BrokerConfig
from services.broker.decimals import BPS, HUNDRED, ZERO, decimal_of
from services.broker.draws import exit_factor
from services.broker.errors import ImpossibleError
from services.broker.ledger import Ledger
from services.broker.orders import Order, OrderBook, UsedIds
from services.broker.position import Position
from services.broker.prices import TwoSided, exit_price, slipped
from services.broker.sizing import stop_and_target
from services.broker.standing import Standing, equity_of

_R_PLACES = Decimal("0.000001")


class Desk:
    """The broker's whole memory of the account.

    Attributes:
        seq: The last event worked off.
        ts_ms: Event time of what is happening now.
        quote: The newest quote, None before the first one.
        volume: The last closed candle's, None before the first one (history does not count).
        last_entry_ts: Event time of the last entry fill, None before the first one.
        fundings: Funding times crossed, to be settled with the next tick.
        halted: Entries are halted because the monitor is gone.
        closed: Why the session ended; None while it goes on.
        entered_now, closed_now: A position was opened (closed) by the very event that is being worked off.
    """

    def __init__(self, config: BrokerConfig, market: StreamInfo, used_ids: UsedIds) -> None:
        self.config = config
        self.market = market
        self.used_ids = used_ids
        self.ledger = Ledger(config.starting_balance, config.starting_balance)
        self.breaker = Breaker(config.max_daily_drawdown_pct, config.max_consecutive_losses)
        self.book = OrderBook()
        self.position: Position | None = None
        self.quote: TwoSided | None = None
        self.volume: float | None = None
        self.last_entry_ts: int | None = None
        self.fundings: list[Funding] = []
        self.halted = False
        self.closed: StopReason | None = None
        self.seq = 0
        self.ts_ms = 0
        self.first_ts: int | None = None
        self.entered_now = False
        self.closed_now = False
        self.trade_count = 0
        self.closed_count = 0
        self.rejected_count = 0
        self.exposure_ms = 0
        self.out: list[Message] = []

    def begin(self, seq: int, ts_ms: int) -> None:
        """Open event `seq`; what is said from here on belongs to it."""
        self.seq = seq
        self.ts_ms = ts_ms
        if self.first_ts is None and seq:
            self._meet_clock(ts_ms)
        self.entered_now = False
        self.closed_now = False
        self.out = []

    def _meet_clock(self, first_ts: int) -> None:
        """The market begins. A simulated or recorded one may be earlier than what was kept: that counts from here then."""
        self.first_ts = first_ts
        if self.last_entry_ts is not None:
            self.last_entry_ts = min(self.last_entry_ts, first_ts)
        if self.position is not None:
            self.position.entry_ts = min(self.position.entry_ts, first_ts)

    @property
    def standing(self) -> Standing:
        """Where the account stands, whatever the quote."""
        is_halted = self.halted or self.closed is not None
        return Standing(self.ledger.balance, self.position, self.closed_count, is_halted)

    @property
    def equity(self) -> Decimal:
        """Balance and unrealized profit at the newest quote, in quote currency."""
        return equity_of(self.ledger.balance, self.position, self.quote)

    @property
    def liquidation_floor(self) -> Decimal | None:
        """The equity at which the position is liquidated; None without one."""
        if self.position is None:
            return None
        return self.config.maintenance_margin_pct / HUNDRED * self.position.notional

    def account(self) -> Account:
        """Return the account as a strategy may know it."""
        return self.standing.account(self.quote)

    def settle_fundings(self) -> None:
        """Pay or receive the funding of every funding time crossed; without a position they pass by.

        One without a mark price waits for the first quote, which a position kept from an earlier session may precede.
        """
        fundings, self.fundings = self.fundings, []
        for funding in fundings:
            if self.position is not None:
                self._settle(self.position, funding)

    def _settle(self, held: Position, funding: Funding) -> None:
        mark = decimal_of(funding.mark) if funding.mark else self._middle()
        if mark is None:
            self.fundings.append(funding)
            return
        # + ZERO: nothing paid is 0, never -0
        amount = held.sign * (held.qty * mark * decimal_of(funding.rate)) + ZERO
        held.funding += amount
        self.ledger.book_cost(amount)
        self.out.append(FundingPaid(held.trade_id, self.seq, self.ts_ms, funding.rate, mark, amount))

    def _middle(self) -> Decimal | None:
        if self.quote is None:
            return None
        return (decimal_of(self.quote.bid) + decimal_of(self.quote.ask)) / 2

    def enter(self, order: Order, base: Decimal, price: Decimal, qty: Decimal, liquidity: str) -> None:
        """Open the position: `base` is the price before slippage, `liquidity` is `taker` or `maker`."""
        sl, tp = stop_and_target(self.market, order.signal, price)
        fee = self._fee(qty * price, liquidity)
        self.trade_count += 1
        held = Position(
            trade_id=self.trade_count,
            client_order_id=order.client_order_id,
            side=order.signal.side,
            qty=qty,
            entry_price=price,
            entry_ts=self.ts_ms,
            entry_fee=fee,
            sl=sl,
            tp=tp,
            latency_ms=order.latency_ms,
            exit_factor=exit_factor(self.config.seed, order.client_order_id),
        )
        self.position = held
        self.ledger.book_cost(fee)
        self.last_entry_ts = self.ts_ms
        self.entered_now = True
        self.book.drop(order.client_order_id)
        self.out.append(self._fill(held, base, price, fee, liquidity))

    def leave(self, base: Decimal, reason: ExitReason, order_id: str = "") -> None:
        """Close the position at `base`, worsened by slippage, with the taker's fee.

        Args:
            base: The price before slippage.
            reason: Why.
            order_id: Of the order that closes it (FLAT); without one the fill is the entry's child.
        """
        held = self._held()
        tick = self.market.tick_size
        price = slipped(base, self.config.slip_bps, held.exit_factor, -held.sign, tick)
        exit_fee = self._fee(held.qty * price, "taker")
        profit, fees = held.profit(price), held.entry_fee + exit_fee
        pnl = profit - fees - held.funding
        self.ledger.book_close(profit, exit_fee, pnl)
        self.breaker.count(pnl)
        self.position = None
        self.closed_now = True
        self.closed_count += 1
        self.exposure_ms += self.ts_ms - max(held.entry_ts, self.first_ts or 0)
        self.out.append(self._fill(held, base, price, exit_fee, "taker", reason, order_id))
        risk = held.qty * abs(held.entry_price - held.sl)
        self.out.append(
            TradeClosed(
                trade_id=held.trade_id,
                seq=self.seq,
                symbol=self.config.symbol,
                side=held.side,
                qty=held.qty,
                entry_ts=held.entry_ts,
                entry_price=held.entry_price,
                exit_ts=self.ts_ms,
                exit_price=price,
                exit_reason=reason,
                fees=fees,
                funding=held.funding,
                pnl=pnl,
                r=(pnl / risk).quantize(_R_PLACES) + ZERO,
                equity=self.ledger.balance,
                client_order_id=held.client_order_id,
                latency_ms=held.latency_ms,
            )
        )

    def leave_at_market(self, reason: ExitReason, order_id: str = "") -> None:
        """Close the position at the newest quote."""
        held = self._held()
        if self.quote is None:
            raise ImpossibleError("a position can not be left before the first quote")
        self.leave(decimal_of(exit_price(self.quote, held.sign)), reason, order_id)

    def liquidate_if_due(self) -> None:
        """Close the position if the equity no longer carries it; that trips the breaker."""
        floor = self.liquidation_floor
        if floor is None or self.quote is None or self.equity > floor:
            return
        detail = f"liquidation: equity {self.equity:.2f} at or below {floor:.2f}"
        equity = self.equity
        self.leave_at_market(ExitReason.LIQUIDATION)
        self.trip(detail, equity)

    def trip(self, detail: str, equity: Decimal) -> None:
        """Trip the breaker at `equity`: everything is cancelled and closed, and the session ends with this event."""
        base = self.breaker.base_or(self.ledger.starting_balance)
        self.out.append(BreakerTripped(self.seq, self.ts_ms, equity, base, detail))
        self.stop(StopReason.CIRCUIT_BREAKER)

    def stop(self, reason: StopReason) -> None:
        """End the session: cancel all orders, leave the position (or keep it), say the last word.

        With `on_stop = keep` a position stays, unless the breaker ends the session; so does one that no quote of
        this session has priced yet.
        """
        self.cancel(list(self.book), f"session ends: {reason}")
        is_kept = self.config.keep and reason is not StopReason.CIRCUIT_BREAKER
        if self.position is not None and self.quote is not None and not is_kept:
            self.leave_at_market(reason.exit_reason)
        self.closed = reason
        kept = self.position is not None
        self.out.append(SessionClosed(self.seq, self.ts_ms, reason, self.ledger.balance, kept))

    def cancel(self, orders: list[Order], detail: str) -> None:
        """End `orders` without a fill; `detail` says why."""
        for order in orders:
            self.book.drop(order.client_order_id)
            self.out.append(OrderCancelled(order.client_order_id, self.seq, self.ts_ms, detail))

    def _held(self) -> Position:
        if self.position is None:
            raise ImpossibleError("no position can be left, there is none")
        return self.position

    def _fee(self, notional: Decimal, liquidity: str) -> Decimal:
        bps = self.config.maker_fee_bps if liquidity == "maker" else self.config.taker_fee_bps
        return notional * bps / BPS

    def _fill(
        self,
        held: Position,
        base: Decimal,
        price: Decimal,
        fee: Decimal,
        liquidity: str,
        exit_reason: ExitReason | None = None,
        order_id: str = "",
    ) -> Fill:
        return Fill(
            client_order_id=order_id or held.client_order_id,
            seq=self.seq,
            ts_ms=self.ts_ms,
            trade_id=held.trade_id,
            side=held.side,
            is_entry=exit_reason is None,
            qty=held.qty,
            base_price=base,
            price=price,
            fee=fee,
            liquidity=liquidity,
            sl=held.sl,
            tp=held.tp,
            exit_reason=exit_reason,
        )
