"""The decision barrier, time-outs, halts, the session's end, and the recorded facts of a replay."""

import json
from decimal import Decimal

import pytest
from builders import LATENCY, MINUTE, T0, Bench, candle, config, quote, signal, stream, trade

from bus.messages import (
    Decide,
    Decision,
    DecisionTaken,
    DecisionTimedOut,
    EntriesHalted,
    FeedState,
    FeedStatus,
    Fill,
    Heartbeat,
    Message,
    OrderAccepted,
    SessionClosed,
    Side,
    StopReason,
    StrategyHello,
)
from services.broker.core import BrokerCore
from services.broker.errors import ImpossibleError

LONG, SHORT = Side.LONG, Side.SHORT
IN = MINUTE + LATENCY
BEAT = Heartbeat("monitor", 1, 0, ready=True)


def ended(last_seq: int) -> FeedStatus:
    return FeedStatus(FeedState.ENDED, last_seq, 0, 0.0, 0, 0, 0, 0, 0)


def core_in_the_wait(wall_clock: bool = True) -> tuple[BrokerCore, Decide]:
    """A core that has just asked about the first candle; the tick that closed it is event 3."""
    core = BrokerCore(config(), wall_clock=wall_clock)
    core.handle(stream(), 0)
    core.on_timer(0)
    core.handle(quote(1, 0, 100), 0)
    core.handle(candle(2, 0), 0)
    (asked,) = core.handle(quote(3, MINUTE, 100), 0)
    assert isinstance(asked, Decide)
    return core, asked


def kinds(said: list[Message]) -> list[str]:
    return [type(one).__name__ for one in said]


def test_the_tick_that_closes_a_candle_waits_for_the_answer() -> None:
    core, asked = core_in_the_wait()
    assert (core.waiting, core.last_seq, core.received_seq) == (True, 2, 3)
    assert asked.open_ms == T0
    assert core.handle(quote(4, IN, 100), 0) == []
    said = core.handle(Decision(T0, (signal(LONG),)), 0)
    assert kinds(said) == ["DecisionTaken", "OrderAccepted", "Fill"]
    assert (core.waiting, core.last_seq) == (False, 4)


def test_the_account_is_as_it_stood_just_before_that_tick() -> None:
    bench = Bench()
    bench.enter()
    bench.quote(IN + 1, 100.4)
    bench.candle(MINUTE)
    bench.quote(2 * MINUTE, 98)
    account = bench.of(Decide)[-1].account
    assert (account.side, account.unrealized, account.equity, account.balance) == (
        LONG,
        Decimal(40),
        Decimal(10_040),
        Decimal(10_000),
    )


def test_of_several_candles_closed_by_one_tick_only_the_last_is_asked_for() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0)
    bench.candle(MINUTE, complete=False)
    bench.quote(2 * MINUTE, 100)
    (asked,) = bench.of(Decide)
    assert (asked.open_ms, len(asked.candles)) == (T0 + MINUTE, 2)


def test_it_asks_again_every_250_ms_and_on_the_strategys_hello() -> None:
    core, asked = core_in_the_wait()
    assert core.on_timer(249) == []
    assert core.on_timer(250) == [asked]
    assert core.on_timer(499) == []
    assert core.on_timer(500) == [asked]
    assert core.handle(StrategyHello(0), 510) == [asked]


def test_a_repeated_question_is_nothing_to_commit() -> None:
    core, _ = core_in_the_wait()
    core.mark_committed()
    core.on_timer(250)
    core.handle(StrategyHello(0), 260)
    assert not core.dirty


def test_ticks_that_change_nothing_are_nothing_to_commit() -> None:
    bench = Bench()
    bench.enter()
    assert bench.core.dirty
    bench.core.mark_committed()
    bench.quotes((IN + 1, 100), (IN + 2, 100.5))
    bench.trade(IN + 3, 100)
    assert not bench.core.dirty
    bench.quote(IN + 4, 99)
    assert bench.core.dirty


def test_an_answer_is_taken_once() -> None:
    core, _ = core_in_the_wait()
    core.handle(Decision(T0), 0)
    assert core.handle(Decision(T0, (signal(LONG),)), 0) == []
    assert core.handle(Decision(T0 - MINUTE, (signal(LONG),)), 0) == []


def turn(core: BrokerCore, begin_ms: int, end_ms: int) -> list[Message]:
    """Let the core's timer turn every second from `begin_ms` to `end_ms`; repeated questions left out."""
    said = [one for now_ms in range(begin_ms, end_ms + 1, 1000) for one in core.on_timer(now_ms)]
    return [one for one in said if not isinstance(one, Decide)]


