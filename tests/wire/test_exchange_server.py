"""The exchange over real sockets: what a client of the original would see, and what each fault does to it."""

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
import websocket
from exchange_builders import T0, WAIT_S, Client, RunningExchange, config, data_file, running

from services.clock import boot_ms
from services.exchange.process import run_standalone

KLINE = "/api/v1/futures/market/kline?symbol=BTCUSDT&interval=1m"
PAIRS = "/api/v1/futures/market/trading_pairs"


def _market(path: Path, rows: int = 40, step_ms: int = 25) -> list[Path]:
    """Write a second of market: quote, trade, quote, trade ... `step_ms` apart, two of each at one instant."""
    trades = ["ts_ms,price,size,side"]
    quotes = ["ts_ms,bid,ask,bid_size,ask_size"]
    for n in range(rows):
        ts_ms = T0 + n * step_ms
        quotes += [f"{ts_ms},{100 + n},{101 + n},1,2", f"{ts_ms},{100 + n},{102 + n},3,4"]
        trades += [f"{ts_ms},{101 + n},0.5,buy", f"{ts_ms},{100 + n},0.25,sell"]
    return [data_file(path / "trades.csv", trades), data_file(path / "quotes.csv", quotes)]


def _until_end(exchange: RunningExchange) -> None:
    line = ""
    while not line.startswith("end of data"):
        line = exchange.lines.get(timeout=WAIT_S)


def _ticks(client: Client, count: int) -> list[tuple[int, str, str]]:
    """Return (time, kind, prices) of that many trades and quotes, in the order of the wire."""
    ticks: list[tuple[int, str, str]] = []
    while len(ticks) < count:
        frame = client.frame()
        if frame["ch"] == "trade":
            ticks += [(frame["ts"], "trade", row["p"]) for row in frame["data"]]
        else:
            ticks.append((frame["ts"], "quote", frame["data"]["b"][0][0] + "/" + frame["data"]["a"][0][0]))
    return ticks


def test_a_data_file_arrives_whole_in_order_and_once_and_the_connection_stays(tmp_path: Path) -> None:
    given = config(data=tuple(_market(tmp_path)), speed=2.0, wait_for_subscription=True)
    with running(given) as exchange:
        client = exchange.greeted()
        client.subscribe("trade", "depth_book1")
        expected = []
        for n in range(40):
            ts_ms = T0 + 25 * n
            expected += [(ts_ms, "quote", f"{100 + n}/{101 + n}"), (ts_ms, "quote", f"{100 + n}/{102 + n}")]
            expected += [(ts_ms, "trade", f"{101 + n}"), (ts_ms, "trade", f"{100 + n}")]
        assert _ticks(client, 160) == expected
        _until_end(exchange)
        client.say(op="ping", ping=7)
        assert client.frame()["pong"] == 7


def test_a_data_file_waits_for_the_first_subscription_and_for_what_comes_with_it(tmp_path: Path) -> None:
    given = config(data=tuple(_market(tmp_path)), wait_for_subscription=True)
    with running(given) as exchange:
        client = exchange.greeted()
        assert client.text(within_s=0.3) is None
        client.subscribe("trade")
        client.subscribe("depth_book1")
        assert _ticks(client, 2) == [(T0, "quote", "100/101"), (T0, "quote", "100/102")]


