"""What each fault of the exchange does to feed, session and report: a test for each row of the table in the docs.

Sessions run side by side against an exchange of their own, over its real protocol, thirty market seconds a second;
several faults share a session, one after the other, and each row looks at its own stretch of the market's time.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from accounting import MINUTE_MS, Account, Market
from crashing import own_ports
from processes import LAP, Desk, Program, desk_in, eventually

from services.exchange.faults import KINDS

pytestmark = pytest.mark.timeout(900)

PAGE = Path(__file__).parents[2] / "docs" / "rehearse.md"
SPEED = 30.0
SETTLED_MS = 12 * 30 * 1000
"""A candle has been compared with the exchange's own, twice if need be, within 12 s."""
CALM = {
    "LAP_SOURCE": "bitunix",
    "LAP_INTERVAL": "1m",
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_WS_MAX_RETRIES": "1000",
    "LAP_WS_BACKOFF_MIN_SEC": "0.1",
    "LAP_WS_BACKOFF_MAX_SEC": "0.3",
}

MANNERS = (
    "no_greeting,ack,no_unsubscribe_reply,pong=none,protocol_ping,rate_limit,nanoseconds,kline=jump,delay=300,idle_cut,"
    "numeric,unswapped,forming"
)
LOSSES = "drop@4s,drop@9s+3s,http=500@14s+9s,drop@15s+3s,rest_delay=6000@25s+9s,drop@26s+3s"
NOISE = (
    "gap=10%@4s+4s,duplicate=5@10s+2s,reorder=5@13s+2s,garbage=20%@16s+4s,oversized=300@21s+1s,mute@24s+3s,"
    "flood=2000/s@28s+2s,flash_crash=-8%@31s+4s"
)


def began(desk: Desk, faults: str, **env: str) -> tuple[Program, Account]:
    """Start a session, then the exchange that it is already looking for: the faults' times are the session's, too."""
    port = own_ports()
    scheme = "s" if "tls_error" in faults else ""
    urls = {
        "LAP_BITUNIX_WS_URL": f"ws{scheme}://127.0.0.1:{port}/public/",
        "LAP_BITUNIX_REST_URL": f"http{scheme}://127.0.0.1:{port}",
    }
    session = desk.session(**{**CALM, **urls, "LAP_BUS_PORT": str(own_ports()), **env})
    eventually(lambda: bool(desk.json(".lap", "monitor.json")) and bool(desk.events("service_started")), 60, "a start")
    exchange = desk.start(LAP, "exchange", "--port", str(port), "--speed", str(SPEED), "--fault", faults)
    eventually(lambda: "listening" in exchange.output(), 30, "the exchange listens")
    return session, Account(desk, Market([faults], SPEED))


def lived(desk: Desk, faults: str, seconds: float, **env: str) -> Account:
    """A session that sees so much of the exchange, and is then stopped."""
    session, account = began(desk, faults, **env)
    end_ms = account.market.at(seconds)

    def there() -> bool:
        assert session.popen.poll() is None, "the session ended by itself"
        return int((desk.json("logs", "heartbeat.json") or {}).get("market_ts") or 0) >= end_ms

    eventually(there, seconds + 40, f"the market {seconds:g} s after its start")
    assert desk.lap("kill", "--timeout", "60").returncode == 0
    assert session.wait(30) == 0
    return account


def died(desk: Desk, faults: str, **env: str) -> Account:
    """A session that comes to its end by itself."""
    session, account = began(desk, faults, **env)
    account.code = session.wait(90)  # type: ignore[attr-defined]
    return account


