"""Mangled frames and REST answers, and what must hold of whatever the feed makes of them.

Variant number n is a function of n alone, so that a failure can be looked at again; `bench/fuzz_frames.py` lets a fuzzer
that sees which code is reached choose. The originals are frames of every kind of the exchange's, and, where they are
beside the checkout, real ones, also of other exchanges.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import shake_128
from struct import unpack
from typing import Any

from feed_builders import MINUTE, SHARED_DATA, SYMBOL, feed_core

from bus.messages import Candle, Funding, MarketEvent, Quote, Trade
from services.feed.bitunix_frames import Control, RawKline, RawTicker, parse_frame
from services.feed.bitunix_rows import parse_klines, parse_pair, parse_symbols
from services.feed.config import Instrument
from services.feed.facts import Backfill, DataLost, RawCandle, RawFunding, RawQuote, RawTrade, Refusal
from services.feed.guards import refuse_candle
from services.feed.jump import JumpGuard
from services.feed.leap import LeapGuard

TS = 1_790_126_515_684
LEAST_QUOTED = 0.2
"""A print of less than two ticks may leave no room for a bid on the grid: it comes without a quote then."""
STEP_MS = 700
"""Between the times of two variants."""
FRESH = 500
"""Variants after which the stream begins anew, so that one that leads astray does not hide the others."""

FRAMES = [
    '{"op":"connect","data":{"result":true}}',
    '{"op":"ping","pong":1732519687,"ping":1732519690}',
    '{"op":"unsubscribe","ts":1790126500916,"data":"success"}',
    '{"op":"subscribe","data":{"msg":"subscribe channel > 300","nonce":"","result":false}}',
    (
        '{"ch":"trade","symbol":"BTCUSDT","ts":%d,"data":[{"t":"2026-04-07T05:47:52Z","p":"86688.2","v":"0.7142","s":"buy"},'
        '{"t":"2026-04-07T05:47:52.959908526Z","p":"86688.1","v":"0.01","s":"sell"}]}'
    ),
    '{"ch":"depth_book1","symbol":"BTCUSDT","ts":%d,"data":{"b":[["86688.1","1.2"]],"a":[["86688.2","0.8"]]}}',
    '{"ch":"depth_book5","symbol":"BTCUSDT","ts":%d,"data":{"b":[["86688.1","1.2"],["86688","2"]],"a":[["86688.2","1"]]}}',
    (
        '{"ch":"price","symbol":"BTCUSDT","ts":%d,"data":{"ip":"86720.6","mp":"86688.3","fr":"-0.00077",'
        '"ft":"2026-09-23T00:00:00Z","nft":"2026-09-23T08:00:00Z"}}'
    ),
    '{"ch":"ticker","symbol":"BTCUSDT","ts":%d,"data":{"s":"BTCUSDT","o":"85567","la":"86688.2","h":"86815.6"}}',
    '{"ch":"tickers","ts":%d,"data":[{"s":"BTCUSDT","la":"86688.2","bd":"86688.1","ak":"86688.2"}]}',
    '{"ch":"market_kline_1min","symbol":"BTCUSDT","ts":%d,"data":{"o":"1","c":"2","h":"3","l":"1","b":"4","q":"5"}}',
]
ANSWERS = [
    (
        '{"code":0,"data":[{"open":"86700","high":"86711.1","low":"86688.9","close":"86690.1","quoteVol":"16.0341",'
        f'"baseVol":"1390065.5","time":"{TS // MINUTE * MINUTE}"}}],"msg":"Success"}}'
    ),
    '{"code":0,"data":[{"symbol":"BTCUSDT","minTradeVolume":"0.0001","basePrecision":4,"quotePrecision":1}]}',
    '{"code":10006,"msg":"too many requests","data":null}',
]
TOKENS: tuple[bytes, ...] = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b" " * 5_000),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1e999", b"-0", b"0", b"1e-400", b"9" * 400, b"1_0", b"0x1"),
    *(b'""', b'"nan"', b'"1e308"', b'"-1"', b'"0"', b'"\\ud800"', b"[" * 3_000, b'{"a":' * 2_000, b'"ts":', b'"op":'),
    *(
        b'"trade"',
        b'"depth_book1"',
        b'"price"',
        b'"BTCUSDT"',
        b'"ETHUSDT"',
        b'"buy"',
        b"1790126515684",
        b"1790119315684",
    ),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.0, -0.0, 1e308, -1e308, 1e-320, 2**63, 2**64 - 1, -(2**63), TS, TS + 7_200_000),
    *(
        "",
        "0",
        "-1",
        "nan",
        "inf",
        "1e999",
        "1e-999",
        "86688.2",
        "1" * 70,
        "\u0661",
        "buy",
        "BTCUSDT",
        "trade",
        "price",
    ),
    *([], {}, [[]], [["", ""]], [["1", "2"]], {"p": "1", "v": "1", "s": "buy"}, "2026-09-23T00:00:00Z", "9999-99-99"),
)
REFUSALS = frozenset(
    [
        "not_json",
        "not_an_object",
        "no_channel",
        "unknown_channel",
        "unreadable",
        "other_symbol",
        "bad_shape",
        "empty_book",
        "empty_level",
        "unknown_control",
        "unknown_side",
        "rest_code",
        "unknown_symbol",
        "not_traded",
    ]
)


@cache
def originals() -> tuple[bytes, ...]:
    """Whole frames to be mangled."""
    found = 8 * [(frame % TS if "%d" in frame else frame).encode() for frame in FRAMES]
    frames = SHARED_DATA / "bitunix_frames.jsonl"
    if frames.exists():
        lines = [json.loads(line) for line in frames.read_text().splitlines()]
        # Of one time, which goes on later, or a stream of them would be nothing but leaps.
        found += [
            re.sub(r'"ts":1\d{12}', f'"ts":{TS}', line["raw"]).encode() for line in lines if line["dir"] == "recv"
        ]
        for name in ("binanceperp_btcusdt_20240718_rawws.gz", "cryptofeed_BYBIT.ws.26.0.gz"):
            with gzip.open(SHARED_DATA / name, "rb") as file:
                found += [line.strip().split(b" ", 1)[-1] for line, _ in zip(file, range(10), strict=False)]
    return tuple(found)


def variant(number: int, whole: Sequence[bytes]) -> bytes:
    """One of the originals, mangled."""
    return mangled(whole[_drawn(number)[0] % len(whole)], number, whole)


def _drawn(number: int) -> tuple[int, ...]:
    return unpack(">16I", shake_128(number.to_bytes(8, "big")).digest(64))


def mangled(frame: bytes, number: int, whole: Sequence[bytes]) -> bytes:
    """A frame, mangled in one to three places; how, is a function of `number`."""
    words = _drawn(number)
    for step in range((1, 1, 2, 3)[words[1] % 4]):
        how, at, what, length = words[2 + 4 * step : 6 + 4 * step]
        frame = _mangled(frame, whole, how, at, what, length)
    return frame


def _mangled(frame: bytes, whole: Sequence[bytes], how: int, at: int, what: int, length: int) -> bytes:
    place, end = at % (len(frame) + 1), length % 12
    match how % 16:
        case 0:
            return frame[:place] + bytes([what & 255]) + frame[place + 1 :]
        case 1:
            return frame[:place] + frame[place + end :]
        case 2:
            return frame[:place] + frame[max(0, place - end) :]
        case 3 | 4:
            return frame[:place] + TOKENS[what % len(TOKENS)] + frame[place + end % 3 :]
        case 5:
            other = whole[what % len(whole)]
            return frame[:place] + other[length % (len(other) + 1) :]
        case 6 | 7:
            return _replanted(frame, at, VALUES[what % len(VALUES)], rename=True)
        case _:
            return _replanted(frame, at, VALUES[what % len(VALUES)], rename=False)


def _replanted(frame: bytes, at: int, value: Any, *, rename: bool) -> bytes:
    """Put a value, or a key, in place of another, in a frame that stays JSON."""
    try:
        content = json.loads(frame)
        places = list(_places(content))
    except (ValueError, RecursionError):
        return frame
    if not places:
        return json.dumps(value).encode()
    holder, key = places[at % len(places)]
    if rename and isinstance(holder, dict):
        holder[str(value)] = holder.pop(key)
    else:
        holder[key] = value
    return json.dumps(content, separators=(",", ":")).encode()


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from _places(content[key])


class Laws:
    """What holds of every published event."""

    def __init__(self) -> None:
        self.seq = self.ts_ms = 0
        self._quote_ms: int | None = None
        self._last: MarketEvent | None = None
        self._candle: Candle | None = None
        self._trades: list[Trade] = []

    def follow(self, event: MarketEvent) -> None:
        """Take the next event; fail if it breaks a law."""
        assert event.seq == self.seq + 1
        assert event.ts_ms >= self.ts_ms
        self.seq, self.ts_ms = event.seq, event.ts_ms
        match event:
            case Candle():
                self._follow_candle(event)
            case Quote():
                assert event.bid <= event.ask
                self._quote_ms = None if event.synthetic else event.ts_ms
            case Trade():
                made = isinstance(self._last, Quote) and self._last.synthetic
                fresh = self._quote_ms is not None and event.ts_ms - self._quote_ms <= 10_000
                assert made or fresh or event.price < LEAST_QUOTED, "a quote comes before it"
                self._trades.append(event)
            case Funding():
                assert abs(event.rate) < 1.0
                assert event.mark >= 0.0
        if isinstance(event, Quote | Trade):
            assert self._candle is None or event.ts_ms < self._candle.close_ms + MINUTE, "its candle stands before it"
        self._last = event

    def _follow_candle(self, candle: Candle) -> None:
        assert candle.open_ms % MINUTE == 0
        assert self._candle is None or candle.open_ms == self._candle.close_ms, "candles are contiguous"
        if candle.complete:
            assert candle.volume == _sum(trade.size for trade in self._trades)
            prices = [trade.price for trade in self._trades] or [self._candle.close if self._candle else candle.close]
            shown = (candle.open, candle.high, candle.low, candle.close)
            assert shown == (prices[0], max(prices), min(prices), prices[-1]), "it is its trades, or flat"
            assert all(candle.open_ms <= trade.ts_ms < candle.close_ms for trade in self._trades)
        self._candle, self._trades = candle, []


def _sum(sizes: Iterable[float]) -> float:
    """As one adds up while they come; the builtin is more exact than that on newer Pythons."""
    total = 0.0
    for size in sizes:
        total += size
    return total


class Fuzz:
    """Works variants as the feed does, and counts what became of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._frames = originals()
        self._answers = tuple(answer.encode() for answer in ANSWERS)

    def work(self, numbers: Iterable[int]) -> None:
        """Work the variants of some numbers; an error names the variant."""
        for number in numbers:
            try:
                self.take(variant(number, self._frames if number % 5 else self._answers), number)
            except BaseException as error:
                error.add_note(f"variant {number}")
                raise

    def take(self, data: bytes, number: int) -> None:
        """Work some bytes, as a frame and as an answer; an error shows them. The time goes on with `number`."""
        if number % FRESH == 0 or not self.counts:
            self._core, self._laws, self._leap, self._jump = feed_core(), Laws(), LeapGuard(), JumpGuard(20.0)
        data = data.replace(b'"ts":%d' % TS, b'"ts":%d' % (TS + number % FRESH * STEP_MS))
        try:
            self._frame(data)
            self._answer(data, bridges=number % 100 == 0)
        except BaseException as error:
            error.add_note(repr(data[:300]))
            raise

    def _frame(self, data: bytes) -> None:
        facts = parse_frame(data, SYMBOL)
        self.counts["frames"] += 1
        for fact in facts:
            match fact:
                case Refusal(name):
                    assert name in REFUSALS
                    self.counts[name] += 1
                case RawQuote() | RawTrade() | RawFunding():
                    self._believe(fact)
                case Control() | RawKline() | RawTicker():
                    self.counts["understood"] += 1

    def _believe(self, fact: RawQuote | RawTrade | RawFunding) -> None:
        if isinstance(fact, RawFunding):
            self._publish(self._jump.take_mark(fact))
            return
        for timely in self._leap.take(fact, 0):
            for good in self._jump.take(timely) if isinstance(timely, RawQuote | RawTrade) else [timely]:
                if isinstance(good, Refusal):
                    self.counts[good.name] += 1
                else:
                    self._publish(good)

    def _publish(self, fact: RawQuote | RawTrade | RawFunding) -> None:
        for event in self._core.take(fact):
            self._laws.follow(event)
            self.counts["events"] += 1
            self.counts["complete candles"] += isinstance(event, Candle) and event.complete and event.volume > 0

    def _bridge(self, rows: Sequence[RawCandle]) -> None:
        for fact in (DataLost(), Backfill(tuple(rows))):
            for event in self._core.take(fact):
                self._laws.follow(event)
        self.counts["bridges"] += 1

    def _answer(self, data: bytes, *, bridges: bool) -> None:
        self.counts["answers"] += 1
        rows = parse_klines(data, MINUTE)
        if not isinstance(rows, Refusal):
            assert all(_is_good(row) for row in rows)
            if bridges:
                self._bridge(rows)
        pair = parse_pair(data, SYMBOL)
        assert isinstance(pair, Instrument | Refusal)
        symbols = parse_symbols(data)
        assert isinstance(symbols, Refusal) or all(isinstance(symbol, str) for symbol in symbols)
        for found in (rows, pair, symbols):
            if isinstance(found, Refusal):
                assert found.name in REFUSALS


def _is_good(row: RawCandle) -> bool:
    return refuse_candle(row, MINUTE) is None
