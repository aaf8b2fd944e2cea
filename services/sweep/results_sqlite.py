"""A sweep's results on disk, each there the moment it came: what an interrupted sweep goes on from.

| table | a row is |
|---|---|
| `runs` | a run that is done: `fold` (0 without walk-forward), `part` (`whole`, `train`, `test`), `trial`, its `params` and `figures` as JSON, why the session stopped, `status` (`ok`, `refused`, `failed`) with its `error`, and how many `seconds` it took |
| `meta` | `plan`: what was swept, as JSON |

WAL with `synchronous = NORMAL`: a kill loses nothing, a power cut perhaps the last second. Others may read meanwhile.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.session.locks import FileLock
from services.sweep.errors import BrokenOffError, SweepError
from services.sweep.folds import Fold
from services.sweep.plan import TEST, TRAIN, Job, Outcome, Plan
from services.sweep.table import Done

NAME = "sweep.db"
LOCK = "sweep.lock"
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS runs (
    fold INTEGER, part TEXT, trial INTEGER, params TEXT, figures TEXT, stop_reason TEXT, shape TEXT,
    status TEXT, error TEXT, seconds REAL, PRIMARY KEY (fold, part, trial)
);
"""


class Results:
    """The open file. One sweep writes it at a time.

    Args:
        directory: of the sweep.
        plan: what is swept; a file of another plan is refused.

    Raises:
        SweepError: the directory holds another sweep, one that is running, or can not be written.
    """

    def __init__(self, directory: Path, plan: Plan) -> None:
        self._path = directory / NAME
        self._folds = {fold.number: fold for fold in plan.folds}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / LOCK)
            is_free = self._lock.try_acquire()
        except OSError as error:
            raise SweepError(f"{error.filename} can not be written: {error.strerror}") from None
        if not is_free:
            raise SweepError(f"another sweep is running in {directory}")
        try:
            with ExitStack() as undo:
                undo.callback(self._lock.release)
                self._db = undo.enter_context(closing(sqlite3.connect(self._path, isolation_level=None)))
                self._prepare(plan, directory)
                undo.pop_all()
        except sqlite3.Error as error:
            raise SweepError(f"{self._path} can not be used: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of it."""
        self._db.close()
        self._lock.release()

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep what came out of a run.

        Raises:
            BrokenOffError: the disk is full or gone.
        """
        texts = (json.dumps(dict(job.values)), json.dumps(dict(outcome.figures), allow_nan=False))
        shape = None if outcome.shape is None else json.dumps(outcome.shape)
        row = (*job.key, *texts, outcome.stop_reason, shape, outcome.status, outcome.error, outcome.seconds)
        with self._clear_errors():
            self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def done(self) -> list[Done]:
        """Return all that is done, by fold, part and trial.

        Raises:
            BrokenOffError: the file can not be read.
        """
        query = (
            "SELECT fold, part, trial, params, figures, stop_reason, shape, status, error, seconds FROM runs "
            "ORDER BY fold, part DESC, trial"
        )
        with self._clear_errors():
            return [self._of_row(row) for row in self._db.execute(query)]

    def _of_row(self, row: tuple[Any, ...]) -> Done:
        number, part, trial, params, figures, stop_reason, shape, status, error, seconds = row
        fold: Fold | None = self._folds.get(number)
        window = None if fold is None else {TRAIN: fold.train, TEST: fold.test}[part]
        job = Job(number, part, trial, json.loads(params), window)
        known = None if shape is None else tuple(json.loads(shape))
        return job, Outcome(status, json.loads(figures), stop_reason, known, error, seconds)

    def _prepare(self, plan: Plan, directory: Path) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _VERSION}:
            raise SweepError(f"{self._path} is of version {version}, this program writes {_VERSION}")
        self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT")
        wanted = json.dumps(plan.as_json(), sort_keys=True, ensure_ascii=False)
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('plan', ?)", (wanted,))
        if self._db.execute("SELECT value FROM meta WHERE key = 'plan'").fetchone()[0] != wanted:
            raise SweepError(
                f"{directory} holds another sweep (other data, settings, names or program): use another --out"
            )

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise BrokenOffError(f"{self._path} can not be written: {error}") from None
