"""The table as a terminal shows it. Pure: it makes the table, and others print it."""

from collections.abc import Sequence

from rich.table import Table

from services.sweep.figures import Goal
from services.sweep.space import brief
from services.sweep.table import Done, FoldResult, minute, ranked
from services.sweep.verdict import number

TOP = 10
_SHOWN = ("net_pnl", "trades", "win_rate", "profit_factor", "expectancy_r", "max_drawdown_pct", "sharpe")


def shown_figures(goal: Goal) -> tuple[str, ...]:
    """The figures worth a column on a screen, the optimised one first."""
    return (goal.figure, *(name for name in _SHOWN if name != goal.figure))


def runs_table(names: Sequence[str], runs: Sequence[Done], goal: Goal, figures: int) -> Table:
    """The best runs, the best first, with so many of their figures."""
    columns = shown_figures(goal)[:figures]
    table = _table(("trial", *names, *columns, "stopped by"))
    for job, outcome in ranked(runs, goal)[:TOP]:
        values = [brief(job.values[name]) for name in names]
        table.add_row(
            str(job.trial), *values, *(number(outcome.figures[name]) for name in columns), outcome.stop_reason
        )
    return table


def folds_table(names: Sequence[str], results: Sequence[FoldResult], goal: Goal) -> Table:
    """Every fold: the trial that was chosen, its figure in sample, and what it came to out of sample."""
    table = _table(("fold", "test from, UTC", "to", *names, f"{goal.figure} in", "out", "net_pnl out", "trades out"))
    for result in results:
        chosen, tested = result.chosen, result.tested
        values = ["-"] * len(names) if chosen is None else [brief(chosen[0].values[name]) for name in names]
        inside, outside = (None if done is None else done[1].figures for done in (chosen, tested))
        table.add_row(
            *(str(result.fold.number), *map(minute, result.fold.test), *values),
            *(number((inside or {}).get(goal.figure)), number((outside or {}).get(goal.figure))),
            *(number((outside or {}).get("net_pnl")), number((outside or {}).get("trades"))),
        )
    return table


def _table(heads: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table