SESSIONS: dict[str, Callable[[Desk], Account]] = {
    "half open": lambda desk: lived(desk, "half_open@4s", 44),
    "noise": lambda desk: lived(desk, NOISE, 48),
    "losses": lambda desk: lived(desk, LOSSES, 47),
    "forgotten": lambda desk: lived(desk, "forget@4s", 30),
    "manners": lambda desk: lived(desk, MANNERS, 32),
    "mute": lambda desk: died(desk, "mute@5s", LAP_STALE_DATA_TIMEOUT_SEC="5"),
    "gone": lambda desk: died(desk, "drop@5s+600s", LAP_WS_MAX_RETRIES="30"),
    "tls": lambda desk: died(desk, "tls_error", LAP_WS_MAX_RETRIES="20"),
    "closed doors": lambda desk: lived(desk, "handshake=429@0s+3s,http=429,kline=no_last", 14),
    "stopped": lambda desk: died(desk, "symbol_status=STOP"),
    "codes": lambda desk: lived(desk, "code=10006,delay=2s,pong=3s,kline=late", 12),
    "empty": lambda desk: lived(desk, "empty,pong,kline=duplicate,idle_cut=80,rate_limit=4", 8),
}
"""The long ones first: they run beside the others. The last ones try, besides, what else a conversation may be like."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Account]]]:
    """All sessions, a few at a time."""
    place = tmp_path_factory.mktemp("faults")

    def run(name: str) -> Account:
        with desk_in(place / name) as desk:
            try:
                return SESSIONS[name](desk)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{desk.show()}") from error

    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(run, name) for name in SESSIONS}


def incidents(account: Account, event: str, says: str = "") -> list[str]:
    """What the report lists of a kind."""
    listed = account.desk.summary()["incidents"]
    return [row["message"] for row in listed if row["event"] == event and says in row["message"]]


def no_restart(account: Account) -> None:
    assert account.desk.summary()["restarts"] == 0


def nothing_lost(account: Account, start_s: float, end_s: float) -> None:
    candles = account.window(start_s, end_s)
    assert candles
    assert all(candle.complete and account.is_true(candle) for candle in candles)


def missed(account: Account, start_s: float, end_s: float) -> list[Any]:
    """The flagged candles of a stretch, all listed; the last of them is the one in which data came back."""
    candles = [candle for candle in account.window(start_s, end_s) if not candle.complete]
    assert candles
    assert {candle.open_ms for candle in candles} <= account.listed
    return candles[:-1]


def from_rest(account: Account, start_s: float, end_s: float) -> None:
    candles = missed(account, start_s, end_s)
    assert candles
    assert all(account.is_true(candle) for candle in candles)


def flat(account: Account, start_s: float, end_s: float) -> None:
    candles = missed(account, start_s, end_s)
    assert candles
    assert all(candle.volume == 0.0 for candle in candles[1:])
    assert incidents(account, "data_gap", "(0 from the exchange's REST)")


def listed_differences(account: Account, start_s: float, end_s: float) -> None:
    candles = [candle for candle in account.window(start_s, end_s) if candle.complete]
    wrong = [candle.open_ms for candle in candles if not account.is_true(candle)]
    assert wrong
    assert set(wrong) <= account.differing
    assert incidents(account, "candle_differs")


def refused(account: Account, name: str) -> None:
    told = [event["message"] for event in account.desk.events("data_refused")]
    assert any(re.search(rf"\d {name}\b", text) for text in told), told


def ended(account: Account, code: int, reason: str) -> None:
    summary = account.desk.summary()
    assert (account.code, summary["stop_reason"]) == (code, reason)  # type: ignore[attr-defined]
    assert (account.desk.run_dir / "summary.html").exists()
    assert reason in (account.desk.directory / "logs" / "alert.txt").read_text()


def no_history(account: Account) -> None:
    notes = " ".join(event["message"] for event in account.desk.events("stream_note"))
    assert "strategies warm up live" in notes
    assert any("warms up live" in note for note in account.desk.summary()["notes"])


# --- a function for each row: its session, and what holds there


def row_manners(account: Account) -> None:
    assert account.desk.summary()["incidents"] == []
    assert [event["message"] for event in account.desk.events("data_refused")] == []
    assert [candle for candle in account.candles.values() if not candle.complete][1:] == []
    nothing_lost(account, 4, 29)


def row_drop(account: Account) -> None:
    assert incidents(account, "feed_reconnecting", "connection lost")
    assert {candle.open_ms for candle in account.window(4, 4.1)} <= account.listed
    nothing_lost(account, 6.5, 7.9)


def row_drop_for_a_while(account: Account) -> None:
    assert len([event for event in account.desk.events("feed_reconnecting") if "no connection" in event["message"]]) > 3
    from_rest(account, 8.5, 14)
    assert [text for text in incidents(account, "data_gap") if not text.endswith("(0 from the exchange's REST)")]


def row_drop_without_rest(account: Account) -> None:
    flat(account, 14, 24)
    assert account.desk.events("rest_failed")


def row_slow_rest(account: Account) -> None:
    flat(account, 25, 35)


def row_gone(account: Account) -> None:
    ended(account, 7, "feed_lost")
    assert incidents(account, "feed_lost", "30 failed attempts in a row")


def row_half_open(account: Account) -> None:
    assert incidents(account, "feed_reconnecting", "no market data")
    candles = missed(account, 3.9, 43)
    assert len(candles) >= 14
    assert all(account.is_true(candle) for candle in candles)


def row_short_mute(account: Account) -> None:
    listed_differences(account, 23, 28)


def row_mute(account: Account) -> None:
    ended(account, 4, "stale_data")


def row_forget(account: Account) -> None:
    assert incidents(account, "feed_reconnecting", "no trades heard where the exchange had some")
    later = [
        candle for candle in account.candles.values() if candle.complete and candle.open_ms > min(account.differing)
    ]
    assert later[-1].volume > 0.0
    assert account.is_true(later[-1])


def row_symbol_status(account: Account) -> None:
    ended(account, 2, "config")
    assert account.desk.summary()["tick_count"] == 0


def row_gap(account: Account) -> None:
    listed_differences(account, 3, 9)


def row_duplicate(account: Account) -> None:
    refused(account, "duplicate")
    nothing_lost(account, 10, 12)


def row_reorder(account: Account) -> None:
    wrong = {candle.open_ms for candle in account.window(13, 15) if not account.is_true(candle)}
    assert wrong <= account.differing
    assert all(candle.complete for candle in account.window(13, 15))


def row_garbage(account: Account) -> None:
    for name in ("not_json", "not_an_object", "unknown_channel", "unreadable", "other_symbol", "jump", "leap"):
        refused(account, name)
    nothing_lost(account, 16, 20)


def row_oversized(account: Account) -> None:
    assert incidents(account, "feed_reconnecting", "oversized frame of 2097")
    missed(account, 20.9, 24)


def row_flood(account: Account) -> None:
    nothing_lost(account, 28, 30)
    assert account.candles
    first_ms, last_ms = account.market.at(28.5), account.market.at(29.5)
    assert len([trade for trade in account.trades if first_ms <= trade.ts_ms < last_ms]) > 1_900


def row_flash_crash(account: Account) -> None:
    candles = account.window(31, 35)
    nothing_lost(account, 31, 35)
    assert min(candle.low for candle in candles) < 0.94 * candles[0].open


def row_tls(account: Account) -> None:
    ended(account, 7, "feed_lost")
    assert "certificate verify failed" in " ".join(incidents(account, "feed_lost"))
    assert account.desk.summary()["tick_count"] == 0


def row_handshake(account: Account) -> None:
    told = [event["message"] for event in account.desk.events("feed_reconnecting")]
    assert any("Handshake status 429" in text for text in told)
    assert account.candles


def row_no_history(account: Account) -> None:
    no_history(account)
    assert account.candles


ROWS: dict[str, tuple[str, Callable[[Account], None]]] = {
    "no_greeting, ack, no_unsubscribe_reply, pong, protocol_ping, rate_limit, idle_cut, delay": (
        "manners",
        row_manners,
    ),
    "nanoseconds, kline, numeric, unswapped, forming": ("manners", row_manners),
    "drop": ("losses", row_drop),
    "drop for a while": ("losses", row_drop_for_a_while),
    "drop with http=500": ("losses", row_drop_without_rest),
    "drop with rest_delay": ("losses", row_slow_rest),
    "drop for good": ("gone", row_gone),
    "half_open": ("half open", row_half_open),
    "mute, short": ("noise", row_short_mute),
    "mute for good": ("mute", row_mute),
    "forget": ("forgotten", row_forget),
    "gap": ("noise", row_gap),
    "duplicate": ("noise", row_duplicate),
    "reorder": ("noise", row_reorder),
    "garbage": ("noise", row_garbage),
    "oversized": ("noise", row_oversized),
    "flood": ("noise", row_flood),
    "flash_crash": ("noise", row_flash_crash),
    "tls_error": ("tls", row_tls),
    "handshake=429": ("closed doors", row_handshake),
    "http=429": ("closed doors", row_no_history),
    "code=10006": ("codes", row_no_history),
    "empty": ("empty", row_no_history),
    "symbol_status": ("stopped", row_symbol_status),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_fault_does_what_the_table_says(row: str, sessions: dict[str, Future[Account]]) -> None:
    name, holds = ROWS[row]
    account = sessions[name].result()
    holds(account)
    no_restart(account)


@pytest.mark.parametrize("name", SESSIONS)
def test_every_candle_of_every_session_is_accounted_for(name: str, sessions: dict[str, Future[Account]]) -> None:
    account = sessions[name].result()
    if account.desk.summary()["candle_count"]:
        assert account.unaccounted(SETTLED_MS) == []
        assert account.desk.summary()["candle_count"] == len(account.candles)
        first, *_ = account.candles
        assert not account.candles[first].complete or first % MINUTE_MS


def test_the_table_of_the_docs_has_these_rows_and_every_fault() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## What is held to")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][2:]
    assert rows == list(ROWS)
    assert {word for row in rows for word in re.findall(r"[a-z_]+", row)} >= set(KINDS)
