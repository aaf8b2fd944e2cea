import gzip
import json
from pathlib import Path

import pytest
from feed_builders import SHARED_DATA

from services.feed.bitunix_frames import Control, FrameFact, RawKline, RawTicker, parse_frame
from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal

TS = 1_790_126_515_684
BTC = "BTCUSDT"


def push(channel: str, data: object, symbol: str | None = BTC, ts: object = TS) -> str:
    frame = {"ch": channel, "symbol": symbol, "ts": ts, "data": data}
    return json.dumps({key: value for key, value in frame.items() if value is not None})


def book(bids: object, asks: object) -> dict[str, object]:
    return {"b": bids, "a": asks}


QUOTE = RawQuote(TS, 99.5, 100.5, 1.0, 2.0)
GOOD_BOOK = book([["99.5", "1"], ["99", "7"]], [["100.5", "2"], ["101", "7"]])
ONE_TRADE = {"t": "2026-04-07T05:47:52Z", "p": "68621.4", "v": "0.7142", "s": "buy"}
TRADE = RawTrade(TS, 68621.4, 0.7142, "buy")
PRICE = {"ip": "1", "mp": "86688.3", "fr": "-0.00077", "ft": "2026-09-23T00:00:00Z", "nft": "2026-09-23T08:00:00Z"}
FUNDING = RawFunding(TS, -0.00077 / 100, 86688.3, 1_790_121_600_000, 1_790_150_400_000)
KLINE = {"o": "1", "c": "4", "h": "5", "l": "0.5", "b": "2", "q": "6"}

GOOD: dict[str, tuple[str, list[FrameFact]]] = {
    "greeting": ('{"op":"connect","data":{"result":true}}', [Control("greeting")]),
    "pong, with the op ping": ('{"op":"ping","pong":1732519687,"ping":1732519690}', [Control("pong", "1732519687")]),
    "pong, as some would have it": ('{"op":"pong"}', [Control("pong")]),
    "ack, as one note has it": (
        '{"op":"subscribe","ch":"trade","symbol":"BTCUSDT","data":{"result":true}}',
        [Control("ack", "subscribe")],
    ),
    "unsubscribed": ('{"op":"unsubscribe","ts":1790126500916,"data":"success"}', [Control("ack", "unsubscribe")]),
    "too many": (
        '{"op":"subscribe","data":{"msg":"subscribe channel > 300","nonce":"","result":false}}',
        [Control("refused", "subscribe: subscribe channel > 300")],
    ),
    "op goes first, whatever else is there": (
        '{"op":"subscribe","ch":"trade","symbol":"BTCUSDT","ts":1,"data":[]}',
        [Control("ack", "subscribe")],
    ),
    "best quotes": (push("depth_book1", GOOD_BOOK), [QUOTE]),
    "5 levels": (push("depth_book5", GOOD_BOOK), [QUOTE]),
    "15 levels": (push("depth_book15", GOOD_BOOK), [QUOTE]),
    "whole book": (push("depth_books", GOOD_BOOK), [QUOTE]),
    "numbers instead of texts": (push("depth_book1", book([[99.5, 1]], [[100.5, 2]])), [QUOTE]),
    "symbol in lower case": (push("depth_book1", GOOD_BOOK, "btcusdt"), [QUOTE]),
    "ts as a text": (push("depth_book1", GOOD_BOOK, ts=str(TS)), [QUOTE]),
    "trade": (push("trade", [ONE_TRADE]), [TRADE]),
    "trade with nanoseconds": (push("trade", [ONE_TRADE | {"t": "2024-12-04T11:36:47.959908526Z"}]), [TRADE]),
    "batch of trades": (
        push("trade", [ONE_TRADE, ONE_TRADE | {"s": "SELL"}]),
        [TRADE, TRADE._replace(aggressor="sell")],
    ),
    "batch with a bad one": (
        push("trade", [ONE_TRADE | {"p": ""}, ONE_TRADE]),
        [Refusal("unreadable", "p is no number: ''"), TRADE],
    ),
    "no trades": (push("trade", []), []),
    "price": (push("price", PRICE), [FUNDING]),
    "price with a fraction of a second": (
        push("price", PRICE | {"ft": "2026-09-23T00:00:00.123456789Z"}),
        [FUNDING._replace(last_ms=1_790_121_600_123)],
    ),
    "price with funding times in ms": (push("price", PRICE | {"ft": "1790121600000", "nft": 1790150400000}), [FUNDING]),
    "price with empty fields": (
        push("price", {"fr": "0.01", "mp": "", "ft": "", "nft": None}),
        [RawFunding(TS, 0.0001, 0.0, None, None)],
    ),
    "price without times": (push("price", {"fr": "0.01", "mp": "5"}), [RawFunding(TS, 0.0001, 5.0, None, None)]),
    "kline": (
        push("market_kline_1min", KLINE),
        [RawKline(TS, "market_kline_1min", 1.0, 5.0, 0.5, 4.0, 2.0, 6.0, mark=False)],
    ),
    "kline of the mark": (
        push("mark_kline_60min", KLINE),
        [RawKline(TS, "mark_kline_60min", 1.0, 5.0, 0.5, 4.0, 2.0, 6.0, mark=True)],
    ),
    "ticker without s": (push("ticker", {"la": "5", "o": "4"}), [RawTicker(TS, BTC, 5.0)]),
    "tickers have no symbol of their own": (
        push("tickers", [{"s": "BTCUSDT", "la": "5"}, {"s": "ETHUSDT", "bd": "1"}], None),
        [RawTicker(TS, BTC, 5.0), RawTicker(TS, "ETHUSDT", None)],
    ),
}


