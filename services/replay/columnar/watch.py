"""How far a run of events changes nothing: the next one that may matter, found over columns. Pure.

Two watches, one for each mode (`tick_watch`, `candle_watch`). Both are told where the broker stands (its band) and answer with the number of the
first event that has to be worked off one by one: it may be too early, never too late. Between two decisions only the
first stop, target or limit touched, the liquidation's and the breaker's floor, an order due, a new UTC day, funding
and `max_bars_open` matter.
"""

from math import ceil, isinf
from typing import Protocol

from bus.messages import Candle, MarketEvent
from services.broker.passage import DeskView, Passage
from services.broker.prices import TwoSided
from services.replay.columnar.columns import Flags, Floats, Ints

_FIRST_LOOK = 256
_WIDEST_LOOK = 1 << 16


class Watch(Protocol):
    """What both watches do. A `seq` is an event's number; questions are counted from 0."""

    @property
    def questions(self) -> int:
        """How many questions the stream has."""

    def last_candles(self) -> Ints:
        """Return, for each question, the place of the candle asked about among all candles."""

    def open_ms(self, place: int) -> int:
        """Return when a question's candle opened, which names the question."""

    def candles(self, place: int) -> tuple[Candle, ...]:
        """Return a question's candles."""

    def asked_after(self, place: int) -> int:
        """Return the number of the last event before a question."""

    def quote(self, place: int) -> TwoSided | None:
        """Return the newest quote when a question is asked, None without one."""

    def questions_until(self, seq: int) -> int:
        """Return how many questions begin at or before event `seq`; that is the place of the first one behind it."""

    def begin(self, place: int) -> int:
        """Return the first event that has to be worked off one by one for a question to be asked."""

    def until(self, seq: int, view: DeskView) -> int:
        """Return the first event behind `seq` that may matter."""

    def before(self, seq: int) -> int:
        """Return the last event up to `seq` after which no question is open."""

    def is_whole(self, seq: int) -> bool:
        """Tell whether no candle waits for its question after event `seq`."""

    def event(self, seq: int) -> MarketEvent:
        """Return the event of a number."""

    def passage(self, seq: int, until: int) -> Passage:
        """Return what is left of the events behind `seq` and before `until`."""


def first_after(times: Ints, from_place: int, wake_ms: float) -> int:
    """Return the first place from `from_place` on whose time is not before `wake_ms`."""
    if isinf(wake_ms):
        return from_place if wake_ms < 0 else times.size
    return max(from_place, int(times.searchsorted(ceil(wake_ms))))


def first_outside(bounds: list[tuple[Floats, bool, float]], begin: int, end: int) -> int:
    """Return the first place in `[begin, end)` where a column is at or beyond its bound, else `end`.

    Args:
        bounds: columns, whether the bound is a lower one, and the bound.
        begin: where to begin; looks grow, so that the work is in proportion to the distance found.
        end: where to end.
    """
    bounds = [bound for bound in bounds if not isinf(bound[2])]
    width = _FIRST_LOOK
    while begin < end and bounds:
        stop = min(begin + width, end)
        outside: Flags | None = None
        for column, is_low, bound in bounds:
            part = column[begin:stop]
            touched = part <= bound if is_low else part >= bound
            outside = touched if outside is None else outside | touched
        assert outside is not None, "there are bounds"
        place = int(outside.argmax())
        if outside[place]:
            return begin + place
        begin = stop
        width = min(4 * width, _WIDEST_LOOK)
    return end
