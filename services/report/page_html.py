"""The report as one HTML page that needs nothing else: no script, no font, no picture from anywhere. Pure.

Every text that came from outside is escaped; the page's own policy forbids loading anything besides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bus.messages import TradeClosed
from services.report.equity_svg import equity_svg
from services.report.page_style import STYLE
from services.report.run import Run
from services.report.statistics import equity_curve
from services.report.summary import STOP_WORDS, iso, percent, starting_balance, verdict
from services.report.trades_csv import plain

MOST_TRADES = 1000
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TRADE_HEAD = (
    "#",
    "side",
    "+pnl",
    "+R",
    "exit",
    "opened, UTC",
    "+price",
    "closed, UTC",
    "+price",
    "+qty",
    "+fees",
    "+balance",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell: `kind` is one of the style sheet's words (`number`, `words`, `good`, `bad`)."""

    text: str
    kind: str = ""


def page(run: Run, figures: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        run: The run.
        figures: Its `summary.json`.
    """
    name = " ".join(str(figures[key]) for key in ("symbol", "interval", "strategy") if figures[key])
    facts = run.facts
    curve = equity_svg(equity_curve(facts.trades, starting_balance(run), facts.equity, facts.first_ts))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} {escape(run.run_id)}</title><style>{STYLE}</style></head><body><main>\n"
        + _head(run, figures, name)
        + _notes(run)
        + _figures(figures)
        + (f"<h2>Equity</h2>{curve}\n" if curve else "")
        + _trades(facts.trades)
        + _position(figures)
        + _rejections(figures)
        + _incidents(figures["incidents"])
        + _session(figures)
        + _settings(run)
        + "</main></body></html>\n"
    )


def _head(run: Run, figures: Mapping[str, Any], name: str) -> str:
    end = run.end
    tone = "good" if end.reason.exit_code == 0 else "bad"
    detail = " ".join(end.detail.split()).removesuffix(".")
    why = STOP_WORDS[end.reason].removesuffix(".") + (f" ({detail})." if detail else ".")
    return (
        f"<h1>{escape(name)}</h1>\n"
        f'<p class="faint">Run {escape(run.run_id)}, source {escape(str(figures["source"]))}, '
        f"{escape(_clock(figures['started_at']) or 'unknown start')} to {escape(_clock(figures['ended_at']))} UTC</p>\n"
        f'<p class="verdict">{escape(verdict(figures))}</p>\n'
        f'<p><span class="badge {tone}">{escape(end.reason.value)}</span>{escape(why)}</p>\n'
    )


def _notes(run: Run) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>\n' for note in run.notes)


def _figures(figures: Mapping[str, Any]) -> str:
    factor, net = figures["profit_factor"], figures["net_pnl"]
    start = figures["starting_balance"]
    shown = [
        (
            "Net result",
            f"{net:+,.2f}",
            percent(figures["net_pnl_pct"]),
            "good" if net > 0 else "bad" if net < 0 else "",
        ),
        ("Balance", f"{figures['ending_balance']:,.2f}", f"from {start:,.2f}", ""),
        ("Trades", f"{figures['trades']}", f"{figures['wins']} won, {figures['losses']} lost", ""),
        ("Win rate", f"{100 * figures['win_rate']:.1f} %" if figures["trades"] else "-", "", ""),
        ("Profit factor", "-" if factor is None else f"{factor:.2f}", "won / lost", ""),
        ("Expectancy", f"{figures['expectancy_r']:+.2f} R", f"{figures['expectancy']:+,.2f} a trade", ""),
        ("Deepest drawdown", f"{figures['max_drawdown_pct']:.2f} %", "of the peak before", ""),
        ("Exposure", f"{figures['exposure_pct']:.1f} %", "time in a position", ""),
        ("Fees", f"{figures['fees']:,.2f}", f"funding {figures['funding']:+,.2f}", ""),
        ("Best, worst", f"{figures['best']:+,.2f}", f"{figures['worst']:+,.2f}", ""),
    ]
    cards = "".join(
        f'<div class="figure"><dt>{escape(label)}</dt><dd class="{tone}">{escape(value)}'
        f"<small>{escape(small)}</small></dd></div>"
        for label, value, small, tone in shown
    )
    return f'<dl class="figures">{cards}</dl>\n'


def _trades(trades: Sequence[TradeClosed]) -> str:
    if not trades:
        return '<h2>Trades</h2><p class="faint">None.</p>\n'
    latest = trades[-MOST_TRADES:]
    left_out = f", the last {MOST_TRADES:,} of them here, all in trades.csv" if len(latest) < len(trades) else ""
    rows = [_trade_cells(trade) for trade in latest]
    return f"<h2>Trades <span class=faint>{len(trades):,}{left_out}</span></h2>{_table(_TRADE_HEAD, rows)}\n"


def _trade_cells(trade: TradeClosed) -> list[Cell]:
    tone = "good" if trade.pnl > 0 else "bad" if trade.pnl < 0 else ""
    return [
        Cell(str(trade.trade_id), "faint"),
        Cell(trade.side.value),
        Cell(f"{trade.pnl:+,.2f}", f"number {tone}".strip()),
        Cell(f"{trade.r:+.2f}", f"number {tone}".strip()),
        Cell(trade.exit_reason.value),
        Cell(_clock(iso(trade.entry_ts))),
        Cell(plain(trade.entry_price), "number"),
        Cell(_clock(iso(trade.exit_ts))),
        Cell(plain(trade.exit_price), "number"),
        Cell(plain(trade.qty), "number"),
        Cell(f"{trade.fees:,.2f}", "number"),
        Cell(f"{trade.equity:,.2f}", "number"),
    ]


def _position(figures: Mapping[str, Any]) -> str:
    held = figures["open_position"]
    if not held:
        return ""
    text = (
        f"{held['side']} {held['qty']:g} at {held['entry_price']:,g} since {_clock(iso(held['entry_ts']))} UTC, "
        f"{held['unrealized']:+,.2f} at the last price."
    )
    return f"<h2>Still open</h2><p>{escape(text)}</p>\n"


def _rejections(figures: Mapping[str, Any]) -> str:
    counts = {**figures["rejections"], "cancelled": figures["cancelled_orders"]}
    rows = [[Cell(reason), Cell(f"{count:,}", "number")] for reason, count in counts.items() if count]
    if not rows:
        return ""
    return f"<h2>Orders without a fill</h2>{_table(('reason', '+orders'), rows)}\n"


def _incidents(incidents: Sequence[Mapping[str, Any]]) -> str:
    if not incidents:
        return '<h2>Incidents</h2><p class="faint">None.</p>\n'
    rows = []
    for incident in incidents:
        rest = {
            key: value for key, value in incident.items() if key not in {"ts", "ts_ms", "service", "event", "message"}
        }
        at = incident.get("ts") or incident.get("ts_ms") or ""
        words = str(incident.get("message") or ", ".join(f"{key}={value}" for key, value in rest.items()))
        when = _clock(iso(at)) if isinstance(at, int) else _clock(str(at))
        rows.append(
            [
                Cell(when),
                Cell(str(incident.get("service", ""))),
                Cell(str(incident.get("event", ""))),
                Cell(words, "words"),
            ]
        )
    return f"<h2>Incidents</h2>{_table(('UTC', 'service', 'event', ''), rows)}\n"


def _session(figures: Mapping[str, Any]) -> str:
    by_service = ", ".join(f"{service} {count}" for service, count in figures["restarts_by_service"].items() if count)
    last = figures["last_close"]
    shown = [
        ("candles", f"{figures['candle_count']:,}"),
        ("ticks", f"{figures['tick_count']:,}"),
        ("last price", "-" if last is None else f"{last:,g}" if last < 1 else f"{last:,}"),
        ("last event, UTC", _clock(iso(figures["last_ts"])) if figures["last_ts"] else "-"),
        ("average time in a trade", f"{figures['average_holding_sec']:,.0f} s"),
        ("longest losing streak", str(figures["longest_losing_streak"])),
        ("service restarts", f"{figures['restarts']}{f' ({by_service})' if by_service else ''}"),
        ("seed", str(figures["seed"])),
        ("stopped by", str(figures["stopped_by"] or "-")),
    ]
    return f"<h2>Session</h2>{_table((), [[Cell(name), Cell(value)] for name, value in shown])}\n"


def _settings(run: Run) -> str:
    """Settings, folded; those that are not defaults stand out. Notification URLs hold secrets and stay out."""
    rows = []
    for name, value in run.settings.items():
        origin = run.origins.get(name, "")
        hidden = name == "alert_urls" and value
        text = f"{len(value)} set" if hidden else _value(value)
        rows.append((Cell(name), Cell(text, "words"), Cell(origin), origin not in {"", "default"}))
    body = "".join(f"<tr{' class=set' if special else ''}>{''.join(map(_td, cells))}</tr>" for *cells, special in rows)
    head = "<tr><th>name</th><th>value</th><th>from</th></tr>"
    return f'<details><summary><h2>Settings</h2></summary><div class="scroll"><table>{head}{body}</table></div></details>\n'


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that scrolls sideways on a narrow screen; a head that starts with `+` stands over numbers."""
    columns = "".join(
        f'<th class="number">{escape(title[1:])}</th>' if title.startswith("+") else f"<th>{escape(title)}</th>"
        for title in head
    )
    body = "".join(f"<tr>{''.join(map(_td, row))}</tr>\n" for row in rows)
    top = f"<tr>{columns}</tr>" if head else ""
    return f'<div class="scroll"><table>{top}{body}</table></div>'


def _td(cell: Cell) -> str:
    return f'<td class="{cell.kind}">{escape(cell.text)}</td>' if cell.kind else f"<td>{escape(cell.text)}</td>"


def _value(value: object) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_value(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)


def _clock(moment: str) -> str:
    """`2026-11-23T05:18:00.123Z` as a person reads it: without `T`, fraction and zone."""
    return moment.replace("T", " ").partition(".")[0].removesuffix("Z")
