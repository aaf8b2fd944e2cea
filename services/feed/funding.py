"""When funding is due, and at which rate. Pure.

The exchange says, now and then, the rate and the last and next funding times. A funding time is published when the
market's time crosses it, with the newest rate and mark; one that was crossed while we were away is made up for as
soon as the exchange speaks of it.
"""

from typing import Final, NamedTuple

from bus.messages import MOST
from services.feed.facts import RawFunding
from services.numbers import END_MS

_LEAST_STEP_MS: Final = 3_600_000
"""Funding times closer than this are no schedule."""
_MOST_STEPS: Final = 1_000
"""A schedule that lies further back than this many funding times is none."""
_FAR_MS: Final = END_MS


class Due(NamedTuple):
    """A funding time that was crossed: `rate` a fraction, `mark` 0.0 when unknown."""

    ts_ms: int
    rate: float
    mark: float


class FundingSchedule:
    """Watches for funding times. `settled_ms` is the time up to which nothing is owed any more."""

    def __init__(self) -> None:
        self._settled_ms: int | None = None
        self._rate = 0.0
        self._mark = 0.0
        self._step_ms = 0
        self._missed: list[Due] = []
        self._next_ms = _FAR_MS
        self.due_ms: int = _FAR_MS
        """A tick at or after this time crosses a funding time."""

    def begin(self, ts_ms: int) -> None:
        """The stream begins at `ts_ms`, or went that far before a restart: earlier funding times are not ours."""
        if self._settled_ms is None:
            self._settled_ms = ts_ms

    def hear(self, fact: RawFunding) -> str | None:
        """Take what the exchange says; return why it is not believed, None when it is."""
        if not (abs(fact.rate) < 1.0 and 0.0 <= fact.mark < MOST):
            return "bad_funding"
        times = [time for time in (fact.last_ms, fact.next_ms) if time is not None]
        if not all(0 <= time < END_MS for time in (fact.ts_ms, *times)):
            return "bad_funding"
        self.begin(fact.ts_ms)
        assert self._settled_ms is not None, "it has begun"
        self._rate = fact.rate
        self._mark = fact.mark or self._mark
        last_ms = fact.last_ms
        if last_ms is None and self._next_ms <= fact.ts_ms:  # it names the one after that already
            steps = (fact.ts_ms - self._next_ms) // self._step_ms if self._step_ms else 0
            last_ms = self._next_ms + steps * self._step_ms
        if last_ms is not None and last_ms <= fact.ts_ms:
            self._missed += [Due(time, fact.rate, self._mark) for time in self._owed(last_ms)]
        self._plan(last_ms, fact.next_ms)
        return None

    def crossed(self, ts_ms: int) -> list[Due]:
        """Return the funding times that market time `ts_ms` crosses, oldest first; each comes once."""
        dues = []
        while self._missed and self._missed[0].ts_ms <= ts_ms:
            dues.append(self._missed.pop(0))
            self._settled_ms = dues[-1].ts_ms
        if self._step_ms and ts_ms - self._next_ms > _MOST_STEPS * self._step_ms:
            self._next_ms = _FAR_MS
        while self._next_ms <= ts_ms:
            if self._settled_ms is None or self._next_ms > self._settled_ms:
                dues.append(Due(self._next_ms, self._rate, self._mark))
                self._settled_ms = self._next_ms
            self._next_ms = self._next_ms + self._step_ms if self._step_ms else _FAR_MS
        self._look_ahead()
        return dues

    def _owed(self, last_ms: int) -> list[int]:
        """Return the funding times up to the exchange's last one that were neither settled nor noted: those of the plan, and it."""
        noted_ms = self._missed[-1].ts_ms if self._missed else self._settled_ms or 0
        steps = range(self._next_ms, last_ms, self._step_ms or _FAR_MS)
        planned = steps if len(steps) <= _MOST_STEPS else ()
        return [time for time in (*planned, last_ms) if time > noted_ms]

    def _plan(self, last_ms: int | None, next_ms: int | None) -> None:
        if next_ms is not None:
            step_ms = next_ms - last_ms if last_ms is not None else 0
            self._step_ms = step_ms if step_ms >= _LEAST_STEP_MS else 0
            self._next_ms = next_ms
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.due_ms = min(self._next_ms, self._missed[0].ts_ms if self._missed else _FAR_MS)
