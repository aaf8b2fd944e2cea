"""The files of a sweep that is done: tables for programs, a page for people."""

from collections.abc import Sequence
from pathlib import Path

from services.sweep.page_html import page
from services.sweep.plan import Plan
from services.sweep.space import names_of
from services.sweep.table import Done, FoldResult, folds_csv, runs_csv
from services.waiting import write_atomic

RUNS, FOLDS, PAGE = "runs.csv", "folds.csv", "sweep.html"


def write_output(directory: Path, plan: Plan, runs: Sequence[Done], folds: Sequence[FoldResult]) -> Path:
    """Write the tables and the page; return the page.

    Raises:
        OSError: the directory can not be written.
    """
    names = names_of(plan.space)
    write_atomic(directory / RUNS, runs_csv(names, runs).encode())
    if plan.folds:
        write_atomic(directory / FOLDS, folds_csv(names, folds).encode())
    write_atomic(directory / PAGE, page(plan, runs, folds).encode())
    return directory / PAGE