def test_a_file_served_faster_than_it_can_be_told_arrives_whole_all_the_same(tmp_path: Path) -> None:
    given = config(data=tuple(_market(tmp_path, rows=500, step_ms=3_000)), speed=1e9, wait_for_subscription=True)
    with running(given) as exchange:
        client = exchange.greeted()
        client.subscribe("trade", "depth_book1")
        ticks = _ticks(client, 2_000)
        assert [ts_ms for ts_ms, _, _ in ticks] == [T0 + 3_000 * (n // 4) for n in range(2_000)]
        _until_end(exchange)


def test_two_clients_see_the_same_market(tmp_path: Path) -> None:
    given = config(data=tuple(_market(tmp_path)), wait_for_subscription=True)
    with running(given) as exchange:
        first, second = exchange.greeted(), exchange.greeted()
        for client in (first, second):
            client.subscribe("trade", "depth_book1")
        assert _ticks(first, 100) == _ticks(second, 100)


def test_the_walk_streams_every_channel() -> None:
    channels = ["trade", "depth_book1", "depth_book5", "price", "ticker", "market_kline_1min", "mark_kline_60min"]
    with running(config()) as exchange:
        client = exchange.greeted()
        client.subscribe(*channels)
        frames = [client.frame() for _ in range(60)]
        assert {frame["ch"] for frame in frames} == set(channels)
        assert all(frame["symbol"] == "BTCUSDT" for frame in frames)
        times = [frame["ts"] for frame in frames]
        assert times == sorted(times)


def test_other_well_known_symbols_have_markets_of_their_own() -> None:
    with running(config(symbol="NEWUSDT")) as exchange:
        client = exchange.greeted()
        client.subscribe("depth_book1", symbol="ethusdt")
        assert client.frame()["symbol"] == "ETHUSDT"
        client.subscribe("depth_book1", symbol="newusdt")
        while client.frame()["symbol"] != "NEWUSDT":
            pass


def test_an_exchange_started_again_in_a_session_goes_on_where_the_market_is() -> None:
    started_ms = boot_ms() - 3_600_000
    firsts = []
    for _ in range(2):
        with running(config(started_boot_ms=started_ms)) as exchange:
            client = exchange.greeted()
            client.subscribe("trade")
            firsts.append(client.frame_of("trade"))
            _, body = exchange.get(KLINE)
            assert 59 <= (int(body["data"][0]["time"]) - T0) // 60_000 <= 60
    assert T0 + 3_600_000 <= firsts[0]["ts"] < firsts[1]["ts"]
    assert abs(float(firsts[1]["data"][0]["p"]) / float(firsts[0]["data"][0]["p"]) - 1) < 0.05


def test_unsubscribing_stops_the_stream() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        client.frame_of("trade")
        client.say(op="unsubscribe", args=[{"symbol": "BTCUSDT", "ch": "trade"}])
        frame = client.frame()
        while "op" not in frame:
            frame = client.frame()
        assert (frame["op"], frame["data"]) == ("unsubscribe", "success")
        assert client.text(within_s=0.5) is None


def test_a_ping_is_answered() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        client.say(op="ping", ping=1732519687)
        frame = client.frame()
        assert (frame["op"], frame["pong"]) == ("ping", 1732519687)


def test_what_is_not_understood_is_met_with_silence_and_the_socket_stays_open() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        client.subscribe("market_kline_1m")
        client.say_text("not json")
        client.say(op="sing")
        client.say(op="ping", ping=1)
        assert client.frame()["pong"] == 1


def test_an_unknown_symbol_gets_one_frame_with_empty_levels() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        client.subscribe("depth_book1", symbol="NOPEUSDT")
        assert client.frame()["data"]["b"][0] == ["", ""]
        assert client.text(within_s=0.5) is None


@pytest.mark.parametrize("faults", [["idle_cut=0.4"], ["drop=0.4"]])
def test_a_connection_is_cut_without_a_word(faults: list[str]) -> None:
    with running(config(*faults)) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        assert client.wait_until_cut() == "cut"


def test_more_than_five_messages_in_a_second_cut_the_connection() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        for number in range(6):
            client.say(op="ping", ping=number)
        assert client.wait_until_cut() == "cut"
        assert exchange.lines.get(timeout=WAIT_S) == "connection cut: more than 5 messages in a second"


def test_the_message_limit_can_be_switched_off() -> None:
    with running(config("rate_limit=0")) as exchange:
        client = exchange.greeted()
        for number in range(12):
            client.say(op="ping", ping=number)
        assert [client.frame()["pong"] for _ in range(12)] == list(range(12))
        client.say(op="ping", ping=12)
        assert client.frame()["pong"] == 12


def test_a_protocol_ping_as_first_frame_cuts_the_connection() -> None:
    with running(config()) as exchange:
        client = exchange.greeted()
        client.ping_protocol()
        assert client.wait_until_cut() == "cut"


def test_a_message_that_is_too_long_ends_only_its_own_connection() -> None:
    with running(config()) as exchange:
        long, other = exchange.greeted(), exchange.greeted()
        long.say_text("x" * 70_000)
        assert long.wait_until_cut() == "closed 1009"
        other.say(op="ping", ping=1)
        assert other.frame()["pong"] == 1


def test_a_client_that_never_hangs_up_does_not_keep_the_exchange_open() -> None:
    with running(config()) as exchange:
        client = Client(exchange.ws_url)
        client.say_text("x" * 70_000)
        assert client.wait_until_cut() == "closed 1009"
    client.close()


def test_a_client_that_does_not_read_stalls_nobody_and_is_cut() -> None:
    with running(config("flood=10000", speed=4.0)) as exchange:
        lazy, busy = exchange.greeted(), exchange.greeted()
        lazy.subscribe("trade")
        busy.subscribe("depth_book1")
        times = [busy.frame()["ts"] for _ in range(40)]
        assert times == sorted(times)
        assert "too slow" in exchange.lines.get(timeout=30)


def test_mute_silences_the_market_but_not_the_pongs() -> None:
    with running(config("mute")) as exchange:
        client = exchange.greeted()
        client.subscribe("trade", "depth_book1")
        assert client.text(within_s=0.5) is None
        client.say(op="ping", ping=1)
        assert client.frame()["pong"] == 1


def test_drop_cuts_everybody_once_and_lets_them_in_again() -> None:
    with running(config("drop@1")) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        assert client.wait_until_cut() == "cut"
        again = exchange.greeted()
        again.subscribe("trade")
        again.frame_of("trade")


def test_drop_with_a_length_refuses_new_connections() -> None:
    with running(config("drop@0+60")) as exchange:
        with pytest.raises((ConnectionError, websocket.WebSocketException)):
            exchange.connect()
        assert exchange.get(PAIRS)[0] == 200


def test_half_open_leaves_a_connection_that_says_nothing_more() -> None:
    with running(config("half_open@0.6")) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        client.frame_of("trade")
        while client.text(within_s=0.7) is not None:
            pass
        client.say(op="ping", ping=1)
        assert client.text(within_s=0.5) is None
        exchange.greeted()


def test_delay_makes_everything_late_and_keeps_the_order() -> None:
    with running(config("delay=400")) as exchange:
        before_ms = boot_ms()
        client = exchange.greeted()
        assert boot_ms() - before_ms >= 400
        client.subscribe("trade", "depth_book1")
        times = [client.frame()["ts"] for _ in range(30)]
        assert times == sorted(times)


def test_greeting_and_acknowledgement_can_be_switched() -> None:
    with running(config("no_greeting", "ack", "mute")) as exchange:
        client = exchange.connect()
        client.subscribe("trade")
        assert client.frame() == {"op": "subscribe", "ch": "trade", "symbol": "BTCUSDT", "data": {"result": True}}


@pytest.mark.parametrize(("fault", "least_ms", "operation"), [("pong", 0, "pong"), ("pong=0.4", 400, "ping")])
def test_pongs_can_be_named_otherwise_or_be_late(fault: str, least_ms: int, operation: str) -> None:
    with running(config(fault)) as exchange:
        client = exchange.greeted()
        before_ms = boot_ms()
        client.say(op="ping", ping=1)
        assert client.frame()["op"] == operation
        assert boot_ms() - before_ms >= least_ms


def test_duplicates_gaps_swaps_and_garbage_reach_the_client(tmp_path: Path) -> None:
    files = tuple(_market(tmp_path))
    with running(config("duplicate=5", data=files, wait_for_subscription=True)) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        texts = [client.text() for _ in range(12)]
        assert [n for n, (one, other) in enumerate(pairwise(texts)) if one == other] == [4, 10]
    with running(config("garbage=1", data=files, wait_for_subscription=True)) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        good, malformed = client.text(), client.text()
        assert good is not None
        assert json.loads(good)["ch"] == "trade"
        assert malformed == good[: len(good) // 2]


def test_rest_answers_on_the_same_port() -> None:
    with running(config()) as exchange:
        status, body = exchange.get(KLINE + "&limit=3")
        assert (status, body["code"], len(body["data"])) == (200, 0, 3)
        _, body = exchange.get(PAIRS)
        assert [row["symbol"] for row in body["data"]][:2] == ["BTCUSDT", "ETHUSDT"]
        for path in ("tickers?symbols=BTCUSDT", "funding_rate?symbol=BTCUSDT", "depth?symbol=BTCUSDT&limit=5"):
            assert exchange.get(f"/api/v1/futures/market/{path}")[1]["code"] == 0
        assert exchange.get("/elsewhere")[0] == 404


def test_the_candles_of_rest_are_those_of_the_stream(tmp_path: Path) -> None:
    rows = ["ts_ms,price,size,side"]
    rows += [f"{T0 + n * 1000},{100 + n % 60},1,buy" for n in range(125)]
    files = (data_file(tmp_path / "trades.csv", rows),)
    with running(config(data=files, speed=200.0, wait_for_subscription=True)) as exchange:
        client = exchange.greeted()
        client.subscribe("trade")
        _until_end(exchange)
        _, body = exchange.get(KLINE)
        assert [(row["open"], row["high"], row["low"], row["close"], row["quoteVol"]) for row in body["data"]] == [
            ("100", "159", "100", "159", "60"),
            ("100", "159", "100", "159", "60"),
        ]


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("http", 429, 429), ("http=503", 503, 503), ("code", 200, 10006)]
)
def test_rest_can_be_made_to_fail_while_the_stream_goes_on(fault: str, status: int, code: int) -> None:
    with running(config(fault)) as exchange:
        found, body = exchange.get(KLINE)
        assert (found, body["code"]) == (status, code)
        client = exchange.greeted()
        client.subscribe("trade")
        client.frame_of("trade")


def test_rest_can_be_slow() -> None:
    with running(config("rest_delay=5000")) as exchange, pytest.raises((URLError, TimeoutError)):
        exchange.get(KLINE, timeout_s=0.3)


def test_a_handshake_can_be_refused() -> None:
    with running(config("handshake=429")) as exchange, pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        exchange.connect()
    assert refusal.value.status_code == 429


def test_the_loop_reports_about_ten_times_a_second_with_and_without_clients() -> None:
    with running(config()) as exchange:
        alone = [exchange.turns.get(timeout=WAIT_S) for _ in range(4)]
        exchange.greeted().subscribe("trade")
        busy = [exchange.turns.get(timeout=WAIT_S) for _ in range(4)]
        assert min(later - earlier for earlier, later in pairwise([*alone, *busy])) >= 90


def _standalone(*arguments: str) -> str:
    return f"import sys; from services.exchange.process import run_standalone as run; sys.exit(run({', '.join(arguments)}))"


def test_the_command_prints_its_urls_and_ends_with_0_on_a_signal() -> None:
    code = _standalone("[]", "1.0", "[]", "0", "1", "'BTCUSDT'")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        words = command.stdout.readline().split()
        assert words[0] == "listening:"
        assert [urlsplit(word).hostname for word in words[1:]] == ["127.0.0.1", "127.0.0.1"]
        client = Client(words[1])
        client.subscribe("trade")
        client.frame_of("trade")
        command.send_signal(signal.SIGTERM)
        assert client.wait_until_cut() == "closed 1001"
        client.close()
        _, errors = command.communicate(timeout=WAIT_S)
        assert (command.returncode, errors) == (0, "")


def test_the_command_refuses_what_it_cannot_do_with_2_and_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**changes: Any) -> str:
        arguments = {"data": [], "speed": 1.0, "faults": [], "port": 0, "seed": 1, "symbol": "BTCUSDT", **changes}
        assert run_standalone(**arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err

    assert "does not exist" in refused(data=[tmp_path / "none.csv"])
    assert "nearest known one is 'mute'" in refused(faults=["moot"])
    assert "speed must be greater than 0" in refused(speed=-1.0)
    with running(config()) as exchange:
        port = urlsplit(exchange.ws_url).port
        assert refused(port=port).startswith(f"cannot listen on port {port}: ")