@pytest.mark.parametrize(("frame", "expected"), GOOD.values(), ids=GOOD.keys())
def test_a_frame_means_what_it_means(frame: str, expected: list[FrameFact]) -> None:
    assert parse_frame(frame, BTC) == expected
    assert parse_frame(frame.encode(), BTC) == expected
    assert [type(fact) for fact in parse_frame(frame, BTC)] == [type(fact) for fact in expected]


DEEP = "[" * 1_000 + "]" * 1_000
"""Read by our parser; most of Python gives up on writing it out."""
DEEP_IN = {
    "time": push("trade", [ONE_TRADE], ts="DEEP").replace('"DEEP"', "DEEP"),
    "price": push("trade", [ONE_TRADE | {"p": "DEEP"}]).replace('"DEEP"', "DEEP"),
    "rate": push("price", PRICE | {"fr": "DEEP"}).replace('"DEEP"', "DEEP"),
}

BAD = {
    "not JSON": ("hello", "not_json"),
    "empty": ("", "not_json"),
    "NaN": ('{"ch":"trade","ts":NaN}', "not_json"),
    "a list": ("[]", "not_an_object"),
    "nobody's": ('{"stream":"btcusdt@bookTicker","data":{}}', "no_channel"),
    "a client's own words": ('{"op":"subscribe","args":["trade.BTCUSD"]}', "unknown_control"),
    "unknown op": ('{"op":"dance"}', "unknown_control"),
    "op is no text": ('{"op":7}', "unknown_control"),
    "unknown channel": (push("last_kline_1m", {}), "unknown_channel"),
    "other symbol": (push("trade", [ONE_TRADE], "ETHUSDT"), "other_symbol"),
    "no symbol": (push("trade", [ONE_TRADE], None), "other_symbol"),
    "ts in seconds": (push("trade", [ONE_TRADE], ts=TS // 1000), "unreadable"),
    "no ts": (push("trade", [ONE_TRADE], ts=None), "unreadable"),
    "ts is a flag": (push("trade", [ONE_TRADE], ts=True), "unreadable"),
    "unknown symbol's book": (push("depth_book1", book([["", ""]], [["", ""]])), "empty_level"),
    "empty book": (push("depth_book1", book([], [["1", "1"]])), "empty_book"),
    "book without a side": (push("depth_book1", {"b": [["1", "1"]]}), "bad_shape"),
    "a level that is no pair": (push("depth_book1", book([["1"]], [["1", "1"]])), "bad_shape"),
    "an empty size": (push("depth_book1", book([["1", ""]], [["1", "1"]])), "unreadable"),
    "a number with an underscore": (push("depth_book1", book([["1_0", "1"]], [["11", "1"]])), "unreadable"),
    "a word": (push("depth_book1", book([["inf", "1"]], [["nan", "1"]])), "unreadable"),
    "trades are an object": (push("trade", ONE_TRADE), "bad_shape"),
    "a trade is a text": (push("trade", ["x"]), "bad_shape"),
    "a side that is none": (push("trade", [ONE_TRADE | {"s": "?"}]), "unknown_side"),
    "a price without a rate": (push("price", {"mp": "5"}), "unreadable"),
    "a funding time that is none": (push("price", PRICE | {"ft": "2026-13-45T99:00:00Z"}), "unreadable"),
    "a kline without volume": (push("market_kline_1min", {"o": "1", "c": "4", "h": "5", "l": "0.5"}), "unreadable"),
    "tickers are an object": (push("tickers", {}, None), "bad_shape"),
    "a ticker of nobody": (push("tickers", [{}], None), "bad_shape"),
    "data is missing": (push("price", None), "bad_shape"),
    **{f"a deep {where}": (frame.replace("DEEP", DEEP), "unreadable") for where, frame in DEEP_IN.items()},
    "a deep op": ('{"op":DEEP}'.replace("DEEP", DEEP), "unknown_control"),
    "a deep side": (push("trade", [ONE_TRADE | {"s": "DEEP"}]).replace('"DEEP"', DEEP), "unknown_side"),
    "a deep symbol": (push("trade", [ONE_TRADE], "DEEP").replace('"DEEP"', DEEP), "other_symbol"),
}


@pytest.mark.parametrize(("frame", "name"), BAD.values(), ids=BAD.keys())
def test_a_frame_that_means_nothing_is_one_named_refusal(frame: str, name: str) -> None:
    (refusal,) = parse_frame(frame, BTC)
    assert isinstance(refusal, Refusal)
    assert refusal.name == name
    assert len(refusal.detail) <= 200


def shared(name: str) -> Path:
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def test_real_frames_of_the_exchange_mean_the_right_things() -> None:
    """Captured live by others; in the order of the file, what we said ourselves left out."""
    lines = [json.loads(line) for line in shared("bitunix_frames.jsonl").read_text().splitlines()]
    received = [line["raw"] for line in lines if line["dir"] == "recv"]
    facts = [parse_frame(raw, BTC) for raw in received]
    assert facts == [
        [Control("greeting")],
        [RawQuote(1790126515693, 86699.6, 86699.7, 2.274, 0.7095)],
        [Refusal("other_symbol", "depth_book15 of 'BTCUSDC'")],
        [Refusal("other_symbol", "depth_book15 of 'BTCUSD'")],
        [Refusal("other_symbol", "depth_book15 of 'NOPEUSDT'")],
        [RawFunding(1790126515695, -0.00077 / 100, 86688.3, 1790121600000, 1790150400000)],
        [RawTicker(1790126515684, BTC, 86688.2)],
        [Control("pong", "1790126498")],
        [Control("ack", "unsubscribe")],
        [Control("refused", "subscribe: subscribe channel > 300")],
        [
            RawKline(
                1786650732204, "market_kline_1min", 63404.6, 63404.8, 63404.5, 63404.7, 0.2413, 15299.54977, mark=False
            )
        ],
        [
            RawKline(
                1786650730275, "market_kline_1min", 63404.6, 63404.7, 63404.6, 63404.6, 0.226, 14329.45786, mark=False
            )
        ],
        [RawTrade(1775540872598, 68621.4, 0.7142, "buy"), RawTrade(1775540872598, 68621.4, 0.0018, "sell")],
    ]
    empty = next(raw for raw in received if "NOPEUSDT" in raw)
    assert parse_frame(empty, "NOPEUSDT") == [Refusal("empty_level", "the exchange does not know the symbol")]
    usdc = next(raw for raw in received if "BTCUSDC" in raw)
    assert parse_frame(usdc, "BTCUSDC") == [RawQuote(1790126515690, 86687.9, 86688.0, 0.806, 0.59)]


def test_frames_of_other_exchanges_are_refused_one_by_one() -> None:
    with gzip.open(shared("binanceperp_btcusdt_20240718_rawws.gz"), "rb") as file:
        frames = [line.split(b" ", 1)[-1] for line in file]
    with gzip.open(shared("cryptofeed_BYBIT.ws.26.0.gz"), "rb") as file:
        lines = list(file)
    frames += lines + [line.split(b": ", 1)[-1] for line in lines]
    for frame in frames:
        (refusal,) = parse_frame(frame, BTC)
        assert isinstance(refusal, Refusal)
