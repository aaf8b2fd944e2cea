"""Does the source answer? DNS, TCP and TLS, REST's symbols and candles, the clocks, and first data on each channel.

Touches the network, once, for `lap check --online`, on the same way as the feed (proxy, TLS, channels); what comes back
is looked at, never believed.
"""

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit

import websocket

from services.clock import monotonic_ms, wall_ms
from services.feed.bitunix_frames import CHANNELS
from services.feed.bitunix_rest import USER_AGENT
from services.feed.bitunix_rows import kline_path, pairs_path, parse_klines, parse_pair, parse_symbols, unlisted
from services.feed.config import MINUTE_MS
from services.feed.facts import Refusal
from services.feed.route_rest import opener_to
from services.feed.route_ws import open_websocket, proxy_for
from services.feed.trust_file import trusting

TIMEOUT_MS = 10_000
CLOCK_TOLERANCE_MS = 5_000
_MOST_BYTES = 1_000_000
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question to the source gave."""

    name: str
    value: str
    ok: bool
    advice: str = ""


class _UnreachableError(Exception):
    """The endpoint can not be reached; later questions to it are pointless."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.advice)
        self.finding = finding


def check_source(settings: Mapping[str, Any]) -> list[Finding]:
    """Ask the session's source whether it answers; takes up to some 30 s.

    Only `bitunix` is away from this machine; for other sources there is nothing to ask.
    """
    if settings["source"] != "bitunix":
        return [Finding("source answers", f"{settings['source']} is on this machine", ok=True)]
    return [*_ask_rest(settings), *_ask_websocket(settings)]


def _ask_rest(settings: Mapping[str, Any]) -> Iterator[Finding]:
    url = urlsplit(settings["bitunix_rest_url"])
    try:
        yield from _reach("REST", "bitunix_rest_url", url)
        yield _listed(url, settings["symbol"])
        body, date = _get_candles(url, settings["symbol"])
    except _UnreachableError as error:
        yield error.finding
        return
    yield _candles(body, settings["symbol"])
    yield _clock(date, wall_ms())


def _ask_websocket(settings: Mapping[str, Any]) -> Iterator[Finding]:
    url = settings["bitunix_ws_url"]
    try:
        yield from _reach("WebSocket", "bitunix_ws_url", urlsplit(url))
        waited_ms = _first_data(url, settings["symbol"])
    except _UnreachableError as error:
        yield error.finding
        return
    for channel in CHANNELS:
        name = f"WebSocket data on {channel}"
        if channel in waited_ms:
            yield Finding(name, f"after {waited_ms[channel]} ms", ok=True)
        else:
            advice = f"Check that {settings['symbol']} is traded there, or try again when the market is less quiet."
            yield Finding(name, f"none in {TIMEOUT_MS // 1000} s", ok=False, advice=advice)


def _reach(kind: str, setting: str, url: SplitResult) -> Iterator[Finding]:
    """DNS, then TCP (and TLS). Behind a proxy neither is ours to do."""
    host, secure = url.hostname or "", url.scheme in {"https", "wss"}
    if proxy_for(url.geturl()):
        yield Finding(f"{kind} route", "through the proxy of the environment", ok=True)
        return
    port = url.port or (443 if secure else 80)
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError) as error:
        advice = f"The name {host} is not known ({_reason(error)}); check the network, DNS and {setting}."
        raise _UnreachableError(Finding(f"{kind} DNS", host, ok=False, advice=advice)) from None
    yield Finding(f"{kind} DNS", f"{host} is {address}", ok=True)
    yield _connect(kind, host, port, secure)


def _connect(kind: str, host: str, port: int, secure: bool) -> Finding:
    name = f"{kind} TCP and TLS" if secure else f"{kind} TCP"
    started = monotonic_ms()
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_MS / 1000) as plain:
            if secure:
                with trusting().wrap_socket(plain, server_hostname=host):
                    pass
    except ssl.SSLCertVerificationError as error:
        advice = f"The certificate of {host} is not trusted ({error.verify_message}); see to this machine's certificates or SSL_CERT_FILE, and look for an intercepting proxy."
        raise _UnreachableError(Finding(name, f"{host}:{port}", ok=False, advice=advice)) from None
    except OSError as error:
        advice = f"No connection to {host}:{port} ({_reason(error)}); check the network and the firewall."
        raise _UnreachableError(Finding(name, f"{host}:{port}", ok=False, advice=advice)) from None
    return Finding(name, f"{host}:{port} in {monotonic_ms() - started} ms", ok=True)


