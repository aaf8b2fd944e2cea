"""`lap sweep`: from words on the command line to a table, a page, and an exit code."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.console import Console
from rich.measure import Measurement

from services.commands.progress import counted
from services.commands.replaying import pair_of, paths_of
from services.feed.config import INTERVALS_MS
from services.replay.script import ReplayError, Script, read_script
from services.settings import Resolved
from services.strategy.interface import StrategyError
from services.strategy.loading import load_strategy, strategy_class
from services.sweep.bundle_file import Bundle, bundle_of
from services.sweep.combination import check_space
from services.sweep.errors import BrokenOffError, SweepError
from services.sweep.figures import Goal, goal_of
from services.sweep.folds import Fold, folds_of, lengths_of
from services.sweep.output_file import write_output
from services.sweep.plan import GRID, TPE, Plan
from services.sweep.pool_own import own_pool
from services.sweep.results_sqlite import Results
from services.sweep.scheduler import Pool, StoppedError, Sweep, runs_in
from services.sweep.search import Sampler
from services.sweep.space import MOST_RUNS, Choices, Space, combinations, names_of, size, space_of
from services.sweep.table import fold_results
from services.sweep.terminal import folds_table, runs_table, shown_figures
from services.sweep.verdict import verdict
from services.sweep.workshop_file import Workshop

BROKEN_OFF = 1
REFUSED = 2
BY_SIGNAL = 128
"""And the signal's number, as shells have it: 130 for Ctrl-C."""
_PIPE_WIDTH = 1_000
"""No line of a table is cut for a file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of the command line."""

    what: Sequence[str]
    strategy: str | None
    grids: Sequence[str]
    ranges: Sequence[str]
    trials: int | None
    sampler: str | None
    figure: str
    walk_forward: str | None
    workers: int | None
    scheduler: str | None
    out: Path | None
    settings: Sequence[str]
    quiet: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sweep that can begin."""

    plan: Plan
    base: Resolved
    bundle: Bundle
    out: Path


def sweep_command(wanted: Wanted) -> int:
    """Sweep what the command line asks for; return the exit code.

    0: the table is whole. 1: it broke off, or runs failed. 2: it can not be done. 130, 143: it was stopped. What is done
    is kept, and the same command goes on with it.
    """
    try:
        prepared = _prepare(wanted)
        with Results(prepared.out, prepared.plan) as results:
            return _work(wanted, prepared, results)
    except (SweepError, ReplayError) as error:
        typer.echo(str(error), err=True)
        return REFUSED
    except BrokenOffError as error:
        typer.echo(str(error), err=True)
        return BROKEN_OFF
    except ModuleNotFoundError as error:
        typer.echo(f'{error.name} is missing: pip install "laptop-agents[sweep]"', err=True)
        return REFUSED
    except OSError as error:
        if error.filename is None:  # it was the output
            raise
        typer.echo(f"{error.filename} can not be written: {error.strerror}", err=True)
        return BROKEN_OFF


def _prepare(wanted: Wanted) -> Prepared:
    cwd = Path.cwd()
    space = space_of(wanted.grids, wanted.ranges)
    goal = goal_of(wanted.figure)
    sampler = _sampler_kind(wanted, space)
    overrides = _overrides(wanted)
    paths = paths_of(wanted.what, overrides)
    script = read_script(paths, overrides, cwd)
    base = _base(script)
    for name in names_of(space):
        if name in script.fixed:
            raise SweepError(f"{name} can not be swept: the run was recorded with it")
    check_space(space, base, partial(_refusal, cwd=cwd))
    _import_strategies(space, cwd)
    bundle = bundle_of(paths, cwd)
    plan = Plan(
        data=bundle.data_digests,
        program=bundle.program,
        code=bundle.code_digest,
        settings=base.values,
        space=space,
        trials=None if sampler == GRID else wanted.trials,
        sampler=sampler,
        figure=goal.figure,
        folds=_folds(wanted.walk_forward, bundle, base, space) if wanted.walk_forward else (),
    )
    runs_dir = cwd / str(base.values["runs_dir"])
    return Prepared(plan, base, bundle, wanted.out or runs_dir / f"sweep-{script.name}-{plan.digest}")


def _overrides(wanted: Wanted) -> dict[str, str]:
    overrides = dict(pair_of(word) for word in wanted.settings)
    return overrides if wanted.strategy is None else {**overrides, "strategy": wanted.strategy}


def _sampler_kind(wanted: Wanted, space: Space) -> str:
    """Return what chooses the combinations; see that the options about it go together."""
    if wanted.workers is not None and wanted.scheduler is not None:
        raise SweepError("--workers are of this machine's own cluster: leave it out with --scheduler")
    if wanted.trials is None:
        if wanted.sampler is not None:
            raise SweepError("--sampler draws combinations: say how many with --trials N")
        combinations(space)
        return GRID
    if wanted.trials > MOST_RUNS:
        raise SweepError(f"--trials must be at most {MOST_RUNS:,}, was {wanted.trials:,}")
    count = size(space)
    return GRID if count is not None and wanted.trials >= count else wanted.sampler or TPE


def _base(script: Script) -> Resolved:
    """Return the settings that every run changes; where a recorded run's data came from is past, and only to be valid."""
    past = {} if script.run_dir is None else {"source": "mock", "replay_file": None}
    return Resolved({**script.settings, **past}, dict(script.origins))


