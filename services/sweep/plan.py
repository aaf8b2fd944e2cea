"""What a sweep is: everything that decides its results, and the runs it is made of. Pure.

Two sweeps with the same plan have the same table; its digest names them, so that an interrupted one finds itself again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.sweep.combination import SWEPT
from services.sweep.folds import Fold, Window
from services.sweep.space import Space, Value

WHOLE, TRAIN, TEST = "whole", "train", "test"
GRID, RANDOM, TPE = "grid", "random", "tpe"

_DECIDING = SWEPT | {"strategy_params"}
"""The settings that decide what comes out."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run.

    Attributes:
        fold: the fold's number, 0 without walk-forward.
        part: `whole`, `train` or `test`.
        trial: the number of the combination, from 0.
        values: the combination.
        window: what of the market is played, None: all.
    """

    fold: int
    part: str
    trial: int
    values: Mapping[str, Value]
    window: Window | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """What names it within its sweep."""
        return self.fold, self.part, self.trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a run.

    Attributes:
        status: `ok`; `refused` (the strategy or the settings do not take these values); `failed` (it raised).
        figures: by name, empty unless it is `ok`.
        stop_reason: how the session ended.
        shape: of its daily returns, None where there are too few.
        error: one sentence, unless it is `ok`.
        seconds: how long it took on its worker; no part of any table.
    """

    status: str
    figures: Mapping[str, float | None]
    stop_reason: str = ""
    shape: tuple[float, ...] | None = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides the results.

    Attributes:
        data: digest of every data file by name.
        program: digest of this program.
        code: digest of the strategy's own files, empty for a built-in one.
        settings: the base that every run changes.
        space: what is swept.
        trials: how many combinations are drawn; None: all of a grid.
        sampler: `grid`, `random` or `tpe`.
        figure: what is optimised.
        folds: empty without walk-forward.
    """

    data: Mapping[str, str]
    program: str
    code: str
    settings: Mapping[str, Any]
    space: Space
    trials: int | None
    sampler: str
    figure: str
    folds: tuple[Fold, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON types."""
        kept = {name: value for name, value in self.settings.items() if name in _DECIDING}
        told: dict[str, Any] = json.loads(json.dumps({**asdict(self), "settings": kept}))
        return told

    @property
    def digest(self) -> str:
        """A name for it: 12 hexadecimal digits."""
        text = json.dumps(self.as_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
