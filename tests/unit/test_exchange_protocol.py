import json
from typing import Any

import pytest
from exchange_builders import T0, board, quote, trade

from services.exchange.market import Event
from services.exchange.protocol import Dialogue, Habits, Subscription, decimal_text

LISTED = {"BTCUSDT", "ETHUSDT"}
NOW_MS = T0 + 500


def _dialogue() -> Dialogue:
    return Dialogue(7, LISTED.__contains__)


def _hear(dialogue: Dialogue, frame: object, **habits: Any) -> list[object]:
    text = frame if isinstance(frame, str) else json.dumps(frame)
    return [json.loads(reply) for reply in dialogue.hear(text, NOW_MS, Habits(**habits)).replies]


def _args(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"symbol": symbol, "ch": channel} for symbol, channel in pairs]


def test_a_valid_subscription_is_met_with_silence_whatever_its_case() -> None:
    dialogue = _dialogue()
    frame = {"op": "subscribe", "args": _args(("btcusdt", "trade"), ("ETHUSDT", "market_kline_60min"))}
    assert _hear(dialogue, frame) == []
    assert list(dialogue.subscriptions) == [("BTCUSDT", "trade"), ("ETHUSDT", "market_kline_60min")]


def test_subscribing_twice_gives_one_stream() -> None:
    dialogue = _dialogue()
    frame = json.dumps({"op": "subscribe", "args": _args(("BTCUSDT", "trade"), ("BTCUSDT", "trade"))})
    assert dialogue.hear(frame, NOW_MS, Habits()).added == [Subscription("BTCUSDT", "trade")]
    assert dialogue.hear(frame, NOW_MS, Habits()).added == []


@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        "",
        "[1,2]",
        '"text"',
        "{}",
        '{"op":"sing","args":[]}',
        '{"op":["subscribe"],"args":[]}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","args":"trade"}',
        '{"op":"subscribe","args":[1,null,[],{}]}',
        '{"op":"subscribe","args":[{"symbol":"BTCUSDT","ch":"market_kline_1m"}]}',
        '{"op":"subscribe","args":[{"symbol":"BTCUSDT","ch":["trade"]}]}',
        '{"op":"subscribe","args":[{"symbol":"NOPEUSDT","ch":"trade"}]}',
        '{"op":"subscribe","args":[{"symbol":7,"ch":"trade"}]}',
    ],
)
def test_what_is_not_understood_is_met_with_silence(frame: str) -> None:
    dialogue = _dialogue()
    heard = dialogue.hear(frame, NOW_MS, Habits())
    assert (heard.replies, heard.pong, heard.added) == ([], None, [])
    assert not dialogue.subscriptions


def test_bytes_that_are_no_text_are_met_with_silence() -> None:
    assert _dialogue().hear(b"\x00\xff", NOW_MS, Habits()).replies == []


def test_an_unknown_symbol_gets_one_depth_frame_of_empty_levels() -> None:
    empty = [["", ""]] * 15
    frame = {"op": "subscribe", "args": _args(("NOPEUSDT", "depth_book1"))}
    assert _hear(_dialogue(), frame) == [
        {"ch": "depth_book1", "symbol": "NOPEUSDT", "ts": NOW_MS, "data": {"b": empty, "a": empty}}
    ]


def test_a_missing_symbol_gets_the_same_frame_without_one() -> None:
    empty = [["", ""]] * 15
    frame = {"op": "subscribe", "args": [{"ch": "depth_book15"}]}
    assert _hear(_dialogue(), frame) == [{"ch": "depth_book15", "ts": NOW_MS, "data": {"b": empty, "a": empty}}]


def test_more_than_300_subscriptions_are_refused_and_the_first_300_go_on() -> None:
    names = [f"S{number}" for number in range(305)]
    dialogue = Dialogue(7, set(names).__contains__)
    replies = _hear(dialogue, {"op": "subscribe", "args": _args(*((name, "trade") for name in names))})
    refusal = {"msg": "subscribe channel > 300", "nonce": "", "result": False}
    assert replies == [{"op": "subscribe", "data": refusal}]
    assert [symbol for symbol, _ in dialogue.subscriptions] == names[:300]


def test_unsubscribing_is_answered_without_naming_anything() -> None:
    dialogue = _dialogue()
    _hear(dialogue, {"op": "subscribe", "args": _args(("BTCUSDT", "trade"))})
    frame = {"op": "unsubscribe", "args": _args(("BTCUSDT", "trade"))}
    assert _hear(dialogue, frame) == [{"op": "unsubscribe", "ts": NOW_MS, "data": "success"}]
    assert not dialogue.subscriptions
    assert _hear(dialogue, frame, unsubscribe_reply=False) == []


