"""The table of a sweep's runs, and of its folds, as text. Pure: the same outcomes give the same bytes.

Numbers are written as the shortest text that reads back as the same double; a figure that does not exist is empty.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.sweep.figures import FIGURES, Goal
from services.sweep.folds import Fold
from services.sweep.plan import TEST, TRAIN, Job, Outcome
from services.sweep.space import text_of

Done = tuple[Job, Outcome]
_FACTS = ("stop_reason", "status", "error")


@dataclass(frozen=True, slots=True)
class FoldResult:
    """A fold with the trial that was best in its training window: its outcome there, and in the test window."""

    fold: Fold
    chosen: Done | None
    tested: Done | None


def runs_csv(names: Sequence[str], runs: Iterable[Done]) -> str:
    """Every run a line, by fold, part and trial."""
    return _csv(
        ("fold", "part", "trial", *names, *FIGURES, *_FACTS),
        (
            (
                *(job.fold, job.part, job.trial),
                *(text_of(job.values[name]) for name in names),
                *(_cell(outcome.figures.get(name)) for name in FIGURES),
                *(outcome.stop_reason, outcome.status, outcome.error),
            )
            for job, outcome in sorted(runs, key=lambda done: _place(done[0]))
        ),
    )


def folds_csv(names: Sequence[str], results: Iterable[FoldResult]) -> str:
    """Every fold a line: its windows, the chosen combination, the figures in sample and out of sample."""
    heads = [f"{name}_{part}" for part in (TRAIN, TEST) for name in FIGURES]
    return _csv(
        ("fold", "train_from", "train_to", "test_from", "test_to", "trial", *names, *heads),
        (_fold_row(names, result) for result in results),
    )


def fold_results(folds: Iterable[Fold], runs: Iterable[Done], goal: Goal) -> list[FoldResult]:
    """Put the runs of a walk-forward sweep together, fold by fold."""
    by_key = {job.key: (job, outcome) for job, outcome in runs}
    results = []
    for fold in folds:
        trained = [done for key, done in by_key.items() if key[:2] == (fold.number, TRAIN)]
        best = best_of(trained, goal)
        tested = None if best is None else by_key.get((fold.number, TEST, best[0].trial))
        results.append(FoldResult(fold, best, tested))
    return results


def best_of(runs: Sequence[Done], goal: Goal) -> Done | None:
    """The best of several runs; None where none has the figure."""
    number = goal.best((job.trial, outcome.figures) for job, outcome in runs)
    return None if number is None else next(done for done in runs if done[0].trial == number)


def ranked(runs: Iterable[Done], goal: Goal) -> list[Done]:
    """The runs that have the figure, the best first."""
    ranks = [(goal.rank(outcome.figures), (job, outcome)) for job, outcome in runs]
    known = [(rank, done[0].trial, done) for rank, done in ranks if rank is not None]
    return [done for _, _, done in sorted(known, key=lambda row: row[:2])]


def efficiency(results: Iterable[FoldResult]) -> float | None:
    """Walk-forward efficiency: profit a day out of sample over profit a day in sample; None without a profit there.

    Source: R. Pardo, The Evaluation and Optimization of Trading Strategies, 2nd ed. (2008), ch. 11.
    """
    gained, length = {TRAIN: 0.0, TEST: 0.0}, {TRAIN: 0, TEST: 0}
    for result in results:
        for part, done, window in (
            (TRAIN, result.chosen, result.fold.train),
            (TEST, result.tested, result.fold.test),
        ):
            if done is not None and done[1].status == "ok":
                gained[part] += done[1].figures["net_pnl"] or 0.0
                length[part] += window[1] - window[0]
    if gained[TRAIN] <= 0 or not length[TEST]:
        return None
    return (gained[TEST] / length[TEST]) / (gained[TRAIN] / length[TRAIN])


def minute(unix_ms: int) -> str:
    """A time as people read it: `2025-05-04 03:20`, UTC."""
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _fold_row(names: Sequence[str], result: FoldResult) -> tuple[object, ...]:
    chosen, tested = result.chosen, result.tested
    values: Mapping[str, object] = {} if chosen is None else {n: text_of(v) for n, v in chosen[0].values.items()}
    return (
        *(result.fold.number, *result.fold.train, *result.fold.test),
        *("" if chosen is None else chosen[0].trial, *(values.get(name, "") for name in names)),
        *(_cell(None if done is None else done[1].figures.get(name)) for done in (chosen, tested) for name in FIGURES),
    )


def _place(job: Job) -> tuple[int, bool, int]:
    return job.fold, job.part == TEST, job.trial


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
