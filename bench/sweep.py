"""What a sweep costs beside its replays, and what a second worker brings. `make bench-sweep`.

Both in one run, side by side, on a drawn market of candles: absolute times of a shared machine mean little, ratios do.
Workers are warm (data parsed, code imported) before a clock starts. With `lap sweep` they also have to start, once.
"""

import sys
from collections.abc import Iterator, Sequence
from math import sin
from os import cpu_count, getloadavg
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.clock import monotonic_ns
from services.replay.script import read_script
from services.settings import Resolved
from services.sweep.bundle_file import bundle_of
from services.sweep.combination import settings_of
from services.sweep.errors import SweepError
from services.sweep.figures import measured
from services.sweep.plan import GRID, Plan
from services.sweep.play import play
from services.sweep.pool_dask import DaskPool, local_cluster
from services.sweep.results_sqlite import Results
from services.sweep.scheduler import Sweep
from services.sweep.space import Choices, combinations

MINUTE_MS = 60_000
CALM = {"max_daily_drawdown_pct": "100", "max_consecutive_losses": "1000000"}
SHORT, LONG = 500, 30_000
"""Candles of a run in which overhead would show, and of one of a second or more."""
OVERHEAD_MS, SPEED_UP = 10.0, 1.7


def market(path: Path, candles: int) -> Path:
    """Write candles of overlaid waves."""
    rows = ["ts_ms,open,high,low,close,volume"]
    before = 1000.0
    for number in range(candles):
        close = round(1000 + 20 * sin(number / 37) + 8 * sin(number / 11.3) + 3 * sin(number / 2.9), 2)
        low, high = min(before, close) - 0.5, max(before, close) + 0.5
        rows.append(f"{number * MINUTE_MS},{before},{high},{low},{close},50")
        before = close
    path.write_text("\n".join(rows) + "\n")
    return path


def swept(
    directory: Path, data: Path, base: Resolved, runs: int, pool: DaskPool, name: str
) -> tuple[float, list[float]]:
    """Return the seconds that a sweep took, and those of each of its replays."""
    space = (Choices("fast", (5,)), Choices("slow", (20,)), Choices("seed", tuple(range(runs))))
    plan = Plan({data.name: name}, "", "", base.values, space, None, GRID, "net_pnl")
    with Results(directory / name, plan) as results:
        started_ns = monotonic_ns()
        Sweep(plan, base, results, pool, None, lambda _: None, lambda: False).run()
        took = (monotonic_ns() - started_ns) / 1e9
        outcomes = [outcome for _, outcome in results.done()]
    if any(outcome.status != "ok" for outcome in outcomes):
        raise SweepError(outcomes[0].error)
    return took, [outcome.seconds for outcome in outcomes]


def measure(
    directory: Path, candles: int, runs: int, workers: Sequence[int]
) -> Iterator[tuple[int, float, list[float]]]:
    """Yield for each number of workers: how many, seconds in all, seconds of each replay."""
    data = market(directory / f"{candles}.csv", candles)
    script = read_script([data], CALM, directory)
    base = Resolved(dict(script.settings), dict(script.origins))
    bundle = bundle_of([data], directory)
    for count in workers:
        with local_cluster(count, bundle, directory) as pool:
            swept(directory, data, base, 4 * count, pool, f"warm-{candles}-{count}")
            yield count, *swept(directory, data, base, runs, pool, f"{candles}-{count}")


def parts(directory: Path) -> dict[str, float]:
    """Where the time of a run goes that is no replay, in ms: settings of the run, figures of its outcome."""
    data = market(directory / "parts.csv", SHORT)
    script = read_script([data], CALM, directory)
    base = Resolved(dict(script.settings), dict(script.origins))
    run, _ = play(script, directory)
    space = (Choices("stop_bps", (20, 30)), Choices("fast", (5, 10)))

    def ms(work: Any, times: int = 50) -> float:
        started_ns = monotonic_ns()
        for _ in range(times):
            work()
        return (monotonic_ns() - started_ns) / 1e6 / times

    values = next(combinations(space))
    return {"settings": ms(lambda: settings_of(base, values)), "figures": ms(lambda: measured(run))}


def _busy(took: float, replays: Sequence[float], workers: int) -> float:
    """The share of the time in which workers replayed: what is left of it when others slow everything down alike."""
    return sum(replays) / (took * workers)


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    with TemporaryDirectory(prefix="lap-bench-") as name:
        directory = Path(name)
        ((_, took, replays),) = measure(directory, SHORT, 200, [1])
        overhead_ms = 1000 * (took - sum(replays)) / len(replays)
        told = ", ".join(f"{part} {ms:.2f} ms" for part, ms in parts(directory).items())
        print(f"{cpu_count()} cores, load {getloadavg()[0]:.1f}")
        print(
            f"200 runs of {1000 * sum(replays) / 200:.1f} ms: {overhead_ms:.2f} ms a run beside the replay (goal: below {OVERHEAD_MS:g})"
        )
        print(f"  of which {told}")
        (_, one, singly), (_, two, doubly) = measure(directory, LONG, 10, [1, 2])
        print(f"10 runs of {sum(singly) / 10:.2f} s: {one:.1f} s with one worker, busy {_busy(one, singly, 1):.0%}")
        print(f"  with two {two:.1f} s, of {sum(doubly) / 10:.2f} s each, busy {_busy(two, doubly, 2):.0%}")
        print(f"speed-up {one / two:.2f} (goal: at least {SPEED_UP:g}, with two cores to themselves)")
    return 0 if overhead_ms < OVERHEAD_MS and one / two >= SPEED_UP else 1


if __name__ == "__main__":
    sys.exit(main())
