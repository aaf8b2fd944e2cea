"""The order desk: signals become orders on arrival, and orders are judged and worked off when they are due.

An order is judged at its due tick, not before: what was true when the strategy decided does not matter then.
"""

from collections.abc import Iterable
from decimal import Decimal

from bus.messages import ExitReason, OrderAccepted, OrderRejected, OrderResting, RejectReason, Side, Signal
from services.broker.decimals import decimal_of
from services.broker.desk import Desk
from services.broker.draws import entry_factor, latency_ms
from services.broker.orders import Order, fault_of, order_id
from services.broker.prices import TwoSided, entry_price, slipped
from services.broker.sizing import quantity


def take(desk: Desk, signals: Iterable[Signal], *, late: bool) -> None:
    """Turn signals into pending orders; only `duplicate` and `invalid` are decided here."""
    for signal in signals:
        client_order_id = order_id(desk.config.strategy, desk.config.symbol, signal)
        if client_order_id in desk.used_ids:
            _refuse(desk, client_order_id, signal, RejectReason.DUPLICATE)
        elif fault := fault_of(signal, desk.config.symbol, desk.market.tick_size):
            _refuse(desk, client_order_id, signal, RejectReason.INVALID, fault)
        else:
            _accept(desk, client_order_id, signal, late=late)


def _accept(desk: Desk, client_order_id: str, signal: Signal, *, late: bool) -> None:
    config = desk.config
    travel = latency_ms(config.seed, client_order_id, config.latency_min_ms, config.latency_max_ms)
    order = Order(client_order_id, signal, travel, signal.ts_ms + travel, late)
    desk.used_ids.add(client_order_id)
    desk.book.pending[client_order_id] = order
    desk.out.append(OrderAccepted(client_order_id, desk.seq, signal, travel, order.due_ms, late))


def cancel_overdue(desk: Desk) -> None:
    """Cancel the resting limit orders whose time to live is over."""
    over = [order for order in desk.book.resting.values() if _is_over(desk, order)]
    desk.cancel(sorted(over, key=lambda order: order.rank), "time to live is over")


def work_due(desk: Desk, until_ms: int) -> None:
    """Judge and execute at the newest quote what is due at or before `until_ms`, in the order of (due, id)."""
    for order in desk.book:
        if order.client_order_id in desk.book.pending and _is_due(order, until_ms):
            _work(desk, order)


def work_tick(desk: Desk) -> None:
    """Work off one tick's orders, due ones and resting ones together, in the order of (due, id)."""
    cancel_overdue(desk)
    for order in desk.book:
        if order.client_order_id in desk.book.resting:
            if desk.quote is not None and order.is_reached(entry_price(desk.quote, order.signal.side.sign)):
                _fill_resting(desk, order)
        elif order.client_order_id in desk.book.pending and _is_due(order, desk.ts_ms):
            _work(desk, order)


def work_range(desk: Desk, low: TwoSided, high: TwoSided) -> None:
    """Fill the resting limit orders that a candle's range went through, in the order of (due, id)."""
    for order in desk.book:
        if order.client_order_id in desk.book.resting:
            sign = order.signal.side.sign
            if order.is_passed(entry_price(low if sign > 0 else high, sign)):
                _fill_resting(desk, order)


def _is_due(order: Order, until_ms: int) -> bool:
    return order.late or order.due_ms <= until_ms


def _is_over(desk: Desk, order: Order) -> bool:
    return desk.ts_ms - order.due_ms >= desk.config.limit_ttl_ms


def _work(desk: Desk, order: Order) -> None:
    if order.signal.side is Side.FLAT:
        _work_flat(desk, order)
    else:
        _work_entry(desk, order)


