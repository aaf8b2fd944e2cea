"""What is replayed: a recorded run, or data files worked up to events as the feed does. Shell: it reads files."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bus.messages import FeedState, MarketEvent, Message, QuestionKey, Signal, StrategyFailed, StreamInfo
from services.broker.errors import JournalError
from services.broker.journal_sqlite import Journal
from services.data_file.files import DataFileError
from services.feed.config import FeedConfig
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Refusal, Remark, SourceState
from services.feed.packed_file import place_of
from services.feed.recording_file import NAME as EVENTS_FILE
from services.feed.recording_file import read_all, replayable
from services.feed.recording_lines import RecordingError
from services.feed.source import Now, SourceError
from services.feed.source_replay import open_replay
from services.file_names import CONFIG, END, JOURNAL
from services.replay.columnar.columns import Columns
from services.replay.columnar.data_columns import columns_of_files
from services.replay.columnar.recording_columns_file import read_columns
from services.settings import SettingsError, resolve
from services.settings.texts import shown
from services.waiting import is_there, read_json

SEED: Final = 0
"""For data files when no seed is set: a replay draws none, so that it comes out the same each time."""
LATER: Final[Mapping[str, Any]] = {"max_strategy_errors": 20}
"""Settings that came later than a run which does not have them, as they then were."""
MOST_NAME_BYTES: Final = 200
"""File systems take 255; a prefix and a suffix have room."""
SHAPING: Final = ("symbol", "interval", "half_spread_bps", "max_quote_age_sec", "tick_size", "lot_size", "min_qty")
"""Settings that shape the stream: a recording holds what was made with them."""


class ReplayError(Exception):
    """It can not be replayed; one sentence."""


@dataclass(frozen=True)
class Script:
    """A session to be played.

    Attributes:
        name: of the run, or of the files.
        settings: as resolved.
        origins: where each setting comes from.
        info: the stream's head.
        events: the market events, in order.
        last_ts_ms: event time at the end, for the progress bar; 0 when it is not known.
        facts: the recorded session's wall-clock facts; empty for data files.
        answers: the recorded answers of the strategy by question; empty for data files, and with other settings.
        carried: what the recorded session took over from the one before.
        run_dir: the recorded run's directory, None for data files.
        columns: the same events as columns; None where they could only be read one by one.
        feed: tells, once all events were taken, what befell the feed (`refused` rows of data files; of a recorded run what
            its end says), counted by name.
    """

    name: str
    settings: Mapping[str, Any]
    origins: Mapping[str, str]
    info: StreamInfo
    events: Iterator[MarketEvent]
    last_ts_ms: int = 0
    facts: Sequence[Message] = ()
    answers: Mapping[QuestionKey, tuple[Signal, ...]] | None = None
    carried: Mapping[str, Any] | None = None
    run_dir: Path | None = None
    columns: Columns | None = None
    feed: Callable[[], Mapping[str, float]] = dict

    @property
    def fixed(self) -> Sequence[str]:
        """The settings that can not be changed, for the events were recorded with them."""
        return () if self.run_dir is None else _fixed(self.info)


def read_script(paths: Sequence[Path], overrides: Mapping[str, str], cwd: Path) -> Script:
    """Return what a run's directory, or data files, say.

    Args:
        paths: one run's directory, or data files that belong together.
        overrides: settings given on the command line, as text.
        cwd: the working directory, whose settings hold for data files.

    Raises:
        ReplayError: something is missing, broken, or does not fit.
    """
    try:
        if len(paths) == 1 and replayable(paths[0]):
            run_dir = paths[0] if paths[0].is_dir() else paths[0].parent
            return _of_run(run_dir.resolve(), overrides)
        return _of_files(paths, overrides, cwd)
    except (RecordingError, SourceError, SettingsError, JournalError) as error:
        raise ReplayError(str(error)) from None


def _of_run(run_dir: Path, overrides: Mapping[str, str]) -> Script:
    config = read_json(run_dir / CONFIG)
    if not isinstance(config, dict) or not isinstance(config.get("settings"), dict):
        raise ReplayError(f"{run_dir} is no run: its config.json is missing or broken")
    if "replayed" in config and not place_of(run_dir).exists():
        raise ReplayError(f"{run_dir} is a replay's own report; its page says how to replay the same again")
    journal_path = run_dir / JOURNAL
    if not journal_path.exists():
        raise ReplayError(f"{run_dir} has no journal: the broker never came so far")
    columns = _columns_of_run(run_dir)
    messages: Iterator[StreamInfo | MarketEvent] = read_all(run_dir) if columns is None else iter([columns.info])
    info = next(messages, None)
    if not isinstance(info, StreamInfo):
        raise ReplayError(f"{run_dir} has no recording: the feed never came so far")
    try:
        with Journal(journal_path, read_only=True) as journal:
            facts, answers = journal.facts(), journal.answers()
            snapshot, carried = journal.load() or {}, json.loads(journal.meta("carried") or "null")
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise ReplayError(f"{journal_path} is broken: a row in it does not read") from None
    settings = _overridden({**LATER, **config["settings"]}, overrides, run_dir, _fixed(info))
    return Script(
        name=str(config.get("run_id") or run_dir.name),
        settings=settings,
        origins={**_table(config.get("origins")), **{name: f"--set {name}" for name in overrides}},
        info=info,
        events=_recorded(messages, run_dir) if columns is None else columns.events(),
        last_ts_ms=snapshot.get("last_ts") or 0,
        facts=[fact for fact in facts if not (overrides and isinstance(fact, StrategyFailed))],
        answers={} if overrides else answers,
        carried=carried,
        run_dir=run_dir,
        columns=columns,
        feed=partial(_table, _table(read_json(run_dir / END)).get("feed")),
    )


def _columns_of_run(run_dir: Path) -> Columns | None:
    try:
        return read_columns(run_dir)
    except OSError:
        return None  # the other reader says what is wrong


def _recorded(messages: Iterator[StreamInfo | MarketEvent], run_dir: Path) -> Iterator[MarketEvent]:
    """Yield a recording's events, which are numbered without a hole."""
    try:
        for seq, event in enumerate(messages, 1):
            if isinstance(event, StreamInfo) or event.seq != seq:
                raise ReplayError(f"{run_dir / EVENTS_FILE} line {seq + 1}: event {seq} must stand here")
            yield event
    except RecordingError as error:
        raise ReplayError(str(error)) from None


