"""Bitunix's public WebSocket, as words: what a client may say, what it hears back, what push frames look like. Pure.

No push carries a sequence number, no subscription is acknowledged (unless told to), what is not understood is met with
silence. Prices and sizes are decimal strings, `ts` is milliseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from services.exchange.candles import WS_INTERVALS, Bar
from services.exchange.market import Trade

GREETING = '{"op":"connect","data":{"result":true}}'
MAX_SUBSCRIPTIONS = 300
EMPTY_LEVELS = [["", ""]] * 15
DEPTHS = {"depth_book1": 1, "depth_book5": 5, "depth_book15": 15, "depth_books": 50}
CHANNELS = frozenset(
    {"trade", "ticker", "tickers", "price", *DEPTHS}
    | {f"{kind}_kline_{spelling}" for kind in ("market", "mark") for spelling in WS_INTERVALS}
)
_TOO_MANY = '{"op":"subscribe","data":{"msg":"subscribe channel > 300","nonce":"","result":false}}'


class Subscription(NamedTuple):
    """A channel of a symbol, upper case."""

    symbol: str
    channel: str


@dataclass(frozen=True, slots=True)
class Habits:
    """What sources disagree about. `pong`: `ping` (the reply's op), `pong`, or `none` for no reply."""

    ack: bool = False
    unsubscribe_reply: bool = True
    pong: str = "ping"


@dataclass(slots=True)
class Heard:
    """What a client's frame leads to. `pong` is the reply to a ping: apart, since it may be late."""

    replies: list[str] = field(default_factory=list)
    pong: str | None = None
    added: list[Subscription] = field(default_factory=list)
    removed: list[Subscription] = field(default_factory=list)


class Dialogue:
    """One connection's side of the talk: what it has subscribed to, and the answers to its frames."""

    def __init__(self, opened_s: int, listed: Callable[[str], bool]) -> None:
        self._opened_s = opened_s
        self._listed = listed
        self.subscriptions: dict[Subscription, None] = {}

    def hear(self, text: str | bytes, now_ms: int, habits: Habits) -> Heard:
        """Answer one frame of the client; `now_ms` is the market's clock."""
        heard = Heard()
        frame = _object(text)
        operation, args = frame.get("op"), frame.get("args")
        pairs = [arg for arg in args if isinstance(arg, dict)] if isinstance(args, list) else None
        if operation == "ping":
            heard.pong = self._pong(frame, habits)
        elif operation == "subscribe" and pairs is not None:
            self._subscribe(pairs, now_ms, habits, heard)
        elif operation == "unsubscribe" and pairs is not None:
            self._unsubscribe(pairs, now_ms, habits, heard)
        return heard

    def forget(self, channel: str) -> None:
        """Lose what is subscribed to on a channel, without a word."""
        for subscription in [known for known in self.subscriptions if known.channel == channel]:
            del self.subscriptions[subscription]

    def _pong(self, frame: dict[str, Any], habits: Habits) -> str | None:
        if habits.pong == "none":
            return None
        # The original's `ping` was found to be the second in which the socket was opened.
        return _dumps({"op": habits.pong, "pong": frame.get("ping"), "ping": self._opened_s})

    def _subscribe(self, args: list[dict[str, Any]], now_ms: int, habits: Habits, heard: Heard) -> None:
        refused = False
        for wanted in map(_named, args):
            symbol, channel = wanted
            if channel not in CHANNELS:
                continue
            if not self._listed(symbol):
                if channel in DEPTHS:
                    heard.replies.append(_empty_depth(channel, symbol, now_ms))
                continue
            if wanted not in self.subscriptions:
                if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
                    refused = True
                    continue
                self.subscriptions[wanted] = None
                heard.added.append(wanted)
            if habits.ack:
                heard.replies.append(
                    _dumps({"op": "subscribe", "ch": channel, "symbol": symbol, "data": {"result": True}})
                )
        if refused:
            heard.replies.append(_TOO_MANY)

    def _unsubscribe(self, args: list[dict[str, Any]], now_ms: int, habits: Habits, heard: Heard) -> None:
        for given in map(_named, args):
            if given in self.subscriptions:
                del self.subscriptions[given]
                heard.removed.append(given)
        if habits.unsubscribe_reply:
            heard.replies.append(_dumps({"op": "unsubscribe", "ts": now_ms, "data": "success"}))


def decimal_text(number: float) -> str:
    """Return a double's shortest decimal text, without exponent or trailing zeros."""
    text = repr(number)
    if text.endswith(".0"):
        return text[:-2]
    return format(Decimal(text), "f") if "e" in text else text


def iso_seconds(ts_ms: int) -> str:
    """Return the whole second of a time as ISO 8601, without the zone's letter."""
    return datetime.fromtimestamp(ts_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def trade_frame(symbol: str, trades: Sequence[Trade], second: str, *, nanoseconds: bool = False) -> str:
    """Return the push of some trades of the same millisecond, which lies in `second` (ISO, without zone)."""
    ts_ms = trades[0].ts_ms
    time = f"{second}.{ts_ms % 1000:03d}000000Z" if nanoseconds else f"{second}Z"
    rows = ",".join(
        f'{{"t":"{time}","p":"{decimal_text(trade.price)}","v":"{decimal_text(trade.size)}","s":"{trade.side}"}}'
        for trade in trades
    )
    return f'{{"ch":"trade","symbol":"{symbol}","ts":{ts_ms},"data":[{rows}]}}'


def depth_frame(
    channel: str, symbol: str, ts_ms: int, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]
) -> str:
    """Return the push of a depth window: prices and sizes, best first."""
    return (
        f'{{"ch":"{channel}","symbol":"{symbol}","ts":{ts_ms},"data":{{"b":[{_levels(bids)}],"a":[{_levels(asks)}]}}}}'
    )


def kline_frame(channel: str, symbol: str, ts_ms: int, bar: Bar) -> str:
    """Return the push of a running candle: no open time, no closed flag."""
    data = {
        "o": decimal_text(bar.open),
        "c": decimal_text(bar.close),
        "h": decimal_text(bar.high),
        "l": decimal_text(bar.low),
        "b": decimal_text(round(bar.volume, 8)),
        "q": decimal_text(round(bar.turnover, 5)),
    }
    return push_frame(channel, symbol, ts_ms, data)


def push_frame(channel: str, symbol: str, ts_ms: int, data: object) -> str:
    """Return a push; `tickers` alone has no symbol of its own."""
    head = {"ch": channel} if channel == "tickers" else {"ch": channel, "symbol": symbol}
    return _dumps({**head, "ts": ts_ms, "data": data})


def _named(arg: dict[str, Any]) -> Subscription:
    symbol, channel = arg.get("symbol"), arg.get("ch")
    return Subscription(
        symbol.upper() if isinstance(symbol, str) else "",
        channel if isinstance(channel, str) else "",
    )


def _empty_depth(channel: str, symbol: str, ts_ms: int) -> str:
    head = {"ch": channel, "symbol": symbol} if symbol else {"ch": channel}
    return _dumps({**head, "ts": ts_ms, "data": {"b": EMPTY_LEVELS, "a": EMPTY_LEVELS}})


def _levels(levels: Iterable[tuple[float, float]]) -> str:
    return ",".join(f'["{decimal_text(price)}","{decimal_text(size)}"]' for price, size in levels)


def _dumps(data: object) -> str:
    return orjson.dumps(data).decode()


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}
