import json
from math import inf
from typing import Any

import pytest
from exchange_builders import T0, quote, trade

from services.exchange.board import Push
from services.exchange.conduct import Conduct, Limits
from services.exchange.distortion import distortion
from services.exchange.faults import KINDS, Fault, FaultError, describe, parse_faults
from services.exchange.instruments import instrument
from services.exchange.line import Line, garbage
from services.exchange.market import Quote, Trade


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mute", Fault("mute", "", None, inf)),
        ("mute@10", Fault("mute", "", 10.0, inf)),
        ("mute@10+5", Fault("mute", "", 10.0, 5.0)),
        ("delay=80@0.5+1.5", Fault("delay", "80", 0.5, 1.5)),
        ("drop@3", Fault("drop", "0", 3.0, 0.0, moment=True)),
        ("drop@3+2", Fault("drop", "0", 3.0, 2.0, moment=True)),
        ("drop=5@3", Fault("drop", "5", 3.0, inf)),
        ("half_open@7", Fault("half_open", "", 7.0, 0.0, moment=True)),
        ("forget@7", Fault("forget", "trade", 7.0, 0.0, moment=True)),
        ("forget=price@7+3", Fault("forget", "price", 7.0, 3.0, moment=True)),
        ("flash_crash", Fault("flash_crash", "10", 10.0, 10.0)),
        ("flash_crash=20@5", Fault("flash_crash", "20", 5.0, 10.0)),
        ("pong=none", Fault("pong", "none", None, inf)),
        ("pong=2.5", Fault("pong", "2.5", None, inf)),
        ("idle_cut=80", Fault("idle_cut", "80", None, inf)),
        ("mute@20s+10s", Fault("mute", "", 20.0, 10.0)),
        ("mute@2m+500ms", Fault("mute", "", 120.0, 0.5)),
        ("delay=2s", Fault("delay", "2000", None, inf)),
        ("delay=250ms", Fault("delay", "250", None, inf)),
        ("idle_cut=25s", Fault("idle_cut", "25", None, inf)),
        ("garbage=1%", Fault("garbage", "100", None, inf)),
        ("gap=30%", Fault("gap", "3", None, inf)),
        ("flash_crash=-8%@40s", Fault("flash_crash", "8", 40.0, 10.0)),
        ("flood=5000/s", Fault("flood", "5000", None, inf, per_second=True)),
        ("http=503", Fault("http", "503", None, inf)),
        ("kline=no_last", Fault("kline", "no_last", None, inf)),
    ],
)
def test_a_spec_is_a_name_a_value_and_a_time(spec: str, expected: Fault) -> None:
    assert parse_faults([spec]).faults == (expected,)


def test_specs_may_be_repeated_or_separated_by_commas() -> None:
    assert parse_faults(["mute@1, gap=3", "ack"]) == parse_faults(["mute@1", "gap=3", "ack"])


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("", "a fault is empty: name one, such as mute@20s+10s; --fault help lists them"),
        ("mute, ", "a fault is empty: name one, such as mute@20s+10s; --fault help lists them"),
        ("moot", "unknown fault 'moot': the nearest known one is 'mute'"),
        ("half-open@3", "unknown fault 'half-open': the nearest known one is 'half_open'"),
        ("mute=3", "fault 'mute=3' takes no value"),
        ("delay=soon", "fault 'delay=soon': the value must be a number of at least 0"),
        ("delay=nan", "fault 'delay=nan': the value must be a number of at least 0"),
        ("gap=0", "fault 'gap=0': the value must be a number of at least 1"),
        ("flash_crash=100", "fault 'flash_crash=100': the value must be a number from 0 to 90"),
        ("gap=0%", "fault 'gap=0%': the value must be a number of at least 1"),
        ("delay=2d", "fault 'delay=2d': the value must be a number of at least 0"),
        ("mute@5d", "fault 'mute@5d': after @ come times, as in @10s or @10s+5s"),
        ("tls_error@3s", "fault 'tls_error@3s' is on from the start: it takes no time"),
        ("http=200", "fault 'http=200': the value must be a number from 400 to 599"),
        ("pong=late", "fault 'pong=late': the value must be pong, none or a number of at least 0"),
        ("forget=kline", "fault 'forget=kline': the value must be one of trade, depth_book1, price"),
        ("kline=odd", "fault 'kline=odd': the value must be one of late, duplicate, no_last, jump"),
        ("mute@", "fault 'mute@': after @ come times, as in @10s or @10s+5s"),
        ("mute@-1", "fault 'mute@-1': after @ come times, as in @10s or @10s+5s"),
        ("mute@1+x", "fault 'mute@1+x': after @ come times, as in @10s or @10s+5s"),
    ],
)
def test_a_bad_spec_is_refused_in_one_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(FaultError) as refusal:
        parse_faults([spec])
    assert str(refusal.value) == sentence