def _fixed(info: StreamInfo) -> Sequence[str]:
    """Return the settings that a recording was made with; the spread around a candle's prices is made by the broker."""
    return [name for name in SHAPING if info.has_ticks or name != "half_spread_bps"]


def _overridden(
    settings: Mapping[str, Any], overrides: Mapping[str, str], run_dir: Path, fixed: Sequence[str]
) -> dict[str, Any]:
    """Return a run's settings with some of them changed, none of the fixed ones, all checked as at a start.

    A setting that is younger than the run has its default.
    """
    if "seed" not in settings:
        raise ReplayError(f"{run_dir / 'config.json'} is broken: it has no setting 'seed'")
    texts = {name: _text(value) for name, value in settings.items() if value not in (None, {}, [])}
    # Where the data came from and whom it was told is past: it is only to be valid.
    texts |= {"source": "mock", "duration": "inf"}
    for name in ("replay_file", "alert_urls"):
        texts.pop(name, None)
    try:
        known = {**resolve(texts, run_dir, {}).values, **settings}
    except SettingsError as error:
        raise ReplayError(f"{run_dir / 'config.json'} is broken: {str(error).partition(' (from')[0]}") from None
    if not overrides:
        return known
    resolved = resolve({**texts, **overrides}, run_dir, {})
    for name in fixed:
        if resolved.values[name] != known[name]:
            raise ReplayError(f"{name} can not be changed: the run was recorded with {name} {shown(name, known[name])}")
    return {**resolved.values, "source": known["source"], "replay_file": known["replay_file"]}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value if isinstance(value, str) else repr(value)


def _of_files(paths: Sequence[Path], overrides: Mapping[str, str], cwd: Path) -> Script:
    for path in paths:
        if not is_there(path):
            raise ReplayError(f"{path} is not there")
    files = os.pathsep.join(str(path.resolve()) for path in paths)
    forced = {"source": "replay", "replay_file": files, "replay_speed": "max"}
    resolved = resolve({**overrides, **forced}, cwd, os.environ)
    settings = resolved.values
    if settings["seed"] is None:
        settings |= {"seed": SEED}
    return script_of_files(paths, settings, resolved.origins, cwd)


def script_of_files(
    paths: Sequence[Path], settings: Mapping[str, Any], origins: Mapping[str, str], cwd: Path
) -> Script:
    """Return what data files say under settings that are resolved; `replay_file` names the files.

    Raises:
        SourceError: a file can not be used, now or while its events are taken.
    """
    config = FeedConfig.from_settings(settings)
    name = _name_of([path.name for path in paths])
    columns = _columns_of_files(config, paths)
    if columns is None:
        info, events, refused = row_by_row(config, cwd)
        return Script(name, settings, origins, info, events, feed=lambda: {"refused": refused()})
    feed = {"refused": columns.refused}
    return Script(
        name,
        settings,
        origins,
        columns.info,
        columns.events(),
        columns.last_ts_ms,
        columns=columns,
        feed=lambda: feed,
    )


def _columns_of_files(config: FeedConfig, paths: Sequence[Path]) -> Columns | None:
    try:
        return columns_of_files(config, [path.resolve() for path in paths])
    except DataFileError:
        return None  # the feed's own reader says what is wrong


def row_by_row(config: FeedConfig, cwd: Path) -> tuple[StreamInfo, Iterator[MarketEvent], Callable[[], int]]:
    """Return head and events of data files, worked up by the feed's own core, and what tells how much it refused so far."""
    source = open_replay(config, cwd, 0, None)
    info = source.info
    assert info is not None, "files tell their head at once"
    core = FeedCore(info, FeedRules(config.half_spread_bps, config.max_quote_age_ms), source.source_interval_ms)

    def events() -> Iterator[MarketEvent]:
        while True:
            for word in source.poll(Now(0, 0)):
                match word:
                    case SourceState(state=FeedState.ENDED):
                        return
                    case SourceState(state=FeedState.LOST):
                        raise ReplayError(word.detail)
                    case SourceState() | Remark():
                        continue
                    case Refusal(name):
                        core.refuse(name)
                    case _:
                        yield from core.take(word)

    return info, events(), lambda: sum(core.refused.values())


def _name_of(files: Sequence[str]) -> str:
    """Return what a directory can be called after data files, however many: different files give different names."""
    name = "-".join(file.removesuffix(".gz").removesuffix(".csv") for file in files)
    if len(os.fsencode(name)) <= MOST_NAME_BYTES:
        return name
    rest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return f"{files[0][: MOST_NAME_BYTES // 8]}-and-{len(files) - 1}-more-{rest}"
