"""A sweep with a pool that the test controls: the table does not depend on who did what when, or on interruptions."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.replay.script import ReplayError
from services.settings import Resolved, resolve
from services.sweep.errors import BrokenOffError, SweepError
from services.sweep.figures import FIGURES
from services.sweep.folds import Fold, Window
from services.sweep.plan import GRID, RANDOM, TEST, TPE, Plan
from services.sweep.results_sqlite import Results
from services.sweep.sampler_optuna import OptunaSampler
from services.sweep.scheduler import StoppedError, Sweep
from services.sweep.space import Between, Choices, Space, names_of
from services.sweep.table import runs_csv

GRID_SPACE: Space = (Choices("fast", (2, 3, 5, 8)), Choices("stop_bps", (20, 30, 40)))
DRAWN_SPACE: Space = (
    Choices("fast", tuple(range(2, 40))),
    Between("stop_bps", 10.0, 90.0),
    Choices("on_stop", ("keep", "flatten")),
)
FOLDS = tuple(
    Fold(number, (number * 10, number * 10 + 40), (number * 10 + 40, number * 10 + 50)) for number in (1, 2, 3)
)


class KilledWorker(Exception):  # noqa: N818 - the cluster's own name for it
    """What a Dask future has whose workers died of it."""


class Playing:
    """A pool that works off what it has, one run each time it is looked at, in an order of its own."""

    def __init__(self, width: int, pick: Callable[[int], int], most: int = 10_000) -> None:
        self.width = width
        self.played = 0
        self._pick = pick
        self._most = most
        self._waiting: list[tuple[Future[Mapping[str, Any]], Mapping[str, Any], Window | None]] = []

    def submit(self, settings: Mapping[str, Any], window: Window | None) -> Future[Mapping[str, Any]]:
        future: Future[Mapping[str, Any]] = Future()
        self._waiting.append((future, settings, window))
        return future

    def check(self) -> None:
        if not self._waiting:
            return
        future, settings, window = self._waiting.pop(self._pick(len(self._waiting)))
        if not future.set_running_or_notify_cancel():
            return
        self.played += 1
        error = fault_of(settings)
        future.set_exception(error) if error else future.set_result(outcome_of(settings, window))

    def is_enough(self) -> bool:
        return self.played >= self._most


def outcome_of(settings: Mapping[str, Any], window: Window | None) -> dict[str, Any]:
    """A market in which some parameters are better than others, and others in other windows."""
    fast, stop = settings["strategy_params"]["fast"], settings["stop_bps"]
    figures: dict[str, float | None] = dict.fromkeys(FIGURES, 1.5)
    figures["net_pnl"] = None if fast == 13 else 100.0 - (fast - 7) ** 2 - abs(stop - 33) / 3 + (window or (0,))[0]
    return {"figures": figures, "stop_reason": "end_of_data", "shape": None, "failure": "", "seconds": 0.1}


def fault_of(settings: Mapping[str, Any]) -> Exception | None:
    return {
        (3, 20.0): ZeroDivisionError("division\nby zero"),
        (3, 30.0): ReplayError("the strategy does not like this"),
        (666, 20.0): KilledWorker("perform-1"),
        (667, 20.0): SweepError("a worker runs another version"),
    }.get((settings["strategy_params"]["fast"], settings["stop_bps"]))


def plan_of(space: Space, sampler: str, trials: int | None, folds: tuple[Fold, ...] = ()) -> tuple[Plan, Resolved]:
    resolved = resolve({"seed": "7"}, Path("/nonexistent"), {})
    plan = Plan({"a.csv": "digest"}, "program", "", resolved.values, space, trials, sampler, "net_pnl", folds)
    return plan, resolved


def swept(directory: Path, pool: Playing, planned: tuple[Plan, Resolved]) -> str:
    """Sweep, and return the table."""
    plan, base = planned
    sampler = None if plan.trials is None else partial(OptunaSampler, plan.space, plan.sampler)
    with Results(directory, plan) as results:
        Sweep(plan, base, results, pool, sampler, lambda _: None, pool.is_enough).run()
        return runs_csv(names_of(plan.space), results.done())


PLANS = {
    "grid": plan_of(GRID_SPACE, GRID, None),
    "grid with folds": plan_of(GRID_SPACE, GRID, None, FOLDS),
    "random": plan_of(DRAWN_SPACE, RANDOM, 25),
    "tpe": plan_of(DRAWN_SPACE, TPE, 34),
    "tpe with folds": plan_of(DRAWN_SPACE, TPE, 23, FOLDS),
}
ORDERS: dict[str, Callable[[int], int]] = {
    "the last first": lambda count: count - 1,
    "the middle first": lambda count: count // 2,
}


@pytest.mark.parametrize("name", PLANS)
def test_the_table_is_the_same_for_any_width_and_order(name: str, tmp_path: Path) -> None:
    expected = swept(tmp_path / "one", Playing(1, lambda _: 0), PLANS[name])
    for width, pick in ((3, ORDERS["the last first"]), (16, ORDERS["the middle first"])):
        assert swept(tmp_path / str(width), Playing(width, pick), PLANS[name]) == expected


@pytest.mark.parametrize("name", PLANS)
def test_a_sweep_that_was_stopped_goes_on_where_it_was(name: str, tmp_path: Path) -> None:
    whole = Playing(1, lambda _: 0)
    expected = swept(tmp_path / "one", whole, PLANS[name])
    played = 0
    for most in (1, 3, 4):
        some = Playing(3, ORDERS["the last first"], most)
        with pytest.raises(StoppedError):
            swept(tmp_path / "parts", some, PLANS[name])
        played += some.played
    rest = Playing(3, lambda _: 0)
    assert swept(tmp_path / "parts", rest, PLANS[name]) == expected
    # at most what was under way at a stop is played again
    assert whole.played <= played + rest.played <= whole.played + 3 * 3
    again = Playing(3, lambda _: 0)
    assert (swept(tmp_path / "parts", again, PLANS[name]), again.played) == (expected, 0)


LADDERS: Space = (Choices("fast", tuple(range(4, 24))), Choices("stop_bps", (33, 90, 12)))


@pytest.mark.parametrize(("sampler", "trials"), [(TPE, 40), (TPE, 60), (RANDOM, 59), (RANDOM, 60)])
def test_a_sampler_draws_no_combination_twice(tmp_path: Path, sampler: str, trials: int) -> None:
    """A repeat tries nothing, and would count as a trial in what the best is worth."""
    text = swept(tmp_path, Playing(4, lambda _: 0), plan_of(LADDERS, sampler, trials))
    drawn = {tuple(line.split(",")[3:5]) for line in text.splitlines()[1:]}
    assert len(drawn) == trials


def test_a_sampler_finds_the_good_end(tmp_path: Path) -> None:
    text = swept(tmp_path, Playing(4, lambda _: 0), plan_of(LADDERS, TPE, 40))
    rows = [line.split(",") for line in text.splitlines()[1:]]
    good = [abs(int(row[3]) - 7) <= 4 for row in rows]
    assert sum(good[-30:]) > 1.5 * 30 * 8 / 20, "many more than at random: it goes where the figure is good"


def test_a_run_that_raises_or_is_refused_is_told_in_the_table_and_the_others_go_on(tmp_path: Path) -> None:
    rows = [line.split(",") for line in swept(tmp_path, Playing(2, lambda _: 0), PLANS["grid"]).splitlines()]
    told = {(row[3], row[4]): row[-2:] for row in rows[1:]}
    assert len(told) == 12
    assert told.pop(("3", "20")) == ["failed", "ZeroDivisionError: division by zero"]
    assert told.pop(("3", "30")) == ["refused", "the strategy does not like this"]
    assert set(map(tuple, told.values())) == {("ok", "")}


def test_every_fold_tries_its_own_best_behind_it(tmp_path: Path) -> None:
    rows = [line.split(",") for line in swept(tmp_path, Playing(2, lambda _: 0), PLANS["grid with folds"]).splitlines()]
    tested = [row[3:6] for row in rows if row[1] == TEST]
    assert tested == [["8", "30", "148.0"], ["8", "30", "158.0"], ["8", "30", "168.0"]]


def test_a_run_that_kills_its_workers_is_not_kept_and_all_others_are(tmp_path: Path) -> None:
    planned = plan_of((Choices("fast", (5, 666, 8)), Choices("stop_bps", (20,))), GRID, None)
    with pytest.raises(
        BrokenOffError, match="1 of the runs killed their workers again and again, the first with fast=666"
    ):
        swept(tmp_path, Playing(1, lambda _: 0), planned)
    with Results(tmp_path, planned[0]) as results:
        assert [job.values["fast"] for job, _ in results.done()] == [5, 8]


def test_a_worker_with_another_program_ends_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="another version"):
        swept(
            tmp_path,
            Playing(1, lambda _: 0),
            plan_of((Choices("fast", (667,)), Choices("stop_bps", (20,))), GRID, None),
        )


def test_results_belong_to_one_plan_and_one_sweep_at_a_time(tmp_path: Path) -> None:
    plan = PLANS["grid"][0]
    with Results(tmp_path, plan), pytest.raises(SweepError, match="another sweep is running in"):
        Results(tmp_path, plan)
    with pytest.raises(SweepError, match="holds another sweep"):
        Results(tmp_path, PLANS["tpe"][0])
    (tmp_path / "sweep.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(SweepError, match="can not be used: file is not a database"):
        Results(tmp_path, plan)
