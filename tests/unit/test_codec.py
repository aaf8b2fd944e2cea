"""What is said arrives as it was said; what is no message is refused by name and nothing else."""

import json
from dataclasses import asdict, replace
from decimal import Decimal as D
from typing import get_args

import pytest

from bus import codec
from bus import messages as m
from bus.errors import InvalidMessageError, MalformedFrameError
from bus.messages.body import Body
from bus.ports import SERVICES
from bus.sockets import MAX_FRAME_BYTES
from bus.topics import CLASSES, MARKET, NAMES, TABLE
from services.feed.core import MAX_EMPTY_BUCKETS

CANDLE = m.Candle(3, 60_000, "BTCUSDT", 60_000, 0, 1.0, 2.0, 0.5, 1.5, 7.0)
QUOTE = m.Quote(1, 5, 99.9, 100.1, 1.0, 2.0)
TRADE = m.Trade(2, 6, 100.0, 0.5, "buy")
FUNDING = m.Funding(4, 7, "BTCUSDT", -0.0001, 100.0)
ACCOUNT = m.Account(D("10000"), D("10001.5"), D("1.5"), m.Side.LONG, D("0.1"), D(100), D(99), D(102), 5, 2, False)
SIGNAL = m.Signal("BTCUSDT", m.Side.SHORT, 60_000, 30.0, 1.5, m.Entry.LIMIT, 100.5, "why | not", "no | thing")
DECIDE = m.Decide(0, (CANDLE,), ACCOUNT)
ON_TICK = m.Decide(0, (), ACCOUNT, TRADE)
FAILED = m.StrategyFailed(2, 60_000, 0, False, "ValueError: no", "Traceback")
WARMTH = m.StrategyStatus(3, 1_000, -1)
TINY = 1.2345678901234567e-05
WIDEST = m.Candle(10**9, 10**12, "1000000BABYDOGEUSDT", 86_400_000, 10**12, TINY, TINY, TINY, TINY, 0.0, False)
"""A flat candle of as many bytes as there can be."""
EXAMPLES: list[m.Message] = [
    *(QUOTE, TRADE, CANDLE, FUNDING, ACCOUNT, SIGNAL, DECIDE),
    m.StreamInfo("BTCUSDT", 60_000, "tick", D("0.1"), D("0.0001"), D("0.0001"), (CANDLE,), "warms up live"),
    m.FeedStatus(m.FeedState.CONNECTED, 4, 7, 100.0, 2, 1, 0, 3, 0, "fine"),
    m.Burst((QUOTE, TRADE, CANDLE, FUNDING)),
    *(m.InfoRequest(), m.EventsRequest(4), m.EventsPage(0, 4, (QUOTE, TRADE, CANDLE, FUNDING))),
    *(m.Decision(0, (SIGNAL,)), m.StrategyHello(0), WARMTH, m.Recall((DECIDE, ON_TICK), True)),
    *(ON_TICK, m.Decision(0, (), 2), FAILED),
    m.OrderAccepted("a", 1, SIGNAL, 50, 60_050, False),
    m.OrderRejected("a", 1, 5, SIGNAL, m.RejectReason.HALTED, "breaker"),
    *(m.OrderResting("a", 1, 5, 60_005), m.OrderCancelled("a", 1, 5, "out of time")),
    m.Fill(
        "a", 1, 5, 1, m.Side.LONG, False, D(1), D(100), D("99.9"), D("0.06"), "taker", D(99), D(102), m.ExitReason.SL
    ),
    m.Fill("a", 1, 5, 1, m.Side.LONG, True, D(1), D(100), D("100.1"), D("0.06"), "maker", D(99), D(102)),
    m.TradeClosed(
        *(
            1,
            9,
            "BTCUSDT",
            m.Side.LONG,
            D(1),
            5,
            D(100),
            9,
            D(101),
            m.ExitReason.TP,
            D("0.12"),
            D(0),
            D("0.88"),
            D("0.88"),
        ),
        *(D("10000.88"), "a", 50),
    ),
    m.FundingPaid(1, 4, 7, 0.0001, D(100), D("0.01")),
    m.BreakerTripped(9, 7, D(9499), D(10000), "drawdown"),
    m.EntriesHalted(9, True, "monitor gone"),
    *(m.DecisionTimedOut(9, 0), m.DecisionTaken(9, 0, (SIGNAL,), True)),
    m.SessionClosed(9, 7, m.StopReason.KILL, D(10000), False),
    m.BrokerStatus(9, 7, 100.0, 3, ACCOUNT, 1, 2, False, m.StopReason.KILL),
    m.Heartbeat("feed", 4711, 99, True),
    m.Notice("feed", m.Level.WARNING, "gap", "ünïcode ✓ | and a bar", True),
    m.Shutdown(m.StopReason.KILL, "enough"),
]


