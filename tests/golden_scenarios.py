"""The golden sessions, drawn by hand: one for each thing that the execution model promises.

Prices stand around 1,000 on a grid of 0.1; with the default stop of 30 bps and risk of 1 % an entry at 1,000 buys
33.3333, with the stop at 997 and the target at 1,004.5. Every session starts a fresh account but `carried`, which
goes on where `keep` ends.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from golden import Session, perform
from market_path import MarketPath, candles_of, events_of, ms_of

from bus.messages import (
    Candle,
    DecisionTaken,
    DecisionTimedOut,
    EntriesHalted,
    MarketEvent,
    Message,
    Quote,
    SessionClosed,
    Side,
    Signal,
    StopReason,
    StreamInfo,
)
from services.feed.facts import Fact

SYMBOL = "BTCUSDT"
MINUTE = 60_000


def session(tells: str, drawn: MarketPath | Sequence[Fact], *plan: str, **settings: Any) -> Session:
    """A session on a drawn market (facts alone: candles); `plan` are the lines of the scripted strategy."""
    is_path = isinstance(drawn, MarketPath)
    info = StreamInfo(
        SYMBOL, MINUTE, "tick" if is_path else "candle", Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001")
    )
    events = events_of(info, list(drawn.facts if isinstance(drawn, MarketPath) else drawn))
    scripted = {"strategy": "scripted:Plan", "strategy_params": {"lines": list(plan)}} if plan else {}
    return Session(tells, {"seed": "7", **scripted, **settings}, info, events)


def with_facts(drawn: Session, *facts: Message, carried: Mapping[str, Any] | None = None) -> Session:
    """The session with the wall clock's facts."""
    return Session(drawn.tells, drawn.settings, drawn.info, drawn.events, facts, carried)


def seq_at(events: Sequence[MarketEvent], clock: str) -> int:
    """The number of the last event before a time."""
    return max(event.seq for event in events if event.ts_ms < ms_of(clock))


def closing_seq(events: Sequence[MarketEvent], clock: str) -> int:
    """The number of the candle that closes at a time."""
    return next(event.seq for event in events if isinstance(event, Candle) and event.close_ms == ms_of(clock))


def trend() -> Session:
    path = MarketPath("00:00", 1000).to("00:05", 1002).to("00:11", 992).to("00:15", 997).to("00:19", 988)
    path.to("00:25", 1003).to("00:29", 998).to("00:36", 1006).to("00:40", 994)
    path.to("00:48", 1008)
    return session(
        "A cross of averages on a market that swings: stops and targets, long and short.",
        path,
        strategy_params={"fast": 2, "slow": 5},
        max_consecutive_losses="99",
        max_daily_drawdown_pct="50",
    )


def gap() -> Session:
    path = MarketPath("00:00", 1000).to("00:03").leap(990).to("00:05").leap(1003).to("00:07").leap(1012.3)
    path.to("00:09").leap(1020).to("00:11").leap(1009).to("00:13", 1009)
    return session(
        "The price leaps over stops, which fill at the gapped price, and over targets, which do not claim the better.",
        path,
        "00:02 LONG",
        "00:04 SHORT",
        "00:06 SHORT stop_bps=50",
        "00:08 LONG",
        "00:10 SHORT",
        max_daily_drawdown_pct="50",
    )


def limits() -> Session:
    path = MarketPath("00:00", 1000).to("00:02").to("00:04", 996).to("00:07", 1001).to("00:09", 1001)
    path.to("00:11", 1006).to("00:15", 999).to("00:17", 1000)
    return session(
        "Limit entries: reached when due (taker, never worse), later (maker), never (cancelled), refused.",
        path,
        "00:01 LONG limit_price=990",  # never
        "00:02 LONG limit_price=998.5",  # later
        "00:09 LONG limit_price=1000.05",  # off the grid
        "00:12 SHORT limit_price=1004",  # when due, and slippage stops at the limit
        "00:13 SHORT limit_price=1006 stop_bps=20000",  # impossible
        "00:16 SHORT limit_price=1002.5",  # rests until the session's end
        limit_ttl_sec="90",
        slip_bps="3",
    )


def flat() -> Session:
    path = MarketPath("00:00", 1000).to("00:09", 1002).to("00:12")
    return session(
        "FLAT finds nothing, waits for the entry of its own tick, closes at market, cancels a resting limit order.",
        path,
        "00:01 FLAT",  # nothing
        "00:02 LONG",
        "00:02 FLAT",  # due on the tick that fills the entry: on the next one
        "00:04 LONG",
        "00:05 FLAT",  # closes
        "00:06 LONG limit_price=990",
        "00:07 FLAT",  # cancels
        "00:08 SHORT stop_bps=100",  # held at the end
        latency_min_ms="210",  # every order of a close is due with the quote ten seconds after it
        limit_ttl_sec="600",
    )


