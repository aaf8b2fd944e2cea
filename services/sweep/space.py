"""What a sweep goes over: names with values to choose from, or with a range to draw from. Pure.

Values are exact: steps are added up as decimals, so `1:2:0.1` has eleven values and none of them is 1.7000000000000002.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod

from services.settings.texts import parse_params
from services.sweep.errors import SweepError

MOST_RUNS = 100_000
"""More runs than this are refused: nobody meant them, and the best of so many means nothing."""

_LEAST, _MOST = Decimal("1e-12"), Decimal("1e12")
"""Ends and steps of ranges lie between, or are 0."""

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Choices:
    """A name with its values, in the order given."""

    name: str
    values: tuple[Value, ...]

    @property
    def corners(self) -> tuple[Value, ...]:
        """The outermost values."""
        return tuple(dict.fromkeys((self.values[0], self.values[-1])))


@dataclass(frozen=True, slots=True)
class Between:
    """A name with a continuous range, both ends included: it can be drawn from, not gone through."""

    name: str
    low: float
    high: float

    @property
    def corners(self) -> tuple[Value, ...]:
        """The outermost values."""
        return (self.low, self.high)


Dimension = Choices | Between
Space = tuple[Dimension, ...]


def space_of(grids: Sequence[str], ranges: Sequence[str]) -> Space:
    """Read the words of `--grid` and `--range`, grids first, each in the order given.

    Raises:
        SweepError: a word does not read, a name stands twice, or there is none.
    """
    space = (*map(_grid, grids), *map(_range, ranges))
    if not space:
        raise SweepError("nothing to sweep: give --grid NAME=a,b,c or --range NAME=lo:hi:step")
    names = [dimension.name for dimension in space]
    for name in names:
        if names.count(name) > 1:
            raise SweepError(f"{name} is swept twice")
    return space


def size(space: Space) -> int | None:
    """How many combinations there are; None where a range is continuous."""
    if any(isinstance(dimension, Between) for dimension in space):
        return None
    return prod(len(dimension.values) for dimension in space if isinstance(dimension, Choices))


def combinations(space: Space) -> Iterator[dict[str, Value]]:
    """Yield every combination; the last name changes fastest.

    Raises:
        SweepError: there are too many, or a range has no step.
    """
    endless = [dimension.name for dimension in space if isinstance(dimension, Between)]
    if endless:
        raise SweepError(
            f"{endless[0]} has no step: give --range {endless[0]}=lo:hi:step, or --trials N to draw from it"
        )
    count = size(space) or 0
    if count > MOST_RUNS:
        raise SweepError(f"the grid has {count:,} combinations, more than {MOST_RUNS:,}: use --trials N or wider steps")
    return every_combination(space)


def every_combination(space: Space) -> Iterator[dict[str, Value]]:
    """Yield every combination of a space of choices, however many; the last name changes fastest."""
    lists = [dimension.values for dimension in space if isinstance(dimension, Choices)]
    return (dict(zip(names_of(space), values, strict=True)) for values in product(*lists))


def corners(space: Space, most: int = 64) -> list[dict[str, Value]]:
    """Combinations of outermost values, at most `most`."""
    found = product(*(dimension.corners for dimension in space))
    return [dict(zip(names_of(space), values, strict=True)) for _, values in zip(range(most), found, strict=False)]


def names_of(space: Space) -> tuple[str, ...]:
    """The names, in order."""
    return tuple(dimension.name for dimension in space)


def text_of(value: Value) -> str:
    """A value as a person would write it, and as a setting reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def brief(value: Value) -> str:
    """A value for a table that is looked at: six digits of one that was drawn."""
    return f"{value:.6g}" if isinstance(value, float) else text_of(value)


def texts_of(values: Mapping[str, Value]) -> str:
    """A combination in a line: `fast=5, slow=20`."""
    return ", ".join(f"{name}={text_of(value)}" for name, value in values.items())


def _grid(word: str) -> Choices:
    name, text = _named(word, "--grid takes NAME=a,b,c")
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SweepError(f"--grid {word}: a value is empty")
    values = tuple(parse_params(f"value={part}")["value"] for part in parts)  # type: ignore[index]  # a table
    if len(set(map(text_of, values))) < len(values):
        raise SweepError(f"--grid {word}: a value stands twice")
    return Choices(name, values)


def _range(word: str) -> Dimension:
    name, text = _named(word, "--range takes NAME=lo:hi or NAME=lo:hi:step")
    parts = text.split(":")
    if len(parts) not in {2, 3}:
        raise SweepError(f"--range takes NAME=lo:hi or NAME=lo:hi:step, was {word!r}")
    low, high, *rest = (_number(part, word) for part in parts)
    is_whole = all(
        number == number.to_integral_value() and "." not in part
        for number, part in zip((low, high, *rest), parts, strict=True)
    )
    step = rest[0] if rest else Decimal(1) if is_whole else None
    if low >= high:
        raise SweepError(f"--range {word}: it is empty, lo must be below hi")
    if step is None:
        return Between(name, float(low), float(high))
    if step <= 0:
        raise SweepError(f"--range {word}: the step must be greater than 0")
    count = int((high - low) / step) + 1
    if count > MOST_RUNS:
        raise SweepError(f"--range {word}: {count:,} values are more than {MOST_RUNS:,}: use a wider step")
    steps = (low + step * place for place in range(count))
    return Choices(name, tuple(int(value) if is_whole else float(value) for value in steps))


def _named(word: str, takes: str) -> tuple[str, str]:
    name, equals, text = (part.strip() for part in word.partition("="))
    if not (name and equals and text):
        raise SweepError(f"{takes}, was {word!r}")
    return name, text


def _number(text: str, word: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise SweepError(f"--range {word}: {text!r} is no number")
    if number and not _LEAST <= abs(number) <= _MOST:
        raise SweepError(f"--range {word}: {text} is beyond all bounds")
    return number
