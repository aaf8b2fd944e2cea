"""Combinations drawn one batch after the other, by Optuna: at random, or where earlier ones were good (TPE).

What is drawn is a function of the seed and of the scores told, in the order of trials: so an interrupted sweep draws
the same again, and any number of workers draws the same. Source: J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl,
Algorithms for Hyper-Parameter Optimization, NIPS 2011 (tree-structured Parzen estimator).
"""

from collections.abc import Sequence
from itertools import pairwise

import optuna

from services.sweep.plan import TPE
from services.sweep.space import Between, Choices, Dimension, Space, Value


class OptunaSampler:
    """Draws from a space.

    Args:
        space: what is drawn from.
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

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Draw so many combinations; all of the batch before have been told."""
        self._asked = [self._study.ask() for _ in range(count)]
        return [{dimension.name: _drawn(trial, dimension) for dimension in self._space} for trial in self._asked]

    def tell(self, scores: Sequence[float | None]) -> None:
        """Tell how good the batch was, in the order of asking; None counts as worse than all others."""
        for trial, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                self._study.tell(trial, score)


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


def _is_ladder(values: Sequence[Value]) -> bool:
    """Whether they are numbers that rise: near ones are alike then, which the sampler makes use of."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and all(low < high for low, high in pairwise(numbers))
