"""What the broker did, as a line that people read: level, the event's name, words."""

from decimal import Decimal as D

import pytest
from report_builders import START, closed, fill

from bus import messages as m
from services.monitor.events import FACTS, describe, happened_ms

SIGNAL = m.Signal("BTCUSDT", m.Side.LONG, START, 30.0, 1.5)
LINES: list[tuple[m.Message, str, str, int | None]] = [
    (fill(qty=D("0.50"), price="100.10"), "fill", "LONG 0.5 enters at 100.1", START),
    (
        fill(is_entry=False, side=m.Side.SHORT, qty=D(100), price="99", ts_ms=START + 5),
        "fill",
        "SHORT 100 exits (TP) at 99",
        START + 5,
    ),
    (
        fill(is_entry=False, exit_reason=m.ExitReason.STALE_DATA, qty=D("1E+3"), price="1E-7"),
        "fill",
        "LONG 1000 exits (STALE_DATA) at 0.0000001",
        START,
    ),
    (
        closed("1234.567", trade_id=3, at=5, held=10, r=D("1.2345")),
        "trade_closed",
        "trade 3: +1,234.57 (+1.23 R)",
        START + 15_000,
    ),
    (closed("-9.999", trade_id=4, held=1), "trade_closed", "trade 4: -10.00 (-1.00 R)", START + 1_000),
    (m.OrderAccepted("a", 1, SIGNAL, 120, START + 120, False), "order_accepted", "a: due after 120 ms", None),
    (m.OrderRejected("a", 1, 5, SIGNAL, m.RejectReason.HALTED, "breaker"), "order_rejected", "a: halted", 5),
    (m.OrderCancelled("a", 1, 5, "out of time"), "order_cancelled", "a: out of time", 5),
    (m.FundingPaid(1, 4, 7, 0.0001, D(100), D("0.010")), "funding_paid", "0.01 at rate 0.0001", 7),
    (m.FundingPaid(1, 4, 7, -0.00025, D(100), D("-2.50")), "funding_paid", "-2.5 at rate -0.00025", 7),
    (m.SessionClosed(9, 7, m.StopReason.KILL, D("10000.50"), False), "session_closed", "balance 10000.5", 7),
]


@pytest.mark.parametrize(("fact", "event", "text"), [line[:3] for line in LINES])
def test_a_fact_is_a_line_of_the_log(fact: m.Message, event: str, text: str) -> None:
    assert describe(fact) == ("INFO", event, text)


@pytest.mark.parametrize(("fact", "at_ms"), [(fact, at_ms) for fact, _, _, at_ms in LINES])
def test_a_fact_is_told_with_the_time_of_the_market_that_it_bears(fact: m.Message, at_ms: int | None) -> None:
    assert happened_ms(fact) == at_ms


def test_every_fact_that_is_described_has_a_line_here() -> None:
    assert {type(fact) for fact, *_ in LINES} == set(FACTS)
