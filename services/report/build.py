"""Makes a run's report from its directory alone: `trades.csv`, `summary.json`, `summary.html`, each written whole."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bus.messages import StopReason
from services.file_names import CONFIG, END, FIGURES, JOURNAL, PAGE, TRADES
from services.report.journal_reader_sqlite import read_journal
from services.report.page_html import page
from services.report.run import End, JournalFacts, Run
from services.report.summary import summary
from services.report.trades_csv import trades_csv
from services.report.words import many
from services.waiting import read_json, write_atomic

_ORDERLY = {"monitor", "replay"}
"""An internal error of which these tell is a strategy that failed too often: the session itself ended in order."""
REPORT_FILES = (TRADES, FIGURES, PAGE, END)
# Files that a running session writes: the newest tells when a crashed one was last alive.
_SIGNS_OF_LIFE = (JOURNAL, f"{JOURNAL}-wal", "events.jsonl", CONFIG)


class LostJournalError(Exception):
    """A report made anew would know less than the one that is there, or than it could a moment later; one line."""


def remake_report(run_dir: Path, *, is_running: bool = False, altered: str = "") -> Path:
    """Make the report of a run again; return the page.

    Args:
        run_dir: The run's directory.
        is_running: Its session still goes on.
        altered: What was changed since the session left it, if anything was.

    Raises:
        LostJournalError: The journal is damaged or gone, and the trades in `trades.csv` with it; or another program holds it.
        OSError: The directory is gone or can not be written.
    """
    run = read_run(run_dir, is_running=is_running)
    if run.facts.is_locked:
        raise LostJournalError(
            f"another program holds {run_dir / JOURNAL}: the report is left as it is; try again later"
        )
    if run.facts.problems and (lost := _lost(run, run_dir / TRADES)):
        raise LostJournalError(
            f"{run.facts.problems[0]} {TRADES} has {many(lost, 'trade')} more: the report is left as it is; "
            f"move {TRADES} away to make it from what there is"
        )
    return write_report(replace(run, altered=altered), run_dir)


def _lost(run: Run, trades: Path) -> int:
    """Return how many trades a report has that a journal has not."""
    if not trades.is_file():
        return 0
    known = trades_csv(run.facts.trades).splitlines()
    return len(set(trades.read_text("utf-8", "replace").splitlines()) - set(known))


def build_report(run_dir: Path, end: Mapping[str, Any] | None = None) -> Path:
    """Make (again) the report of a run, a crashed one's too.

    Args:
        run_dir: The run's directory, `runs/<run_id>`.
        end: How the session ended: `reason`, and where known `detail`, `by`, `ended_at_ms`, `restarts` (by service),
            `incidents` and `notes` (lists), `feed` (counts by name). It is kept in `end.json`, for the report to be made again. Without it that file
            is taken, else the journal's own word, else the run counts as broken.

    Returns:
        The page, `summary.html`.

    Raises:
        OSError: The directory is gone or can not be written.
    """
    if end is not None:
        write_atomic(run_dir / END, json.dumps(dict(end), indent=1, ensure_ascii=False).encode())
    return write_report(read_run(run_dir), run_dir)


def write_report(run: Run, directory: Path) -> Path:
    """Write the three files of a report; return the page.

    Raises:
        OSError: The directory is gone or can not be written.
    """
    figures = summary(run)
    figures_json = json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(directory / TRADES, trades_csv(run.facts.trades).encode())
    write_atomic(directory / FIGURES, f"{figures_json}\n".encode())
    write_atomic(directory / PAGE, page(run, figures).encode())
    return directory / PAGE


def read_run(run_dir: Path, *, is_running: bool = False) -> Run:
    """Gather what a run's directory knows; what is missing is told in the run's notes."""
    config = _table(read_json(run_dir / CONFIG))
    facts = read_journal(run_dir / JOURNAL)
    end, end_notes = _end(run_dir, facts, is_running=is_running)
    notes = [*end_notes, *facts.problems]
    if not config:
        notes.append(f"{CONFIG} is missing or broken: settings and start are not known.")
    seed, replayed = config.get("seed"), config.get("replayed")
    return Run(
        run_id=str(config.get("run_id") or run_dir.resolve().name),
        seed=seed if isinstance(seed, int) else None,
        started_at=str(config.get("started_at") or ""),
        settings=_table(config.get("settings")),
        origins={name: str(origin) for name, origin in _table(config.get("origins")).items()},
        facts=facts,
        end=end,
        notes=notes,
        versions={name: str(text) for name, text in _table(config.get("versions")).items()},
        replayed=[str(path) for path in replayed] if isinstance(replayed, list) else [],
    )


def _end(run_dir: Path, facts: JournalFacts, *, is_running: bool) -> tuple[End, list[str]]:
    """The session's own word, the journal's, or none."""
    said = _table(read_json(run_dir / END))
    if said:
        notes = said.get("notes")
        return _end_of(said, last_life_ms(run_dir)), [str(note) for note in notes] if isinstance(notes, list) else []
    if facts.stop_reason is not None:
        note = "How the session ended is known from the broker's journal alone."
        return End(facts.stop_reason, "", "broker", last_life_ms(run_dir)), [note]
    if is_running:
        return End(None, "", "", last_life_ms(run_dir)), []
    note = "This run did not end in order: figures are as the journal has them."
    return End(StopReason.INTERNAL_ERROR, "", "", last_life_ms(run_dir), in_order=False), [note]


def _end_of(said: Mapping[str, Any], last_life_ms: int) -> End:
    reason = said.get("reason")
    ended_at_ms = said.get("ended_at_ms")
    incidents = said.get("incidents")
    known = StopReason(reason) if reason in list(StopReason) else StopReason.INTERNAL_ERROR
    by = str(said.get("by") or "")
    return End(
        reason=known,
        detail=str(said.get("detail") or ""),
        by=by,
        at_ms=ended_at_ms if isinstance(ended_at_ms, int) else last_life_ms,
        restarts={service: count for service, count in _table(said.get("restarts")).items() if isinstance(count, int)},
        feed={name: count for name, count in _table(said.get("feed")).items() if isinstance(count, int | float)},
        in_order=known is not StopReason.INTERNAL_ERROR or by in _ORDERLY,
        incidents=[_table(incident) for incident in incidents] if isinstance(incidents, list) else [],
    )


def last_life_ms(run_dir: Path) -> int:
    """Return when a run was last written to, wall ms; 0 without any of its files."""
    files = [run_dir / name for name in _SIGNS_OF_LIFE]
    return max((file.stat().st_mtime_ns // 1_000_000 for file in files if file.exists()), default=0)


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