def _refusal(settings: Mapping[str, Any], cwd: Path) -> str:
    try:
        load_strategy(settings["strategy"], settings["strategy_params"], cwd)
    except StrategyError as error:
        return str(error)
    return ""


def _import_strategies(space: Space, cwd: Path) -> None:
    """Import every strategy that is swept: what the bundle sends, and knows again, is what was imported."""
    for dimension in space:
        if dimension.name == "strategy" and isinstance(dimension, Choices):
            for name in dimension.values:
                try:
                    strategy_class(str(name), cwd)
                except StrategyError as error:
                    raise SweepError(str(error)) from None


def _folds(word: str, bundle: Bundle, base: Resolved, space: Space) -> tuple[Fold, ...]:
    if bundle.is_run:
        raise SweepError("--walk-forward takes data files: a recorded run is one session, with facts of its own")
    for name in ("symbol", "interval"):
        if name in names_of(space):
            raise SweepError(f"--walk-forward cuts the data by candles: {name} can not be swept with it")
    with TemporaryDirectory(prefix="lap-sweep-") as directory:
        workshop = Workshop(bundle, Path(directory))
        begin_ms, end_ms = workshop.span(base.values)
    interval_ms = INTERVALS_MS[base.values["interval"]]
    return folds_of(begin_ms, end_ms, *lengths_of(word, interval_ms))


def _work(wanted: Wanted, prepared: Prepared, results: Results) -> int:
    plan = prepared.plan
    total = runs_in(plan, plan.trials or size(plan.space) or 0)
    done = len(results.done())
    try:
        with _signals() as received, counted("sweep", total, done, quiet=wanted.quiet) as advance:
            if done < total:
                with _pool(wanted, prepared) as pool:
                    Sweep(plan, prepared.base, results, pool, _sampler(plan), advance, lambda: bool(received)).run()
    except StoppedError:
        typer.echo(f"stopped; {len(results.done()):,} of {total:,} runs are done, the same command goes on", err=True)
        return BY_SIGNAL + received[0]
    return _tell(prepared, results)


def _pool(wanted: Wanted, prepared: Prepared) -> AbstractContextManager[Pool]:
    if wanted.workers == 0:
        return own_pool(prepared.bundle)
    from services.sweep.pool_dask import cluster_at, local_cluster  # noqa: PLC0415 - Dask is an extra, and heavy

    if wanted.scheduler is not None:
        return cluster_at(wanted.scheduler, prepared.bundle)
    return local_cluster(wanted.workers or cpu_count() or 1, prepared.bundle, prepared.out)


def _sampler(plan: Plan) -> Callable[[int], Sampler] | None:
    if plan.trials is None:
        return None
    from services.sweep.sampler_optuna import OptunaSampler  # noqa: PLC0415 - the same

    return partial(OptunaSampler, plan.space, plan.sampler)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of dying of them, until the block ends."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(prepared: Prepared, results: Results) -> int:
    """Write the files, print the best; 1 when a run failed."""
    plan, runs = prepared.plan, results.done()
    goal = Goal(plan.figure)
    folds = fold_results(plan.folds, runs, goal)
    page = write_output(prepared.out, plan, runs, folds)
    names = names_of(plan.space)
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for figures in range(len(shown_figures(goal)), 0, -1):
        shown = folds_table(names, folds, goal) if folds else runs_table(names, runs, goal, figures)
        if Measurement.get(console, console.options.update(width=_PIPE_WIDTH), shown).maximum <= console.width:
            break
    console.print(shown)
    for sentence in verdict(plan, runs, folds):
        typer.echo(sentence)
    typer.echo(f"page: {page}")
    return BROKEN_OFF if any(outcome.status == "failed" for _, outcome in runs) else 0
