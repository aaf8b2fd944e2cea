"""The market itself: what happens when. Pure: a function of the seed, or of the rows of a file.

A tape answers for any stretch of market time, in any order, with the same events; nothing here knows what time it is.
The walk's assumptions: one price a second with momentum, fat tails, volatility that changes by the minute, and a pull
towards an anchor (so that a session of days stays in sight of it); quotes wander between these prices, trades hit the
newest quote. Its arithmetic is add, multiply, divide and square root only: the same bits on every machine. Before the
start instant there are minutes only, drawn backwards from the start price.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from hashlib import shake_128
from math import sqrt
from struct import unpack
from typing import NamedTuple, Protocol, TypeAlias

from services.exchange.instruments import Instrument

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
LISTED_MS = 30 * DAY_MS

# One-second returns have a standard deviation of about 6 bps; the momentum makes a minute's about 100.
_SHOCK = 4.5e-4
_MOMENTUM = 0.7
_PULL_PER_SECOND = 1 / 900
_MINUTE_SHOCK = 1.1e-2
_JITTER = 1.5e-4


class Quote(NamedTuple):
    """Best bid and ask at `ts_ms`; sizes in base coin."""

    ts_ms: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float


class Trade(NamedTuple):
    """A print at `ts_ms`: size in base coin, `side` is `buy` or `sell`, of the taker."""

    ts_ms: int
    price: float
    size: float
    side: str


Event: TypeAlias = Quote | Trade
Distortion: TypeAlias = Callable[[list[Event]], list[Event]]


class Minute(NamedTuple):
    """A minute of the time before the walk's start: prices, volume in base coin."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Tape(Protocol):
    """A market over time. `end_ms` is the last event's time, None for one that never ends.

    There are events from `start_ms` on, and minutes only from `listed_ms` to `start_ms`.
    """

    @property
    def listed_ms(self) -> int:
        """The first instant anything is known of."""

    @property
    def start_ms(self) -> int:
        """The first instant of events."""

    @property
    def end_ms(self) -> int | None:
        """The last event's time."""

    def events(self, from_ms: int, to_ms: int) -> Sequence[Event]:
        """Return the events of `[from_ms, to_ms)`, in order."""

    def next_ms(self, after_ms: int) -> int | None:
        """Return the time of the first event after `after_ms`, None at the end."""

    def past(self, open_ms: int) -> Minute | None:
        """Return the minute that opens at `open_ms`, before the start; None where nothing is known."""


class Recorded:
    """The tape of a data file: events in order, not empty."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._times = [event.ts_ms for event in events]

    @property
    def listed_ms(self) -> int:
        """The first event's time: a file has no past."""
        return self._times[0]

    @property
    def start_ms(self) -> int:
        """The first event's time."""
        return self._times[0]

    @property
    def end_ms(self) -> int:
        """The last event's time."""
        return self._times[-1]

    def events(self, from_ms: int, to_ms: int) -> Sequence[Event]:
        """Return the events of `[from_ms, to_ms)`."""
        first = bisect_left(self._times, from_ms)
        return self._events[first : bisect_left(self._times, to_ms, first)]

    def next_ms(self, after_ms: int) -> int | None:
        """Return the time of the first event after `after_ms`, None at the end."""
        index = bisect_left(self._times, after_ms + 1)
        return self._times[index] if index < len(self._times) else None

    def past(self, open_ms: int) -> Minute | None:
        """Return nothing."""
        return None


