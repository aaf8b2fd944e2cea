"""Candles that were published, compared with the exchange's own. Pure.

The stream has no numbers, so a lost push is not seen; the exchange's candle of the same time tells. What was published
stays as it is: a strategy has decided on it. A difference that a second look confirms is told, and that is all.
Incomplete candles are known to be wrong, and not compared. Seconds are compared by the minute (`minutes`).

Assumption: the exchange puts a trade into the minute in which it happened, we into the one in which it was pushed. So
trades of the last instants of a candle may stand in the next: small differences are daily bread, and no incident.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from bus.messages import Candle
from services.feed.facts import RawCandle
from services.feed.gaps import iso

FIRST_LOOK_MS: Final = 3_000
"""After a candle closed the exchange is given this long to have it, too."""
NEXT_LOOK_MS: Final = 5_000
LONGEST_WAIT_MS: Final = 60_000
"""Between two looks while REST does not answer."""
ANSWER_MS: Final = 60_000
"""A question without any answer, not even a failure, is asked again after this."""
LOOKS: Final = 2
MOST_WAITING: Final = 1_000
"""Candles that wait for an answer at most; the oldest is then forgotten, and counted."""
MOST_AT_ONCE: Final = 180
"""Candles asked for together: what one page of REST has room for."""
_SAME: Final = 1e-6
_PRICE_SHARE: Final = 0.0005
_VOLUME_SHARE: Final = 0.02
"""Differences beyond these shares are more than trades that were pushed a moment after the candle's end."""


class Span(NamedTuple):
    """Candles to ask for, by the open times of the first and the last."""

    first_ms: int
    last_ms: int


class Difference(NamedTuple):
    """A candle that is not the exchange's; `theirs` None: the exchange has none of that time."""

    ours: Candle
    theirs: RawCandle | None

    @property
    def is_large(self) -> bool:
        """Whether it is more than what trades near the candle's ends can do."""
        return not _is_same(self.ours, self.theirs, _PRICE_SHARE, _VOLUME_SHARE)

    @property
    def is_deaf(self) -> bool:
        """Whether we heard of no trade where there were some."""
        return self.ours.volume == 0.0 and self.theirs is not None and self.theirs.volume > 0.0

    @property
    def text(self) -> str:
        """The difference in words."""
        ours = f"{_numbers(self.ours)} volume {self.ours.volume:.10g}"
        theirs = "none" if self.theirs is None else f"{_numbers(self.theirs)} volume {self.theirs.volume:.10g}"
        return f"the candle of {iso(self.ours.open_ms)} was published as {ours}; the exchange has {theirs}"


class Reconciliation:
    """Remembers published candles until the exchange has confirmed them.

    Attributes:
        confirmed: candles that are the exchange's.
        forgotten: candles that the exchange never spoke of.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, Candle] = OrderedDict()
        self._looks: dict[int, int] = {}
        self._due_ms: int | None = None
        self._wait_ms = NEXT_LOOK_MS
        self._asked: Span | None = None
        self._asked_ms = 0
        self.confirmed = 0
        self.forgotten = 0

    def published(self, candle: Candle, now_ms: int) -> None:
        """Take a candle that everybody has heard."""
        if not candle.complete:
            return
        self._waiting[candle.open_ms] = candle
        if len(self._waiting) > MOST_WAITING:
            open_ms, _ = self._waiting.popitem(last=False)
            self._looks.pop(open_ms, None)
            self.forgotten += 1
        if self._due_ms is None:
            self._due_ms = now_ms + FIRST_LOOK_MS

    def question(self, now_ms: int) -> Span | None:
        """Return what to ask the exchange now; None when nothing is due, or an answer still to come."""
        if self._asked is not None and now_ms - self._asked_ms < ANSWER_MS:
            return None
        if self._due_ms is None or now_ms < self._due_ms or not self._waiting:
            return None
        first = next(iter(self._waiting.values()))
        most_ms = first.open_ms + (MOST_AT_ONCE - 1) * first.interval_ms
        last_ms = max(open_ms for open_ms in self._waiting if open_ms <= most_ms)
        self._asked, self._asked_ms = Span(first.open_ms, last_ms), now_ms
        return self._asked

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long until a question is due; None when there is none."""
        return None if self._asked is not None or self._due_ms is None else max(0, self._due_ms - now_ms)

    def answered(self, rows: Iterable[RawCandle], now_ms: int) -> list[Difference]:
        """Take the exchange's candles, none where it did not answer; return the differences that hold."""
        span, self._asked = self._asked, None
        found = {row.open_ms: row for row in rows}
        differences: list[Difference] = []
        if span is not None and found:
            newest_ms = max(found)
            for candle in [c for c in self._waiting.values() if span.first_ms <= c.open_ms <= span.last_ms]:
                if candle.open_ms <= newest_ms:
                    self._compare(candle, found, differences)
        self._wait_ms = NEXT_LOOK_MS if found else min(LONGEST_WAIT_MS, 2 * self._wait_ms)
        self._due_ms = now_ms + self._wait_ms if self._waiting else None
        return differences

    def _compare(self, candle: Candle, found: Mapping[int, RawCandle], differences: list[Difference]) -> None:
        theirs = found.get(candle.open_ms)
        same = _is_same(candle, theirs, _SAME, _SAME)
        looks = self._looks[candle.open_ms] = self._looks.get(candle.open_ms, 0) + 1
        if not same and looks < LOOKS:
            return
        del self._waiting[candle.open_ms], self._looks[candle.open_ms]
        if same:
            self.confirmed += 1
        else:
            differences.append(Difference(candle, theirs))


def _is_same(ours: Candle, theirs: RawCandle | None, price_share: float, volume_share: float) -> bool:
    if theirs is None:
        return ours.volume == 0.0  # it may leave out what nobody traded in
    if theirs.volume == 0.0 and ours.volume == 0.0:
        return True  # prices of no trade are a matter of taste
    pairs = zip((ours.open, ours.high, ours.low, ours.close), theirs[1:5], strict=True)
    return all(_near(one, other, price_share) for one, other in pairs) and _near(
        ours.volume, theirs.volume, volume_share
    )


def _near(one: float, other: float, share: float) -> bool:
    return abs(one - other) <= share * max(abs(one), abs(other))


def _numbers(candle: Candle | RawCandle) -> str:
    return "/".join(f"{price:.10g}" for price in (candle.open, candle.high, candle.low, candle.close))
