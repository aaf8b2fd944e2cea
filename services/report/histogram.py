"""Numbers sorted into bins of a round width. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

MOST_BINS = 40


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[i]` numbers lie in `[start + i * width, start + (i + 1) * width)`."""

    start: float
    width: float
    counts: Sequence[int]


def histogram(values: Sequence[float], bins: int = 24) -> Histogram | None:
    """Sort into about `bins` bins whose edges are multiples of a round width, 0 among them; None without numbers.

    Args:
        values: The numbers.
        bins: How many bins are aimed at, 1 to `MOST_BINS`.
    """
    if not values:
        return None
    low, high = min(values), max(values)
    width = _round_width((high - low) / bins or abs(high) / bins or 1.0)
    first = floor(low / width)
    counts = [0] * (max(floor(value / width) for value in values) - first + 1)
    for value in values:
        counts[floor(value / width) - first] += 1
    return Histogram(first * width, width, counts)


def _round_width(least: float) -> float:
    """The smallest 1, 2, 2.5 or 5 times a power of ten that is not below `least`."""
    power = 10.0 ** floor(log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= least * (1 - 1e-9))


def thinned_bins(bins: int, numbers: int) -> int:
    """How many bins suit so many numbers: the square root, between 8 and `MOST_BINS`."""
    return max(8, min(bins, MOST_BINS, 2 * ceil(sqrt(numbers))))
