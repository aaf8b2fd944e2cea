"""What the page draws of the space: heat maps of two names at a time, and the figure against each name. Pure.

A cell is the mean over all runs with its two values, whatever the others were: a good spot among bad ones stays a spot,
and a plateau shows as one. Looking for plateaus instead of peaks is the advice of R. Pardo, The Evaluation and
Optimization of Trading Strategies, 2nd ed. (2008), ch. 10.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from services.sweep.figures import Goal
from services.sweep.plan import TEST
from services.sweep.space import Choices, Dimension, Space, Value
from services.sweep.table import Done, FoldResult

MOST_VALUES = 40
MOST_MAPS = 15


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`cells[row][column]` is the mean figure where `down` is `rows[row]` and `across` is `columns[column]`."""

    across: str
    down: str
    columns: Sequence[Value]
    rows: Sequence[Value]
    cells: Sequence[Sequence[float | None]]


def heat_maps(space: Space, runs: Sequence[Done], goal: Goal) -> list[HeatMap]:
    """A map for every two names that have not too many values, test windows left out."""
    drawn = [dimension for dimension in space if isinstance(dimension, Choices) and _is_narrow(dimension)]
    return [_map(across, down, runs, goal) for down, across in list(combinations(drawn, 2))[:MOST_MAPS]]


def chart_data(space: Space, runs: Sequence[Done], results: Sequence[FoldResult], goal: Goal) -> dict[str, Any]:
    """What the page's script draws, as JSON types: the figure against each name, best so far, in against out."""
    known = [(job, value) for job, outcome in runs if (value := _value(job.part, outcome.figures, goal)) is not None]
    numeric = [dimension.name for dimension in space if _is_numeric(dimension)]
    sides = ([result.chosen for result in results], [result.tested for result in results])
    return {
        "figure": goal.figure,
        "sign": goal.sign,
        "trials": [[job.trial for job, _ in known], [value for _, value in known]] if not results else None,
        "against": {name: _sorted([(float(job.values[name]), value) for job, value in known]) for name in numeric},
        "folds": [
            [result.fold.number for result in results],
            *([None if done is None else done[1].figures.get(goal.figure) for done in side] for side in sides),
        ]
        if results
        else None,
    }


def _map(across: Choices, down: Choices, runs: Sequence[Done], goal: Goal) -> HeatMap:
    found: defaultdict[tuple[Value, Value], list[float]] = defaultdict(list)
    for job, outcome in runs:
        value = _value(job.part, outcome.figures, goal)
        if value is not None:
            found[job.values[down.name], job.values[across.name]].append(value)
    cells = [
        [fmean(found[row, column]) if (row, column) in found else None for column in across.values]
        for row in down.values
    ]
    return HeatMap(across.name, down.name, across.values, down.values, cells)


def _value(part: str, figures: Any, goal: Goal) -> float | None:
    value: float | None = None if part == TEST else figures.get(goal.figure)
    return value


def _is_narrow(dimension: Choices) -> bool:
    return 1 < len(dimension.values) <= MOST_VALUES


def _is_numeric(dimension: Dimension) -> bool:
    if not isinstance(dimension, Choices):
        return True
    return len(dimension.values) > 1 and all(type(value) in {int, float} for value in dimension.values)


def _sorted(points: list[tuple[float, float]]) -> list[list[float]]:
    points.sort()
    return [[x for x, _ in points], [y for _, y in points]]
