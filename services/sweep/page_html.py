"""A sweep as one HTML page that needs nothing else: the report's style, its chart library, its tables.

Every text is escaped, what the charts draw is JSON that can not end its element, and the page's own policy forbids
loading anything and running any script but its own. Without scripts its tables still say it all.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from services.report.page_assets_file import hashes, script, style
from services.report.tables_html import Cell, table
from services.sweep.figures import Goal
from services.sweep.heat import HeatMap, chart_data, heat_maps
from services.sweep.plan import TEST, Plan
from services.sweep.space import Between, Choices, Dimension, Value, brief, names_of, text_of
from services.sweep.table import Done, FoldResult, minute, ranked
from services.sweep.terminal import shown_figures
from services.sweep.verdict import number, verdict

MOST_ROWS = 2_000
_LIBRARY, _SORTING = "uPlot.iife.min.js", "tables.js"
_OWN = Path(__file__).parent / "page"
_LUCK = """<p class="faint">The best of many trials looks good by luck alone: the more are tried, the better. What the best of so
many would come to if the parameters meant nothing is an estimate for independent trials (Bailey, Borwein, L&oacute;pez de Prado,
Zhu, <i>Pseudo-Mathematics and Financial Charlatanism</i>, Notices of the AMS 61(5), 2014); the deflated Sharpe ratio is that of
Bailey and L&oacute;pez de Prado, <i>The Deflated Sharpe Ratio</i>, Journal of Portfolio Management 40(5), 2014. Neighbours in a
grid are alike and not independent, so both are on the strict side. Trials of earlier sweeps of the same data count too,
and are not known here.</p>
"""


def page(plan: Plan, runs: Sequence[Done], results: Sequence[FoldResult]) -> str:
    """The whole page.

    Args:
        plan: what was swept.
        runs: every run.
        results: the folds of a walk-forward sweep.
    """
    goal = Goal(plan.figure)
    scripts = (script(_LIBRARY), script(_SORTING), (_OWN / "sweep.js").read_text(encoding="utf-8"))
    data = json.dumps(chart_data(plan.space, runs, results, goal), allow_nan=False, separators=(",", ":"))
    title = " ".join(str(plan.settings[name]) for name in ("strategy", "symbol", "interval"))
    own_style = (_OWN / "sweep.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f'script-src {hashes(*scripts)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sweep of {escape(title)}</title><style>{style()}\n{own_style}</style></head><body><main>\n"
        f"<h1>Sweep of {escape(title)}</h1>\n"
        + "".join(
            f'<p class="{"verdict" if not place else ""}">{escape(text)}</p>\n'
            for place, text in enumerate(verdict(plan, runs, results))
        )
        + _LUCK
        + (
            _folds(plan, results, goal)
            if results
            else _charts("trials", f"{goal.figure} by trial, and the best so far")
        )
        + _maps(plan, runs, goal)
        + _against(plan)
        + _runs(plan, runs, goal)
        + _facts(plan)
        + f'</main>\n<script type="application/json" id="sweep">{data.replace("<", chr(92) + "u003c")}</script>\n'
        + "".join(f"<script>{text}</script>\n" for text in scripts)
        + "</body></html>\n"
    )


def _charts(name: str, title: str) -> str:
    return f'<h2>{escape(title)}</h2><div class="panel"><div class="chart" id="chart-{name}"></div></div>\n'


def _folds(plan: Plan, results: Sequence[FoldResult], goal: Goal) -> str:
    names = names_of(plan.space)
    head = (
        "+fold",
        "train from, UTC",
        "to",
        "test to",
        *names,
        f"+{goal.figure} in sample",
        "+out of sample",
        "+net_pnl out",
        "+trades out",
    )
    rows = []
    for result in results:
        chosen, tested = result.chosen, result.tested
        inside, outside = ({} if done is None else done[1].figures for done in (chosen, tested))
        rows.append(
            [
                Cell(str(result.fold.number), "number", result.fold.number),
                *(Cell(minute(ms)) for ms in (*result.fold.train, result.fold.test[1])),
                *(Cell("-" if chosen is None else brief(chosen[0].values[name])) for name in names),
                *(_figure(figures.get(name)) for figures, name in ((inside, goal.figure), (outside, goal.figure))),
                *(_figure(outside.get(name)) for name in ("net_pnl", "trades")),
            ]
        )
    told = "Each fold begins with a fresh account. Windows differ in length: compare sums of money with care."
    shown = table(head, rows, sortable=True)
    return _charts("folds", f"{goal.figure} in sample and out of sample") + f'<p class="faint">{told}</p>{shown}\n'


def _maps(plan: Plan, runs: Sequence[Done], goal: Goal) -> str:
    maps = heat_maps(plan.space, runs, goal)
    if not maps:
        return ""
    known = [cell for found in maps for row in found.cells for cell in row if cell is not None]
    shown = "".join(_map(found, known, goal) for found in maps)
    told = f"Mean {goal.figure} over all runs with these two values. A plateau is worth more than a peak."
    return f'<h2>Heat maps</h2><p class="faint">{escape(told)}</p><div class="maps">{shown}</div>\n'


def _map(found: HeatMap, known: Sequence[float], goal: Goal) -> str:
    head = "".join(f"<th>{escape(text_of(value))}</th>" for value in found.columns)
    body = "".join(
        f"<tr><th>{escape(text_of(value))}</th>{''.join(_heat(cell, known, goal) for cell in row)}</tr>"
        for value, row in zip(found.rows, found.cells, strict=True)
    )
    corner = f"{escape(found.down)} &darr; {escape(found.across)} &rarr;"
    return f'<div class="scroll"><table class="heat"><thead><tr><th>{corner}</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _heat(cell: float | None, known: Sequence[float], goal: Goal) -> str:
    """A cell, greener the better, redder the worse it is than the middle of all."""
    if cell is None:
        return "<td></td>"
    low, high = min(known), max(known)
    share = 0.5 if low == high else (cell - low) / (high - low)
    good = share if goal.sign > 0 else 1 - share
    tone, strength = ("good", 2 * good - 1) if good >= 0.5 else ("bad", 1 - 2 * good)
    colour = f"background:color-mix(in srgb,var(--{tone}) {70 * strength:.0f}%,transparent)"
    return f'<td class="number" style="{colour}">{escape(number(cell))}</td>'


def _against(plan: Plan) -> str:
    names = [dimension.name for dimension in plan.space if isinstance(dimension, Between) or len(dimension.values) > 1]
    shown = "".join(
        f'<div class="panel"><h3>{escape(name)}</h3><div class="chart" data-against="{escape(name)}"></div></div>'
        for name in names
    )
    return f'<h2>{escape(plan.figure)} against each name</h2><div class="two">{shown}</div>\n'


def _runs(plan: Plan, runs: Sequence[Done], goal: Goal) -> str:
    names, columns = names_of(plan.space), shown_figures(goal)
    best = ranked([done for done in runs if done[0].part != TEST], goal)
    rows = [
        [
            *([_figure(job.fold)] if plan.folds else []),
            _figure(job.trial),
            *(_value(job.values[name]) for name in names),
            *(_figure(outcome.figures[name]) for name in columns),
            Cell(outcome.stop_reason),
        ]
        for job, outcome in best[:MOST_ROWS]
    ]
    head = (*(["+fold"] if plan.folds else []), "+trial", *(f"+{name}" for name in (*names, *columns)), "stopped by")
    left = f", the best {MOST_ROWS:,} of them here, all in runs.csv" if len(best) > MOST_ROWS else ""
    return (
        f'<h2>Runs <small class="faint">{len(best):,}{left}</small></h2>{table(head, rows, sortable=True, tall=True)}\n'
    )


def _facts(plan: Plan) -> str:
    rows = [
        *(("data", f"{name.partition('/')[2]} (SHA-256 {digest[:16]})") for name, digest in plan.data.items()),
        *((dimension.name, _told(dimension)) for dimension in plan.space),
        ("chosen by", plan.sampler if plan.trials is None else f"{plan.sampler}, {plan.trials:,} trials a search"),
        ("optimised", plan.figure),
        *((name, str(plan.settings[name])) for name in ("strategy", "strategy_params", "seed", "starting_balance")),
    ]
    return f"<h2>What was swept</h2>{table((), [[Cell(name), Cell(text, 'words')] for name, text in rows])}\n"


def _told(dimension: Dimension) -> str:
    if isinstance(dimension, Choices):
        return ", ".join(text_of(value) for value in dimension.values)
    return f"{text_of(dimension.low)} to {text_of(dimension.high)}"


def _value(value: Value) -> Cell:
    text = brief(value)
    return Cell(text, "number", float(value)) if isinstance(value, int | float) else Cell(text)


def _figure(value: float | None) -> Cell:
    return Cell(number(value), "number", value)