def moneys_of(message: m.Message) -> list[str]:
    return [name for name in message.__struct_fields__ if isinstance(getattr(message, name), D)]


def decoded_with(message: m.Message, name: str, value: object) -> m.Message:
    """What arrives when one of a message's fields is something else on its way."""
    body = json.loads(codec.encode_body(message))
    body[message.__struct_fields__.index(name)] = value
    return codec.decode_body(NAMES[type(message)], json.dumps(body).encode())


def test_every_message_has_an_example_here() -> None:
    assert {type(example) for example in EXAMPLES} == set(get_args(m.Message))


def test_every_message_has_one_topic_and_a_known_writer() -> None:
    assert set(NAMES) == set(get_args(m.Message)) == set(CLASSES.values())
    assert len(TABLE) == len(NAMES) == len(CLASSES)
    assert {topic.writer for topic in TABLE} <= {*SERVICES, "", "rpc", "in"}


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: m.Message) -> None:
    envelope = codec.decode(codec.encode(message, "broker", 7, 42, 123))
    assert envelope == codec.Envelope(message, NAMES[type(message)], "broker", 7, 42, 123)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_body_with_a_field_too_many_or_too_few_is_refused(message: m.Message) -> None:
    topic = NAMES[type(message)]
    body = codec.encode_body(message)
    longer = body[:-1] + (b",1]" if message.__struct_fields__ else b"1]")
    with pytest.raises(MalformedFrameError):
        codec.decode_body(topic, longer)
    with pytest.raises(MalformedFrameError):
        codec.decode_body(topic, b"[]" if message.__struct_fields__ else b"{}")


def test_the_standard_library_knows_a_message_for_a_dataclass() -> None:
    """Strategies change a signal before they return it."""
    assert replace(SIGNAL, limit_price=99.5).limit_price == 99.5
    assert asdict(TRADE) == {"seq": 2, "ts_ms": 6, "price": 100.0, "size": 0.5, "aggressor": "buy"}
    with pytest.raises(InvalidMessageError):
        replace(TRADE, price=-1.0)


def test_a_market_event_is_headed_by_its_topic_inside_of_others() -> None:
    assert {cls.__struct_config__.tag for cls in get_args(m.MarketEvent)} == MARKET
    assert codec.encode_body(TRADE) == b'[2,6,100.0,0.5,"buy"]'
    assert codec.encode_body(m.EventsPage(0, 2, (TRADE,))) == b'[0,2,[["trade",2,6,100.0,0.5,"buy"]]]'


