"""Questions to a small REST server, over real sockets."""

from queue import Queue

from feed_builders import MINUTE, T0
from feed_peers import WAIT_S, asking, klines, rest_served

from services.clock import iso, monotonic_ms
from services.feed.bitunix_rest import (
    START_MS,
    BridgeAnswer,
    HistoryAnswer,
    LookAnswer,
    PairAnswer,
    RestNews,
)
from services.feed.facts import Refusal
from services.feed.reconciling import Span


def test_history_is_paged_backwards_and_never_forming() -> None:
    with rest_served(klines(T0)) as (url, asked), asking(url) as (rest, news):
        rest.ask_history(T0 + 30_000)
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, HistoryAnswer)
        assert isinstance(answer.candles, list)
        assert [row.open_ms for row in answer.candles] == [T0 - n * MINUTE for n in range(200, 0, -1)]
        assert {row.volume for row in answer.candles} == {2.0}
        assert [path.partition("endTime=")[2] for path in asked] == [str(T0), str(T0 - 200 * MINUTE)]


def test_without_the_exchange_s_time_the_newest_candle_is_left_out() -> None:
    with rest_served(klines(T0, 5)) as (url, _), asking(url) as (rest, news):
        rest.ask_history(None)
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, HistoryAnswer)
        assert isinstance(answer.candles, list)
        assert [row.open_ms for row in answer.candles] == [T0 - n * MINUTE for n in (4, 3, 2, 1)]


def test_missed_candles_are_fetched_from_the_one_that_was_open() -> None:
    with rest_served(klines(T0)) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0 + 5, T0 - 3 * MINUTE + 7)
        assert [row.open_ms for row in _bridge(news).candles] == [T0 - 3 * MINUTE, T0 - 2 * MINUTE, T0 - MINUTE]


def test_a_candle_that_is_not_there_yet_is_waited_for() -> None:
    late = klines(T0 - 2 * MINUTE)
    there = klines(T0)
    calls: list[str] = []

    def answer(path: str) -> tuple[int, object]:
        calls.append(path)
        return (late if len(calls) == 1 else there)(path)

    with rest_served(answer) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0, T0 - MINUTE)
        assert [row.open_ms for row in _bridge(news).candles] == [T0 - MINUTE]


def test_a_refusal_is_tried_again() -> None:
    calls: list[str] = []

    def answer(path: str) -> tuple[int, object]:
        calls.append(path)
        return (
            (429, b"")
            if len(calls) == 1
            else (200, {"code": 10006, "msg": "slow down"})
            if len(calls) == 2
            else klines(T0)(path)
        )

    with rest_served(answer) as (url, _), asking(url) as (rest, news):
        rest.ask_pair()
        answered = news.get(timeout=WAIT_S)
        assert isinstance(answered, PairAnswer)
        assert str(answered.pair.tick_size) == "0.01"  # type: ignore[union-attr]


def test_a_symbol_that_is_not_listed_is_told_at_once_with_the_nearest() -> None:
    def answer(path: str) -> tuple[int, object]:
        return 200, {"code": 0, "data": [] if "symbols=" in path else [{"symbol": "BTCUSDC"}, {"symbol": "DOGEUSDT"}]}

    with rest_served(answer) as (url, asked), asking(url) as (rest, news):
        rest.ask_pair()
        words = "symbol must be one that the exchange lists, got BTCUSDT: the nearest are BTCUSDC"
        assert news.get(timeout=WAIT_S) == PairAnswer(Refusal("unknown_symbol", words))
        assert len(asked) == 2


def test_what_rest_said_last_is_known_before_the_session_goes_on_without_it() -> None:
    with rest_served(lambda _: (200, {"code": 10006, "msg": "slow down"})) as (url, _), asking(url) as (rest, news):
        began_ms = monotonic_ms()
        rest.ask_pair()
        assert news.get(timeout=WAIT_S) == PairAnswer(Refusal("rest_code", "code 10006: slow down"))
        assert monotonic_ms() - began_ms < START_MS


def test_a_bridge_that_does_not_reach_back_tells_from_where_it_does() -> None:
    with rest_served(klines(T0, 4)) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0, T0 - 9 * MINUTE)
        answer = _bridge(news)
        assert [row.open_ms for row in answer.candles] == [T0 - 3 * MINUTE, T0 - 2 * MINUTE, T0 - MINUTE]
        assert iso(T0 - 3 * MINUTE) in answer.detail


def test_a_day_of_missed_minutes_is_fetched_page_by_page() -> None:
    with rest_served(klines(T0, 2_000)) as (url, _), asking(url) as (rest, news):
        rest.ask_bridge(T0, T0 - 1_440 * MINUTE)
        answer = _bridge(news)
        assert (len(answer.candles), answer.detail) == (1_440, "")


def test_candles_that_were_published_are_asked_for_again() -> None:
    with rest_served(klines(T0)) as (url, asked), asking(url) as (rest, news):
        rest.ask_look(Span(T0 - 3 * MINUTE, T0 - MINUTE))
        answer = news.get(timeout=WAIT_S)
        assert isinstance(answer, LookAnswer)
        assert [row.open_ms for row in answer.candles] == [T0 - 3 * MINUTE, T0 - 2 * MINUTE, T0 - MINUTE]
        assert len(asked) == 1
    with rest_served(lambda _: (500, b"")) as (url, asked), asking(url) as (rest, news):
        rest.ask_look(Span(T0, T0))
        assert news.get(timeout=WAIT_S) == LookAnswer([])


def _bridge(news: "Queue[RestNews]") -> BridgeAnswer:
    answer = news.get(timeout=WAIT_S)
    assert isinstance(answer, BridgeAnswer)
    return answer
