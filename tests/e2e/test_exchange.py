"""Sessions against `lap exchange` over its real protocol: lost and found again, lost for good, mute, garbage, a burst."""

import gzip
import re
import sys
from pathlib import Path

import pytest
from processes import LAP, Desk, Program, eventually

from bus.messages import Quote, Trade
from services.feed.recording_file import read_all

pytestmark = pytest.mark.timeout(240)

DATA = Path(__file__).parents[3] / "shared" / "data"
BURST = "binanceperp_btcusdt_20240808_2354"
IMPATIENT = {"LAP_WS_BACKOFF_MIN_SEC": "0.2", "LAP_WS_BACKOFF_MAX_SEC": "0.5"}


def exchange(desk: Desk, *words: str) -> tuple[Program, int]:
    """Start an exchange; return it and its port."""
    program = desk.start(LAP, "exchange", *words)
    eventually(lambda: "listening" in program.output(), 20, "the exchange listens")
    found = re.search(r"ws://127\.0\.0\.1:(\d+)/", program.output())
    assert found
    return program, int(found[1])


def urls(port: int) -> dict[str, str]:
    return {
        "LAP_SOURCE": "bitunix",
        "LAP_BITUNIX_WS_URL": f"ws://127.0.0.1:{port}/public/",
        "LAP_BITUNIX_REST_URL": f"http://127.0.0.1:{port}",
    }


def test_the_feed_reconnects_when_the_exchange_is_back(desk: Desk) -> None:
    first, port = exchange(desk)
    session = desk.session(**urls(port), **IMPATIENT)
    desk.wait_running()
    first.end()
    eventually(lambda: (desk.json("logs", "heartbeat.json") or {}).get("feed") == "connecting", 20, "the loss is seen")
    exchange(desk, "--port", str(port))

    def trading_again() -> bool:
        beat = desk.json("logs", "heartbeat.json") or {}
        return beat.get("feed") == "connected"

    eventually(trading_again, 20, "the feed is connected again")
    assert desk.lap("kill").returncode == 0
    assert session.wait(10) == 0
    summary = desk.summary()
    assert summary["restarts"] == 0
    assert any("feed" in str(incident) for incident in summary["incidents"])


def test_an_exchange_that_stays_dead_ends_the_session(desk: Desk) -> None:
    first, port = exchange(desk)
    session = desk.session(**urls(port), **IMPATIENT, LAP_WS_MAX_RETRIES="3")
    desk.wait_running()
    first.end()
    assert session.wait(60) == 7
    assert desk.summary()["stop_reason"] == "feed_lost"
    assert (desk.run_dir / "summary.html").exists()
    assert "feed_lost" in (desk.directory / "logs" / "alert.txt").read_text()


@pytest.mark.provokes("stop_reason feed_lost", "alert event feed_lost")
def test_no_exchange_at_all_ends_the_session_too(desk: Desk) -> None:
    session = desk.session(**urls(9), **IMPATIENT, LAP_WS_MAX_RETRIES="2")
    assert session.wait(60) == 7
    assert desk.summary()["stop_reason"] == "feed_lost"
    assert desk.summary()["tick_count"] == 0


@pytest.mark.provokes("stop_reason stale_data")
def test_an_exchange_that_falls_mute_ends_the_session(desk: Desk) -> None:
    _, port = exchange(desk, "--fault", "mute@8s")
    session = desk.session(**urls(port), LAP_STALE_DATA_TIMEOUT_SEC="5")
    assert session.wait(60) == 4
    assert desk.summary()["stop_reason"] == "stale_data"
    assert "stale_data" in (desk.directory / "logs" / "alert.txt").read_text()