def test_an_acknowledgement_comes_only_when_switched_on() -> None:
    frame = {"op": "subscribe", "args": _args(("BTCUSDT", "trade"))}
    assert _hear(_dialogue(), frame, ack=True) == [
        {"op": "subscribe", "ch": "trade", "symbol": "BTCUSDT", "data": {"result": True}}
    ]


@pytest.mark.parametrize(
    ("pong", "reply"),
    [
        ("ping", {"op": "ping", "pong": 1732519687, "ping": 7}),
        ("pong", {"op": "pong", "pong": 1732519687, "ping": 7}),
        ("none", None),
    ],
)
def test_a_ping_is_answered_under_the_name_of_ping(pong: str, reply: object) -> None:
    heard = _dialogue().hear('{"op":"ping","ping":1732519687}', NOW_MS, Habits(pong=pong))
    assert (None if heard.pong is None else json.loads(heard.pong)) == reply


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (60000.0, "60000"),
        (60000.1, "60000.1"),
        (0.00001, "0.00001"),
        (0.0, "0"),
        (1e22, "10000000000000000000000"),
        (-0.00077, "-0.00077"),
    ],
)
def test_numbers_go_out_as_their_shortest_decimal_text(number: float, text: str) -> None:
    assert decimal_text(number) == text


def _pushes(events: list[Event], until_ms: int, *wanted: str, **faults: Any) -> list[tuple[str, Any]]:
    return [(push.channel, json.loads(push.frame)) for push in board(events).advance(until_ms, wanted, **faults)]


def test_trades_of_a_millisecond_share_a_frame_but_never_across_a_quote() -> None:
    events: list[Event] = [trade(T0, 1.0), trade(T0, 2.0), quote(T0), trade(T0, 3.0), trade(T0 + 1, 4.0)]
    frames = [frame for _, frame in _pushes(events, T0 + 1, "trade")]
    assert [(frame["ts"], [row["p"] for row in frame["data"]]) for frame in frames] == [
        (T0, ["1", "2"]),
        (T0, ["3"]),
        (T0 + 1, ["4"]),
    ]


def test_every_quote_is_a_frame_of_its_own_in_order_with_the_trades() -> None:
    events: list[Event] = [quote(T0), quote(T0, 99.0), trade(T0), quote(T0 + 5)]
    pushes = _pushes(events, T0 + 5, "trade", "depth_book1")
    assert [(channel, frame["ts"]) for channel, frame in pushes] == [
        ("depth_book1", T0),
        ("depth_book1", T0),
        ("trade", T0),
        ("depth_book1", T0 + 5),
    ]
    assert pushes[1][1]["data"] == {"b": [["99", "1"]], "a": [["100.1", "2"]]}


def test_a_trade_frame_has_the_shape_of_the_original() -> None:
    [(_, frame)] = _pushes([trade(T0 + 1_234, 60000.5, 0.25, "sell")], T0 + 1_234, "trade")
    assert frame == {
        "ch": "trade",
        "symbol": "BTCUSDT",
        "ts": T0 + 1_234,
        "data": [{"t": "2026-01-01T00:00:01Z", "p": "60000.5", "v": "0.25", "s": "sell"}],
    }


def test_a_trades_time_may_have_nanoseconds() -> None:
    [(_, frame)] = _pushes([trade(T0 + 1_234)], T0 + 1_234, "trade", nanoseconds=True)
    assert frame["data"][0]["t"] == "2026-01-01T00:00:01.234000000Z"


def test_what_nobody_wants_is_not_made() -> None:
    assert _pushes([trade(T0), quote(T0)], T0 + 5_000) == []


def test_a_running_candle_is_pushed_whole_and_has_no_time_of_its_own() -> None:
    events: list[Event] = [trade(T0, 10.0, 1.0), trade(T0 + 200, 12.0, 2.0), trade(T0 + 60_100, 9.0, 4.0)]
    pushes = [frame for _, frame in _pushes(events, T0 + 60_137, "market_kline_1min")]
    assert pushes[0] == {
        "ch": "market_kline_1min",
        "symbol": "BTCUSDT",
        "ts": T0 + 137,
        "data": {"o": "10", "c": "10", "h": "10", "l": "10", "b": "1", "q": "10"},
    }
    assert pushes[1]["data"] == {"o": "10", "c": "12", "h": "12", "l": "10", "b": "3", "q": "34"}
    assert pushes[-1]["ts"] == T0 + 60_137
    assert pushes[-1]["data"] == {"o": "9", "c": "9", "h": "9", "l": "9", "b": "4", "q": "36"}
    assert len(pushes) == 121


