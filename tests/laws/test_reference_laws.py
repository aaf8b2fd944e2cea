"""The broker does what a second, plain model of its rules does, on any market and with any signals."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from hashlib import shake_256

import reference_broker
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_broker import Result
from reference_markets import ENDS, Market, Tape, draw_market, run_broker

from bus.messages import ExitReason, RejectReason

TAPE_BYTES = 1_200
FIXED_MARKETS = 800


def both(market: Market) -> tuple[Result, Result]:
    arguments = (market.settings, market.info, market.events)
    return (
        run_broker(*arguments, market.strategy(), market.end),
        reference_broker.run(*arguments, market.strategy(), market.end),
    )


def differing(one: Result, other: Result) -> list[str]:
    """Name what is not the same; to show where, line by line, would take minutes for each step of shrinking."""
    return [field.name for field in fields(Result) if getattr(one, field.name) != getattr(other, field.name)]


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=TAPE_BYTES // 3, max_size=TAPE_BYTES))
def test_the_broker_does_what_the_reference_does(tape: bytes) -> None:
    broker, reference = both(draw_market(Tape(tape)))
    assert differing(broker, reference) == []


def test_so_it_does_on_markets_where_everything_happens() -> None:
    """The same markets on every run: nobody has to be lucky to see a rule at work."""
    seen: Counter[tuple[str, str]] = Counter()
    for number in range(FIXED_MARKETS):
        market = draw_market(Tape(shake_256(b"%d" % number).digest(TAPE_BYTES)))
        broker, reference = both(market)
        assert differing(broker, reference) == [], f"market {number}"
        seen.update((market.info.mode, name) for name in happenings(market, reference))
    names = {*ExitReason, *RejectReason, "cancelled", "kept", "funded"}
    at_the_end = {reason.exit_reason for reason in ENDS}
    expected = {("tick", name) for name in names} | {("candle", name) for name in names - at_the_end}
    assert {name for name in expected if seen[name] < 3} == set()


def happenings(market: Market, result: Result) -> Iterator[str]:
    yield from (row.exit_reason for row in result.trades)
    yield from ("funded" for row in result.trades if row.funding)
    yield from (reason for _, reason in result.rejections)
    yield from ("cancelled" for _ in result.cancelled)
    if market.settings["on_stop"] == "keep" and result.closed is market.end:
        yield "kept"
