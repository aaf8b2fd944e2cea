"""What the best of many is worth, against the numbers in the papers, and against draws."""

import csv
from math import sqrt
from statistics import NormalDist, fmean

import pytest

from services.sweep.figures import Goal
from services.sweep.folds import Fold
from services.sweep.heat import heat_maps
from services.sweep.luck import Shape, deflated_sharpe, expected_best, shape_of
from services.sweep.plan import TEST, TRAIN, Job, Outcome
from services.sweep.space import Choices
from services.sweep.table import best_of, efficiency, fold_results, folds_csv, ranked, runs_csv


def spread(count: int, variance: float) -> list[float]:
    """So many numbers of mean 0 and that sample variance."""
    side = sqrt(variance * (count - 1) / count)
    return [side, -side] * (count // 2)


def test_the_deflated_sharpe_ratio_is_that_of_the_papers_example() -> None:
    """Bailey and López de Prado (2014), numerical example: 100 trials, five years of days, annualised 2.5, DSR 0.9004."""
    best = Shape(days=1250, sharpe=2.5 / sqrt(250), skewness=-3, kurtosis=10)
    assert deflated_sharpe(best, spread(100, 1 / (2 * 250))) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(best, [best.sharpe]) is None


def test_returns_whose_shape_leaves_no_error_to_measure_by_have_no_deflated_sharpe_ratio() -> None:
    assert deflated_sharpe(Shape(days=30, sharpe=1.0, skewness=1.0, kurtosis=1.0), [0.5, 1.0]) is None
    assert deflated_sharpe(Shape(days=30, sharpe=1.0, skewness=3.0, kurtosis=1.0), [0.5, 1.0]) is None


def test_more_trials_make_the_same_sharpe_ratio_worth_less() -> None:
    best = Shape(days=250, sharpe=0.15, skewness=0, kurtosis=3)
    worth = [deflated_sharpe(best, spread(count, 0.01)) or 0.0 for count in (2, 10, 100, 1000)]
    assert worth == sorted(worth, reverse=True)


@pytest.mark.parametrize("count", [10, 50, 200])
def test_the_expected_best_is_about_the_mean_of_the_best_of_draws(count: int) -> None:
    draws = NormalDist(5, 2).samples(count * 2_000, seed=1)
    best = fmean(max(draws[begin : begin + count]) for begin in range(0, len(draws), count))
    normal = [NormalDist(5, 2).inv_cdf((place + 0.5) / 2_000) for place in range(2_000)]
    assert expected_best(normal[:1]) is None
    lift = (best - 5) / 2
    about = expected_best(spread(count, 1.0)) or 0.0
    assert about == pytest.approx(lift, rel=0.03)


def test_the_shape_of_returns_is_measured_from_thirty_days_on() -> None:
    returns = [0.01, -0.02, 0.03] * 10
    shape = shape_of(returns)
    assert shape is not None
    assert shape.days == 30
    assert shape.sharpe == pytest.approx(fmean(returns) / sqrt(sum((r - fmean(returns)) ** 2 for r in returns) / 29))
    assert shape.kurtosis == pytest.approx(1.5)  # three equally likely values
    assert (shape_of(returns[:29]), shape_of([0.0] * 40)) == (None, None)


def ok(net: float | None) -> Outcome:
    return Outcome("ok", {"net_pnl": net, "trades": 3}, "end_of_data")


FOLDS = (Fold(1, (0, 4_000), (4_000, 5_000)), Fold(2, (1_000, 5_000), (5_000, 6_000)))
RUNS = [
    (Job(2, TRAIN, 1, {"fast": 20}), ok(8.0)),
    (Job(2, TRAIN, 0, {"fast": 10}), ok(4.0)),
    (Job(1, TEST, 1, {"fast": 20}), ok(-1.0)),
    (Job(1, TRAIN, 0, {"fast": 10}), ok(None)),
    (Job(1, TRAIN, 1, {"fast": 20}), ok(12.0)),
    (Job(2, TEST, 1, {"fast": 20}), ok(2.5)),
]


def test_folds_show_what_was_chosen_in_sample_and_what_it_came_to_out_of_sample() -> None:
    results = fold_results(FOLDS, RUNS, Goal("net_pnl"))
    found = [
        (r.chosen[0].trial, r.chosen[1].figures["net_pnl"], r.tested[1].figures["net_pnl"])
        for r in results
        if r.chosen and r.tested
    ]
    assert found == [(1, 12.0, -1.0), (1, 8.0, 2.5)]
    assert efficiency(results) == pytest.approx((1.5 / 2) / (20 / 8))
    rows = [line.split(",") for line in folds_csv(("fast",), results).splitlines()]
    assert [row[:7] for row in rows[1:]] == [
        ["1", "0", "4000", "4000", "5000", "1", "20"],
        ["2", "1000", "5000", "5000", "6000", "1", "20"],
    ]


def test_a_table_is_in_order_and_the_same_whatever_order_its_runs_came_in() -> None:
    text = runs_csv(("fast",), RUNS)
    assert runs_csv(("fast",), RUNS[::-1]) == text
    assert [line.split(",")[:5] for line in text.splitlines()[1:]] == [
        ["1", "train", "0", "10", ""],
        ["1", "train", "1", "20", "12.0"],
        ["1", "test", "1", "20", "-1.0"],
        ["2", "train", "0", "10", "4.0"],
        ["2", "train", "1", "20", "8.0"],
        ["2", "test", "1", "20", "2.5"],
    ]


def test_the_best_come_first_and_those_without_the_figure_not_at_all() -> None:
    trained = [done for done in RUNS if done[0].part == TRAIN]
    assert [outcome.figures["net_pnl"] for _, outcome in ranked(trained, Goal("net_pnl"))] == [12.0, 8.0, 4.0]
    assert best_of(trained[2:3], Goal("net_pnl")) is None


def test_a_heat_map_has_the_mean_over_everything_else() -> None:
    space = (Choices("a", (1, 2)), Choices("b", (5, 6)), Choices("c", (0, 1)))
    runs = [
        (Job(0, "whole", number, {"a": a, "b": b, "c": c}), ok(100.0 * a + 10 * b + c))
        for number, (a, b, c) in enumerate((a, b, c) for a in (1, 2) for b in (5, 6) for c in (0, 1))
        if (a, b) != (2, 6)
    ]
    first = heat_maps(space, runs, Goal("net_pnl"))[0]
    assert (first.down, first.across) == ("a", "b")
    assert first.cells == [[150.5, 160.5], [250.5, None]]


def test_a_choice_that_was_never_tried_has_no_efficiency() -> None:
    trained = [done for done in RUNS if done[0].part == TRAIN]
    assert efficiency(fold_results(FOLDS, trained, Goal("net_pnl"))) is None


def test_the_table_of_folds_has_the_figures_in_sample_and_out_of_sample() -> None:
    runs = [*RUNS[:-1], (Job(2, TEST, 1, {"fast": 20}), Outcome("failed", {}, error="no such luck"))]
    rows = list(csv.DictReader(folds_csv(("fast",), fold_results(FOLDS, runs, Goal("net_pnl"))).splitlines()))
    assert [(row["net_pnl_train"], row["net_pnl_test"]) for row in rows] == [("12.0", "-1.0"), ("8.0", "")]
    (untried,) = csv.DictReader(folds_csv(("fast",), fold_results(FOLDS[:1], [], Goal("net_pnl"))).splitlines())
    assert (untried["trial"], untried["fast"], untried["net_pnl_train"], untried["net_pnl_test"]) == ("", "", "", "")
