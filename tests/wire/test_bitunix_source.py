"""The source whole, socket and REST together, over real sockets."""

import pytest
from feed_builders import MINUTE, T0, feed_core, settings, stream_info
from feed_peers import Listener, book, cutting, klines, listening, prints, quiet, rest_served, served, streaming

from bus.messages import Candle, FeedState, Quote, Trade
from services.feed import reconciling
from services.feed.config import FeedConfig
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import DataLost, RawQuote, RawTrade, Refusal, Remark, SourceState
from services.feed.source import Resume, SourceError


def test_a_session_begins_with_history_up_to_its_first_tick_and_an_incomplete_candle() -> None:
    texts = [book(T0 + 30_000), prints(T0 + 30_001, "100"), book(T0 + MINUTE), book(T0 + 2 * MINUTE)]
    with (
        served(streaming(*texts)) as (_, ws_url),
        rest_served(klines(T0)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) >= 6)
        info = listener.source.info
        assert info is not None
        assert (str(info.tick_size), str(info.lot_size), str(info.min_qty), info.note) == ("0.01", "0.001", "0.002", "")
        assert (len(info.history), info.history[-1].close_ms) == (200, T0)
        candles = [event for event in listener.events if isinstance(event, Candle)]
        assert [(candle.open_ms, candle.complete) for candle in candles] == [(T0, False), (T0 + MINUTE, True)]
        assert listener.states == [FeedState.CONNECTED]
        assert listener.said[1] == DataLost()


def test_after_a_reconnect_missed_candles_come_before_the_held_ticks() -> None:
    before = [book(T0), prints(T0 + 1, "100"), prints(T0 + 2, "101")]
    after = [book(T0 + 3 * MINUTE + 5), prints(T0 + 3 * MINUTE + 6, "102")]
    with (
        served(cutting(*before), streaming(*after)) as (_, ws_url),
        rest_served(klines(T0 + 3 * MINUTE)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) >= 8)
        assert [type(event) for event in listener.events] == [Quote, Trade, Trade, Candle, Candle, Candle, Quote, Trade]
        candles = [event for event in listener.events if isinstance(event, Candle)]
        assert [(candle.open_ms, candle.close, candle.volume, candle.complete) for candle in candles] == [
            (T0 + n * MINUTE, 100.0, 2.0, False) for n in range(3)
        ]
        assert listener.states == [FeedState.CONNECTED, FeedState.CONNECTING, FeedState.CONNECTED]


def test_without_rest_a_session_begins_with_defaults_and_a_note() -> None:
    with (
        served(streaming(book(T0), book(T0 + 1))) as (_, ws_url),
        listening(ws_url, "http://127.0.0.1:1", 900, interval="5s", tick_size=0.5) as listener,
    ):
        listener.until(lambda it: len(it.events) == 2)
        info = listener.source.info
        assert info is not None
        assert (str(info.tick_size), str(info.min_qty), info.history) == ("0.5", "0.0001", ())
        assert "grids are defaults" in info.note
        assert "warm up live" in info.note


def test_a_feed_that_starts_again_bridges_the_time_it_was_away() -> None:
    core = feed_core()
    recorded = [
        event
        for fact in (RawQuote(T0, 1.0, 2.0, 0.0, 0.0), RawTrade(T0 + 1, 100.0, 1.0, "buy"))
        for event in core.take(fact)
    ]
    with (
        served(streaming(book(T0 + 2 * MINUTE + 5), book(T0 + 2 * MINUTE + 6))) as (_, ws_url),
        rest_served(klines(T0 + 2 * MINUTE)) as (rest_url, _),
    ):
        info = stream_info()
        config = FeedConfig.from_settings(settings(source="bitunix", bitunix_ws_url=ws_url, bitunix_rest_url=rest_url))
        listener = Listener(config, Resume(info, 2, T0 + 1, 1))
        listener.core = FeedCore(info, FeedRules())
        listener.core.restore(recorded)
        try:
            listener.until(lambda it: len(it.events) == 4)
        finally:
            listener.source.close()
    assert [(type(event), event.seq) for event in listener.events] == [(Candle, 3), (Candle, 4), (Quote, 5), (Quote, 6)]
    assert [event.volume for event in listener.events if isinstance(event, Candle)] == [2.0, 2.0]


