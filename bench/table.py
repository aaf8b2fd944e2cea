"""What every bench prints: rows `name | ours | peer | ratio`, and the statistics that they are made of."""

import signal
import statistics
import sys
from collections.abc import Callable, Sequence

ABSENT = "-"


def row(name: str, ours: str, peer: str = ABSENT, ratio: str = ABSENT) -> None:
    """Print a row of the table of `bench/RESULTS.md`; `ratio` is ours over the peer's."""
    print(f"{name} | {ours} | {peer} | {ratio}", flush=True)


def compare(name: str, ours: float, peer: float, unit: str, *, places: int = 0) -> None:
    """Print a row of two numbers and their ratio."""
    row(name, f"{ours:,.{places}f} {unit}", f"{peer:,.{places}f} {unit}", f"{ours / peer:.2f}" if peer else ABSENT)


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` (0 to 1) of the values lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * part))]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def run(main: Callable[[], int]) -> None:
    """Run a bench and exit with its code; told to end (a time limit), it takes the processes that it started along."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
