"""Quiet defaults for the feed's tests: raw facts, heads of streams, cores, settings."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from bus.codec import decode_body, encode_body
from bus.messages import Burst, Candle, Level, MarketEvent, Message, StreamInfo
from bus.topics import NAMES
from services.data_file.files import read_rows
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Fact, RawCandle, RawFunding, RawQuote, RawTrade, Refusal
from services.feed.source_replay import FACTS, Row

SYMBOL = "BTCUSDT"
MINUTE = 60_000
T0 = 1_700_000_040_000
"""A whole minute."""
OF_NO_KIND = (
    "its columns are neither trades (ts_ms,price,size,side), quotes (ts_ms,bid,ask) "
    "nor candles (ts_ms,open,high,low,close,volume)"
)
"""What is said of a data file with another header."""
SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def raw_quote(
    at: int = 0, bid: float = 100.0, ask: float = 100.1, bid_size: float = 1.0, ask_size: float = 2.0
) -> RawQuote:
    """A quote `at` ms after T0."""
    return RawQuote(T0 + at, bid, ask, bid_size, ask_size)


def raw_trade(at: int = 0, price: float = 100.0, size: float = 1.0, aggressor: str = "buy") -> RawTrade:
    """A trade `at` ms after T0."""
    return RawTrade(T0 + at, price, size, aggressor)


def raw_candle(minute: int, close: float = 100.0, volume: float = 1.0) -> RawCandle:
    """A one-minute candle, `minute` minutes after T0, all at one price."""
    return RawCandle(T0 + minute * MINUTE, close, close, close, close, volume)


def raw_funding(
    at: int, rate: float = 0.0001, mark: float = 100.0, last: int | None = None, following: int | None = None
) -> RawFunding:
    """What the exchange says of funding `at` ms after T0; its last and next times count from there, too."""

    def moment(offset: int | None) -> int | None:
        return None if offset is None else T0 + offset

    return RawFunding(T0 + at, rate, mark, moment(last), moment(following))


def history_candle(minute: int = -1, close: float = 99.0, interval_ms: int = MINUTE) -> Candle:
    """A candle from before the session."""
    open_ms = T0 + minute * interval_ms
    return Candle(0, open_ms + interval_ms, SYMBOL, interval_ms, open_ms, close, close, close, close, 5.0)


def stream_info(interval_ms: int = MINUTE, mode: str = "tick", history: tuple[Candle, ...] = ()) -> StreamInfo:
    """The head of a stream on a 0.1 grid."""
    return StreamInfo(SYMBOL, interval_ms, mode, Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001"), history)


def feed_core(
    interval_ms: int = MINUTE,
    mode: str = "tick",
    history: tuple[Candle, ...] = (),
    rules: FeedRules | None = None,
    source_interval_ms: int | None = None,
) -> FeedCore:
    """A core at the beginning of a stream."""
    return FeedCore(stream_info(interval_ms, mode, history), rules or FeedRules(), source_interval_ms)


def rows_of(paths: Sequence[Path]) -> Iterator[Row]:
    """The rows of data files, all of which must read."""
    for row in read_rows(paths, FACTS):
        assert not isinstance(row, Refusal), row
        yield row


def published(core: FeedCore, facts: Iterable[Fact]) -> list[MarketEvent]:
    """All that a core makes of some facts."""
    return [event for fact in facts for event in core.take(fact)]


def shape(event: MarketEvent) -> str:
    """An event in a few words: `candle +60000`, `quote +60001`."""
    return f"{type(event).__name__.lower()} {event.ts_ms - T0:+d}"


def settings(**changes: Any) -> dict[str, Any]:
    """The feed's part of resolved settings."""
    defaults: dict[str, Any] = {
        "source": "mock",
        "symbol": SYMBOL,
        "interval": "1m",
        "half_spread_bps": 0.5,
        "max_quote_age_sec": 10.0,
        "max_jump_pct": 20.0,
        "tick_size": None,
        "lot_size": None,
        "min_qty": None,
        "bitunix_ws_url": "wss://fapi.bitunix.com/public/",
        "bitunix_rest_url": "https://fapi.bitunix.com",
        "ws_max_retries": 10,
        "ws_backoff_min_sec": 2.0,
        "ws_backoff_max_sec": 60.0,
        "replay_file": None,
        "replay_speed": 1.0,
    }
    return defaults | changes


class FakeMouth:
    """Takes what the feed says, as the runner would."""

    def __init__(self) -> None:
        self.ready = False
        self.published: list[Message] = []
        self.answers: list[tuple[bytes, Message]] = []
        self.told: list[tuple[Level, str, str]] = []
        self.incidents: list[str] = []
        self.ended: list[str] = []

    def publish(self, message: Message) -> None:
        """Keep what is published, as its listeners read it."""
        heard = decode_body(NAMES[type(message)], encode_body(message))
        self.published += heard.events if isinstance(heard, Burst) else [heard]

    def answer(self, peer: bytes, message: Message) -> None:
        """Keep what is answered."""
        self.answers.append((peer, message))

    def tell(self, level: Level, event: str, text: str, *, incident: bool = False) -> None:
        """Keep what people are told."""
        self.told.append((level, event, text))
        if incident:
            self.incidents.append(text)

    def end_session(self, why: str) -> None:
        """Keep why the session is to end."""
        self.ended.append(why)