class Walk:
    """The tape of a seeded random walk of one instrument, from `start_ms` (a whole minute) on, without end."""

    end_ms = None

    def __init__(self, seed: int, instrument: Instrument, start_ms: int, distort: Distortion | None = None) -> None:
        self._name = f"{seed}:{instrument.symbol}"
        self._instrument = instrument
        self._distort = distort
        self.start_ms = start_ms
        self.listed_ms = start_ms - LISTED_MS
        first = instrument.anchor * (1 + 0.02 * (_words(f"{self._name}:start", 1)[0] / 65536 - 0.5))
        # Price and momentum at the start of each minute since the start; the path of the newest minute asked for.
        self._states = [(first, 0.0)]
        self._path: tuple[int, list[float]] = (-1, [])
        self._seconds: dict[int, list[Event]] = {}
        self._past: list[Minute] = []
        self._past_open = first

    def events(self, from_ms: int, to_ms: int) -> list[Event]:
        """Return the events of `[from_ms, to_ms)`; a second's are drawn together."""
        from_ms = max(from_ms, self.start_ms)
        found: list[Event] = []
        for second in range((from_ms - self.start_ms) // SECOND_MS, -((self.start_ms - to_ms) // SECOND_MS)):
            events = self._second(second)
            first = bisect_left(events, from_ms, key=_time)
            found += events[first : bisect_left(events, to_ms, first, key=_time)]
        return found

    def next_ms(self, after_ms: int) -> int:
        """Return the time of the first event after `after_ms`: every second begins with a quote."""
        second = max(after_ms - self.start_ms, 0) // SECOND_MS
        while True:
            events = self._second(second)
            following = bisect_right(events, after_ms, key=_time)
            if following < len(events):
                return events[following].ts_ms
            second += 1

    def past(self, open_ms: int) -> Minute | None:
        """Return a minute of the 30 days before the start, drawn backwards as far as it is asked for."""
        back = (self.start_ms - open_ms) // MINUTE_MS
        if open_ms < self.listed_ms or back < 1:
            return None
        while len(self._past) < back:
            self._draw_past(len(self._past) + 1)
        return self._past[back - 1]

    def _draw_past(self, back: int) -> None:
        words = _words(f"{self._name}:past:{back}", 7)
        close, decimals = self._past_open, self._instrument.price_decimals
        pull = 60 * _PULL_PER_SECOND * (self._instrument.anchor / close - 1)
        open_ = close * max(0.5, 1 + pull + _MINUTE_SHOCK * _shock(words))
        high = max(open_, close) * (1 + _MINUTE_SHOCK * (words[4] / 65536) ** 2)
        low = min(open_, close) * (1 - _MINUTE_SHOCK * (words[5] / 65536) ** 2)
        volume = _size(700_000 * (0.5 + words[6] / 65536), close, self._instrument)
        tick = self._instrument.tick
        first, top, bottom, last = (max(round(price, decimals), tick) for price in (open_, high, low, close))
        self._past.append(Minute(first, top, bottom, last, volume))
        self._past_open = open_

    def _second(self, second: int) -> list[Event]:
        events = self._seconds.get(second)
        if events is None:
            path = self._minute_path(second // 60)
            events = self._draw_second(second, path[second % 60], path[second % 60 + 1])
            if self._distort is not None:
                events = self._distort(events)
            if len(self._seconds) >= 4:
                self._seconds.clear()
            self._seconds[second] = events
        return events

    def _minute_path(self, minute: int) -> list[float]:
        """Return the prices at the 61 borders of a minute's seconds."""
        if self._path[0] == minute:
            return self._path[1]
        path: list[float] = []
        for index in range(min(minute, len(self._states) - 1), minute + 1):
            path, momentum = self._draw_minute(index, *self._states[index])
            if index + 1 == len(self._states):
                self._states.append((path[-1], momentum))
        self._path = (minute, path)
        return path

    def _draw_minute(self, minute: int, price: float, momentum: float) -> tuple[list[float], float]:
        words = _words(f"{self._name}:minute:{minute}", 241)
        scale = _SHOCK * (0.6 + 0.8 * words[240] / 65536)
        path = [price]
        for second in range(60):
            momentum = _MOMENTUM * momentum + scale * _shock(words[4 * second :])
            price *= max(0.5, 1 + momentum + _PULL_PER_SECOND * (self._instrument.anchor / price - 1))
            path.append(price)
        return path, momentum

    def _draw_second(self, second: int, before: float, after: float) -> list[Event]:
        words = _words(f"{self._name}:second:{second}", 128)
        first_ms = words[0] % 40
        quotes, trades = 5 + words[1] % 6, 8 + words[2] % 8
        # (offset, kind, where its own words begin): quotes before trades of the same millisecond.
        plan = [(first_ms, 0, 3)]
        plan += [(first_ms + words[3 + 4 * n] % (1000 - first_ms), 0, 3 + 4 * n) for n in range(1, quotes)]
        plan += [(first_ms + words[43 + 4 * n] % (1000 - first_ms), 1, 43 + 4 * n) for n in range(trades)]
        base_ms, events = self.start_ms + second * SECOND_MS, list[Event]()
        bid = ask = 0.0
        for offset_ms, kind, at in sorted(plan):
            if kind == 0:
                quote = self._quote(base_ms + offset_ms, before + (after - before) * offset_ms / 1000, words[at:])
                bid, ask = quote.bid, quote.ask
                events.append(quote)
            else:
                buys = words[at + 1] & 1
                size = _size(200 / (1.0005 - words[at + 2] / 65536), ask, self._instrument)
                events.append(Trade(base_ms + offset_ms, ask if buys else bid, size, "buy" if buys else "sell"))
        return events

    def _quote(self, ts_ms: int, middle: float, words: Sequence[int]) -> Quote:
        fraction, scale = ts_ms % 1000 / 1000, self._instrument.price_scale
        jitter = _JITTER * sqrt(fraction * (1 - fraction)) * (words[1] / 32768 - 1)
        bid = max(1, int(middle * (1 + jitter) * scale))
        ask = bid + (2 if words[2] % 3 == 0 else 1)
        size = _size(20_000 * (0.2 + 3 * words[3] / 65536), middle, self._instrument)
        other = _size(20_000 * (0.2 + 3 * (words[2] ^ words[3]) / 65536), middle, self._instrument)
        return Quote(ts_ms, bid / scale, ask / scale, size, other)


def _words(name: str, count: int) -> tuple[int, ...]:
    """Return `count` draws of 0..65535 that belong to `name`."""
    return unpack(f">{count}H", shake_128(name.encode()).digest(2 * count))


def _shock(words: Sequence[int]) -> float:
    """Return a draw with mean 0, variance 1 and fat tails, from four words: a bell with a drawn width."""
    bell = (words[0] + words[1] + words[2]) / 32768 - 3
    return bell * 0.5 / sqrt(1 - 0.98 * words[3] / 65536)


def _time(event: Event) -> int:
    return event.ts_ms


def _size(notional: float, price: float, instrument: Instrument) -> float:
    """Return a size on the lot grid, at least one lot."""
    return max(1, int(notional / price * instrument.size_scale)) / instrument.size_scale