def refusals() -> Session:
    path = MarketPath("00:00", 1000).to("00:06").silence("00:07:15").to("00:10")
    return session(
        "Orders that come to nothing: in position, the same again, too soon, told as history, too old, impossible.",
        path,
        "00:01 LONG",
        "00:02 SHORT",  # in position
        "00:03 FLAT",
        "00:03 FLAT",  # the same again
        "00:04 SHORT",  # less than four minutes after the entry
        "00:06 LONG",  # closes together with the next one: told as history, it gives no signal
        "00:07 LONG",  # no tick until 00:07:15
        "00:08 FLAT",  # nothing there
        "00:09 LONG stop_bps=0",  # impossible
        min_trade_interval_sec="240",
    )


def expired() -> Session:
    path = MarketPath("00:00", 1000).to("00:02").silence("00:02:30").to("00:04")
    return session(
        "An order whose market is silent for longer than it may wait, and one too small for the market.",
        path,
        "00:02 LONG",
        "00:03 SHORT stop_bps=9999",
        starting_balance="0.1",
        min_qty="0.0001",
    )


def drawdown() -> Session:
    path = MarketPath("00:00", 1000).to("00:02").to("00:06", 990).to("00:10", 980)
    return session(
        "The breaker trips on a position's loss, at the tick that meets it; what was resting is cancelled.",
        path,
        "00:01 LONG limit_price=985",
        "00:02 LONG stop_bps=300",
        risk_pct="10",
        limit_ttl_sec="600",
        max_daily_drawdown_pct="2.5",
    )


def losses() -> Session:
    path = MarketPath("00:00", 1000).to("00:02").to("00:04", 992).to("00:07", 1002).to("00:09", 990).to("00:11")
    return session(
        "The breaker trips after three losing trades in a row; a signal after that is never asked for.",
        path,
        "00:02 LONG",
        "00:05 SHORT",
        "00:07 LONG",
        "00:09 LONG",
        max_consecutive_losses="3",
    )


def new_day() -> Session:
    path = MarketPath("23:55", 1000).to("23:57").to("23:59", 994).to("00:00:30", 994).to("00:02", 1002)
    path.to("00:03", 1001).to("00:05", 1009).to("00:07")
    return session(
        "Midnight UTC clears the streak of losses and sets the breaker's base anew: without it both would trip.",
        path,
        "23:57 LONG",
        "00:00 SHORT",
        "00:03 LONG",
        max_consecutive_losses="2",
        max_daily_drawdown_pct="3",
        min_trade_interval_sec="0",
    )


def funding() -> Session:
    path = MarketPath("00:00", 1000).fund(0.0005, 0.0, "00:03").to("00:02:30").fund(0.0005, 1000.4, "00:03")
    path.to("00:05").fund(0.001, 1001.0, "00:07").to("00:09").fund(-0.0002, 0.0, "00:10").to("00:12")
    return session(
        "Funding: a long pays a positive rate, a short receives it, a negative rate the other way, nobody without one.",
        path,
        "00:01 LONG",
        "00:04 FLAT",
        "00:05 SHORT",
        "00:08 FLAT",
        "00:09 SHORT",
    )


def max_bars() -> Session:
    path = MarketPath("00:00", 1000).to("00:06", 1002).to("00:09", 1002).to("00:10", 990).to("00:13")
    return session(
        "A position is closed on the tick that closes its third candle, unless its stop came first.",
        path,
        "00:01 LONG",
        "00:05 SHORT",
        "00:09 LONG",
        max_bars_open="3",
    )


def lost_data() -> Session:
    path = MarketPath("00:00", 1000).to("00:08:20", 1006).lose().silence("00:11:40").leap(999)
    path.to("00:14", 996).to("00:18", 1004)
    return session(
        "After a loss of data candles are incomplete: the cross counts them and signals on none of them.",
        path,
        strategy_params={"fast": 1, "slow": 3},
        stop_bps="100",
    )


def liquidation() -> Session:
    path = MarketPath("00:00", 1000).to("00:02").to("00:04", 985).leap(940).to("00:06")
    return session(
        "A position that eats its margin is liquidated, which trips the breaker.",
        path,
        "00:01 LONG stop_bps=500",
        risk_pct="100",
        max_leverage="20",
        maintenance_margin_pct="1",
        max_daily_drawdown_pct="100",
    )


