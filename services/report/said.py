"""What a journal would say of a run, from what the broker said: for a run that keeps no journal. Pure.

All but the strategy's failures (`failed`): a run in which it failed has no figures.

`journal_reader_sqlite` reads the same out of the file; `tests/replay/test_said.py` holds the two together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bus.messages import (
    Candle,
    Decide,
    DecisionTimedOut,
    Fill,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    SessionClosed,
    StopReason,
    TradeClosed,
)
from services.report.money import Money
from services.report.run import AcceptedOrder, Bar, JournalFacts, Refusal


def facts_said(said: Iterable[Message], state: Mapping[str, Any]) -> JournalFacts:
    """Gather what a report needs.

    Args:
        said: everything the broker said, in order.
        state: the broker's state after it, as its journal would keep it.
    """
    heard = _Heard()
    for message in said:
        heard.hear(message)
    money = Money.of(state)
    rejections = Counter(refusal.reason for refusal in heard.refusals)
    return JournalFacts(
        starting_balance=money.starting,
        ending_balance=money.ending,
        trades=heard.trades,
        equity=sorted(heard.equity.items()),
        bars=[_bar(candle) for open_ms in sorted(heard.asked) for candle in heard.asked[open_ms]],
        fills=heard.fills,
        orders=sorted(heard.orders, key=lambda order: (order.ts_ms, order.client_order_id)),
        refusals=heard.refusals,
        unanswered=sorted(heard.unanswered),
        entry_fees_open=money.entry_fees_open,
        open_costs=money.open_costs,
        rejections=dict(sorted(rejections.items(), key=lambda item: (-item[1], item[0]))),
        cancelled=heard.cancelled,
        position=money.position,
        first_ts=state["first_ts"] or 0,
        last_ts=state["last_ts"] or 0,
        last_close=state["last_close"],
        tick_size=money.tick_size,
        ticks=state["tick_count"],
        candles=state["candle_count"],
        stop_reason=heard.stop_reason,
    )


class _Heard:
    """Messages by kind."""

    def __init__(self) -> None:
        self.trades: list[TradeClosed] = []
        self.fills: list[Fill] = []
        self.orders: list[AcceptedOrder] = []
        self.refusals: list[Refusal] = []
        self.asked: dict[int, tuple[Candle, ...]] = {}
        self.equity: dict[int, float] = {}
        self.unanswered: set[int] = set()
        self.cancelled = 0
        self.stop_reason: StopReason | None = None

    def hear(self, message: Message) -> None:
        match message:
            case Decide(tick=None):
                self.asked.setdefault(message.open_ms, message.candles)
                self.equity[message.candles[-1].close_ms] = float(message.account.equity)
            case TradeClosed():
                self.trades.append(message)
            case Fill():
                self.fills.append(message)
            case OrderAccepted():
                self.orders.append(
                    AcceptedOrder(message.client_order_id, message.signal.ts_ms, message.latency_ms, message.late)
                )
            case OrderRejected():
                self.refusals.append(Refusal(message.ts_ms, message.signal.side.value, message.reason.value))
            case OrderCancelled():
                self.cancelled += 1
            case DecisionTimedOut(tick_seq=0):
                self.unanswered.add(message.open_ms)
            case SessionClosed() if self.stop_reason is None:
                self.stop_reason = message.reason


def _bar(candle: Candle) -> Bar:
    first, high, low, last = candle.open, candle.high, candle.low, candle.close
    return candle.open_ms, first, high, low, last, candle.volume, candle.complete