@pytest.mark.parametrize(
    ("fault", "offsets"),
    [
        ("", [58_637, 59_137, 59_637, 60_137, 60_637]),
        ("late", [58_637, 59_137, 59_637, 60_137, 59_999, 60_637]),
        ("duplicate", [58_637, 58_637, 59_137, 59_137, 59_637, 59_637, 60_137, 60_137, 60_637, 60_637]),
        ("no_last", [60_137, 60_637]),
    ],
)
def test_candle_pushes_can_misbehave_at_the_border(fault: str, offsets: list[int]) -> None:
    events: list[Event] = [trade(T0, 10.0), trade(T0 + 60_100, 9.0), trade(T0 + 61_000, 9.0)]
    frames = [frame for _, frame in _pushes(events, T0 + 60_700, "market_kline_1min", kline_fault=fault)]
    assert [frame["ts"] - T0 for frame in frames if frame["ts"] > T0 + 58_500] == offsets


def test_a_candle_channel_can_jump_over_buckets() -> None:
    events: list[Event] = [trade(T0 + minute * 60_000, 10.0) for minute in range(7)]
    frames = [frame for _, frame in _pushes(events, T0 + 6 * 60_000, "market_kline_1min", kline_fault="jump")]
    assert {(frame["ts"] - T0) // 60_000 for frame in frames} == {1, 2, 4, 5}


def test_a_depth_window_goes_outward_from_the_quote() -> None:
    [(_, frame), *_] = _pushes([quote(T0), quote(T0 + 1_000)], T0 + 500, "depth_book5")
    bids, asks = frame["data"]["b"], frame["data"]["a"]
    assert [price for price, _ in bids] == ["100", "99.9", "99.8", "99.7", "99.6"]
    assert [price for price, _ in asks] == ["100.1", "100.2", "100.3", "100.4", "100.5"]
    assert bids[0] == ["100", "1"]


def test_price_and_ticker_have_the_shape_of_the_original() -> None:
    events: list[Event] = [quote(T0, 100.0, 100.2), trade(T0, 100.0, 2.0), trade(T0 + 1, 110.0, 1.0), quote(T0 + 9_999)]
    pushes = dict(_pushes(events, T0 + 1_400, "price", "ticker", "tickers"))
    assert pushes["price"]["data"]["mp"] == "100.1"
    assert set(pushes["price"]["data"]) == {"ip", "mp", "fr", "ft", "nft"}
    assert (pushes["price"]["data"]["ft"], pushes["price"]["data"]["nft"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-01T08:00:00Z",
    )
    assert pushes["ticker"]["data"] == {
        "s": "BTCUSDT",
        "o": "100",
        "la": "110",
        "h": "110",
        "l": "100",
        "b": "3",
        "q": "310",
        "r": "10",
    }
    assert "symbol" not in pushes["tickers"]
    assert pushes["tickers"]["data"][0]["bd"] == "100"


def test_the_wire_does_not_depend_on_how_time_is_cut() -> None:
    events: list[Event] = [event for n in range(200) for event in (quote(T0 + 37 * n), trade(T0 + 37 * n))]
    wanted = ["trade", "depth_book1", "depth_book15", "market_kline_1min", "price", "ticker"]
    whole = board(events).advance(T0 + 7_000, wanted)
    cut = board(events)
    pieces = [push for to_ms in range(T0, T0 + 7_001, 10) for push in cut.advance(to_ms, wanted)]
    assert pieces == whole
    assert [push.ts_ms for push in whole] == sorted(push.ts_ms for push in whole)


def test_a_board_that_was_opened_later_goes_on_where_the_market_is() -> None:
    events: list[Event] = [event for n in range(400) for event in (quote(T0 + 237 * n), trade(T0 + 237 * n, 100.0 + n))]
    wanted = ["trade", "depth_book1", "market_kline_1min", "price", "ticker"]
    first, second = board(events), board(events)
    first.advance(T0 + 70_000, wanted)
    second.seek(T0 + 70_000)
    assert second.snapshot("ticker") == first.snapshot("ticker")
    assert second.advance(T0 + 90_000, wanted) == first.advance(T0 + 90_000, wanted)