def candles() -> Session:
    rows = [
        (1000, 1000, 1000, 1000),
        (1000, 1001, 999, 1000),  # 00:02 LONG
        (1000, 1006, 996, 1001),  # stop and target in the entry's candle: the stop
        (1001, 1001, 1000, 1001),  # 00:04 SHORT
        (1001, 1002, 999, 1000),
        (1000, 1005, 995, 999),  # stop and target again, a candle later: the stop
        (999, 1000, 998, 1000),  # 00:07 LONG
        (1000, 1001, 998, 1000),
        (1008, 1009, 1007, 1008),  # opens beyond the target
        (1008, 1009, 1007, 1008),  # 00:10 LONG
        (1008, 1009, 1007, 1008),
        (1000, 1001, 999, 1000),  # opens beyond the stop
        (1000, 1000, 999, 1000),  # 00:13 LONG at 999
        (1000, 1004, 999, 1003),  # touched, not gone through
        (1003, 1003, 1002, 1003),  # 00:15 LONG at 1001
        (1003, 1006, 1000, 1005),  # gone through: the range counts for the stop only
        (1005, 1007, 1004, 1005),  # the target
        (1005, 1005, 1004, 1005),  # 00:18 SHORT
        (1005, 1005, 1004, 1005),
        (),  # a hole
        (1005, 1006, 1004, 1005),  # 00:21 FLAT
        (1004, 1004, 1003, 1004),
        (1004, 1004, 1003, 1004),  # 00:23 LONG
        (),  # a hole: the order waits
        (1004, 1005, 1003, 1004.5),
    ]
    return session(
        "A source of candles: entries at the open, stop before target, gaps, limits, holes, marks at the close.",
        candles_of("00:00", *rows),
        "00:02 LONG",
        "00:04 SHORT",
        "00:07 LONG",
        "00:10 LONG",
        "00:13 LONG limit_price=999",
        "00:15 LONG limit_price=1001",
        "00:18 SHORT",
        "00:21 FLAT",
        "00:23 LONG",
        max_order_age_sec="120",
        max_daily_drawdown_pct="50",
    )


def candle_breaker() -> Session:
    rows = [
        (1000, 1001, 999, 1000),  # 00:01 LONG
        (1000, 1001, 999, 1000),
        (1000, 1001, 985, 999),  # the breaker looks at the close alone
        (999, 1000, 980, 981),  # and here it is
        (981, 981, 980, 981),
    ]
    return session(
        "A source of candles: the breaker judges the close, and the session ends with that candle.",
        candles_of("00:00", *rows),
        "00:01 LONG stop_bps=300",
        risk_pct="10",
        max_daily_drawdown_pct="4",
    )


def late_answer() -> Session:
    drawn = session(
        "Two answers that did not come in time: one came late and is due on the next tick, one never came.",
        MarketPath("00:00", 1000).to("00:06", 1003).to("00:08"),
        "00:02 LONG",
        "00:05 FLAT",
        "00:06 SHORT",
        max_order_age_sec="60",
    )
    late = Signal(SYMBOL, Side.LONG, ms_of("00:02"), 30.0, 1.5)
    return with_facts(
        drawn,
        DecisionTimedOut(closing_seq(drawn.events, "00:02"), ms_of("00:01")),
        DecisionTaken(seq_at(drawn.events, "00:02:35"), ms_of("00:01"), (late,), late=True),
        DecisionTimedOut(closing_seq(drawn.events, "00:06"), ms_of("00:05")),
    )


def halted() -> Session:
    drawn = session(
        "The monitor was gone for two minutes: no entries, while FLAT and stops go on; then a signal ended it.",
        MarketPath("00:00", 1000).to("00:10", 1001),
        "00:01 LONG",
        "00:03 FLAT",
        "00:04 SHORT",
        "00:06 SHORT",
    )
    return with_facts(
        drawn,
        EntriesHalted(seq_at(drawn.events, "00:02:30"), halted=True, detail="the monitor is gone"),
        EntriesHalted(seq_at(drawn.events, "00:04:30"), halted=False, detail="the monitor is back"),
        _ended(drawn, "00:08:15", StopReason.SIGNAL),
    )


def keep() -> Session:
    drawn = session(
        "A kill with on_stop = keep: the pending order is cancelled, the position stays for the next session.",
        MarketPath("00:00", 1000).to("00:02").to("00:04", 994).to("00:09"),
        "00:02 LONG",
        "00:05 SHORT stop_bps=50",
        "00:07 FLAT",
        on_stop="keep",
        latency_min_ms="400",
        latency_max_ms="500",
    )
    return with_facts(drawn, _ended(drawn, "00:07:00.3", StopReason.KILL))


def carried() -> Session:
    drawn = session(
        "Goes on where `keep` ended: position, throttle, streak and base; the first quote is beyond the stop.",
        MarketPath("00:20", 1001).to("00:22").to("00:24", 1003).to("00:26"),
        "00:21 LONG",
        "00:24 SHORT",
        on_stop="keep",
    )
    left = perform(keep()).broker.carry_over()
    return with_facts(drawn, _ended(drawn, "00:25:15", StopReason.DURATION), carried=left)


def _ended(drawn: Session, clock: str, reason: StopReason) -> SessionClosed:
    seq = seq_at(drawn.events, clock)
    quote = max((event for event in drawn.events if isinstance(event, Quote) and event.seq <= seq), key=lambda q: q.seq)
    return SessionClosed(seq, quote.ts_ms, reason, Decimal(0), kept=False)


SCENARIOS: Mapping[str, Callable[[], Session]] = {
    make.__name__: make
    for make in (
        trend,
        gap,
        limits,
        flat,
        refusals,
        expired,
        drawdown,
        losses,
        new_day,
        funding,
        max_bars,
        lost_data,
        liquidation,
        candles,
        candle_breaker,
        late_answer,
        halted,
        keep,
        carried,
    )
}
