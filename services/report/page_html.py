"""The report as one HTML page that needs nothing else: no font, script or picture from anywhere.

Every text that came from outside is escaped, what the charts draw is JSON that can not end its element, and the page's
own policy forbids loading anything and running any script but its own. Without scripts its tables still say it all.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bus.messages import RejectReason, StopReason, TradeClosed
from services.numbers import plain
from services.report.chart_data import chart_data
from services.report.equity import equity_curve
from services.report.equity_svg import equity_svg
from services.report.page_assets_file import policy, scripts, style
from services.report.quality import HEADLINES, Grade
from services.report.run import End, Run
from services.report.sections_html import costs, headline, session, settings, statistics
from services.report.summary import STOP_WORDS, iso, starting_balance, verdict
from services.report.tables_html import Cell, Row, table
from services.report.timeline import has_own_clock
from services.report.words import clock

MOST_TRADES = 2000
_TRADE_HEAD = (
    *("+#", "side", "+pnl", "+R", "exit", "opened, UTC", "+price", "closed, UTC", "+price"),
    *("+held, s", "+qty", "+fees", "+latency, ms", "+balance"),
)
REJECTION_WORDS: Mapping[RejectReason, str] = {
    RejectReason.DUPLICATE: "the same decision was sent again",
    RejectReason.INVALID: "its numbers make no sense",
    RejectReason.HALTED: "the breaker had tripped, the session stopped, or the monitor was gone",
    RejectReason.EXPIRED: "no tick came in time: it was too old",
    RejectReason.NO_QUOTE: "there was no price yet",
    RejectReason.POSITION_OPEN: "a position was open already",
    RejectReason.THROTTLED: "too soon after the last entry",
    RejectReason.MIN_QTY: "the size would have been below the exchange's least",
    RejectReason.NO_POSITION: "there was nothing to close",
}
MARKET = """<h2 id="market">Market and trades</h2>
<div class="panel">
<div class="bar"><button type="button" data-act="all">All</button><button type="button" data-act="in" aria-label="zoom in">+</button>
<button type="button" data-act="out" aria-label="zoom out">&minus;</button>
<button type="button" data-act="left" aria-label="earlier">&larr;</button>
<button type="button" data-act="right" aria-label="later">&rarr;</button>
<span class="faint" id="zoom-hint" hidden>double click: all</span>
<span class="key faint"><span>&#9650; long &#9660; short</span><span>&#9679; exit</span>
<span>dashed: <span class="bad">stop</span>, <span class="good">target</span></span></span></div>
<p class="readout" id="readout"><span class="mouse">Drag to zoom.</span><span class="touch">Pinch to zoom, drag to move.</span></p>
<div class="chart" id="price"></div>
<p class="label">equity</p><div class="chart" id="equity"></div>
<p class="label">drawdown</p><div class="chart" id="fall"></div>
<div class="chart" id="events"></div>
</div>
"""


def page(run: Run, figures: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        run: The run.
        figures: Its `summary.json`.
    """
    name = " ".join(str(figures[key]) for key in ("symbol", "interval", "strategy") if figures[key])
    data = json.dumps(chart_data(run, figures), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    library, *own = scripts()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} {escape(run.run_id)}</title><style>{style()}</style></head><body><main>\n"
        + _head(run, figures, name)
        + _trust(figures)
        + _notes(run)
        + headline(figures)
        + _market(run)
        + _distributions(figures)
        + costs(figures)
        + statistics(figures)
        + _trades(run.facts.trades)
        + _position(figures)
        + _rejections(figures)
        + _incidents(figures["incidents"])
        + session(run, figures)
        + settings(run)
        + f'</main>\n<script type="application/json" id="run">{_unbreakable(data)}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in (library, *own))
        + "</body></html>\n"
    )


def _unbreakable(data: str) -> str:
    """JSON that can stand inside a script element, whatever its texts say."""
    return data.replace("<", "\\u003c")


def _head(run: Run, figures: Mapping[str, Any], name: str) -> str:
    return (
        f"<h1>{escape(name)}</h1>\n"
        f'<p class="faint">Run {escape(run.run_id)}, source {escape(str(figures["source"]))}, '
        f"{escape(clock(figures['started_at']) or 'unknown start')} to {escape(clock(figures['ended_at']))} UTC"
        f"{_market_clock(run)}</p>\n"
        f'<p class="verdict">{escape(verdict(figures))}</p>\n'
        f"<p>{_why(run.end)}</p>\n"
    )


def _why(end: End) -> str:
    """Why it ended."""
    if end.reason is None:
        return '<span class="badge">running</span>The session still goes on.'
    tone = "good" if end.reason.exit_code == 0 else "bad"
    is_known = end.reason is StopReason.DURATION  # its detail says the same again
    detail = "" if is_known else " ".join(end.detail.split()).removesuffix(".")
    why = STOP_WORDS[end.reason].removesuffix(".") + (f" ({detail})." if detail else ".")
    return f'<span class="badge {tone}">{escape(end.reason.value)}</span>{escape(why)}'


def _market_clock(run: Run) -> str:
    """When it was in the market, where that is not when it was on the wall."""
    if not has_own_clock(run):
        return ""
    begin, end = (clock(iso(ts)) for ts in (run.facts.first_ts, run.facts.last_ts))
    return f"<br>On the market's own clock, as below: {begin} to {end} UTC"


def _trust(figures: Mapping[str, Any]) -> str:
    grade = Grade(figures["quality"]["grade"])
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in figures["quality"]["reasons"])
    known = f"<ul>{reasons}</ul>" if reasons else ""
    return f'<section class="trust {grade.value}" id="trust"><p>{HEADLINES[grade]}</p>{known}</section>\n'


