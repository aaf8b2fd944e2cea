import json
from decimal import Decimal

import pytest

from services.feed.bitunix_rows import kline_path, pairs_path, parse_klines, parse_pair, unlisted
from services.feed.config import Instrument
from services.feed.facts import RawCandle, Refusal

MINUTE = 60_000
T0 = 1_700_000_040_000
BTC = "BTCUSDT"


def row(minute: int = 0, **changes: object) -> dict[str, object]:
    """A row as the exchange sends it: texts, and the names of the volumes swapped (2 coins at about 100)."""
    plain = {
        "open": "100",
        "high": "101",
        "low": "99",
        "close": "100.5",
        "quoteVol": "2",
        "baseVol": "200",
        "time": str(T0 + minute * MINUTE),
    }
    return plain | changes


def answer(*rows: object, code: object = 0) -> bytes:
    return json.dumps({"code": code, "msg": "Success", "data": list(rows)}).encode()


def candle(minute: int = 0, volume: float = 2.0) -> RawCandle:
    return RawCandle(T0 + minute * MINUTE, 100.0, 101.0, 99.0, 100.5, volume)


def test_rows_come_newest_first_and_are_turned_round() -> None:
    assert parse_klines(answer(row(2), row(1), row(0)), MINUTE) == [candle(0), candle(1), candle(2)]


VOLUMES = [
    ("swapped", {"quoteVol": "2", "baseVol": "200"}, 2.0),
    ("as documented", {"quoteVol": "200", "baseVol": "2"}, 2.0),
    ("nothing traded", {"quoteVol": "0", "baseVol": "0"}, 0.0),
    ("neither fits: as most rows are", {"quoteVol": "3", "baseVol": "7"}, 3.0),
    (
        "both fit, at a price of one",
        {"quoteVol": "3", "baseVol": "3", "open": "1", "high": "1", "low": "1", "close": "1"},
        3.0,
    ),
    ("half a percent beside the range", {"quoteVol": "203", "baseVol": "2"}, 2.0),
]


@pytest.mark.parametrize(("changes", "volume"), [case[1:] for case in VOLUMES], ids=[case[0] for case in VOLUMES])
def test_the_volume_in_base_coin_is_told_by_the_row_itself(changes: dict[str, object], volume: float) -> None:
    rows = parse_klines(answer(row() | changes), MINUTE)
    assert isinstance(rows, list)
    assert [parsed.volume for parsed in rows] == [volume]


def test_numbers_are_taken_as_well_as_texts() -> None:
    numbers = row(time=T0, open=100, high=101, low=99, close=100.5, quoteVol=2, baseVol=200, type="LAST_PRICE")
    assert parse_klines(answer(numbers), MINUTE) == [candle()]


def test_rows_that_can_not_be_are_left_out_and_doubles_count_once() -> None:
    bad = [
        row(1, open=""),
        row(2, high="98"),
        row(3, time="soon"),
        row(4, time=str(T0 + 1)),
        row(5, close="-1"),
        "row",
        row(6, quoteVol="x"),
    ]
    assert parse_klines(answer(*bad, row(0), row(0)), MINUTE) == [candle()]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<html>", "not_json"),
        (b"[]", "not_an_object"),
        (answer(code=10006), "rest_code"),
        (b'{"data":[]}', "rest_code"),
        (b'{"code":0,"data":{}}', "bad_shape"),
        (b'{"code":0}', "bad_shape"),
        (b"[" * 1_000 + b"]" * 1_000, "not_an_object"),
        (b'{"code":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "rest_code"),
    ],
)
def test_an_answer_that_is_none_is_a_named_refusal(body: bytes, name: str) -> None:
    refusal = parse_klines(body, MINUTE)
    assert isinstance(refusal, Refusal)
    assert refusal.name == name


def test_an_empty_answer_is_an_answer() -> None:
    assert parse_klines(answer(), MINUTE) == []


PAIR = {"symbol": BTC, "minTradeVolume": "0.002", "basePrecision": 4, "quotePrecision": 1}


@pytest.mark.parametrize(
    "data", [[{"symbol": "ETHUSDT"}, PAIR], PAIR, [PAIR | {"symbol": "btcusdt", "basePrecision": "4"}]]
)
def test_grids_are_powers_of_ten_from_the_precisions(data: object) -> None:
    body = json.dumps({"code": 0, "data": data}).encode()
    assert parse_pair(body, BTC) == Instrument(Decimal("0.1"), Decimal("0.0001"), Decimal("0.002"))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ([], "unknown_symbol"),
        (None, "unknown_symbol"),
        ([PAIR | {"quotePrecision": 99}], "unreadable"),
        ([PAIR | {"quotePrecision": 1.5}], "unreadable"),
        ([PAIR | {"basePrecision": "1e999"}], "unreadable"),
        ([PAIR | {"minTradeVolume": None}], "unreadable"),
        ([PAIR | {"symbolStatus": "STOP"}], "not_traded"),
        ([PAIR | {"symbolStatus": "preview"}], "not_traded"),
    ],
)
def test_grids_that_are_not_told_are_a_named_refusal(data: object, name: str) -> None:
    refusal = parse_pair(json.dumps({"code": 0, "data": data}).encode(), BTC)
    assert isinstance(refusal, Refusal)
    assert refusal.name == name


def test_a_symbol_that_the_exchange_lets_nobody_trade_is_refused_by_name() -> None:
    body = json.dumps({"code": 20015, "msg": "this Futures is not allowed to trade.", "data": None}).encode()
    assert parse_pair(body, BTC) == unlisted(BTC, [])
    assert [unlisted(BTC, listed).name for listed in ([], ["ETHUSDT"], ["ETHUSDT", BTC])] == [
        *2 * ["unknown_symbol"],
        "not_traded",
    ]


def test_questions_are_spelled_as_rest_wants_them() -> None:
    assert kline_path(BTC, 60 * MINUTE, None) == "/api/v1/futures/market/kline?symbol=BTCUSDT&interval=1h&limit=200"
    assert kline_path(BTC, MINUTE, T0).endswith(f"interval=1m&limit=200&endTime={T0}")
    assert pairs_path("A&B") == "/api/v1/futures/market/trading_pairs?symbols=A%26B"
