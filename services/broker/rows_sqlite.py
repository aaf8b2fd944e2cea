"""What the broker says, as rows of the journal, and rows back as messages. The tables are in `schema_sqlite`."""

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import asdict, astuple

from bus import messages as m
from services.broker.packing import json_text, pack, unpack_account, unpack_candle, unpack_signal, unpack_tick
from services.numbers import plain

Row = tuple[str, Sequence[Any]]
"""A statement and its parameters."""


def rows_of(message: m.Message) -> Iterator[Row]:
    """Yield the statements that write `message` down; none for one that is not the journal's business."""
    to_rows = _ROWS.get(type(message))
    if to_rows is not None:
        yield from to_rows(message)


def trade_of(row: Sequence[Any]) -> m.TradeClosed:
    """Return the trade of a row of `trades`."""
    values = list(row)
    for column in _TRADE_DECIMALS:
        values[column] = Decimal(values[column])
    values[3] = m.Side(values[3])
    values[9] = m.ExitReason(values[9])
    return m.TradeClosed(*values)


def question_of(open_ms: int, candles: str, account: str, tick: str | None) -> m.Decide:
    """Return the question of a row of `decisions` or, with a tick, of `tick_decisions`."""
    closed = tuple(unpack_candle(candle) for candle in json.loads(candles))
    asked_about = None if tick is None else unpack_tick(json.loads(tick))
    return m.Decide(open_ms, closed, unpack_account(json.loads(account)), asked_about)


def answer_of(answer: str) -> tuple[m.Signal, ...]:
    """Return the signals of a row of `decisions`."""
    return tuple(map(unpack_signal, json.loads(answer)))


def fact_of(kind: str, seq: int, ts_ms: int | None, detail: str) -> m.Message:
    """Return the message of a row of `facts`."""
    said = json.loads(detail)
    match kind:
        case "entries_halted":
            return m.EntriesHalted(seq, said["halted"], said["detail"])
        case "decision_timed_out":
            return m.DecisionTimedOut(seq, said["open_ms"], said.get("tick_seq", 0))
        case "decision_late":
            signals = tuple(map(unpack_signal, said["signals"]))
            return m.DecisionTaken(seq, said["open_ms"], signals, late=True, tick_seq=said.get("tick_seq", 0))
        case "strategy_failed":
            return m.StrategyFailed(seq, **said)
        case "breaker_tripped":
            equity, base = Decimal(said["equity"]), Decimal(said["base"])
            return m.BreakerTripped(seq, ts_ms or 0, equity, base, said["detail"])
        case _:
            reason = m.StopReason(said["reason"])
            return m.SessionClosed(seq, ts_ms or 0, reason, Decimal(said["balance"]), said["kept"])


_TRADE_DECIMALS = (4, 6, 8, 10, 11, 12, 13, 14)
_MARK = "UPDATE orders SET status = ?, status_ts_ms = ?, detail = ? WHERE client_order_id = ?"
_TAKEN = {
    "candle": "UPDATE decisions SET answer = ?, answer_seq = ?, late = ? WHERE open_ms = ?",
    "tick": "UPDATE tick_decisions SET answer = ?, answer_seq = ?, late = ? WHERE seq = ?",
}
_TIMED_OUT = {
    "candle": "UPDATE decisions SET timed_out = 1 WHERE open_ms = ?",
    "tick": "UPDATE tick_decisions SET timed_out = 1 WHERE seq = ?",
}
_FACT = "INSERT INTO facts (kind, seq, ts_ms, detail) VALUES (?, ?, ?, ?)"


def _plainly(message: Any) -> list[Any]:
    return [plain(value) if isinstance(value, Decimal) else value for value in astuple(message)]


def _accepted(order: m.OrderAccepted) -> Iterator[Row]:
    wanted = order.signal
    yield (
        "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(order.client_order_id, order.seq, wanted.ts_ms, wanted.side, wanted.entry, wanted.limit_price),
            *(wanted.stop_bps, wanted.tp_r, wanted.reason, order.latency_ms, order.due_ms, order.late),
            *("pending", wanted.ts_ms, ""),
        ),
    )


def _rejected(order: m.OrderRejected) -> Iterator[Row]:
    yield (
        "INSERT INTO rejections (client_order_id, seq, ts_ms, side, reason, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (order.client_order_id, order.seq, order.ts_ms, order.signal.side, order.reason, order.detail),
    )
    if order.reason is not m.RejectReason.DUPLICATE:  # that id's order is another one, and goes on
        yield _MARK, ("rejected", order.ts_ms, order.reason, order.client_order_id)