def test_a_symbol_that_the_exchange_does_not_list_is_refused_with_the_nearest(desk: Desk) -> None:
    _, port = exchange(desk)
    session = desk.session(**urls(port), LAP_SYMBOL="BTC-USTD")
    assert session.wait(60) == 2
    sentence = "symbol must be one that the exchange lists, got BTCUSTD: the nearest are BTCUSDT, LTCUSDT"
    assert session.output().splitlines().count(sentence) == 1
    assert desk.summary()["stop_reason"] == "config"
    assert sentence in str(desk.json(".lap", "stop.json"))


def test_a_feed_leaves_without_waiting_for_what_would_happen_at_an_orderly_end(desk: Desk) -> None:
    """There a thread that still asks the exchange would find OpenSSL gone, and end the process with a signal."""
    _, port = exchange(desk)
    code = "import atexit, os, runpy; atexit.register(os._exit, 99); runpy.run_module('services.feed', run_name='__main__')"
    feed = desk.start(sys.executable, "-c", code, **urls(port), LAP_SYMBOL="BTC-USTD")
    assert feed.wait(60) == 2
    assert "symbol must be one that the exchange lists" in feed.output()


def test_a_check_online_asks_each_point(desk: Desk) -> None:
    _, port = exchange(desk)
    good = desk.lap("check", "--online", **urls(port))
    assert good.returncode == 0, good.stdout
    for point in (
        "REST TCP",
        "REST symbol",
        "REST candles",
        "WebSocket TCP",
        "data on trade",
        "on depth_book1",
        "on price",
    ):
        assert point in good.stdout
    bad = desk.lap("check", "--online", **urls(port), LAP_SYMBOL="BTCUSTD")
    assert bad.returncode == 2
    assert "the nearest are BTCUSDT, LTCUSDT" in bad.stdout


def test_garbage_from_the_exchange_changes_nothing_but_a_counter(desk: Desk) -> None:
    _, port = exchange(desk, "--fault", "garbage=30%")
    session = desk.session(**urls(port))
    desk.wait_running()
    desk.wait_trades(1)
    assert desk.lap("kill").returncode == 0
    assert session.wait(10) == 0
    assert desk.summary()["restarts"] == 0
    assert not any(line["level"] == "CRITICAL" for line in desk.events("session_stopping"))


@pytest.mark.skipif(not DATA.exists(), reason="the real market data are not beside this checkout")
def test_a_real_burst_arrives_on_the_bus_whole_in_order_and_once(desk: Desk) -> None:
    """21,313 trades and 66,089 quotes through WebSocket, feed and recording: each once, in order."""
    files = [DATA / f"{BURST}_{kind}.csv.gz" for kind in ("trades", "quotes")]
    words = [word for path in files for word in ("--data", str(path))]
    _, port = exchange(desk, *words, "--speed", "20")
    session = desk.session(**urls(port), LAP_INTERVAL="1m", LAP_STALE_DATA_TIMEOUT_SEC="8")
    assert session.wait(150) == 4
    events = [event for event in read_all(desk.run_dir) if isinstance(event, Quote | Trade)]
    trades = [(event.ts_ms, event.price, event.size, event.aggressor) for event in events if isinstance(event, Trade)]
    quotes = [
        (event.ts_ms, event.bid, event.ask, event.bid_size, event.ask_size)
        for event in events
        if isinstance(event, Quote) and not event.synthetic
    ]
    assert trades == [(int(row[0]), float(row[1]), float(row[2]), row[3]) for row in rows(files[0])]
    assert quotes == [
        (int(row[0]), float(row[1]), float(row[3]), float(row[2]), float(row[4])) for row in rows(files[1])
    ]
    assert desk.summary()["tick_count"] == len(events)
    assert desk.summary()["restarts"] == 0


def rows(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt") as file:
        return [line.strip().split(",") for line in file][1:]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fault", "mutes@20s"], "mute"),
        (["--fault", ""], "a fault is empty"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--speed", "0"], "speed"),
        (["--speed", "1e30"], "speed"),
    ],
)
def test_an_exchange_that_can_not_open_says_why(desk: Desk, words: list[str], says: str) -> None:
    done = desk.lap("exchange", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
