"""Tick mode: the steps of one quote or trade, in their order.

(1) The candles it closes and the strategy's answer come before this file is reached. (2) The newest quote, the day,
funding; (3) the open position's exits; (4) orders due; (5) the day's base; (6) the circuit breaker.
"""

from bus.messages import ExitReason, Quote, Tick
from services.broker.desk import Desk
from services.broker.order_desk import work_tick
from services.broker.position import Position
from services.broker.prices import exit_price


def work(desk: Desk, tick: Tick) -> None:
    """Work off one tick in full."""
    desk.begin(tick.seq, tick.ts_ms)
    if isinstance(tick, Quote):
        desk.quote = tick
    is_new_day = desk.breaker.turn_day(tick.ts_ms)
    desk.settle_fundings()
    _work_exits(desk, tick)
    if desk.closed is None:
        work_tick(desk)
        guard(desk, is_new_day=is_new_day)
    desk.ledger.check()


def guard(desk: Desk, *, is_new_day: bool) -> None:
    """Set the day's base if it is a new one, then let the breaker judge the equity."""
    equity = desk.equity
    if is_new_day:
        desk.breaker.base = equity
    if detail := desk.breaker.verdict(equity):
        desk.trip(detail, equity)


def _work_exits(desk: Desk, tick: Tick) -> None:
    if desk.quote is None or desk.position is None:
        return
    desk.liquidate_if_due()
    if desk.position is not None and isinstance(tick, Quote):
        _work_stop_and_target(desk, desk.position, exit_price(tick, desk.position.sign))
    most = desk.config.max_bars_open
    if desk.position is not None and most and desk.position.bars >= most:
        desk.leave_at_market(ExitReason.MAX_BARS)


def _work_stop_and_target(desk: Desk, held: Position, price: float) -> None:
    if held.is_stopped_at(price):
        desk.leave(held.stop_base(price), ExitReason.SL)
    elif held.is_target_at(price):
        desk.leave(held.tp, ExitReason.TP)
