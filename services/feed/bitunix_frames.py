"""Frames of Bitunix's public WebSocket, read. Pure, and total: any bytes give facts or one named refusal.

A frame with `op` is a control frame, whatever else it holds; the others are routed on `ch`. The time of every fact is
the push envelope's `ts`. Nothing here remembers anything.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from services.feed.bitunix_text import UnreadableError, iso_ms, number, shown, time_ms
from services.feed.facts import RawFunding, RawQuote, RawTrade, Refusal

TRADE: Final = "trade"
BOOK: Final = "depth_book1"
PRICE: Final = "price"
CHANNELS: Final = (BOOK, TRADE, PRICE)
"""What the feed subscribes to: best quotes, prints, and mark price with funding."""
SIDES: Final = {"buy": "buy", "sell": "sell"}


class Control(NamedTuple):
    """A frame about the connection: `kind` is greeting, pong, ack or refused; `detail` what it says."""

    kind: str
    detail: str = ""


class RawKline(NamedTuple):
    """The running candle of a kline channel; no open time, no end: `ts_ms` is the push's. `mark`: of mark prices."""

    ts_ms: int
    channel: str
    open: float
    high: float
    low: float
    close: float
    base_volume: float
    quote_volume: float
    mark: bool


class RawTicker(NamedTuple):
    """A 24 h summary of a symbol; nothing of it is an event."""

    ts_ms: int
    symbol: str
    last: float | None


FrameFact: TypeAlias = RawQuote | RawTrade | RawFunding | RawKline | RawTicker | Control | Refusal


class _Refused(Exception):  # noqa: N818 - a way out of the parser, not an error
    def __init__(self, name: str, detail: str) -> None:
        super().__init__(name, detail)
        self.refusal = Refusal(name, detail[:200])


def parse_frame(frame: bytes | str, symbol: str) -> list[FrameFact]:
    """Return what a frame says of a symbol (upper case), or the one refusal that says why it says nothing.

    A batch of trades with bad elements gives the good ones, and a refusal for each bad one.
    """
    try:
        content = orjson.loads(frame)
    except (orjson.JSONDecodeError, RecursionError):
        return [Refusal("not_json", _beginning(frame))]
    if type(content) is not dict:
        return [Refusal("not_an_object", _beginning(frame))]
    try:
        return [_control(content)] if "op" in content else _push(content, symbol)
    except _Refused as refused:
        return [refused.refusal]
    except UnreadableError as error:
        return [Refusal("unreadable", str(error)[:200])]


def _beginning(frame: bytes | str) -> str:
    text = frame[:80]
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _control(content: dict[str, Any]) -> Control:
    op, data = content["op"], content.get("data")
    if "pong" in content:
        return Control("pong", shown(content["pong"]))
    if type(op) is not str:
        raise _Refused("unknown_control", f"op is {shown(op)!r}")
    if type(data) is dict and data.get("result") is False:
        return Control("refused", f"{op}: {shown(data.get('msg', ''), 100)}")
    if op == "connect":
        return Control("greeting")
    if op == "pong":
        return Control("pong")
    if op in {"subscribe", "unsubscribe"} and "args" not in content:
        return Control("ack", op)
    raise _Refused("unknown_control", f"op is {op[:40]!r}")


def _push(content: dict[str, Any], symbol: str) -> list[FrameFact]:
    channel = content.get("ch")
    if type(channel) is not str:
        raise _Refused("no_channel", f"keys are {', '.join(list(content)[:6])}")
    read = _READERS.get(channel) or _reader_of_family(channel)
    if read is None:
        raise _Refused("unknown_channel", channel)
    ts_ms = time_ms(content.get("ts"), "ts")
    if channel != "tickers":
        said = content.get("symbol")
        if type(said) is not str or said.upper() != symbol:
            raise _Refused("other_symbol", f"{channel} of {shown(said)!r}")
    return read(ts_ms, content)


def _reader_of_family(channel: str) -> "_Reader | None":
    return _klines if channel.startswith(("market_kline_", "mark_kline_")) else None


def _book(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data = _object(content)
    bid, bid_size = _best(data.get("b"), "bids")
    ask, ask_size = _best(data.get("a"), "asks")
    return [RawQuote(ts_ms, bid, ask, bid_size, ask_size)]


def _best(levels: object, side: str) -> tuple[float, float]:
    if type(levels) is not list:
        raise _Refused("bad_shape", f"{side} are no list")
    if not levels:
        raise _Refused("empty_book", f"no {side}")
    level = levels[0]
    if type(level) is not list or len(level) < 2:
        raise _Refused("bad_shape", f"a level of {side} is no pair")
    if level[0] == "" and level[1] == "":
        raise _Refused("empty_level", "the exchange does not know the symbol")
    return number(level[0], f"price of {side}"), number(level[1], f"size of {side}")


def _trades(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data = content.get("data")
    if type(data) is not list:
        raise _Refused("bad_shape", "trades are no list")
    return [_trade(ts_ms, element) for element in data]


def _trade(ts_ms: int, element: object) -> FrameFact:
    if type(element) is not dict:
        return Refusal("bad_shape", "a trade is no object")
    try:
        price, size = number(element.get("p"), "p"), number(element.get("v"), "v")
    except UnreadableError as error:
        return Refusal("unreadable", str(error)[:200])
    side = element.get("s")
    aggressor = SIDES.get(side.lower()) if type(side) is str else None
    if aggressor is None:
        return Refusal("unknown_side", shown(side))
    return RawTrade(ts_ms, price, size, aggressor)


def _price(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data = _object(content)
    # What is not known is left out, null or empty; the rate is what such a push is for.
    mark = 0.0 if data.get("mp") in _UNKNOWN else number(data["mp"], "mp")
    last_ms, next_ms = (None if data.get(name) in _UNKNOWN else iso_ms(data[name], name) for name in ("ft", "nft"))
    return [RawFunding(ts_ms, number(data.get("fr"), "fr") / 100, mark, last_ms, next_ms)]


def _klines(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data, channel = _object(content), content["ch"]
    open_, high, low, close, base, quote = (number(data.get(name), name) for name in ("o", "h", "l", "c", "b", "q"))
    return [RawKline(ts_ms, channel, open_, high, low, close, base, quote, channel.startswith("mark_"))]


def _ticker(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data = _object(content)
    return [RawTicker(ts_ms, content["symbol"].upper(), _last(data))]


def _tickers(ts_ms: int, content: dict[str, Any]) -> list[FrameFact]:
    data = content.get("data")
    if type(data) is not list:
        raise _Refused("bad_shape", "tickers are no list")
    facts: list[FrameFact] = []
    for row in data:
        if type(row) is dict and type(row.get("s")) is str:
            facts.append(RawTicker(ts_ms, row["s"].upper(), _last(row)))
        else:
            facts.append(Refusal("bad_shape", "a ticker has no symbol"))
    return facts


def _last(row: Mapping[str, Any]) -> float | None:
    return number(row["la"], "la") if row.get("la") is not None else None


def _object(content: dict[str, Any]) -> dict[str, Any]:
    data = content.get("data")
    if type(data) is not dict:
        raise _Refused("bad_shape", "data is no object")
    return data


_UNKNOWN: Final = (None, "")

_Reader: TypeAlias = Callable[[int, dict[str, Any]], list[FrameFact]]
_READERS: Final[Mapping[str, _Reader]] = {
    TRADE: _trades,
    PRICE: _price,
    "ticker": _ticker,
    "tickers": _tickers,
    "depth_book1": _book,
    "depth_book5": _book,
    "depth_book15": _book,
    "depth_books": _book,
}
