"""What a sweep goes over, and where it is cut into folds: words of the command line to values, exactly."""

import pytest

from services.settings.layers import NAMES
from services.sweep.combination import SWEPT
from services.sweep.errors import SweepError
from services.sweep.figures import FIGURES, LESS_IS_BETTER, Figures, Goal, goal_of
from services.sweep.folds import Fold, folds_of, lengths_of
from services.sweep.space import Between, Choices, Space, brief, combinations, corners, size, space_of, text_of

MINUTE, DAY = 60_000, 86_400_000


@pytest.mark.parametrize(
    ("grids", "ranges", "expected"),
    [
        (["fast=5,10"], [], (Choices("fast", (5, 10)),)),
        (["tp_r=1,1.5"], [], (Choices("tp_r", (1, 1.5)),)),
        (["on_stop=keep, flatten"], [], (Choices("on_stop", ("keep", "flatten")),)),
        (["shy=true,false"], [], (Choices("shy", (True, False)),)),
        ([], ["fast=3:6"], (Choices("fast", (3, 4, 5, 6)),)),
        ([], ["fast=3:8:2"], (Choices("fast", (3, 5, 7)),)),
        ([], ["tp_r=1:1.5:0.1"], (Choices("tp_r", (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)),)),
        ([], ["skew=-1:1:1"], (Choices("skew", (-1, 0, 1)),)),
        ([], ["tp_r=1.0:2"], (Between("tp_r", 1.0, 2.0),)),
        ([], ["tp_r=5e-1:2"], (Between("tp_r", 0.5, 2.0),)),
        (["a=1"], ["b=1:2"], (Choices("a", (1,)), Choices("b", (1, 2)))),
    ],
)
def test_words_become_values_without_rounding(grids: list[str], ranges: list[str], expected: Space) -> None:
    assert space_of(grids, ranges) == expected


@pytest.mark.parametrize(
    ("grids", "ranges", "told"),
    [
        ([], [], "nothing to sweep: give --grid NAME=a,b,c or --range NAME=lo:hi:step"),
        (["fast"], [], "--grid takes NAME=a,b,c, was 'fast'"),
        (["fast=1,,2"], [], "--grid fast=1,,2: a value is empty"),
        (["fast=1,1"], [], "--grid fast=1,1: a value stands twice"),
        (["fast=1,1.0"], [], "--grid fast=1,1.0: a value stands twice"),
        (["fast=1"], ["fast=1:2"], "fast is swept twice"),
        ([], ["fast=5:5"], "--range fast=5:5: it is empty, lo must be below hi"),
        ([], ["fast=1:2:0"], "--range fast=1:2:0: the step must be greater than 0"),
        ([], ["fast=1:1e999999:1e-999999"], "--range fast=1:1e999999:1e-999999: 1e999999 is beyond all bounds"),
        ([], ["fast=1:nan"], "--range fast=1:nan: 'nan' is no number"),
        ([], ["fast=1:2:3:4"], "--range takes NAME=lo:hi or NAME=lo:hi:step, was 'fast=1:2:3:4'"),
        ([], ["a=0:1:0.000001"], "--range a=0:1:0.000001: 1,000,001 values are more than 100,000: use a wider step"),
    ],
)
def test_words_that_make_no_space_are_refused_in_a_sentence(grids: list[str], ranges: list[str], told: str) -> None:
    with pytest.raises(SweepError) as refused:
        space_of(grids, ranges)
    assert str(refused.value) == told


def test_every_combination_comes_once_and_the_last_name_changes_fastest() -> None:
    space = space_of(["a=1,2"], ["b=5:7"])
    assert size(space) == 6
    found = [tuple(values.values()) for values in combinations(space)]
    assert found == [(1, 5), (1, 6), (1, 7), (2, 5), (2, 6), (2, 7)]


def test_a_grid_that_nobody_meant_and_one_without_steps_are_refused() -> None:
    with pytest.raises(SweepError, match="1,000,000 combinations, more than 100,000: use --trials N or wider steps"):
        combinations(space_of([], ["a=1:1000", "b=1:1000"]))
    with pytest.raises(SweepError, match="x has no step"):
        combinations(space_of([], ["x=0.0:1.0"]))


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (5, "5"), (5.0, "5"), (0.1, "0.1"), ("keep", "keep")])
def test_a_value_is_written_as_a_setting_reads_it(value: float | str, text: str) -> None:
    assert text_of(value) == text


def test_every_setting_that_can_be_swept_is_a_setting() -> None:
    assert set(NAMES) >= SWEPT


