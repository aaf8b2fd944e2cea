"""The sentences about a sweep that a person reads first."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.sweep.figures import Goal
from services.sweep.folds import Fold
from services.sweep.luck import Shape, deflated_sharpe
from services.sweep.plan import TEST, TRAIN, WHOLE, Job, Outcome, Plan
from services.sweep.space import Choices
from services.sweep.table import Done, fold_results
from services.sweep.verdict import number, verdict

PLAN = Plan({}, "", "", {}, (Choices("fast", (0, 1, 2, 3)),), None, "grid", "net_pnl")
NO_DEFLATED = "There is no deflated Sharpe ratio: it needs 30 days in which equity moved, and two trials."
DAY = 86_400_000
FOLDS = tuple(
    Fold(number, (begin, begin + 40 * DAY), (begin + 40 * DAY, begin + 50 * DAY))
    for number, begin in enumerate(range(0, 50 * DAY, 10 * DAY), 1)
)


def done(trial: int, net: float | None, *, fold: int = 0, part: str = WHOLE, figure: str = "net_pnl") -> Done:
    """A run that came to its end."""
    return Job(fold, part, trial, {"fast": trial}), Outcome("ok", {"net_pnl": net, figure: net}, "end_of_data")


def failed(trial: int, *, fold: int = 0, part: str = WHOLE, status: str = "failed") -> Done:
    return Job(fold, part, trial, {"fast": trial}), Outcome(status, {}, error="no such luck")


def said(runs: Sequence[Done], figure: str = "net_pnl", folds: tuple[Fold, ...] = ()) -> list[str]:
    plan = replace(PLAN, figure=figure, folds=folds)
    return verdict(plan, runs, fold_results(folds, runs, Goal(figure)))


@pytest.mark.parametrize(
    ("nets", "first", "luck", "judged"),
    [
        (
            [0.0, 0.0, 0.0, 100.0],
            "Of 4 trials the best has net_pnl 100.00: fast=3.",
            "a mean of 25.00 and a standard deviation of 50.00",
            "It did better than that.",
        ),
        (
            [-100.0, 50.0, 50.0, 50.0],
            "Of 4 trials the best has net_pnl 50.00: fast=1.",
            "a mean of 12.50 and a standard deviation of 75.00",
            "It did no better than that.",
        ),
        (
            [-3.0, -1.0, -2.0],
            "Of 3 trials the best has net_pnl -1.00: fast=1.",
            "a mean of -2.00 and a standard deviation of 1.00",
            "It did better than that.",
        ),
    ],
)
def test_the_best_is_held_against_what_the_best_of_so_many_is_by_luck(
    nets: list[float], first: str, luck: str, judged: str
) -> None:
    words = said([done(trial, net) for trial, net in enumerate(nets)])
    assert [words[0], words[2]] == [first, NO_DEFLATED]
    assert luck in words[1]
    assert words[1].endswith(judged)


def test_of_a_figure_that_is_to_be_small_the_least_is_the_best() -> None:
    first, second, _ = said([done(trial, value, figure="fees") for trial, value in enumerate([6.0, 2.0, 4.0])], "fees")
    assert first == "Of 3 trials the best has fees 2.00: fast=1."
    assert "a mean of 4.00 and a standard deviation of 2.00" in second
    assert "would come to about 2.29 by luck. It did better than that." in second


@pytest.mark.parametrize(
    ("nets", "told"),
    [
        ([], ["No run has a net_pnl."]),
        ([None, None], ["No run has a net_pnl."]),
        ([7.0], ["Of 1 trial the best has net_pnl 7.00: fast=0."]),
        ([7.0, 7.0], ["Of 2 trials the best has net_pnl 7.00: fast=0."]),
    ],
)
def test_without_a_difference_nothing_is_said_of_luck(nets: list[float | None], told: list[str]) -> None:
    assert said([done(trial, net) for trial, net in enumerate(nets)]) == told


def test_a_figure_without_end_is_told_in_words() -> None:
    never_lost = {"profit_factor": None, "wins": 3.0, "losses": 0.0, "net_pnl": 5.0}
    endless = (Job(0, WHOLE, 1, {"fast": 1}), Outcome("ok", never_lost, "end_of_data"))
    runs = [done(0, 9.0, figure="profit_factor"), endless]
    assert said(runs, "profit_factor") == [
        "Of 2 trials the best has profit_factor without end (no trade lost): fast=1."
    ]


def test_the_deflated_sharpe_ratio_is_told_with_its_trials_and_days() -> None:
    shapes = [(250.0, 0.05, 0.0, 3.0), (250.0, 0.15, 0.0, 3.0), None]
    runs = [
        (job, replace(outcome, shape=shape))
        for (job, outcome), shape in zip([done(0, 1.0), done(1, 3.0), done(2, 2.0)], shapes, strict=True)
    ]
    probability = deflated_sharpe(Shape(250, 0.15, 0.0, 3.0), [0.05, 0.15])
    assert said(runs)[2].startswith(f"Deflated Sharpe ratio of the best: {probability:.3f}. That is ")
    assert "after 2 trials over 250 days" in said(runs)[2]
    assert said([*runs, done(3, 4.0)])[2] == NO_DEFLATED


def walked(*tests: float | str | None) -> list[Done]:
    """Two trials in each fold's training window, 40 and 30; the first is tried behind it, unless that is None."""
    runs: list[Done] = []
    for fold, net in enumerate(tests, 1):
        runs += [done(0, 40.0, fold=fold, part=TRAIN), done(1, 30.0, fold=fold, part=TRAIN)]
        if isinstance(net, str):
            runs.append(failed(0, fold=fold, part=TEST))
        elif net is not None:
            runs.append(done(0, net, fold=fold, part=TEST))
    return runs