def _listed(url: SplitResult, symbol: str) -> Finding:
    """Whether the exchange lists the symbol, and with which grids."""
    pair = parse_pair(_get(url, pairs_path(symbol), "REST symbol")[0], symbol)
    if not isinstance(pair, Refusal):
        grids = f"tick {pair.tick_size:f}, lot {pair.lot_size:f}, minimum {pair.min_qty:f}"
        return Finding("REST symbol", f"{symbol}: {grids}", ok=True)
    if pair.name not in {"unknown_symbol", "not_traded"}:
        advice = f"The answer is not understood ({pair.name}: {pair.detail[:80]}); check bitunix_rest_url."
        return Finding("REST symbol", "not understood", ok=False, advice=advice)
    if pair.name == "unknown_symbol":
        listed = parse_symbols(_get(url, pairs_path(""), "REST symbol")[0])
        pair = unlisted(symbol, () if isinstance(listed, Refusal) else listed)
    known = "traded" if pair.name == "not_traded" else "listed"
    return Finding("REST symbol", f"{symbol} is not {known}", ok=False, advice=f"{pair.detail}.")


def _get_candles(url: SplitResult, symbol: str) -> tuple[bytes, str]:
    """The body of a request for candles (of one minute alone, perhaps nobody traded), and the server's `Date` header."""
    return _get(url, kline_path(symbol, MINUTE_MS, None), "REST candles")


def _get(url: SplitResult, path: str, name: str) -> tuple[bytes, str]:
    target = f"{url.geturl().rstrip('/')}{path}"
    request = urllib.request.Request(target, headers=_HEADERS)  # noqa: S310 - the setting allows http(s) alone
    try:
        with opener_to(target).open(request, timeout=TIMEOUT_MS / 1000) as answer:
            return answer.read(_MOST_BYTES), answer.headers.get("Date") or ""
    except urllib.error.HTTPError as error:
        advice = f"The server answered {error.code} {error.reason}; wait a minute if it is 429, else check the URL."
        raise _UnreachableError(Finding(name, str(error.code), ok=False, advice=advice)) from None
    except (OSError, HTTPException, ValueError) as error:
        advice = f"The server did not answer ({_reason(error)}); check bitunix_rest_url."
        raise _UnreachableError(Finding(name, "no answer", ok=False, advice=advice)) from None


def _candles(body: bytes, symbol: str) -> Finding:
    rows = parse_klines(body, MINUTE_MS)
    if not isinstance(rows, Refusal) and rows:
        return Finding("REST candles", f"{len(rows)} of {symbol}", ok=True)
    if isinstance(rows, Refusal) and rows.name not in {"rest_code", "unknown_symbol"}:
        advice = f"The answer is not Bitunix's ({rows.name}); check bitunix_rest_url."
        return Finding("REST candles", "not understood", ok=False, advice=advice)
    said = rows.detail if isinstance(rows, Refusal) else "an empty list"
    advice = f"The exchange gives no candles for {symbol} ({said}); check symbol."
    return Finding("REST candles", "none", ok=False, advice=advice)


def _clock(date: str, now_ms: int) -> Finding:
    """The `Date` header has whole seconds: on average it is half a second behind."""
    try:
        offset_ms = now_ms - int(parsedate_to_datetime(date).timestamp() * 1000) - 500
    except ValueError:
        return Finding("clock", "the server tells no time", ok=True)
    if abs(offset_ms) > CLOCK_TOLERANCE_MS:
        way = "fast" if offset_ms > 0 else "slow"
        advice = f"This machine's clock is {abs(offset_ms) / 1000:.0f} s {way}; let the system set it from the network."
        return Finding("clock", f"{offset_ms / 1000:+.1f} s", ok=False, advice=advice)
    return Finding("clock", f"{offset_ms / 1000:+.1f} s", ok=True)


def _first_data(url: str, symbol: str) -> dict[str, int]:
    """Milliseconds until the first data of each channel that gave some in time."""
    started = monotonic_ms()
    found: dict[str, int] = {}
    try:
        connection = open_websocket(url, TIMEOUT_MS / 1000)
        try:
            args = [{"symbol": symbol, "ch": channel} for channel in CHANNELS]
            connection.send(json.dumps({"op": "subscribe", "args": args}))
            while len(found) < len(CHANNELS) and (left_ms := started + TIMEOUT_MS - monotonic_ms()) > 0:
                connection.settimeout(left_ms / 1000)
                channel = _channel_of(connection.recv())
                if channel in CHANNELS:
                    found.setdefault(channel, monotonic_ms() - started)
        finally:
            connection.close(timeout=1)
    except websocket.WebSocketTimeoutException:
        return found
    except (websocket.WebSocketException, OSError, ValueError) as error:
        advice = f"The WebSocket broke ({_reason(error)}); check bitunix_ws_url and any proxy."
        raise _UnreachableError(Finding("WebSocket data", "broken", ok=False, advice=advice)) from None
    return found


def _channel_of(frame: str | bytes) -> str:
    """The channel of a frame with data in it; an unknown symbol's depth has empty prices and counts as none."""
    try:
        message = json.loads(frame)
        is_empty = '["",""]' in "".join(json.dumps(message).split())
    except (ValueError, RecursionError):
        return ""
    if not isinstance(message, dict) or not message.get("data") or is_empty:
        return ""
    return str(message.get("ch", ""))


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())[:120]