@pytest.mark.parametrize(
    ("word", "lengths"),
    [
        ("10d,2d", (10 * DAY, 2 * DAY)),
        ("1000,400", (1000 * MINUTE, 400 * MINUTE)),
        ("36h, 90m", (36 * 60 * MINUTE, 90 * MINUTE)),
    ],
)
def test_lengths_are_times_or_numbers_of_candles(word: str, lengths: tuple[int, int]) -> None:
    assert lengths_of(word, MINUTE) == lengths


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("10d", "--walk-forward takes TRAIN,TEST such as 10d,2d or numbers of candles, was '10d'"),
        ("10d,2y", "--walk-forward takes TRAIN,TEST such as 10d,2d or numbers of candles, was '10d,2y'"),
        ("10d,90s", "--walk-forward: 90s is no whole number of candles of 60 s"),
        ("0,5", "--walk-forward: 0 is no whole number of candles of 60 s"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(word: str, told: str) -> None:
    with pytest.raises(SweepError) as refused:
        lengths_of(word, MINUTE)
    assert str(refused.value) == told


def test_folds_roll_by_a_test_window_and_no_moment_is_tested_twice() -> None:
    assert folds_of(100, 175, 40, 10) == (
        Fold(1, (100, 140), (140, 150)),
        Fold(2, (110, 150), (150, 160)),
        Fold(3, (120, 160), (160, 170)),
    )
    with pytest.raises(
        SweepError, match="the data last 50 min after the history: too little for --walk-forward of 40 min and 20 min"
    ):
        folds_of(0, 50 * MINUTE, 40 * MINUTE, 20 * MINUTE)


def test_the_best_is_the_most_or_the_least_and_of_equals_the_first() -> None:
    runs: list[tuple[int, Figures]] = [
        (2, {"net_pnl": 5.0, "fees": 1.0}),
        (0, {"net_pnl": 5.0, "fees": 3.0}),
        (1, {"net_pnl": None, "fees": None}),
    ]
    assert (Goal("net_pnl").best(runs), Goal("fees").best(runs)) == (0, 2)
    assert Goal("sharpe").best(runs) is None
    never_lost: dict[str, float | None] = {"profit_factor": None, "wins": 3, "losses": 0, "net_pnl": 5.0}
    factors: list[tuple[int, Figures]] = [
        (0, {"profit_factor": None, "wins": 0, "losses": 0, "net_pnl": 0.0}),
        (1, {"profit_factor": 9.0, "wins": 3, "losses": 1, "net_pnl": 50.0}),
        (2, never_lost),
        (3, {**never_lost, "net_pnl": 6.0}),
    ]
    assert Goal("profit_factor").best(factors) == 3
    assert Goal("profit_factor").best(factors[:2]) == 1
    assert Goal("profit_factor").best(factors[:1]) is None
    assert set(FIGURES) >= LESS_IS_BETTER
    with pytest.raises(SweepError, match="there is no figure 'sharp'; did you mean sharpe"):
        goal_of("sharp")


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456789, "0.123457"), (5.0, "5"), (1_234_567, "1234567"), (True, "true"), ("keep", "keep")]
)
def test_a_value_that_is_looked_at_has_six_digits_if_it_was_drawn(value: float | str, text: str) -> None:
    assert brief(value) == text


def test_a_grid_may_have_as_many_combinations_as_are_allowed() -> None:
    assert len(next(combinations(space_of([], ["a=1:1000", "b=1:100"])))) == 2
    with pytest.raises(SweepError, match="the grid has 101,000 combinations"):
        combinations(space_of([], ["a=1:1000", "b=1:101"]))


def test_the_corners_of_a_space_are_its_outermost_values() -> None:
    space = space_of(["a=1,2,3", "b=x"], ["c=0.5:1.5"])
    expected = [{"a": a, "b": "x", "c": c} for a in (1, 3) for c in (0.5, 1.5)]
    assert corners(space) == expected
    assert corners(space, 3) == expected[:3]


@pytest.mark.parametrize(
    ("data_ms", "train_ms", "test_ms", "told"),
    [
        (DAY, DAY, 90_000, "the data last 1 d after the history: too little for --walk-forward of 1 d and 1.5 min"),
        (
            60 * MINUTE,
            36 * 60 * MINUTE,
            MINUTE,
            "last 1 h after the history: too little for --walk-forward of 1.5 d and 1 min",
        ),
        (30_000, 30_000, 5_000, "last 30 s after the history: too little for --walk-forward of 30 s and 5 s"),
    ],
)
def test_a_length_is_told_in_the_greatest_unit_that_it_fills(
    data_ms: int, train_ms: int, test_ms: int, told: str
) -> None:
    with pytest.raises(SweepError, match=told):
        folds_of(0, data_ms, train_ms, test_ms)