def test_after_the_time_out_it_goes_on_and_a_later_answer_is_late() -> None:
    core, _ = core_in_the_wait()
    for now_ms in range(0, 30_000, 1000):
        core.handle(BEAT, now_ms)
        assert turn(core, now_ms, now_ms) == []
    core.handle(BEAT, 30_000)
    assert core.on_timer(30_000) == [DecisionTimedOut(2, T0)]
    assert core.last_seq == 3
    said = core.handle(Decision(T0, (signal(LONG),)), 31_000)
    assert said[0] == DecisionTaken(3, T0, (signal(LONG),), late=True)
    assert isinstance(said[1], OrderAccepted)
    assert said[1].late
    assert said[1].due_ms > T0 + MINUTE + 1, "it is worked off on the next tick, due or not"
    assert kinds(core.handle(trade(4, MINUTE + 1, 100), 31_000)) == ["Fill"]
    assert core.handle(Decision(T0, (signal(LONG),)), 31_000) == []


def test_a_restart_after_the_time_out_still_takes_the_late_answer() -> None:
    core, _ = core_in_the_wait()
    for now_ms in range(0, 31_000, 1000):
        core.handle(BEAT, now_ms)
        core.on_timer(now_ms)
    twin = BrokerCore.restore(config(), json.loads(json.dumps(core.snapshot())))
    said = twin.handle(Decision(T0, (signal(LONG),)), 0)
    assert said[0] == DecisionTaken(3, T0, (signal(LONG),), late=True)


def test_a_late_turn_of_the_timer_judges_nobody() -> None:
    core, _ = core_in_the_wait()
    assert core.on_timer(100_000) != [DecisionTimedOut(2, T0)]
    assert core.waiting
    assert not core.status().account.halted


def test_entries_are_halted_when_the_monitor_is_gone_and_allowed_when_it_is_back() -> None:
    bench = Bench()
    bench.quote(0, 100)
    assert turn(bench.core, 0, 14_000) == []
    assert turn(bench.core, 15_000, 16_000) == [EntriesHalted(1, True, "the monitor is gone")]
    bench.candle(0, signal(LONG))
    bench.quotes((MINUTE, 100), (IN, 100))
    assert bench.rejections == ["halted"]
    assert bench.core.handle(Heartbeat("feed", 1, 0, ready=True), 16_500) == []
    assert bench.core.handle(BEAT, 17_000) == [EntriesHalted(4, False, "the monitor is back")]
    assert turn(bench.core, 17_000, 31_000) == []
    assert kinds(turn(bench.core, 32_000, 32_000)) == ["EntriesHalted"]


def test_a_halt_in_the_wait_takes_effect_after_the_tick_that_waits() -> None:
    core, _ = core_in_the_wait()
    assert turn(core, 0, 16_000) == []
    assert kinds(core.handle(Decision(T0), 16_000)) == ["DecisionTaken", "EntriesHalted"]
    assert core.status().account.halted
    assert core.last_seq == 3


def test_end_of_data_closes_when_everything_is_worked_off() -> None:
    core, _ = core_in_the_wait()
    assert core.handle(ended(3), 0) == []
    said = core.handle(Decision(T0, (signal(LONG),)), 0)
    assert kinds(said) == ["DecisionTaken", "OrderAccepted", "OrderCancelled", "SessionClosed"]
    assert core.closed is StopReason.END_OF_DATA


def test_end_of_data_waits_for_the_last_event() -> None:
    bench = Bench()
    bench.quote(0, 100)
    assert bench.send(ended(2)) == []
    assert kinds(bench.quote(1, 100)) == ["SessionClosed"]


STOPS = {
    StopReason.DURATION: "SESSION_END",
    StopReason.END_OF_DATA: "SESSION_END",
    StopReason.KILL: "KILL",
    StopReason.SIGNAL: "SIGNAL_STOP",
    StopReason.ORPHANED: "SIGNAL_STOP",
    StopReason.STALE_DATA: "STALE_DATA",
    StopReason.FEED_LOST: "STALE_DATA",
    StopReason.RESTARTS_EXHAUSTED: "FAULT",
    StopReason.INTERNAL_ERROR: "FAULT",
}


