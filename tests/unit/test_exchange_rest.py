from itertools import pairwise
from typing import Any

import pytest
from exchange_builders import T0, board, quote, trade

from services.exchange.board import Board
from services.exchange.instruments import WELL_KNOWN, instrument
from services.exchange.market import Event, Walk
from services.exchange.rest import PREFIX, Answer, Desk, RestHabits, answer

MINUTE_MS = 60_000
SYMBOL = {"symbol": "BTCUSDT"}
MINUTES = {"symbol": "btcusdt", "interval": "1m"}

# One trade a minute at 100, 101, 102 ..., two coins each; now is half way into the fourth minute.
EVENTS: list[Event] = [trade(T0 + n * MINUTE_MS, 100.0 + n, 2.0) for n in range(6)]
NOW_MS = T0 + 3 * MINUTE_MS + 30_000


def _desk() -> Desk:
    small = board(EVENTS)
    small.advance(NOW_MS, [])
    return Desk({"BTCUSDT": instrument("BTCUSDT")}, {"BTCUSDT": small}.__getitem__)


def _walk_desk() -> Desk:
    def opened(symbol: str) -> Board:
        walking = Board(WELL_KNOWN[symbol], Walk(1, WELL_KNOWN[symbol], T0), seed=1)
        walking.seek(T0 + 90_500)
        return walking

    boards = {symbol: opened(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    return Desk({symbol: WELL_KNOWN[symbol] for symbol in boards}, boards.__getitem__)


def _data(what: str, query: dict[str, str], desk: Desk | None = None, **habits: Any) -> Any:
    found = answer(PREFIX + what, query, desk or _desk(), RestHabits(**habits))
    assert (found.status, found.body["code"], found.body["msg"]) == (200, 0, "Success")
    return found.body["data"]


def _opens(**query: Any) -> list[int]:
    """Return the minutes after T0 at which the rows open."""
    rows = _data("kline", {**MINUTES, **{name: str(value) for name, value in query.items()}})
    return [(int(row["time"]) - T0) // MINUTE_MS for row in rows]


def test_candles_are_strings_newest_first_without_the_running_one_and_with_swapped_volumes() -> None:
    assert _data("kline", {**MINUTES, "limit": "2"}) == [
        {"open": "102", "high": "102", "low": "102", "close": "102", "quoteVol": "2", "baseVol": "204",
         "time": str(T0 + 2 * MINUTE_MS)},
        {"open": "101", "high": "101", "low": "101", "close": "101", "quoteVol": "2", "baseVol": "202",
         "time": str(T0 + MINUTE_MS)},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ({}, [2, 1, 0]),
        ({"limit": 1}, [2]),
        ({"endTime": T0 + 2 * MINUTE_MS}, [1, 0]),
        ({"endTime": T0 + 2 * MINUTE_MS, "limit": 1}, [1]),
        ({"endTime": T0}, []),
        ({"endTime": 0}, []),
        ({"startTime": T0 + MINUTE_MS}, [2, 1]),
        ({"startTime": T0, "limit": 1}, [2]),
        ({"startTime": T0 + MINUTE_MS, "endTime": T0 + 2 * MINUTE_MS}, [1]),
        # The slots of the future count: a short page.
        ({"endTime": T0 + 5 * MINUTE_MS, "limit": 3}, [2]),
        ({"endTime": T0 + 99 * MINUTE_MS, "limit": 3}, []),
        # An end that is not aligned loses the candle that opens just before it.
        ({"endTime": T0 + 2 * MINUTE_MS - 1}, [0]),
    ],
)
def test_candles_are_paged_backwards_from_an_exclusive_end(query: dict[str, Any], opens: list[int]) -> None:
    assert _opens(**query) == opens


def test_an_unaligned_end_gives_the_neighbour_the_lost_candles_open() -> None:
    [row] = _data("kline", {**MINUTES, "endTime": str(T0 + 2 * MINUTE_MS - 1)})
    assert (row["open"], row["close"]) == ("101", "100")


def test_candles_are_cut_to_200_and_100_come_by_default() -> None:
    desk = _walk_desk()
    assert len(_data("kline", {**MINUTES, "limit": "1000"}, desk)) == 200
    assert len(_data("kline", MINUTES, desk)) == 100


@pytest.mark.parametrize("interval", ["1s", "5s", "15s", "1H", "60min", "7m", "1M "])
def test_an_unknown_interval_is_an_empty_list(interval: str) -> None:
    assert _data("kline", {**SYMBOL, "interval": interval}) == []


@pytest.mark.parametrize("interval", ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"])
def test_every_interval_has_a_past_without_holes(interval: str) -> None:
    rows = _data("kline", {**SYMBOL, "interval": interval, "limit": "25"}, _walk_desk())
    times = [int(row["time"]) for row in rows]
    assert len(rows) == 25
    assert len({later - earlier for later, earlier in pairwise(times)}) == 1
    for row in rows:
        low, high = float(row["low"]), float(row["high"])
        assert low <= float(row["baseVol"]) / float(row["quoteVol"]) <= high
        assert (
            low <= min(float(row["open"]), float(row["close"])) <= max(float(row["open"]), float(row["close"])) <= high
        )


def test_what_sources_disagree_about_can_be_switched() -> None:
    [row] = _data("kline", {**MINUTES, "limit": "1"}, numeric=True, unswapped=True, forming=True)
    assert row == {
        "open": 103.0,
        "high": 103.0,
        "low": 103.0,
        "close": 103.0,
        "quoteVol": 206.0,
        "baseVol": 2.0,
        "time": T0 + 3 * MINUTE_MS,
    }
    assert _data("kline", MINUTES, empty=True) == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("kline", {"interval": "1m"}, 1),
        ("kline", SYMBOL, 1),
        ("kline", {**MINUTES, "limit": "x"}, 10002),
        ("kline", {**MINUTES, "limit": "0"}, 10002),
        ("kline", {**MINUTES, "endTime": "-1"}, 10002),
        ("kline", {**MINUTES, "endTime": "1" * 30}, 10002),
        ("kline", {**MINUTES, "type": "OTHER"}, 10002),
        ("kline", {**MINUTES, "symbol": "NOPEUSDT"}, 20015),
        ("funding_rate", {"symbol": "NOPEUSDT"}, 20015),
        ("get_funding_rate_history", {}, 1),
        ("depth", {**SYMBOL, "limit": "20"}, 10008),
    ],
)
def test_a_bad_request_is_a_code_under_http_200(path: str, query: dict[str, str], code: int) -> None:
    found = answer(PREFIX + path, query, _desk(), RestHabits())
    assert (found.status, found.body["code"], found.body["data"]) == (200, code, None)


@pytest.mark.parametrize("path", ["/", "/api/v1/futures/market/", "/api/v1/futures/market/trades", "/favicon.ico"])
def test_an_unknown_path_is_404(path: str) -> None:
    found = answer(path, {}, _desk(), RestHabits())
    assert (found.status, found.body["code"]) == (404, 404)


def test_rest_can_be_made_to_fail() -> None:
    assert answer(PREFIX + "tickers", {}, _desk(), RestHabits(status=429)).status == 429
    assert answer(PREFIX + "tickers", {}, _desk(), RestHabits(code=10006)) == Answer(
        200, {"code": 10006, "data": None, "msg": "forced by a fault"}
    )


def test_tickers_have_their_volumes_under_the_right_names() -> None:
    assert _data("tickers", {"symbols": "btcusdt,NOPEUSDT"}) == [
        {
            "symbol": "BTCUSDT",
            "markPrice": "103",
            "lastPrice": "103",
            "open": "100",
            "last": "103",
            "quoteVol": "812",
            "baseVol": "8",
            "high": "103",
            "low": "100",
        }
    ]


def test_tickers_without_symbols_are_all() -> None:
    assert [row["symbol"] for row in _data("tickers", {}, _walk_desk())] == ["BTCUSDT", "ETHUSDT"]


def test_trading_pairs_give_precisions_and_no_tick() -> None:
    [row] = _data("trading_pairs", {"symbols": "BTCUSDT"})
    assert (row["minTradeVolume"], row["basePrecision"], row["quotePrecision"]) == ("0.0001", 4, 1)
    assert (row["base"], row["quote"], row["symbolStatus"]) == ("BTC", "USDT", "OPEN")
    assert instrument("NEWUSDC").quote == "USDC"


def test_the_funding_rate_is_one_object_in_percent() -> None:
    row = _data("funding_rate", SYMBOL, _walk_desk())
    assert (row["symbol"], row["fundingInterval"]) == ("BTCUSDT", 8)
    assert row["nextFundingTime"] == str(T0 + 8 * 3_600_000)
    assert -0.01 <= float(row["fundingRate"]) <= 0.02
    assert [row["symbol"] for row in _data("funding_rate/batch", {}, _walk_desk())] == ["BTCUSDT", "ETHUSDT"]


def test_the_history_of_funding_is_newest_first_in_fractions() -> None:
    rows = _data("get_funding_rate_history", {**SYMBOL, "limit": "3"}, _walk_desk())
    assert [int(row["fundingTime"]) for row in rows] == [T0 - n * 8 * 3_600_000 for n in range(3)]
    now = _data("funding_rate", SYMBOL, _walk_desk())
    assert float(rows[0]["fundingRate"]) == pytest.approx(float(now["fundingRate"]) / 100)


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ({"starTime": str(T0 - 8 * 3_600_000)}, [0, -1]),
        ({"startTime": str(T0 - 8 * 3_600_000)}, [0, -1]),
        ({"endTime": str(T0 - 1), "limit": "1"}, [-1]),
        ({"endTime": str(T0 + 10**10), "limit": "1"}, [0]),
    ],
)
def test_the_history_of_funding_can_be_bounded(query: dict[str, str], times: list[int]) -> None:
    rows = _data("get_funding_rate_history", {**SYMBOL, **query}, _walk_desk())
    assert [(int(row["fundingTime"]) - T0) // (8 * 3_600_000) for row in rows] == times


def test_the_depth_is_strings_best_first() -> None:
    events: list[Event] = [quote(T0, 100.0, 100.2, 3.0, 4.0)]
    quoted = board(events)
    quoted.advance(T0, [])
    desk = Desk({"BTCUSDT": instrument("BTCUSDT")}, {"BTCUSDT": quoted}.__getitem__)
    assert _data("depth", {**SYMBOL, "limit": "1"}, desk) == {"asks": [["100.2", "4"]], "bids": [["100", "3"]]}
    book = _data("depth", {**SYMBOL, "limit": "5"}, desk)
    assert [price for price, _ in book["asks"]] == ["100.2", "100.3", "100.4", "100.5", "100.6"]
    assert [price for price, _ in book["bids"]] == ["100", "99.9", "99.8", "99.7", "99.6"]
    assert len(_data("depth", SYMBOL, desk)["asks"]) == 200


def test_before_anything_was_traded_there_is_nothing_to_tell() -> None:
    untouched = board(EVENTS)
    desk = Desk({"BTCUSDT": instrument("BTCUSDT")}, {"BTCUSDT": untouched}.__getitem__)
    assert _data("kline", MINUTES, desk) == []
    assert _data("tickers", {}, desk) == []
    assert _data("depth", SYMBOL, desk) == {"asks": [], "bids": []}
    assert _data("funding_rate", SYMBOL, desk) is None