def _notes(run: Run) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>\n' for note in run.notes)


def _market(run: Run) -> str:
    facts = run.facts
    curve = equity_svg(equity_curve(facts.trades, starting_balance(run), facts.equity, facts.first_ts))
    if not curve and not facts.bars:
        return ""
    return f"{MARKET}<noscript><p class=note>The charts need JavaScript.</p>{curve}</noscript>\n"


def _distributions(figures: Mapping[str, Any]) -> str:
    latency, slippage = figures["latency_ms"], figures["slippage_bps"]
    panels = []
    if figures["trades"]:
        panels += [
            ("r", "R of trades", "net profit in units of the initial risk"),
            ("holding", "Time in a trade", "seconds"),
        ]
    if latency:
        panels.append(("latency", "Latency drawn", _five(latency, "ms", "orders", ".0f")))
    if slippage:
        panels.append(("slippage", "Slippage drawn", _five(slippage, "bps", "executions", ".2f")))
    if not panels:
        return ""
    shown = "".join(
        f'<div class="panel"><h3>{title}</h3><p class="faint">{told}</p><p class="readout" id="told-{name}"></p>'
        f'<div class="chart" id="chart-{name}"></div></div>'
        for name, title, told in panels
    )
    return f'<h2>Distributions</h2><div class="two">{shown}</div>\n'


def _five(five: Mapping[str, float], unit: str, what: str, form: str) -> str:
    least, median, p95, most = (format(five[name], form) for name in ("least", "median", "p95", "most"))
    return f"{five['count']:,} {what}: {least} to {most} {unit}, median {median}, 95 % below {p95}"


def _trades(trades: Sequence[TradeClosed]) -> str:
    if not trades:
        return '<h2>Trades</h2><p class="faint">None.</p>\n'
    latest = trades[-MOST_TRADES:]
    left_out = f", the last {MOST_TRADES:,} of them here, all in trades.csv" if len(latest) < len(trades) else ""
    rows = [Row(_trade_cells(trade), trade.trade_id) for trade in latest]
    shown = table(_TRADE_HEAD, rows, sortable=True, tall=True)
    return f'<h2>Trades <small class="faint">{len(trades):,}{left_out}; a click shows one in the chart</small></h2>{shown}\n'


def _trade_cells(trade: TradeClosed) -> list[Cell]:
    tone = "good" if trade.pnl > 0 else "bad" if trade.pnl < 0 else ""
    money = f"number {tone}".strip()
    held = (trade.exit_ts - trade.entry_ts) / 1000
    return [
        Cell(str(trade.trade_id), "number faint", trade.trade_id),
        Cell(trade.side.value),
        Cell(f"{trade.pnl:+,.2f}", money, float(trade.pnl)),
        Cell(f"{trade.r:+.2f}", money, float(trade.r)),
        Cell(trade.exit_reason.value),
        _moment(trade.entry_ts),
        _number(plain(trade.entry_price), float(trade.entry_price)),
        _moment(trade.exit_ts),
        _number(plain(trade.exit_price), float(trade.exit_price)),
        _number(f"{held:,.1f}", held),
        _number(plain(trade.qty), float(trade.qty)),
        _number(f"{trade.fees:,.2f}", float(trade.fees)),
        _number(str(trade.latency_ms), trade.latency_ms),
        _number(f"{trade.equity:,.2f}", float(trade.equity)),
    ]


def _moment(ts_ms: int) -> Cell:
    """Month, day and time: the year stands on top of the page."""
    return Cell(clock(iso(ts_ms)).partition("-")[2], "", ts_ms)


def _number(text: str, value: float) -> Cell:
    return Cell(text, "number", value)


def _position(figures: Mapping[str, Any]) -> str:
    held = figures["open_position"]
    if not held:
        return ""
    text = (
        f"{held['side']} {held['qty']:g} at {held['entry_price']:,g} since {clock(iso(held['entry_ts']))} UTC, "
        f"{held['unrealized']:+,.2f} at the last price."
    )
    return f"<h2>Still open</h2><p>{escape(text)}</p>\n"


def _rejections(figures: Mapping[str, Any]) -> str:
    counts = {**figures["rejections"], "cancelled": figures["cancelled_orders"]}
    words = {**{reason.value: text for reason, text in REJECTION_WORDS.items()}, "cancelled": "ended without a verdict"}
    rows = [
        [Cell(reason), _number(f"{count:,}", count), Cell(words.get(reason, ""), "words faint")]
        for reason, count in counts.items()
        if count
    ]
    if not rows:
        return ""
    return f"<h2>Signals without a fill</h2>{table(('reason', '+orders', ''), rows, sortable=True, stack=True)}\n"


def _incidents(incidents: Sequence[Mapping[str, Any]]) -> str:
    if not incidents:
        return '<h2>Incidents</h2><p class="faint">None.</p>\n'
    rows = []
    for incident in incidents:
        known = {"ts", "ts_ms", "service", "event", "message", "level", "market_ts", "seconds"}
        rest = ", ".join(f"{key}={value}" for key, value in incident.items() if key not in known)
        at = incident.get("ts") or incident.get("ts_ms") or ""
        when = clock(iso(at)) if isinstance(at, int) else clock(str(at))
        service, event = (Cell(str(incident.get(key, ""))) for key in ("service", "event"))
        rows.append([Cell(when), service, event, Cell(str(incident.get("message") or rest), "words")])
    return f"<h2>Incidents</h2>{table(('UTC', 'service', 'event', ''), rows, sortable=True, stack=True)}\n"
