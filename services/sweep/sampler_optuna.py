"""Combinations drawn one batch after the other, by Optuna: at random, or where earlier ones were good (TPE).

What is drawn is a function of the seed and of the scores told, in the order of trials: so an interrupted sweep draws
the same again, and any number of workers draws the same. Source: J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl,
Algorithms for Hyper-Parameter Optimization, NIPS 2011 (tree-structured Parzen estimator).

No combination is drawn twice: a repeat tries nothing new, and would count as one more trial in what luck alone explains.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import optuna

from services.sweep.plan import TPE
from services.sweep.space import Between, Choices, Dimension, Space, Value, every_combination, size, texts_of

DRAWS: Final = 20
"""After so many repeats in a row the next combination of the space is taken that was not drawn yet."""


class OptunaSampler:
    """Draws from a space.

    Args:
        space: what is drawn from; it has at least as many combinations as will be asked for.
        kind: `random` or `tpe`.
        seed: of the draws.
    """

    def __init__(self, space: Space, kind: str, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        draws = seed % 2**32
        sampler = optuna.samplers.TPESampler(seed=draws) if kind == TPE else optuna.samplers.RandomSampler(seed=draws)
        self._space = space
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[optuna.Trial] = []
        self._is_endless = size(space) is None
        self._drawn: set[str] = set()
        self._others: Iterator[dict[str, Value]] | None = None

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Draw so many combinations; all of the batch before have been told."""
        self._asked = []
        return [self._new() for _ in range(count)]

    def tell(self, scores: Sequence[float | None]) -> None:
        """Tell how good the batch was, in the order of asking; None counts as worse than all others."""
        for trial, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                self._study.tell(trial, score)

    def _new(self) -> dict[str, Value]:
        """Draw a combination that was not drawn before."""
        for _ in range(DRAWS):
            values = self._draw()
            if self._is_endless or texts_of(values) not in self._drawn:
                break
            self._study.tell(self._asked.pop(), state=optuna.trial.TrialState.FAIL)
        else:
            self._study.enqueue_trial(self._undrawn())
            values = self._draw()
        self._drawn.add(texts_of(values))
        return values

    def _draw(self) -> dict[str, Value]:
        trial = self._study.ask()
        self._asked.append(trial)
        return {dimension.name: _drawn(trial, dimension) for dimension in self._space}

    def _undrawn(self) -> dict[str, Value | int]:
        """Return the first combination that was not drawn, as Optuna knows it."""
        self._others = self._others or every_combination(self._space)
        values = next(values for values in self._others if texts_of(values) not in self._drawn)
        return {dimension.name: _place(dimension, values[dimension.name]) for dimension in self._space}


def _drawn(trial: optuna.Trial, dimension: Dimension) -> Value:
    name = dimension.name
    drawn: Value
    match dimension:
        case Between():
            drawn = trial.suggest_float(name, dimension.low, dimension.high)
        case Choices() if _is_ladder(dimension.values):
            # by its place, for a sum of steps as doubles would not be the value that was written
            drawn = dimension.values[trial.suggest_int(name, 0, len(dimension.values) - 1)]
        case Choices():
            drawn = trial.suggest_categorical(name, dimension.values)
    return drawn


def _place(dimension: Dimension, value: Value) -> Value:
    """Return what is drawn for a value: its place in a ladder."""
    if isinstance(dimension, Choices) and _is_ladder(dimension.values):
        return dimension.values.index(value)
    return value


def _is_ladder(values: Sequence[Value]) -> bool:
    """Whether they are numbers that rise: near ones are alike then, which the sampler makes use of."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and all(low < high for low, high in pairwise(numbers))