def _resting(order: m.OrderResting) -> Iterator[Row]:
    yield _MARK, ("resting", order.ts_ms, f"until {order.until_ms}", order.client_order_id)


def _cancelled(order: m.OrderCancelled) -> Iterator[Row]:
    yield _MARK, ("cancelled", order.ts_ms, order.detail, order.client_order_id)


def _fill(fill: m.Fill) -> Iterator[Row]:
    yield "INSERT INTO fills VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _plainly(fill)
    if fill.is_entry or fill.exit_reason is m.ExitReason.FLAT:
        yield _MARK, ("filled", fill.ts_ms, "", fill.client_order_id)


def _trade(trade: m.TradeClosed) -> Iterator[Row]:
    yield "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _plainly(trade)


def _funding(paid: m.FundingPaid) -> Iterator[Row]:
    yield "INSERT INTO funding VALUES (NULL, ?, ?, ?, ?, ?, ?)", _plainly(paid)


def _asked(question: m.Decide) -> Iterator[Row]:
    if question.tick is not None:
        yield (
            "INSERT OR IGNORE INTO tick_decisions (seq, tick, account) VALUES (?, ?, ?)",
            (question.tick.seq, json_text(pack(question.tick)), json_text(pack(question.account))),
        )
        return
    last, account = question.candles[-1], question.account
    candles = json_text([pack(candle) for candle in question.candles])
    yield (
        "INSERT OR IGNORE INTO decisions (open_ms, seq, candles, account) VALUES (?, ?, ?, ?)",
        (question.open_ms, last.seq, candles, json_text(pack(account))),
    )
    yield (
        "INSERT OR REPLACE INTO equity VALUES (?, ?, ?)",
        (last.close_ms, plain(account.balance), plain(account.equity)),
    )


def _taken(answer: m.DecisionTaken) -> Iterator[Row]:
    signals = [pack(signal) for signal in answer.signals]
    where, name = _row_of(answer.key)
    yield _TAKEN[where], (json_text(signals), answer.seq, answer.late, name)
    if answer.late:
        detail = {**_named(answer.key), "signals": signals}
        yield _FACT, ("decision_late", answer.seq, None, json_text(detail))


def _timed_out(fact: m.DecisionTimedOut) -> Iterator[Row]:
    where, name = _row_of(fact.key)
    yield _TIMED_OUT[where], (name,)
    yield _FACT, ("decision_timed_out", fact.seq, None, json_text(_named(fact.key)))


def _failed(fact: m.StrategyFailed) -> Iterator[Row]:
    detail = asdict(fact)
    del detail["seq"]
    yield _FACT, ("strategy_failed", fact.seq, None, json_text(detail))


def _row_of(key: m.QuestionKey) -> tuple[str, int]:
    """Return about what a question was, and what names it there."""
    open_ms, tick_seq = key
    return ("tick", tick_seq) if tick_seq else ("candle", open_ms)


def _named(key: m.QuestionKey) -> dict[str, int]:
    open_ms, tick_seq = key
    return {"open_ms": open_ms, "tick_seq": tick_seq} if tick_seq else {"open_ms": open_ms}


def _halted(fact: m.EntriesHalted) -> Iterator[Row]:
    detail = {"halted": fact.halted, "detail": fact.detail}
    yield _FACT, ("entries_halted", fact.seq, None, json_text(detail))


def _tripped(fact: m.BreakerTripped) -> Iterator[Row]:
    detail = {"equity": plain(fact.equity), "base": plain(fact.base), "detail": fact.detail}
    yield _FACT, ("breaker_tripped", fact.seq, fact.ts_ms, json_text(detail))


def _closed(fact: m.SessionClosed) -> Iterator[Row]:
    detail = {"reason": fact.reason, "balance": plain(fact.balance), "kept": fact.kept}
    yield _FACT, ("session_closed", fact.seq, fact.ts_ms, json_text(detail))


_ROWS: dict[type, Callable[[Any], Iterator[Row]]] = {
    m.OrderAccepted: _accepted,
    m.OrderRejected: _rejected,
    m.OrderResting: _resting,
    m.OrderCancelled: _cancelled,
    m.Fill: _fill,
    m.TradeClosed: _trade,
    m.FundingPaid: _funding,
    m.Decide: _asked,
    m.DecisionTaken: _taken,
    m.DecisionTimedOut: _timed_out,
    m.StrategyFailed: _failed,
    m.EntriesHalted: _halted,
    m.BreakerTripped: _tripped,
    m.SessionClosed: _closed,
}