@pytest.mark.parametrize(("reason", "exit_reason"), STOPS.items())
def test_a_stop_closes_the_position_on_the_newest_quote(reason: StopReason, exit_reason: str) -> None:
    bench = Bench()
    bench.enter()
    bench.quote(IN + 1, 100.5, 100.7)
    bench.trade(IN + 9, 200)
    said = bench.close(reason)
    assert bench.exits == [(exit_reason, "100.5")]
    assert bench.trades[0].exit_ts == T0 + IN + 9
    assert said[-1] == SessionClosed(bench.core.last_seq, T0 + IN + 9, reason, Decimal(10_050), kept=False)
    assert bench.close(reason) == []


def test_a_stop_on_the_tick_of_the_entry_closes_it() -> None:
    bench = Bench()
    bench.enter()
    bench.close(StopReason.KILL)
    assert bench.exits == [("KILL", "100")]


def test_a_stop_cancels_what_is_pending_or_resting_and_leaves_the_waiting_tick_alone() -> None:
    core, _ = core_in_the_wait()
    said = core.close(StopReason.KILL, 0)
    assert said == [SessionClosed(2, T0 + MINUTE, StopReason.KILL, Decimal(10_000), kept=False)]
    assert core.handle(Decision(T0, (signal(LONG),)), 0) == []
    assert core.handle(quote(4, IN, 100), 0) == []
    assert core.on_timer(1) == []


def test_a_stop_before_anything_happened_is_possible() -> None:
    core = BrokerCore(config())
    assert core.close(StopReason.SIGNAL, 0) == [SessionClosed(0, 0, StopReason.SIGNAL, Decimal(10_000), kept=False)]


def test_a_missing_event_is_impossible_and_an_old_one_is_nothing_new() -> None:
    bench = Bench()
    bench.quote(0, 100)
    assert bench.core.handle(quote(1, 0, 50), 0) == []
    with pytest.raises(ImpossibleError, match="event 2 must come next, was 3"):
        bench.core.handle(quote(3, 0, 100), 0)


def test_an_event_before_the_head_of_the_stream_is_impossible() -> None:
    with pytest.raises(ImpossibleError):
        BrokerCore(config()).handle(quote(1, 0, 100), 0)


def test_a_replay_takes_the_recorded_time_out_and_the_late_answer_at_their_seq() -> None:
    core, _ = core_in_the_wait(wall_clock=False)
    assert core.handle(DecisionTimedOut(2, T0), 0) == [DecisionTimedOut(2, T0)]
    assert core.last_seq == 3
    assert core.handle(Decision(T0, (signal(LONG),)), 0) == []  # the strategy's answer of this run is late, too
    said = core.handle(DecisionTaken(3, T0, (signal(LONG),), late=True), 0)
    assert kinds(said) == ["DecisionTaken", "OrderAccepted"]
    assert kinds(core.handle(quote(4, IN, 100), 0)) == ["Fill"]


def test_a_replay_takes_no_time_out_of_a_question_that_is_not_open() -> None:
    core, _ = core_in_the_wait(wall_clock=False)
    assert core.handle(DecisionTimedOut(2, T0 + MINUTE), 0) == []
    assert core.waiting


def test_a_replay_has_no_timers_and_takes_recorded_halts_and_the_end() -> None:
    core, asked = core_in_the_wait(wall_clock=False)
    for now_ms in range(0, 100_000, 1000):
        assert core.on_timer(now_ms) == []
    assert core.handle(BEAT, 0) == []
    core.handle(Decision(asked.open_ms, (signal(LONG),)), 0)
    assert core.handle(EntriesHalted(3, True, "gone"), 0) == [EntriesHalted(3, True, "gone")]
    assert [type(one) for one in core.handle(quote(4, IN, 100), 0)] != [Fill]
    closed = SessionClosed(4, T0 + IN, StopReason.KILL, Decimal(10_000), kept=False)
    assert core.handle(closed, 0) == [closed]


def test_a_live_core_takes_no_recorded_facts() -> None:
    core, _ = core_in_the_wait()
    assert core.handle(EntriesHalted(3, True, "gone"), 0) == []
    assert core.handle(DecisionTimedOut(2, T0), 0) == []
    assert core.waiting


def test_the_status_shows_the_account_and_what_is_under_way() -> None:
    bench = Bench()
    bench.quote(0, 100)
    bench.candle(0, signal(LONG), signal(SHORT, limit_price=110.0))
    bench.quote(MINUTE, 100, 100.5)
    status = bench.core.status()
    assert (status.last_seq, status.last_ts_ms, status.candles, status.pending) == (3, T0 + MINUTE, 1, 2)
    assert (status.price, status.rejected, status.waiting, status.closed) == (100.25, 0, False, None)
    bench.trade(MINUTE + 1, 100.3)
    assert bench.core.status().price == 100.3
