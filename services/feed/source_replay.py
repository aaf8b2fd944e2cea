"""The replay sources: data files, worked up to events anew, or a recorded run, said again as it was.

Event times are the file's. An event is due when session time, `replay_speed` times as fast, reaches it, counted from
the first event; with `max` everything is due at once. At the end the source says so.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from bus.messages import Candle, FeedState, StreamInfo
from services.clock import iso
from services.data_file.files import DataFileError, DataSpan, look_over, read_rows
from services.data_file.rows import Makers
from services.feed.candle_source import mismatch
from services.feed.config import INTERVALS_MS, FeedConfig, Instrument
from services.feed.core import MAX_EMPTY_BUCKETS
from services.feed.facts import RawCandle, RawQuote, RawTrade, Recorded, Refusal, Said, SourceState
from services.feed.pace import Pace
from services.feed.recording_file import read_all, replayable
from services.feed.recording_lines import RecordingError
from services.feed.source import Now, Resume, Source, SourceError, make_info
from services.feed.warmup import history_of, session_start_ms

MOST_AT_ONCE: Final = 2_000

Row: TypeAlias = RawQuote | RawTrade | RawCandle
FACTS: Final[Makers[Row | Refusal]] = Makers(
    RawTrade, RawQuote, RawCandle, lambda sentence: Refusal("bad_row", sentence)
)
"""Rows of data files become facts; one that does not read is refused, and counted."""


class Schedule:
    """Says when an event of a file is due.

    Args:
        speed: market time per session time, > 0; None: at once.
        started_boot_ms: the suspend-counting clock at the session's start.
        origin_ms: the market time that belongs to the session's start.
        last_ms: the recording's end in market time, None without one.
    """

    def __init__(self, speed: float | None, started_boot_ms: int, origin_ms: int, last_ms: int | None) -> None:
        self._speed = speed
        self._origin_ms = origin_ms
        recorded_ms = None if last_ms is None or speed is None else int((last_ms - origin_ms) / speed)
        self._pace = Pace(started_boot_ms, recorded_ms)

    def wait_ms(self, due_ms: int, now: Now) -> int:
        """Return how long until market time reaches `due_ms`."""
        if self._speed is None:
            return 0
        session_ms = (due_ms - self._origin_ms) / self._speed
        return max(0, int(session_ms) - self._pace.elapsed_ms(now))


class ReplaySource:
    """Plays facts in order, each when it is due.

    Args:
        info: the stream's head.
        facts: what to play.
        due_of: when a fact is due, in market time; None: at once.
        schedule: when market time is there.
        regenerates: whether the facts begin with the file, also after a restart.
        source_interval_ms: for a source of candles: their interval.
    """

    is_scheduled = True

    def __init__(
        self,
        info: StreamInfo,
        facts: Iterator[Row | Recorded | Refusal],
        due_of: Callable[[Row | Recorded | Refusal], int | None],
        schedule: Schedule,
        *,
        regenerates: bool,
        source_interval_ms: int | None = None,
    ) -> None:
        self.info: StreamInfo = info
        self.regenerates = regenerates
        self.source_interval_ms = source_interval_ms
        self._facts = facts
        self._due_of = due_of
        self._schedule = schedule
        self._said: list[Said] = [SourceState(FeedState.CONNECTED)]
        self._newest_ms: int | None = None
        self._next = self._following()

    def poll(self, now: Now) -> Sequence[Said]:
        """Return the facts that are due."""
        said, self._said = self._said, []
        while self._next is not None and len(said) < MOST_AT_ONCE and self.wait_ms(now) == 0:
            said.append(self._next)
            self._next = self._following()
        said.extend(self._said)
        self._said = []
        return said

    def wait_ms(self, now: Now) -> int:
        """Return how long until the next fact is due."""
        if self._next is None:
            return 0 if self._said else 1_000
        due_ms = self._due_of(self._next)
        if due_ms is None or self._is_leap(due_ms):
            return 0
        return self._schedule.wait_ms(due_ms, now)

    def published(self, candle: Candle, now: Now) -> None:
        """There is nothing to compare it with."""

    def close(self) -> None:
        """Nothing is open but the file, which goes with the source."""

    def _is_leap(self, due_ms: int) -> bool:
        # The core refuses it: waiting for it would hold up everything behind it.
        if self._newest_ms is None or due_ms - self._newest_ms <= MAX_EMPTY_BUCKETS * self.info.interval_ms:
            self._newest_ms = due_ms
            return False
        return True

    def _following(self) -> Row | Recorded | Refusal | None:
        try:
            following = next(self._facts, None)
        except (DataFileError, RecordingError) as error:
            self._said.append(SourceState(FeedState.LOST, str(error), incident=True))
            return None
        if following is None:
            self._said.append(SourceState(FeedState.ENDED))
        return following


def open_replay(config: FeedConfig, root: Path, started_boot_ms: int, resume: Resume | None) -> Source:
    """Open what `replay_file` names.

    Args:
        config: the feed's settings.
        root: the working directory.
        started_boot_ms: the suspend-counting clock at the session's start.
        resume: where this run's own recording ends, None for a fresh session.

    Raises:
        SourceError: it can not be replayed.
    """
    paths = [root / name for name in config.replay_files]
    try:
        if not any(map(replayable, paths)):
            return _of_files(config, paths, started_boot_ms, resume)
        if len(paths) > 1:
            raise SourceError("a recorded run is replayed alone: replay_file names more than it")
        return _of_recording(config, paths[0], started_boot_ms, resume)
    except (DataFileError, RecordingError) as error:
        raise SourceError(str(error)) from None


def _of_recording(config: FeedConfig, path: Path, started_boot_ms: int, resume: Resume | None) -> ReplaySource:
    messages = read_all(path)
    info = next(messages, None)
    if not isinstance(info, StreamInfo):
        raise SourceError(f"{path} holds no recording yet")
    _check_head(config, info)
    played_seq = resume.last_seq if resume is not None else 0
    events = (event for event in messages if not isinstance(event, StreamInfo))
    first = next(events, None)
    facts = (Recorded(event) for event in chain([first] if first else [], events) if event.seq > played_seq)
    last_ms = resume.last_ts_ms if resume is not None and played_seq else None
    schedule = Schedule(config.replay_speed, started_boot_ms, first.ts_ms if first else 0, last_ms)
    return ReplaySource(info, facts, _due_of_row, schedule, regenerates=False)


def _check_head(config: FeedConfig, info: StreamInfo) -> None:
    """Refuse settings that a recording can not follow: they shaped its events."""
    grids = ("tick_size", "lot_size", "min_qty")
    wanted = {"symbol": config.symbol, "interval_ms": config.interval_ms}
    wanted |= {name: grid for name in grids if (grid := getattr(config, name)) is not None}
    for name, value in wanted.items():
        if value != getattr(info, name):
            raise SourceError(f"the recording was made with {_shown(name, getattr(info, name))}; set it so")


def _shown(name: str, value: object) -> str:
    if name != "interval_ms":
        return f"{name} {value}"
    return f"interval {next((word for word, ms in INTERVALS_MS.items() if ms == value), value)}"


def _of_files(config: FeedConfig, paths: list[Path], started_boot_ms: int, resume: Resume | None) -> ReplaySource:
    span = look_over(paths)
    if span.is_candles:
        _check_interval(span, config.interval_ms)
    mode = "candle" if span.is_candles else "tick"
    info = make_info(config, Instrument(), mode=mode)
    start_ms = session_start_ms(span.first_ms, span.last_ms, config.interval_ms)
    history, rest = _split(read_rows(paths, FACTS), info, start_ms, span.interval_ms)
    info = make_info(config, Instrument(), history, mode=mode)
    last_ms = resume.last_ts_ms if resume is not None and resume.last_seq else None
    schedule = Schedule(config.replay_speed, started_boot_ms, start_ms, last_ms)
    step_ms = span.interval_ms

    def due_of_candle(row: Row | Recorded | Refusal) -> int | None:
        return row.open_ms + (step_ms or 0) if isinstance(row, RawCandle) else None

    return ReplaySource(
        info,
        rest,
        due_of_candle if span.is_candles else _due_of_row,
        schedule,
        regenerates=True,
        source_interval_ms=step_ms,
    )


def _check_interval(span: DataSpan, session_ms: int) -> None:
    if span.interval_ms is None:
        raise SourceError("a file of candles needs at least two of them")
    words = mismatch(span.interval_ms, session_ms)
    if words is not None:
        raise SourceError(f"{words}: the one of {iso(span.closest_ms or 0)} is that close to the one before it")


def _split(
    rows: Iterator[Row | Refusal], info: StreamInfo, start_ms: int, source_interval_ms: int | None
) -> tuple[tuple[Candle, ...], Iterator[Row | Refusal]]:
    """Return the history, and the facts of the session."""
    first: list[Row | Refusal] = []

    def before_start() -> Iterator[Row]:
        for row in rows:
            if isinstance(row, Refusal):
                continue
            if row[0] >= start_ms:
                first.append(row)
                yield row
                return
            yield row

    history = history_of(before_start(), info, start_ms, source_interval_ms)
    return history, chain(first, rows)


def _due_of_row(row: Row | Recorded | Refusal) -> int | None:
    if isinstance(row, Recorded):
        return row.event.ts_ms
    return None if isinstance(row, Refusal) else row[0]
