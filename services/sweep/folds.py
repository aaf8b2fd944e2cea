"""Walk-forward: stretches of time to choose parameters on, each followed by one to try them on. Pure.

The windows roll: each fold begins one test length after the one before, so that the test windows lie side by side and
no moment is tested twice. What is left at the end and is shorter than a test window is not used.
Source: R. Pardo, The Evaluation and Optimization of Trading Strategies, 2nd ed. (2008), ch. 11.
"""

import re
from dataclasses import dataclass

from services.sweep.errors import SweepError

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LENGTH = re.compile(r"(\d+)([smhdw]?)")

Window = tuple[int, int]
"""From the first time to the one after the last, event time in ms."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The `number`-th (from 1) pair of windows: `test` follows `train` at once."""

    number: int
    train: Window
    test: Window


def lengths_of(word: str, interval_ms: int) -> tuple[int, int]:
    """Return TRAIN,TEST in ms: each a length of time such as `10d`, `36h`, `90m`, or a number of candles.

    Args:
        word: as on the command line.
        interval_ms: the session's candle.

    Raises:
        SweepError: it does not read, or does not fit the candles.
    """
    parts = [part.strip() for part in word.split(",")]
    found = [_LENGTH.fullmatch(part) for part in parts]
    if len(parts) != 2 or not all(found):
        raise SweepError(f"--walk-forward takes TRAIN,TEST such as 10d,2d or numbers of candles, was {word!r}")
    train, test = (int(one[1]) * (_UNITS_MS[one[2]] if one[2] else interval_ms) for one in found if one)
    for length, part in ((train, parts[0]), (test, parts[1])):
        if not length or length % interval_ms:
            raise SweepError(f"--walk-forward: {part} is no whole number of candles of {interval_ms / 1000:g} s")
    return train, test


def folds_of(begin_ms: int, end_ms: int, train_ms: int, test_ms: int) -> tuple[Fold, ...]:
    """Return the folds that fit between two times.

    Raises:
        SweepError: not even one does.
    """
    count = (end_ms - begin_ms - train_ms) // test_ms
    if count < 1:
        raise SweepError(
            f"the data last {_told(end_ms - begin_ms)} after the history: "
            f"too little for --walk-forward of {_told(train_ms)} and {_told(test_ms)}"
        )
    starts = [begin_ms + number * test_ms for number in range(count)]
    return tuple(
        Fold(number, (start, start + train_ms), (start + train_ms, start + train_ms + test_ms))
        for number, start in enumerate(starts, 1)
    )


def _told(length_ms: int) -> str:
    """`2.5 d`, `7 h`, `90 s`."""
    for unit in ("d", "h", "m"):
        if length_ms >= _UNITS_MS[unit]:
            return f"{round(length_ms / _UNITS_MS[unit], 2):g} {unit if unit != 'm' else 'min'}"
    return f"{length_ms / 1000:g} s"
