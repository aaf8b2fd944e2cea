"""Which combinations are tried: all of a grid, or batches that a sampler draws. Pure.

A search is asked for jobs, and told their outcomes in the order of trials. What it asks for next depends on nothing
else, so it does not matter who worked off the jobs, in which order, or whether they were known from before.
"""

from collections.abc import Sequence
from typing import Protocol

from services.sweep.figures import Goal
from services.sweep.folds import Fold
from services.sweep.plan import TRAIN, WHOLE, Job, Outcome
from services.sweep.space import Space, Value, combinations

BATCH = 10
"""Combinations that are drawn before any of them is judged: as many can be worked on at a time."""


class Sampler(Protocol):
    """Draws combinations, better ones by and by."""

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Draw so many combinations."""

    def tell(self, scores: Sequence[float | None]) -> None:
        """Tell how good the batch was, in the order of asking."""


class GridSearch:
    """Every combination, in one batch."""

    def __init__(self, space: Space, fold: Fold | None) -> None:
        self._jobs = [_job(fold, trial, values) for trial, values in enumerate(combinations(space))]

    def next_jobs(self) -> list[Job]:
        """Return what is to be done next; nothing when all is done."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Hear what came out of them, in their order."""


class DrawnSearch:
    """So many draws of a sampler, in batches.

    Args:
        sampler: a new one.
        trials: how many in all.
        batch: how many at a time.
        goal: what makes one better than another.
        fold: the fold searched, None for the whole market.
    """

    def __init__(self, sampler: Sampler, trials: int, batch: int, goal: Goal, fold: Fold | None) -> None:
        self._sampler = sampler
        self._trials = trials
        self._batch = batch
        self._goal = goal
        self._fold = fold
        self._asked = 0

    def next_jobs(self) -> list[Job]:
        """Return what is to be done next; nothing when all is done."""
        count = min(self._batch, self._trials - self._asked)
        drawn = self._sampler.ask(count) if count else []
        jobs = [_job(self._fold, self._asked + place, values) for place, values in enumerate(drawn)]
        self._asked += count
        return jobs

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Hear what came out of them, in their order."""
        self._sampler.tell([self._goal.score(outcome.figures) for outcome in outcomes])


Search = GridSearch | DrawnSearch


def _job(fold: Fold | None, trial: int, values: dict[str, Value]) -> Job:
    if fold is None:
        return Job(0, WHOLE, trial, values)
    return Job(fold.number, TRAIN, trial, values, fold.train)
