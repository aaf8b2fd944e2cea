"""Can this session be trusted? What went wrong on the way, counted, and a verdict with its reasons. Pure.

`bad`: the figures may be wrong. `care`: they are right for what the broker saw, but it did not see or do all that a
better day would have given it. `good`: nothing of the kind is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bus.messages import RejectReason, StopReason
from services.report.run import JournalFacts, Run
from services.report.words import many

MOST_INCOMPLETE_PCT = 10
"""Above this share of candles with lost data the strategy decided on another market than the real one."""
MOST_REFUSED_PCT = 1
"""Above this share of events that were not believed the source, or its file, is not what it is taken for."""
MOST_TICK_BPS = 50
"""Above this share of the price the grid of prices, not the market, makes the fills."""
_ROUNDING = Decimal("1e-9")
_MISHAPS = (
    (RejectReason.INVALID, "signal", "could not be an order: the journal's rejections say why"),
    (RejectReason.EXPIRED, "order", "waited too long for a tick"),
    (RejectReason.HALTED, "order", "met a halt"),
)
_ENDS: Mapping[StopReason | None, str] = {
    None: "The session still goes on: these are the figures so far.",
    StopReason.STALE_DATA: "The source fell silent: the last position may have been closed at an old price.",
    StopReason.FEED_LOST: "The source was lost: the last position may have been closed at an old price.",
    StopReason.RESTARTS_EXHAUSTED: "A service failed more often than allowed, which ended the session.",
}


class Grade(StrEnum):
    """How far a session can be trusted."""

    GOOD = "good"
    CARE = "care"
    BAD = "bad"


HEADLINES = {
    Grade.GOOD: "This session can be trusted.",
    Grade.CARE: "This session can be trusted with care.",
    Grade.BAD: "This session can not be trusted.",
}


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of the data and the course of a session: counts, seconds, and the verdict."""

    grade: Grade
    reasons: Sequence[str]
    restarts: int
    reconnects: int
    refused_events: int
    stale_sec: float
    incomplete_candles: int
    known_candles: int
    unanswered_candles: int
    late_orders: int
    expired_orders: int
    halted_orders: int


def quality_of(run: Run) -> Quality:
    """Judge a run."""
    facts, end = run.facts, run.end
    bad, care = list(_bad(run)), list(_care(run))
    return Quality(
        grade=Grade.BAD if bad else Grade.CARE if care else Grade.GOOD,
        reasons=[*bad, *care],
        restarts=sum(end.restarts.values()),
        reconnects=int(end.feed.get("reconnects", 0)),
        refused_events=int(end.feed.get("refused", 0)),
        stale_sec=float(end.feed.get("stale_sec", 0.0)),
        incomplete_candles=_incomplete(facts),
        known_candles=len(facts.bars),
        unanswered_candles=len(facts.unanswered),
        late_orders=sum(order.late for order in facts.orders),
        expired_orders=facts.rejections.get("expired", 0),
        halted_orders=facts.rejections.get("halted", 0),
    )


def balance_error(facts: JournalFacts) -> Decimal:
    """By how much the books do not balance: ending minus starting balance, closed trades, open costs. 0 is right."""
    if facts.starting_balance is None or facts.ending_balance is None:
        return Decimal(0)
    earned = sum((trade.pnl for trade in facts.trades), Decimal(0))
    error = facts.ending_balance - facts.starting_balance - earned + facts.open_costs
    return error if abs(error) >= _ROUNDING else Decimal(0)


def _bad(run: Run) -> Iterator[str]:
    facts = run.facts
    if not run.end.in_order:
        yield "It did not end in order."
    if run.altered:
        yield f"It was changed after its end: {run.altered}."
    if facts.problems:
        yield "The journal could not be read whole."
    elif error := balance_error(facts):
        yield f"The books do not balance: {error:+f} more than the trades account for."
    if _incomplete_pct(facts) > MOST_INCOMPLETE_PCT:
        yield f"Data was lost in {_incomplete(facts):,} of {len(facts.bars):,} candles."
    refused, taken = _refused_and_taken(run)
    if refused > taken:
        yield _words_of_refused(refused, taken)


def _care(run: Run) -> Iterator[str]:
    facts, end = run.facts, run.end
    if end.reason in _ENDS:
        yield _ENDS[end.reason]
    if restarts := ", ".join(f"{service} {count} x" for service, count in end.restarts.items() if count):
        yield f"Services were restarted ({restarts}); nothing is booked twice or lost by that."
    if reconnects := int(end.feed.get("reconnects", 0)):
        yield f"The source was lost and found again {reconnects:,} x."
    if (stale := end.feed.get("stale_sec", 0)) >= 1:
        yield f"There was no market data for {stale:,.0f} s in all, while connected."
    refused, taken = _refused_and_taken(run)
    if MOST_REFUSED_PCT * (refused + taken) < 100 * refused <= 100 * taken:
        yield _words_of_refused(refused, taken)
    if (tick_bps := _tick_bps(facts)) > MOST_TICK_BPS:
        yield f"A tick ({facts.tick_size}) is {tick_bps:,.0f} bps of the price: set tick_size, lot_size and min_qty to the market's own."
    if 0 < _incomplete_pct(facts) <= MOST_INCOMPLETE_PCT:
        yield f"Data was lost in {_incomplete(facts):,} of {len(facts.bars):,} candles."
    yield from _care_of_decisions(facts)
    for reason, noun, why in _MISHAPS:
        if count := facts.rejections.get(reason, 0):
            yield f"{many(count, noun)} {why}."


def _care_of_decisions(facts: JournalFacts) -> Iterator[str]:
    if facts.unanswered:
        yield f"The strategy did not answer in time for {many(len(facts.unanswered), 'candle')}."
    if facts.failed:
        yield f"The strategy failed {facts.failed:,} x and was answered for with nothing."
    if late := sum(order.late for order in facts.orders):
        yield f"{many(late, 'order')} came late, after the strategy's time was up."


def _refused_and_taken(run: Run) -> tuple[int, int]:
    """How many of the source's events were not believed, and how many were."""
    return int(run.end.feed.get("refused", 0)), run.facts.ticks or run.facts.candles


def _words_of_refused(refused: int, taken: int) -> str:
    return f"Of the source's events {refused:,} were not believed, and {taken:,} were."


def _tick_bps(facts: JournalFacts) -> float:
    return 10_000 * float(facts.tick_size) / facts.last_close if facts.tick_size and facts.last_close else 0.0


def _incomplete(facts: JournalFacts) -> int:
    """Candles with lost data, but for the first: a session begins within a candle, and loses nothing by it."""
    return sum(not bar[6] for bar in facts.bars[1:])


def _incomplete_pct(facts: JournalFacts) -> float:
    return 100 * _incomplete(facts) / len(facts.bars) if facts.bars else 0.0