def test_every_fault_can_be_named_alone_and_is_described() -> None:
    assert [parse_faults([name]).faults[0].name for name in KINDS] == list(KINDS)
    assert len(describe().splitlines()) == len(KINDS)


def test_a_fault_is_on_from_its_start_for_its_length() -> None:
    faults = parse_faults(["mute@10+5"])
    assert [now_s for now_s in range(20) if faults.on("mute", now_s)] == [10, 11, 12, 13, 14]


def test_the_last_of_two_that_are_on_wins() -> None:
    faults = parse_faults(["delay=10", "delay=99@5"])
    assert [faults.number("delay", now_s, 0.0) for now_s in (4, 5)] == [10.0, 99.0]


def test_a_moment_strikes_once_and_one_with_a_number_never() -> None:
    faults = parse_faults(["drop@3", "drop=5@1"])
    assert [now_s for now_s in range(6) if faults.struck("drop", now_s - 1, now_s)] == [3]


def test_several_moments_may_strike_together() -> None:
    faults = parse_faults(["forget=trade@3", "forget=price@3", "forget@9"])
    assert [fault.value for fault in faults.struck("forget", 2, 4)] == ["trade", "price"]


def _frames(*specs: str, count: int = 6) -> list[str | bytes]:
    line = Line(parse_faults(specs))
    pushes = [Push("trade", "BTCUSDT", T0, str(n)) for n in range(1, count + 1)]
    return [frame for push in pushes for frame in line.carry(push, elapsed_s=1.0)]


@pytest.mark.parametrize(
    ("spec", "frames"),
    [
        ("ack", ["1", "2", "3", "4", "5", "6"]),
        ("mute", []),
        ("mute@2", ["1", "2", "3", "4", "5", "6"]),
        ("gap=3", ["1", "2", "4", "5"]),
        ("duplicate=3", ["1", "2", "3", "3", "4", "5", "6", "6"]),
        ("reorder=2", ["1", "3", "2", "5", "4"]),
        ("gap=2,duplicate=2", ["1", "3", "3", "5"]),
    ],
)
def test_a_line_loses_doubles_and_swaps_every_nth_push(spec: str, frames: list[Any]) -> None:
    assert _frames(spec) == frames


def test_garbage_comes_after_every_nth_good_push_and_changes() -> None:
    push = Push("trade", "BTCUSDT", T0, f'{{"ch":"trade","ts":{T0}}}')
    frames = _frames("garbage=2", count=4)
    assert [frame for frame in frames if frame in {"1", "2", "3", "4"}] == ["1", "2", "3", "4"]
    assert len(frames) == 6
    assert len(set(garbage(push))) == len(garbage(push))


def test_an_oversized_frame_is_well_formed_and_comes_after_every_nth_push() -> None:
    frames = _frames("oversized=3", count=3)
    assert [len(frame) > 2_000_000 for frame in frames] == [False, False, False, True]
    assert json.loads(frames[-1])["data"] == []


def test_a_flash_crash_falls_by_its_percentage_and_comes_back() -> None:
    change = distortion(parse_faults(["flash_crash=10@10+10"]), instrument("BTCUSDT"), T0, speed=1.0)
    assert change is not None
    events = change([trade(T0 + second * 1000, price=100.0) for second in (9, 10, 11, 12, 16, 20)])
    assert [event[1] for event in events] == [100.0, 100.0, 95.0, 90.0, 95.0, 100.0]


