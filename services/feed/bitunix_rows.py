"""Rows of Bitunix's public REST, read. Pure, and total: any bytes give rows or one named refusal.

Kline rows come newest first, at most 200, with volumes whose names are swapped more often than not: which of the two
is in base coin is told by each row itself, for turnover over volume is an average price.
"""

from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from services.feed.bitunix_text import UnreadableError, number, shown, time_ms
from services.feed.config import HOUR_MS, MINUTE_MS, Instrument
from services.feed.facts import RawCandle, Refusal
from services.feed.guards import refuse_candle

PAGE: Final = 200
"""Rows that one answer has at most; a higher limit is cut to it silently."""
INTERVAL_NAMES: Final = {
    MINUTE_MS: "1m",
    3 * MINUTE_MS: "3m",
    5 * MINUTE_MS: "5m",
    15 * MINUTE_MS: "15m",
    30 * MINUTE_MS: "30m",
    HOUR_MS: "1h",
    4 * HOUR_MS: "4h",
    24 * HOUR_MS: "1d",
}
"""The session's intervals that the exchange has candles of, as REST spells them."""
_UNKNOWN_SYMBOL: Final = "20015"
"""The code that stands for "unknown, or delisted"."""
_NOT_TRADED: Final = frozenset({"STOP", "CANCEL_ONLY", "PREVIEW"})
_TOLERANCE: Final = 0.005
_MOST_PLACES: Final = 18


def kline_path(symbol: str, interval_ms: int, end_ms: int | None) -> str:
    """Return the request for the newest candles that open before `end_ms` (a candle's exact open), or of all."""
    query = {"symbol": symbol, "interval": INTERVAL_NAMES[interval_ms], "limit": str(PAGE)}
    if end_ms is not None:
        query["endTime"] = str(end_ms)
    return "/api/v1/futures/market/kline?" + urlencode(query)


def pairs_path(symbol: str) -> str:
    """Return the request for a symbol's precisions; an empty one asks for every symbol's."""
    path = "/api/v1/futures/market/trading_pairs"
    return f"{path}?{urlencode({'symbols': symbol})}" if symbol else path


def parse_klines(body: bytes, interval_ms: int) -> list[RawCandle] | Refusal:
    """Return the believable rows of an answer, oldest first, each open time once; the newest may still be forming."""
    rows = _data(body)
    if isinstance(rows, Refusal):
        return rows
    if type(rows) is not list:
        return Refusal("bad_shape", "klines are no list")
    candles = {}
    for row in rows[: 5 * PAGE]:
        candle = _candle(row)
        if candle is not None and refuse_candle(candle, interval_ms) is None:
            candles[candle.open_ms] = candle
    return [candles[open_ms] for open_ms in sorted(candles)]


def parse_pair(body: bytes, symbol: str) -> Instrument | Refusal:
    """Return a symbol's grids: tick and lot are powers of ten, from the precisions; refused if it is not traded."""
    rows = _data(body)
    if isinstance(rows, Refusal):
        return unlisted(symbol, ()) if rows.name == "unknown_symbol" else rows
    for row in rows if type(rows) is list else [rows]:
        if type(row) is dict and shown(row.get("symbol")).upper() == symbol:
            status = shown(row.get("symbolStatus")).upper()
            if status in _NOT_TRADED:
                words = f"symbol must be one that is traded, {symbol} is {status} on the exchange"
                return Refusal("not_traded", words)
            return _instrument(row)
    return unlisted(symbol, ())


def parse_symbols(body: bytes) -> list[str] | Refusal:
    """Return every symbol that an answer lists, upper case."""
    rows = _data(body)
    if isinstance(rows, Refusal):
        return rows
    if type(rows) is not list:
        return Refusal("bad_shape", "trading pairs are no list")
    return [row["symbol"].upper() for row in rows if type(row) is dict and type(row.get("symbol")) is str]


def unlisted(symbol: str, listed: Sequence[str]) -> Refusal:
    """Return the refusal of a symbol that the exchange does not know; it names the nearest ones that are listed."""
    if symbol in listed:
        return Refusal("not_traded", f"symbol must be one that is traded, {symbol} is only listed on the exchange")
    nearest = get_close_matches(symbol, listed, n=3, cutoff=0.6)
    words = f": the nearest are {', '.join(nearest)}" if nearest else ""
    return Refusal("unknown_symbol", f"symbol must be one that the exchange lists, got {symbol[:40]}{words}")


def _data(body: bytes) -> Any:
    try:
        content = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        return Refusal("not_json", body[:80].decode("utf-8", "replace"))
    if type(content) is not dict:
        return Refusal("not_an_object", shown(content))
    code = content.get("code")
    if shown(code) != "0":
        name = "unknown_symbol" if shown(code) == _UNKNOWN_SYMBOL else "rest_code"
        return Refusal(name, f"code {shown(code, 20)}: {shown(content.get('msg'), 100)}")
    return content.get("data")


def _candle(row: object) -> RawCandle | None:
    if type(row) is not dict:
        return None
    try:
        open_ms = time_ms(row.get("time"), "time")
        open_, high, low, close = (number(row.get(name), name) for name in ("open", "high", "low", "close"))
        volumes = [number(row.get(name, "0"), name) for name in ("quoteVol", "baseVol")]
    except UnreadableError:
        return None
    return RawCandle(open_ms, open_, high, low, close, _base_volume(volumes[0], volumes[1], low, high))


def _base_volume(said_quote: float, said_base: float, low: float, high: float) -> float:
    """Return which of the two is in base coin; where the row does not tell, what is called quote is."""
    if said_quote > 0.0 and said_base > 0.0:
        least, most = low * (1 - _TOLERANCE), high * (1 + _TOLERANCE)
        swapped, as_named = said_base / said_quote, said_quote / said_base
        if least <= as_named <= most and not least <= swapped <= most:
            return said_base
    return said_quote


def _instrument(row: dict[str, Any]) -> Instrument | Refusal:
    try:
        tick, lot = _grid(row.get("quotePrecision"), "quotePrecision"), _grid(row.get("basePrecision"), "basePrecision")
        least = row.get("minTradeVolume")
        number(least, "minTradeVolume")
    except UnreadableError as error:
        return Refusal("unreadable", str(error))
    min_qty = Decimal(str(least))
    return Instrument(tick, lot, min_qty if min_qty > 0 else lot)


def _grid(places: object, name: str) -> Decimal:
    value = number(places, name)
    if not 0 <= value <= _MOST_PLACES or value != int(value):
        raise UnreadableError(f"{name} is no number of places: {shown(places)!r}")
    return Decimal(1).scaleb(-int(value))