def test_what_was_written_before_a_field_with_a_default_existed_is_still_read() -> None:
    assert codec.decode_body("decision_timed_out", b"[9,0]") == m.DecisionTimedOut(9, 0)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00" * 1_000_000,
        b"quote",
        b"quote|1|1|feed|1|1|",
        b"quote|1|1|feed|1|1|[1,2,3.0",
        b"quote|1|1|feed|1|1|[1,2,NaN,4.0,1.0,1.0,false]",
        b"quote|1|1|feed|1|1|[1,2,-3.0,4.0,1.0,1.0,false]",
        b"quote|1|1|feed|1|1|[1,2,5.0,4.0,1.0,1.0,false]",
        b'quote|1|1|feed|1|1|[1,2,"3.0",4.0,1.0,1.0,false]',
        b"quote|1|1|feed|1|1|[1,2,3.0,4.0,1.0,1.0,0]",
        b"quote|1|1|feed|1|1|[true,2,3.0,4.0,1.0,1.0,false]",
        b"quote|1|1|feed|1|1|[0,2,3.0,4.0,1.0,1.0,false]",
        b"quote|x|1|feed|1|1|[1,2,3.0,4.0,1.0,1.0,false]",
        b"quote|1|1|feed|99|1|[1,2,3.0,4.0,1.0,1.0,false]",
        b"nonsense|1|1|feed|1|1|[]",
        b'trade|1|1|feed|1|1|[1,2,3.0,0.0,"buy"]',
        b'trade|1|1|feed|1|1|[1,2,3.0,1.0,"BUY"]',
        b"decide|1|1|broker|1|1|[0,[],[]]",
        b'events_page|1|1|feed|1|1|[0,1,[["fill",1]]]',
        b'shutdown|1|1|monitor|1|1|["because",""]',
        b'session_closed|1|1|broker|1|1|[1,1,"kill","NaN",false]',
        b'session_closed|1|1|broker|1|1|[1,1,"kill",true,false]',
        b'session_closed|1|1|broker|1|1|[9223372036854775808,1,"kill","1",false]',
        b'quote|1|1|feed|1|1|"quote",1,2,3.0,4.0,1.0,1.0,false]',
        b'quote|1|1|feed|1|1|["quote",1,2,3.0,4.0,1.0,1.0,false]',
        b"heartbeat|1|1|feed|1|1|" + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_a_malformed_frame(frame: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        codec.decode(frame)


MONEYS = [(example, name) for example in EXAMPLES for name in moneys_of(example)]


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("message", "name"), MONEYS, ids=lambda part: part if isinstance(part, str) else type(part).__name__
)
def test_money_that_is_no_number_is_refused_wherever_it_stands(message: m.Message, name: str, text: str) -> None:
    with pytest.raises(MalformedFrameError):
        decoded_with(message, name, text)


@pytest.mark.parametrize(
    ("message", "name", "least"),
    [
        *((ACCOUNT, "trades", 0), (ACCOUNT, "entry_ts", 0), (ON_TICK, "open_ms", 0), (SIGNAL, "ts_ms", 0)),
        *((m.Decision(0), "open_ms", 0), (m.Decision(0), "tick_seq", 0), (m.StrategyHello(0), "after_seq", 0)),
        *((FAILED, "seq", 0), (FAILED, "open_ms", 0), (FAILED, "tick_seq", 0)),
        *((WARMTH, "missing", 0), (WARMTH, "interval_ms", 1), (WARMTH, "last_open_ms", -1)),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Body) else None,
)
def test_a_count_below_its_least_is_refused(message: m.Message, name: str, least: int) -> None:
    assert getattr(decoded_with(message, name, least), name) == least
    with pytest.raises(MalformedFrameError):
        decoded_with(message, name, least - 1)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: m.Quote(1, 1, 2.0, 1.0, 0.0, 0.0), "bid must not be above ask"),
        (lambda: m.Quote(1, 1, float("nan"), 1.0, 0.0, 0.0), "bid must be a finite double"),
        (lambda: m.Quote(1, 1, 1.0, float("inf"), 0.0, 0.0), "ask must be a finite double"),
        (lambda: m.Quote(1, 1, 1.0, 1.0, -1.0, 0.0), "bid_size"),
        (lambda: m.Trade(1, -1, 1.0, 1.0, "buy"), "ts_ms"),
        (lambda: m.Candle(1, 1, "B", 1, 0, 1.0, 1.0, 2.0, 1.0, 0.0), "high must not be below low"),
        (lambda: m.Decide(0, (), ACCOUNT), "candles must not be empty"),
        (lambda: m.Decide(60_000, (CANDLE,), ACCOUNT), "open_ms must be the last candle's"),
    ],
)
def test_an_impossible_message_never_exists(build: object, says: str) -> None:
    with pytest.raises(InvalidMessageError, match=says):
        build()  # type: ignore[operator]


def test_a_question_after_the_widest_hole_fits_into_a_frame() -> None:
    candles = 1_000
    question = m.Decide(WIDEST.open_ms, (WIDEST,) * candles, ACCOUNT)
    assert MAX_EMPTY_BUCKETS / candles * len(codec.encode(question, "broker", 10**13, 10**9, 10**19)) < MAX_FRAME_BYTES
