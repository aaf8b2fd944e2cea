"""What went wrong when: spells on one time line, in lanes, on the market's clock. Pure.

An incident has a wall time, and where the monitor knew it the market's time (`market_ts`). Without that its place is
reckoned from the session's start: simulated and replayed markets have a clock of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from services.report.run import Bar, Run

LANES = ("restarts", "connection", "stale data", "lost data", "decisions", "other")
_LANE_OF = {
    "service_failed": "restarts",
    "feed_reconnecting": "connection",
    "feed_lost": "connection",
    "data_stale": "stale data",
    "data_gap": "lost data",
    "decision_timed_out": "decisions",
    "decision_late": "decisions",
    "strategy_failed": "decisions",
    "candle_poisoned": "decisions",
    "entries_halted": "decisions",
    "breaker_tripped": "decisions",
}
_NEAR_MS = 60_000
"""A market whose first event is this near to the session's start on the wall clock runs on it."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that went on from `begin_ms` to `end_ms` of event time (the same: a moment)."""

    lane: str
    begin_ms: int
    end_ms: int
    text: str


def timeline(run: Run, incidents: Iterable[Mapping[str, Any]]) -> list[Spell]:
    """All spells of a run, in the order of time.

    Args:
        run: The run.
        incidents: Its incidents, as `summary.json` has them.
    """
    spells = [*_of_incidents(run, incidents), *_lost_data(run.facts.bars), *_late(run)]
    return sorted(spells, key=lambda spell: (spell.begin_ms, spell.lane))


def _of_incidents(run: Run, incidents: Iterable[Mapping[str, Any]]) -> Iterator[Spell]:
    for incident in incidents:
        event = str(incident.get("event"))
        at = incident.get("market_ts") or _market_ms(run, incident.get("ts"))
        if not isinstance(at, int):
            continue
        seconds = incident.get("seconds")
        length = int(seconds * 1000) if isinstance(seconds, int | float) else 0
        text = str(incident.get("message") or event)
        yield Spell(_LANE_OF.get(event, "other"), at, at + length, text)


def _lost_data(bars: Sequence[Bar]) -> Iterator[Spell]:
    """Candles with lost data, neighbours together; the first is left out, for a session begins within a candle."""
    interval_ms = min((after[0] - bar[0] for bar, after in pairwise(bars)), default=0)
    for is_lost, group in groupby(bars[1:], key=lambda bar: not bar[6]):
        if is_lost:
            lost = list(group)
            text = f"data was lost in {len(lost)} candle{'s' if len(lost) > 1 else ''}"
            yield Spell("lost data", lost[0][0], lost[-1][0] + interval_ms, text)


def _late(run: Run) -> Iterator[Spell]:
    for order in run.facts.orders:
        if order.late:
            yield Spell("decisions", order.ts_ms, order.ts_ms, f"{order.client_order_id} came late")


def _market_ms(run: Run, wall: object) -> int | None:
    """Reckon the market's time of a wall time; None when either is not known."""
    at, started, facts = unix_ms(wall), unix_ms(run.started_at), run.facts
    if at is None or started is None or not facts.first_ts:
        return None
    shifted = at + facts.first_ts - started if has_own_clock(run) else at
    return min(max(shifted, facts.first_ts), facts.last_ts)


def has_own_clock(run: Run) -> bool:
    """Whether the market's time is another than the wall's, as far as is known: a simulated or replayed one."""
    started, first = unix_ms(run.started_at), run.facts.first_ts
    return started is not None and bool(first) and abs(first - started) >= _NEAR_MS


def unix_ms(iso: object) -> int | None:
    """Milliseconds since the epoch of an ISO time; None of anything else."""
    try:
        moment = datetime.fromisoformat(str(iso))
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)
