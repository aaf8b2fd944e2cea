"""Candle mode: the steps of one candle from a source that has nothing finer.

Assumptions: orders due meet the open; of the path between open and close only the range is known, so the stop is
taken to come before the target, and a limit touched by the range is filled only if the price went through it.
(2) and (4) at the open, (3) over the range, (5) and (6) at the close; the strategy is asked after that.
"""

from bus.messages import Candle, ExitReason
from services.broker.desk import Desk
from services.broker.order_desk import cancel_overdue, work_due, work_range
from services.broker.position import Position
from services.broker.prices import Around, exit_price
from services.broker.tick_mode import guard


def work(desk: Desk, candle: Candle) -> None:
    """Work off one candle in full."""
    desk.begin(candle.seq, candle.open_ms)
    desk.quote = _around(desk, candle.open)
    is_new_day = desk.breaker.turn_day(candle.open_ms)
    desk.settle_fundings()
    cancel_overdue(desk)
    may_hit_target = True
    if candle.complete:
        work_due(desk, candle.close_ms - 1)
    if desk.position is not None or desk.book.resting:
        if candle.complete and desk.book.resting:
            had_position = desk.position is not None
            work_range(desk, _around(desk, candle.low), _around(desk, candle.high))
            may_hit_target = had_position or desk.position is None
        if desk.position is not None:
            _work_range_exits(desk, desk.position, candle, may_hit_target=may_hit_target)
    desk.quote = _around(desk, candle.close)
    desk.ts_ms = candle.close_ms
    _work_close(desk, is_complete=candle.complete)
    if desk.closed is None:
        guard(desk, is_new_day=is_new_day)
    desk.volume = candle.volume
    desk.ledger.check()


def _around(desk: Desk, price: float) -> Around:
    return Around(price, desk.config.half_spread_bps, desk.market.tick_size)


def _work_range_exits(desk: Desk, held: Position, candle: Candle, *, may_hit_target: bool) -> None:
    # What a position is left at is never better than the print: the print alone tells nearly always.
    worst, best = (candle.low, candle.high) if held.sign > 0 else (candle.high, candle.low)
    if held.is_stopped_at(worst) or held.is_stopped_at(exit_price(_around(desk, worst), held.sign)):
        assert desk.quote is not None  # the candle's open
        desk.leave(held.stop_base(exit_price(desk.quote, held.sign)), ExitReason.SL)
    elif may_hit_target and held.is_target_at(best) and held.is_target_at(exit_price(_around(desk, best), held.sign)):
        desk.leave(held.tp, ExitReason.TP)


def _work_close(desk: Desk, *, is_complete: bool) -> None:
    if desk.position is None:
        return
    desk.position.bars += 1
    desk.liquidate_if_due()
    most = desk.config.max_bars_open
    if desk.position is not None and is_complete and most and desk.position.bars >= most:
        desk.leave_at_market(ExitReason.MAX_BARS)