def test_a_flash_crash_keeps_a_quotes_spread_and_follows_the_speed() -> None:
    change = distortion(parse_faults(["flash_crash=10@10+10"]), instrument("BTCUSDT"), T0, speed=10.0)
    assert change is not None
    assert change([quote(T0 + 120_000, 100.0, 100.2)]) == [quote(T0 + 120_000, 90.0, 90.2)]


def test_a_flood_adds_small_trades_to_each_trade() -> None:
    change = distortion(parse_faults(["flood=2@0+1"]), instrument("BTCUSDT"), T0, speed=1.0)
    assert change is not None
    small = trade(T0, size=0.0001)
    assert change([trade(T0), quote(T0), trade(T0 + 1000)]) == [trade(T0), small, small, quote(T0), trade(T0 + 1000)]


def test_a_flood_by_rate_adds_so_many_trades_a_second_however_the_tape_is_cut() -> None:
    change = distortion(parse_faults(["flood=4/s@1s"]), instrument("BTCUSDT"), T0, speed=1.0)
    assert change is not None
    tape: list[Quote | Trade] = [trade(T0), trade(T0 + 1100), quote(T0 + 1600), trade(T0 + 2000)]
    flooded = change(tape)
    assert [event.ts_ms - T0 for event in flooded] == [
        0,
        *(1000, 1100, 1250, 1500, 1600, 1750),
        *(2000, 2000, 2250, 2500, 2750),
    ]
    assert flooded == [event for cut in (tape[:1], tape[1:3], tape[3:]) for event in change(cut)]


def test_a_flood_by_rate_is_by_our_clock_however_fast_the_market_goes() -> None:
    change = distortion(parse_faults(["flood=100/s"]), instrument("BTCUSDT"), T0, speed=200.0)
    assert change is not None
    tape: list[Quote | Trade] = [trade(T0 + second * 1000) for second in range(60)]
    assert len(change(tape)) == 60 + 30, "a minute of the market is 0.3 s"


def test_without_such_faults_the_market_is_left_alone() -> None:
    assert distortion(parse_faults(["mute"]), instrument("BTCUSDT"), T0, speed=1.0) is None


PING_FIRST = "a protocol ping before any message"
BUSY = "more than 5 messages in a second"


@pytest.mark.parametrize(
    ("frames", "limits", "at_ms", "verdict"),
    [
        ([], Limits(), 59_999, ""),
        ([], Limits(), 60_000, "nothing heard for 60 s"),
        ([(40_000, "message")], Limits(), 99_999, ""),
        ([(40_000, "message")], Limits(), 100_000, "nothing heard for 60 s"),
        ([], Limits(idle_s=25), 25_000, "nothing heard for 25 s"),
        ([], Limits(idle_s=0), 10_000_000, ""),
        ([(n * 200, "message") for n in range(20)], Limits(), 4_000, ""),
        ([(n * 199, "message") for n in range(6)], Limits(), 1_000, BUSY),
        ([(n, "pong") for n in range(6)], Limits(), 10_000, BUSY),
        ([(n, "message") for n in range(6)], Limits(per_second=0), 10_000, ""),
        ([(0, "ping")], Limits(), 1_499, ""),
        ([(0, "ping"), (10, "message")], Limits(), 1_500, PING_FIRST),
        ([(0, "ping")], Limits(ping_first=True), 1_500, ""),
        ([(0, "message"), (10, "ping")], Limits(), 1_600, ""),
        ([(0, "message")], Limits(life_s=5), 5_000, "its time was up"),
    ],
)
def test_a_clients_conduct_is_judged(frames: list[Any], limits: Limits, at_ms: int, verdict: str) -> None:
    conduct = Conduct(0)
    for now_ms, kind in frames:
        conduct.note(now_ms, ping=kind == "ping", message=kind == "message")
    assert conduct.verdict(at_ms, limits) == verdict
