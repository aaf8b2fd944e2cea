"""A replay from script to report: plays, keeps a journal, writes the files, compares with what was recorded. Shell."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from bus.codec import encode_body
from bus.messages import OrderRejected, RejectReason, SessionClosed, StopReason, StrategyFailed
from services.broker.core import BrokerCore
from services.broker.errors import JournalError
from services.broker.journal_sqlite import Journal
from services.clock import iso, wall_ms
from services.file_names import CONFIG, JOURNAL, TRADES, without_secrets
from services.replay.columnar.quiet import Said, spelled_out
from services.replay.script import ReplayError, Script
from services.replay.stage import Stage
from services.replay.staging import memory_of, set_stage
from services.report.build import REPORT_FILES, build_report
from services.session.locks import FileLock
from services.waiting import read_json, write_atomic

COMMIT_EVERY = 2_000
"""Things said between two commits of the replay's own journal: it can be made again, so it need not be safe."""
PROGRESS_EVERY = 10_000
_ENDS_EARLY = {StopReason.CIRCUIT_BREAKER, StopReason.INTERNAL_ERROR}
LOCK = "replay.lock"
"""Beside what is written: held by the one that writes."""

Progress = Callable[[int], None]
"""Is told the event time reached, in ms."""


@dataclass(frozen=True)
class Outcome:
    """What a replay came to.

    Attributes:
        page: the report.
        events: how many events were played.
        ended_by: what ended the session before its data, or its record, were at an end; empty when nothing did.
        refused: how many rows of data files were not, for they are not believed: they do not read, came late, are impossible.
        failures: on which candles and ticks the strategy failed.
        invalid: what was wrong with each signal that could not be an order.
        difference: one sentence on the first difference to the recorded session; empty when it is the same.
    """

    page: Path
    events: int
    ended_by: str = ""
    refused: int = 0
    failures: Sequence[StrategyFailed] = ()
    invalid: Sequence[str] = ()
    difference: str = ""


def replay(script: Script, out: Path, cwd: Path, progress: Progress, *, check: bool) -> Outcome:
    """Play a script and write its journal and report into `out`.

    Args:
        script: what to play.
        out: a directory; what an earlier replay wrote there is replaced.
        cwd: where a strategy of one's own is looked for.
        progress: is told how far it is.
        check: compare with the recorded session.

    Raises:
        ReplayError: the script can not be played, `out` holds what no replay wrote, or another one is writing there.
        OSError: `out` can not be written.
    """
    if check and script.run_dir is None:
        raise ReplayError("there is nothing to compare data files with: --check wants a recorded run")
    if check and not any(isinstance(fact, SessionClosed) for fact in script.facts):
        raise ReplayError(f"{script.name} has no end to be compared with: it is still running, or was cut off")
    _refuse_to_overwrite(out)
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    if not lock.try_acquire():
        raise ReplayError(f"another replay is writing into {out}; wait for its end, or name another place with --out")
    try:
        return _replay(script, out, cwd, progress, check=check)
    finally:
        lock.release()


def _replay(script: Script, out: Path, cwd: Path, progress: Progress, *, check: bool) -> Outcome:
    for name in (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm"):
        (out / name).unlink(missing_ok=True)
    _write_config(script, out, wall_ms())
    try:
        with Journal(out / JOURNAL) as journal, memory_of(script):
            staged = set_stage(script, cwd, journal.used_ids())
            broker, stage, _ = staged
            journal.set_meta("stream", encode_body(script.info).decode())
            if script.carried is not None:
                journal.set_meta("carried", json.dumps(script.carried))
            invalid = _record(staged.play(script.events), stage, broker, journal, progress)
            journal.seal()
    except JournalError as error:
        raise ReplayError(str(error)) from None
    reason = broker.closed or StopReason.INTERNAL_ERROR
    feed = script.feed()
    end = {"reason": reason.value, "detail": "replayed", "by": "replay", "ended_at_ms": wall_ms(), "feed": feed}
    page = build_report(out, end)
    refused = 0 if script.run_dir else int(feed.get("refused", 0))
    ended_by = reason.value if reason in _ENDS_EARLY else ""
    difference = _difference(script, stage, out) if check else ""
    return Outcome(page, broker.last_seq, ended_by, refused, stage.failures, invalid, difference)


def _refuse_to_overwrite(out: Path) -> None:
    """Refuse a directory with files that a replay would write over, unless an earlier replay made them."""
    config = read_json(out / CONFIG)
    if isinstance(config, dict) and "replayed" in config:
        return
    for name in (CONFIG, JOURNAL, *REPORT_FILES):
        if (out / name).exists():
            raise ReplayError(f"{out / name} is no replay's and would be written over; name another place with --out")


def _record(
    parts: Iterator[list[Said]], stage: Stage, broker: BrokerCore, journal: Journal, progress: Progress
) -> list[str]:
    """Play to the end; write down what is said. Return what was wrong with each invalid signal."""
    said: list[Said] = []
    invalid: list[str] = []
    shown = 0
    for part in parts:
        said += part
        invalid += [one.detail for one in part if type(one) is OrderRejected and one.reason is RejectReason.INVALID]
        if len(said) >= COMMIT_EVERY:
            journal.record(spelled_out(said), broker.snapshot())
            said = []
        if broker.last_seq - shown >= PROGRESS_EVERY:
            shown = broker.last_seq
            progress(broker.status().last_ts_ms)
    stage.finish(StopReason.END_OF_DATA)
    journal.record(spelled_out([*said, *stage.take_said()]), broker.snapshot())
    return invalid


def _write_config(script: Script, out: Path, started_ms: int) -> None:
    config = {
        "run_id": script.name,
        "seed": script.settings["seed"],
        "started_at": iso(started_ms),
        "replayed": [str(script.run_dir)] if script.run_dir else script.settings["replay_file"],
        "settings": without_secrets(script.settings),
        "origins": script.origins,
    }
    write_atomic(out / CONFIG, json.dumps(config, indent=1, ensure_ascii=False).encode())


def _difference(script: Script, stage: Stage, out: Path) -> str:
    """Return what is not as it was recorded, the first cause first; empty when everything is."""
    assert script.run_dir is not None, "refused before the replay"
    if stage.other_answers:
        when = iso(stage.other_answers[0])
        more = f" and {len(stage.other_answers) - 1} times more" if len(stage.other_answers) > 1 else ""
        return (
            f"the strategy answered otherwise at {when}{more}: "
            "it is not a function of its inputs (a clock, a random draw, something outside?), or it was changed"
        )
    try:
        recorded = (script.run_dir / TRADES).read_bytes()
    except OSError as error:
        raise ReplayError(f"{error.filename} can not be read: {error.strerror}; make it with 'lap report'") from None
    return _first_other_line(recorded, (out / TRADES).read_bytes())


def _first_other_line(recorded: bytes, replayed: bytes) -> str:
    if recorded == replayed:
        return ""
    for number, (one, other) in enumerate(zip_longest(recorded.splitlines(), replayed.splitlines()), 1):
        if one != other:
            was = "nothing" if one is None else one.decode("utf-8", "replace")
            now = "nothing" if other is None else other.decode("utf-8", "replace")
            return f"trades.csv line {number}: recorded {was}; replayed {now}"
    return "trades.csv differs in its line ends"