def test_a_symbol_that_is_not_listed_ends_the_feed() -> None:
    with (
        served(quiet) as (_, ws_url),
        rest_served(lambda _: (200, {"code": 0, "data": [{"symbol": "BTCUSDC"}]})) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
        pytest.raises(SourceError, match="got BTCUSDT: the nearest are BTCUSDC"),
    ):
        listener.until(lambda _: False)


def test_a_push_that_comes_twice_and_one_that_is_far_off_are_refused() -> None:
    texts = [book(T0), prints(T0 + 1, "100"), prints(T0 + 1, "100"), prints(T0 + 2, "1"), prints(T0 + 3, "101")]
    with (
        served(streaming(*texts)) as (_, ws_url),
        rest_served(klines(T0)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        listener.until(lambda it: len(it.events) == 3)
        assert [event.price for event in listener.events if isinstance(event, Trade)] == [100.0, 101.0]
        assert [word.name for word in listener.said if isinstance(word, Refusal)] == ["duplicate", "jump"]


def test_attempts_exhausted_is_a_lost_feed() -> None:
    with served(quiet) as (_, url):
        pass
    with listening(url, "http://127.0.0.1:1") as listener:
        listener.until(lambda it: FeedState.LOST in it.states)
        assert listener.states[-1] is FeedState.LOST


def test_a_push_that_comes_again_on_the_next_connection_is_one() -> None:
    again = prints(T0 + 1, "100")
    with (
        served(cutting(book(T0), again), streaming(again, prints(T0 + 2, "100.5"))) as (_, ws_url),
        listening(ws_url, "http://127.0.0.1:1", 300, interval="5s") as listener,
    ):
        listener.until(lambda it: bool(it.events) and it.events[-1].ts_ms == T0 + 2)
        assert [event.price for event in listener.events if isinstance(event, Trade)] == [100.0, 100.5]
        assert [word.name for word in listener.said if isinstance(word, Refusal)] == ["duplicate"]


@pytest.mark.parametrize("heard_since", [False, True])
def test_a_connection_that_is_deaf_to_trades_is_made_anew(monkeypatch: pytest.MonkeyPatch, heard_since: bool) -> None:
    """Quotes go on; that the exchange had trades is seen by its own candles alone."""
    for name in ("FIRST_LOOK_MS", "NEXT_LOOK_MS"):
        monkeypatch.setattr(reconciling, name, 50)
    deaf = [book(T0), prints(T0 + 1, "100"), book(T0 + MINUTE), book(T0 + 2 * MINUTE)]
    if heard_since:
        deaf.append(prints(T0 + 2 * MINUTE + 1, "100"))
    with (
        served(streaming(*deaf), streaming(book(T0 + 2 * MINUTE + 2), prints(T0 + 2 * MINUTE + 3, "101"))) as (
            _,
            ws_url,
        ),
        rest_served(klines(T0 + MINUTE)) as (rest_url, _),
        listening(ws_url, rest_url) as listener,
    ):
        if heard_since:
            listener.until(lambda it: any(isinstance(word, Remark) and word.incident for word in it.said))
            assert FeedState.CONNECTING not in listener.states
        else:
            listener.until(lambda it: bool(it.events) and it.events[-1].ts_ms == T0 + 2 * MINUTE + 3)
            assert listener.states == [FeedState.CONNECTED, FeedState.CONNECTING, FeedState.CONNECTED]
            why = [word.detail for word in listener.said if isinstance(word, SourceState) and word.incident]
            assert why[0].startswith("no trades heard where the exchange had some")


def test_second_candles_are_compared_by_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange has 2 coins at 100 in each minute; the feed hears one of the two."""
    for name in ("FIRST_LOOK_MS", "NEXT_LOOK_MS"):
        monkeypatch.setattr(reconciling, name, 50)
    heard = [book(T0), prints(T0 + 1, "100"), prints(T0 + MINUTE + 5_000, "100", "100"), book(T0 + 2 * MINUTE)]
    with (
        served(streaming(*heard)) as (_, ws_url),
        rest_served(klines(T0 + MINUTE)) as (rest_url, _),
        listening(ws_url, rest_url, interval="5s") as listener,
    ):
        listener.until(lambda it: any(isinstance(word, Remark) and word.incident for word in it.said))
        (told,) = [word.text for word in listener.said if isinstance(word, Remark) and word.incident]
        assert told.endswith("was published as 100/100/100/100 volume 1; the exchange has 100/100/100/100 volume 2")
