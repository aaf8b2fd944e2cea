"""Lines of the logs of all processes: read, chosen, merged, worded. Pure.

A notice is written twice: by the process that says it into its own log, and by the monitor into the system log. It is
one event and is shown once.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bus.words import Level

LEVELS = tuple(level.value for level in Level)
_SAME_MS = 5_000
"""The monitor writes a notice down within this after it was said."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event: `ts` is ISO time in UTC; `run_id` is known from the system log alone."""

    ts: str
    level: str
    service: str
    event: str
    message: str
    run_id: str = ""


def parse(text: str | bytes, service: str) -> LogLine | None:
    """Return the line that a JSON text holds; None when it holds none (torn, or not ours).

    Args:
        text: one line of a log.
        service: whose log it is, for a line that does not say it.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("ts"), str):
        return None
    texts = {name: str(found.get(name) or "") for name in ("level", "event", "message", "run_id")}
    return LogLine(ts=found["ts"], service=str(found.get("service") or service), **texts)


class Merger:
    """Puts lines in the order of time and leaves out what was shown already."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str, str], int] = {}

    def merge(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        """Yield lines in order; call it again with what came later."""
        for line in sorted(lines, key=lambda line: line.ts):
            key, at = (line.service, line.event, line.message), _ms(line.ts)
            before = self._shown.get(key)
            if line.event and before is not None and abs(at - before) <= _SAME_MS:
                continue
            self._shown[key] = at
            if len(self._shown) > 10_000:
                self._shown = {key: ms for key, ms in self._shown.items() if abs(at - ms) <= _SAME_MS}
            yield line


def is_at_least(line: LogLine, level: str) -> bool:
    """Whether a line matters as much as a level; one of an unknown level always does."""
    return line.level not in LEVELS or LEVELS.index(line.level) >= LEVELS.index(level)


def _ms(iso: str) -> int:
    """Milliseconds since the epoch of `2026-11-23T05:18:00.123Z`; 0 of anything else."""
    try:
        return round(datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
