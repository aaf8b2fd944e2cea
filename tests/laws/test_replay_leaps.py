"""A replay in leaps says, word for word, what the event-by-event path says: on any market, with any signals."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import shake_256
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_markets import Market, Strategy, Tape, draw_market

from bus.messages import (
    Decide,
    Decision,
    EntriesHalted,
    MarketEvent,
    Message,
    OrderRejected,
    SessionClosed,
    Signal,
    StopReason,
    StrategyFailed,
    TradeClosed,
)
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.replay.columnar.candle_watch import CandleWatch
from services.replay.columnar.columns import Columns, columns_of
from services.replay.columnar.foresight import Foresight
from services.replay.columnar.leaps import Leaps
from services.replay.columnar.quiet import Quiet, spelled_out
from services.replay.columnar.tick_watch import TickWatch
from services.replay.columnar.watch import Watch
from services.replay.stage import Answering, Stage, seq_of

TAPE_BYTES = 1_200
FIXED_MARKETS = 500


@dataclass
class Asked:
    """A strategy that is asked every time, and notes what it answered."""

    decide: Strategy
    answers: list[tuple[int, tuple[Signal, ...]]]
    failures: Sequence[StrategyFailed] = ()

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        if not isinstance(message, Decide):
            return []
        signals = tuple(self.decide(message))
        self.answers.append((message.open_ms, signals))
        return [Decision(message.open_ms, signals)]


@dataclass(frozen=True)
class Session:
    """What both ways play."""

    market: Market
    events: Sequence[MarketEvent]
    facts: Sequence[Message]
    carried: Mapping[str, Any] | None

    def broker(self) -> BrokerCore:
        return BrokerCore(BrokerConfig.from_settings(self.market.settings), wall_clock=False, carried=self.carried)

    def asked(self) -> Asked:
        return Asked(self.market.strategy(), [])

    def stage(self, broker: BrokerCore, strategy: Answering) -> Stage:
        return Stage(broker, strategy, self.market.info, self.facts)


def draw_session(tape: bytes) -> Session:
    """A market; sometimes it ends early, or begins with what a session before it has kept."""
    head, body = Tape(tape[:3]), tape[3:]
    market = draw_market(Tape(body))
    events = [event for event in market.events if not isinstance(event, EntriesHalted)]
    facts: list[Message] = [fact for fact in market.events if isinstance(fact, EntriesHalted)]
    if head.once_in(4):
        end = head.byte() % (len(events) + 1)
        last = SessionClosed(
            end, 0, StopReason.KILL, BrokerConfig.from_settings(market.settings).starting_balance, False
        )
        facts = [*[fact for fact in facts if seq_of(fact) <= end], last]
    session = Session(market, events, facts, None)
    if not head.once_in(3):
        return session
    kept = replace(market, settings=market.settings | {"on_stop": "keep"})
    broker, _, _ = one_by_one(replace(session, market=kept, facts=(), events=events[: len(events) // 2]))
    left = broker.carry_over()
    return replace(session, carried=left if Decimal(left["balance"]) > 0 else None)


def one_by_one(session: Session) -> tuple[BrokerCore, list[Message], Asked]:
    broker, strategy = session.broker(), session.asked()
    stage = session.stage(broker, strategy)
    for event in session.events:
        stage.play(event)
    stage.finish(session.market.end)
    return broker, stage.take_said(), strategy


def in_leaps(
    session: Session, strategy: Answering, foresight: Foresight | None
) -> tuple[BrokerCore, list[Message | Quiet]]:
    broker = session.broker()
    stage = session.stage(broker, strategy)
    columns = columns_of(session.market.info, session.events)
    assert columns is not None
    watch = watch_of(columns, session)
    leaps = Leaps(stage, broker, columns, watch, foresight, [seq_of(fact) for fact in session.facts])
    said = [one for part in leaps.play() for one in part]
    stage.finish(session.market.end)
    return broker, [*said, *stage.take_said()]


def watch_of(columns: Columns, session: Session) -> Watch:
    if columns.info.mode == "tick":
        return TickWatch(columns)
    return CandleWatch(columns, BrokerConfig.from_settings(session.market.settings))


def foreseen(asked: Asked) -> Foresight:
    """The answers of a strategy that has been asked, known ahead."""
    places = [place for place, (_, signals) in enumerate(asked.answers) if signals]
    return Foresight(np.array(places, np.int64), dict(asked.answers))


def assert_the_same(session: Session) -> tuple[list[Message], int]:
    """Return what is said, and how many questions the leaps passed over."""
    broker, expected, asked = one_by_one(session)
    ways: list[Foresight | None] = [foreseen(asked)]
    if session.market.info.mode == "tick":
        ways.append(None)
    passed = 0
    for foresight in ways:
        strategy = session.asked() if foresight is None else foresight
        other, said = in_leaps(session, strategy, foresight)
        assert list(spelled_out(said)) == expected
        assert other.snapshot() == broker.snapshot()
        passed += sum(one.end - one.begin for one in said if isinstance(one, Quiet))
    return expected, passed


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=TAPE_BYTES // 3, max_size=TAPE_BYTES))
def test_leaps_say_what_the_event_by_event_path_says(tape: bytes) -> None:
    assert_the_same(draw_session(tape))


def test_so_they_do_on_markets_where_everything_happens_and_they_do_leap() -> None:
    seen: Counter[str] = Counter()
    for number in range(FIXED_MARKETS):
        session = draw_session(shake_256(b"leaps %d" % number).digest(TAPE_BYTES))
        said, passed = assert_the_same(session)
        mode = session.market.info.mode
        seen.update(f"{mode} {name}" for name in happenings(said))
        seen[f"{mode} questions passed over"] += passed
        seen[f"{mode} carried"] += session.carried is not None
    names = ["SL", "TP", "FLAT", "MAX_BARS", "LIQUIDATION", "CIRCUIT_BREAKER", "throttled", "position_open"]
    names += ["expired", "halted", "OrderResting", "FundingPaid", "EntriesHalted", "questions passed over", "carried"]
    assert {f"{mode} {name}" for mode in ("tick", "candle") for name in names if not seen[f"{mode} {name}"]} == set()


def happenings(said: Sequence[Message]) -> Iterator[str]:
    for message in said:
        match message:
            case TradeClosed():
                yield message.exit_reason
            case OrderRejected():
                yield message.reason
            case _:
                yield type(message).__name__
