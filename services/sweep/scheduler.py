"""A sweep as it runs: jobs go to a pool of workers, outcomes into the results, until all is done or somebody stops it."""

import queue
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Protocol

from services.replay.script import ReplayError
from services.settings import Resolved, SettingsError
from services.sweep.combination import settings_of
from services.sweep.errors import BrokenOffError, SweepError
from services.sweep.figures import Goal
from services.sweep.folds import Fold, Window
from services.sweep.plan import RANDOM, TEST, Job, Outcome, Plan
from services.sweep.results_sqlite import Results
from services.sweep.search import BATCH, DrawnSearch, GridSearch, Sampler, Search
from services.sweep.space import texts_of
from services.sweep.table import fold_results

LOOK_SEC = 0.2
"""How long at most until a signal or a lost cluster is noticed."""

_FORGOTTEN = "the cluster has forgotten its runs, or is gone; the same command goes on"

Playing = Future[Mapping[str, Any]]


class Pool(Protocol):
    """Workers: a process's own thread, a cluster on this machine, or one elsewhere."""

    @property
    def width(self) -> int:
        """How many runs it is good to have handed in."""

    def submit(self, settings: Mapping[str, Any], window: Window | None) -> Playing:
        """Hand in a run; the future has what `Workshop.perform` returns or raises."""

    def check(self) -> None:
        """See that somebody works.

        Raises:
            BrokenOffError: nobody does any more.
        """


class StoppedError(Exception):
    """Somebody stopped the sweep; what is done is kept."""


class Sweep:
    """Works a plan off.

    Args:
        plan: what is to be done.
        base: the settings that every run changes.
        results: where outcomes are kept, and some may be from before.
        pool: who works.
        sampler: makes a new sampler of a seed; None for a grid.
        advance: is told how many more runs are done.
        is_stopped: whether somebody wants it to stop.
    """

    def __init__(
        self,
        plan: Plan,
        base: Resolved,
        results: Results,
        pool: Pool,
        sampler: Callable[[int], Sampler] | None,
        advance: Callable[[int], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._base = base
        self._goal = Goal(plan.figure)
        self._results = results
        self._pool = pool
        self._sampler = sampler
        self._advance = advance
        self._is_stopped = is_stopped
        done = results.done()
        self._known = {job.key: outcome for job, outcome in done}
        self._alike = {_sort(job): outcome for job, outcome in done}
        self._killers: list[Job] = []

    def run(self) -> None:
        """Do all that is not done yet.

        Raises:
            StoppedError: somebody stopped it.
            SweepError: the data can not be used, or the workers run another program.
            BrokenOffError: it can not go on.
        """
        searches = [self._search(fold) for fold in self._plan.folds or (None,)]
        while batches := [(search, jobs) for search in searches if (jobs := search.next_jobs())]:
            self._work([job for _, jobs in batches for job in jobs])
            for search, jobs in batches:
                search.tell([self._known[job.key] for job in jobs])
        self._work(self._tests())

    def _search(self, fold: Fold | None) -> Search:
        plan = self._plan
        if plan.trials is None or self._sampler is None:
            return GridSearch(plan.space, fold)
        sampler = self._sampler(int(self._base.values["seed"]) + (0 if fold is None else fold.number))
        batch = plan.trials if plan.sampler == RANDOM else BATCH
        return DrawnSearch(sampler, plan.trials, batch, self._goal, fold)

    def _tests(self) -> list[Job]:
        """The best of each fold, in its test window."""
        results = fold_results(self._plan.folds, self._results.done(), self._goal)
        return [
            Job(result.fold.number, TEST, result.chosen[0].trial, result.chosen[0].values, result.fold.test)
            for result in results
            if result.chosen is not None
        ]

    def _work(self, jobs: Sequence[Job]) -> None:
        """Have jobs done that are not known yet; the same combination is played once."""
        new: dict[tuple[int, str, str], Job] = {}
        for job in jobs:
            if job.key not in self._known and _sort(job) not in self._alike:
                new.setdefault(_sort(job), job)
        self._play(new.values())
        if self._killers:
            raise BrokenOffError(
                f"{len(self._killers)} of the runs killed their workers again and again, the first with "
                f"{texts_of(self._killers[0].values)}; all others are kept"
            )
        for job in jobs:
            if job.key not in self._known:
                self._keep(job, self._alike[_sort(job)])

    def _play(self, jobs: Iterable[Job]) -> None:
        came: queue.SimpleQueue[Playing] = queue.SimpleQueue()
        running: dict[Playing, Job] = {}
        waiting = iter(jobs)
        try:
            while True:
                while len(running) < self._pool.width and (job := next(waiting, None)) is not None:
                    self._begin(job, running, came)
                if not running:
                    return
                self._look()
                try:
                    future = came.get(timeout=LOOK_SEC)
                except queue.Empty:
                    continue
                self._end(running.pop(future), future)
        finally:
            for future in running:
                future.cancel()

    def _begin(self, job: Job, running: dict[Playing, Job], came: "queue.SimpleQueue[Playing]") -> None:
        try:
            settings = settings_of(self._base, job.values)
        except SettingsError as error:
            self._keep(job, Outcome("refused", {}, error=str(error)))
            return
        future = self._pool.submit(settings, job.window)
        running[future] = job
        future.add_done_callback(came.put)

    def _look(self) -> None:
        if self._is_stopped():
            raise StoppedError
        self._pool.check()

    def _end(self, job: Job, future: Playing) -> None:
        """Keep what came out; a worker that died of a run, or was lost with it, leaves nothing to keep."""
        if future.cancelled():
            raise BrokenOffError(_FORGOTTEN)
        error = future.exception()
        match error:
            case None:
                self._keep(job, _outcome(future.result()))
            case SweepError():
                raise error
            case ReplayError():
                self._keep(job, Outcome("refused", {}, error=str(error)))
            case _ if type(error).__name__ == "KilledWorker":
                self._killers.append(job)
            case CancelledError():
                raise BrokenOffError(_FORGOTTEN)
            case _:
                told = " ".join(f"{type(error).__name__}: {error}".split())
                self._keep(job, Outcome("failed", {}, error=told))

    def _keep(self, job: Job, outcome: Outcome) -> None:
        self._results.add(job, outcome)
        self._known[job.key] = self._alike[_sort(job)] = outcome
        self._advance(1)


def _sort(job: Job) -> tuple[int, str, str]:
    return job.fold, job.part, texts_of(job.values)


def _outcome(found: Mapping[str, Any]) -> Outcome:
    """Where the strategy failed, the figures are not those of the strategy that was meant: they are left out."""
    reason, seconds, shape = found["stop_reason"], found["seconds"], found["shape"]
    if found["failure"]:
        return Outcome("failed", {}, reason, error=found["failure"], seconds=seconds)
    return Outcome("ok", found["figures"], reason, None if shape is None else tuple(shape), seconds=seconds)


def runs_in(plan: Plan, combinations: int) -> int:
    """How many runs a plan makes: every combination in every training window, and one in every test window."""
    return combinations * len(plan.folds) + len(plan.folds) if plan.folds else combinations