def _work_flat(desk: Desk, order: Order) -> None:
    if desk.entered_now or (desk.position is not None and desk.quote is None):
        return  # due on the tick that filled the entry, or before a kept position has a price: on the next one
    client_order_id = order.client_order_id
    desk.book.drop(client_order_id)
    resting = sorted(desk.book.resting.values(), key=lambda one: one.rank)
    desk.cancel(resting, "FLAT")
    if desk.position is not None:
        desk.leave_at_market(ExitReason.FLAT, client_order_id)
    elif resting:
        desk.cancel([order], "done: resting orders cancelled")
    else:
        _refuse(desk, client_order_id, order.signal, RejectReason.NO_POSITION)


def _work_entry(desk: Desk, order: Order) -> None:
    reason = _verdict(desk, desk.ts_ms - order.due_ms)
    if reason is not None or desk.quote is None:
        _refuse(desk, order.client_order_id, order.signal, reason or RejectReason.NO_QUOTE)
        return
    sign = order.signal.side.sign
    base = decimal_of(entry_price(desk.quote, sign))
    factor = entry_factor(desk.config.seed, order.client_order_id)
    price = slipped(base, desk.config.slip_bps, factor, sign, desk.market.tick_size)
    if order.is_limit:
        _work_limit(desk, order, base, price)
    else:
        _enter(desk, order, base, price, "taker")


def _work_limit(desk: Desk, order: Order, base: Decimal, price: Decimal) -> None:
    sign, limit = order.signal.side.sign, order.limit
    if _size(desk, order, limit) < desk.market.min_qty:
        _refuse(desk, order.client_order_id, order.signal, RejectReason.MIN_QTY)
    elif _is_over(desk, order):
        desk.cancel([order], "time to live is over")
    elif sign * base <= sign * limit:
        never_worse = min(price, limit) if sign > 0 else max(price, limit)
        _enter(desk, order, base, never_worse, "taker")
    else:
        desk.book.rest(order)
        until_ms = order.due_ms + desk.config.limit_ttl_ms
        desk.out.append(OrderResting(order.client_order_id, desk.seq, desk.ts_ms, until_ms))


def _fill_resting(desk: Desk, order: Order) -> None:
    reason = _verdict(desk, age_ms=0)
    if reason is not None:
        _refuse(desk, order.client_order_id, order.signal, reason)
    else:
        _enter(desk, order, order.limit, order.limit, "maker")


def _enter(desk: Desk, order: Order, base: Decimal, price: Decimal, liquidity: str) -> None:
    qty = _size(desk, order, price)
    if qty < desk.market.min_qty:
        _refuse(desk, order.client_order_id, order.signal, RejectReason.MIN_QTY, f"{qty:f}")
    else:
        desk.enter(order, base, price, qty, liquidity)


def _size(desk: Desk, order: Order, price: Decimal) -> Decimal:
    return quantity(desk.config, desk.market, order.signal, price, desk.ledger.balance, desk.volume)


def _verdict(desk: Desk, age_ms: int) -> RejectReason | None:
    """Return the first reason that holds now, but for `min_qty`; an entry waiting at its limit has no age."""
    if desk.halted or desk.closed is not None:
        return RejectReason.HALTED
    if age_ms > desk.config.max_order_age_ms:
        return RejectReason.EXPIRED
    if desk.quote is None or desk.quote.bid <= 0.0:
        return RejectReason.NO_QUOTE
    if desk.position is not None or desk.closed_now:
        return RejectReason.POSITION_OPEN
    since = None if desk.last_entry_ts is None else desk.ts_ms - desk.last_entry_ts
    if since is not None and since < desk.config.min_trade_interval_ms:
        return RejectReason.THROTTLED
    return None


def _refuse(desk: Desk, client_order_id: str, signal: Signal, reason: RejectReason, detail: str = "") -> None:
    if reason is not RejectReason.DUPLICATE:
        desk.book.drop(client_order_id)
    desk.rejected_count += 1
    desk.out.append(OrderRejected(client_order_id, desk.seq, desk.ts_ms, signal, reason, detail))