def test_windows_out_of_sample_are_counted_and_added_up() -> None:
    head, windows, worth, left_out = said(walked(30.0, -10.0, None, 5.0, "raises"), folds=FOLDS)
    assert head == (
        "5 folds, 10 trials in sample: the best of each by net_pnl was tried in the window after it, where nothing had "
        "been chosen."
    )
    assert windows == "Out of sample 2 of 3 windows ended with a profit; together they made 25.00."
    # 25 in 30 days, after 200 in 200
    assert worth == "Walk-forward efficiency: 0.83, profit a day out of sample over profit a day in sample."
    assert left_out == "1 of 14 runs failed, the first (fast=0): no such luck."


def test_a_window_that_came_out_even_is_no_profit() -> None:
    assert said(walked(0.0), folds=FOLDS[:1])[1] == (
        "Out of sample 0 of 1 windows ended with a profit; together they made 0.00."
    )


def test_folds_whose_choice_was_never_tried_have_nothing_out_of_sample() -> None:
    assert said(walked(None, None), folds=FOLDS[:2])[1:] == ["No fold has a trial that could be tried out of sample."]


def test_without_a_profit_in_sample_there_is_no_efficiency() -> None:
    runs = [done(0, -1.0, fold=1, part=TRAIN), done(0, 5.0, fold=1, part=TEST)]
    assert said(runs, folds=FOLDS[:1])[2] == (
        "There is no walk-forward efficiency: the chosen trials made no profit in sample."
    )


def test_trials_without_the_figure_are_counted_apart_from_failures_and_tests() -> None:
    runs = [
        *(done(0, 2.0, fold=1, part=TRAIN), done(1, None, fold=1, part=TRAIN), failed(2, fold=1, part=TRAIN)),
        *(done(0, None, fold=1, part=TEST), failed(3, fold=1, part=TRAIN, status="refused")),
    ]
    assert said(runs, folds=FOLDS[:1])[3:] == [
        "1 of 2 trials have no net_pnl, and are not compared.",
        "1 of 5 runs were refused, the first (fast=3): no such luck.",
        "1 of 5 runs failed, the first (fast=2): no such luck.",
    ]


def test_runs_that_the_breaker_ended_are_counted() -> None:
    job, outcome = done(1, 7.0)
    runs = [done(0, 7.0), (job, replace(outcome, stop_reason="circuit_breaker"))]
    assert said(runs)[1:] == ["1 of 2 runs were ended by the circuit breaker, before their data were at an end."]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), (0.0, "0.00"), (12, "12"), (1_234, "1,234"), (1234.567, "1,234.57")),
        *((-1.0, "-1.00"), (0.0123, "0.0123"), (-0.123456, "-0.1235")),
    ],
)
def test_a_figure_is_told_in_few_digits(value: float | None, text: str) -> None:
    assert number(value) == text
