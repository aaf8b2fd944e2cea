"""The page's parts in words and numbers: headline figures, costs, statistics, session, settings. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from services.report.run import Run
from services.report.summary import iso, percent
from services.report.tables_html import Cell, Row, table
from services.report.words import clock, dash, span, value_text

_NOT_SHOWN_AGAIN = frozenset({"source", "replay_file", "replay_speed", "alert_urls"})
"""Settings that a replay of data files gives itself, and what is secret and changes nothing."""


def headline(figures: Mapping[str, Any]) -> str:
    """The cards on top."""
    net = figures["net_pnl"]
    trades = figures["trades"]
    held = figures["open_position"]
    is_open = f", {held['unrealized']:+,.2f} still open" if held else ""
    cards = [
        ("Net result", f"{net:+,.2f}", percent(figures["net_pnl_pct"]) + is_open, _tone(net)),
        ("Balance", f"{figures['ending_balance']:,.2f}", f"from {figures['starting_balance']:,.2f}", ""),
        ("Trades", f"{trades:,}", f"{figures['wins']:,} won, {figures['losses']:,} lost", ""),
        ("Win rate", f"{100 * figures['win_rate']:.1f} %" if trades else dash(None, ""), "of all trades", ""),
        ("Profit factor", dash(figures["profit_factor"], "{:.2f}"), "won / lost", ""),
        ("Expectancy", f"{figures['expectancy_r']:+.2f} R", f"{figures['expectancy']:+,.2f} a trade", ""),
        (
            "Deepest drawdown",
            f"{figures['max_drawdown_pct']:.2f} %",
            f"in money at most {figures['max_drawdown']:,.2f}",
            "",
        ),
        ("Exposure", f"{figures['exposure_pct']:.1f} %", "of the time in a position", ""),
        ("Costs", f"{_costs(figures):,.2f}", "fees, slippage, funding", ""),
        ("Buy and hold", dash(figures["buy_and_hold_pct"], "{:+.2f} %"), "the market meanwhile", ""),
    ]
    shown = "".join(
        f'<div class="figure"><dt>{escape(label)}</dt><dd class="{tone}">{escape(value)}'
        f"<small>{escape(small)}</small></dd></div>"
        for label, value, small, tone in cards
    )
    return f'<dl class="figures">{shown}</dl>\n'


def costs(figures: Mapping[str, Any]) -> str:
    """What trading cost, against what it made before."""
    parts = [
        ("gross", figures["gross_pnl"]),
        ("slippage", 0.0 - figures["slippage"]),
        ("fees", 0.0 - figures["fees"]),
        ("funding", 0.0 - figures["funding"]),
        ("net", figures["net_pnl"]),
    ]
    widest = max(abs(amount) for _, amount in parts)
    if not widest:
        return ""
    rows = "".join(
        f"<tr><td>{name}</td><td class=number>{amount:+,.2f}</td><td class=wide>"
        f'<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{_tone(amount)}" width="{100 * abs(amount) / widest:.2f}" height="8"/></svg></td></tr>'
        for name, amount in parts
    )
    return (
        '<h2>Costs</h2><p class="faint">Gross is what prices alone made of the closed trades, before slippage, fees and '
        f'funding.</p><div class="scroll"><table><tbody>{rows}</tbody></table></div>\n'
    )


def statistics(figures: Mapping[str, Any]) -> str:
    """All figures; where there is none, the reason."""
    rows = [[Cell(name), Cell(value, "number"), Cell(told, "words faint")] for name, value, told in _figures(figures)]
    return f"<h2>Statistics</h2>{table(('figure', '+value', ''), rows, stack=True)}\n"


def _figures(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    undefined = figures["undefined"]

    def maybe(label: str, name: str, form: str, told: str) -> tuple[str, str, str]:
        return label, dash(figures[name], form), undefined.get(name, told)

    yield "win rate", f"{100 * figures['win_rate']:.2f} %", "won / all trades"
    yield maybe("profit factor", "profit_factor", "{:.3f}", "sum won / sum lost")
    yield maybe("payoff ratio", "payoff_ratio", "{:.3f}", "average won / average lost")
    yield "expectancy", f"{figures['expectancy']:+,.4f}", "average net profit of a trade"
    yield "average R", f"{figures['expectancy_r']:+.4f}", "average net profit in units of the initial risk"
    yield "average trade won", f"{figures['average_win']:+,.2f}", ""
    yield "average trade lost", f"{figures['average_loss']:+,.2f}", ""
    yield "best, worst trade", f"{figures['best']:+,.2f}, {figures['worst']:+,.2f}", ""
    yield (
        "longest streak won, lost",
        f"{figures['longest_winning_streak']}, {figures['longest_losing_streak']}",
        "trades",
    )
    yield (
        "deepest drawdown",
        f"{figures['max_drawdown_pct']:.3f} %",
        f"of the peak before; in money at most {figures['max_drawdown']:,.2f}",
    )
    yield (
        "longest drawdown",
        span(figures["longest_drawdown_sec"]),
        "from a peak until equity is as high again, or the end",
    )
    yield "exposure", f"{figures['exposure_pct']:.2f} %", "share of the time with a position"
    yield (
        "time in a trade",
        span(figures["average_holding_sec"]),
        (f"average; median {span(figures['median_holding_sec'])}, longest {span(figures['longest_holding_sec'])}"),
    )
    yield maybe("fee share", "fee_share_pct", "{:.1f} %", "fees / what winning trades made before them")
    yield maybe("Sharpe", "sharpe", "{:.2f}", "daily returns, annualised")
    yield maybe("Sortino", "sortino", "{:.2f}", "daily returns, annualised, downside only")
    yield maybe("Calmar", "calmar", "{:.2f}", "annual return / deepest drawdown")
    yield maybe("buy and hold", "buy_and_hold_pct", "{:+.3f} %", "first open to last price, without costs")


def session(run: Run, figures: Mapping[str, Any]) -> str:
    """How the session went, and how to see it again."""
    quality, last = figures["quality"], figures["last_close"]
    by_service = ", ".join(f"{service} {count}" for service, count in figures["restarts_by_service"].items() if count)
    shown = [
        ("candles", f"{figures['candle_count']:,}, with lost data {quality['incomplete_candles']:,}"),
        ("ticks", f"{figures['tick_count']:,}, refused {quality['refused_events']:,}"),
        ("last price", "-" if last is None else f"{last:,g}" if last < 1 else f"{last:,}"),
        ("last event, UTC", clock(iso(figures["last_ts"])) if figures["last_ts"] else "-"),
        ("reconnects", f"{quality['reconnects']:,}"),
        ("seconds without data, connected", f"{quality['stale_sec']:,.0f}"),
        ("candles without an answer in time", f"{quality['unanswered_candles']:,}"),
        ("service restarts", f"{figures['restarts']}{f' ({by_service})' if by_service else ''}"),
        ("seed", str(figures["seed"])),
        ("stopped by", str(figures["stopped_by"] or "-")),
        ("versions", ", ".join(f"{name} {text}" for name, text in run.versions.items()) or "-"),
    ]
    return (
        f"<h2>Session</h2>{table((), [[Cell(name), Cell(text, 'words')] for name, text in shown])}\n"
        f'<p class="faint">To see it again: <code>{escape(_again(run))}</code></p>\n'
    )


def settings(run: Run) -> str:
    """Settings, folded; those that are not defaults stand out. Notification URLs hold secrets and stay out."""
    rows: Sequence[Row] = [
        Row([Cell(name, kind), Cell(text, f"words {kind}".strip()), Cell(origin)])
        for name, text, origin in _settings(run)
        for kind in ["" if origin in {"", "default"} else "set"]
    ]
    return f"<details><summary><h2>Settings</h2></summary>{table(('name', 'value', 'from'), rows)}</details>\n"


def _settings(run: Run) -> Iterator[tuple[str, str, str]]:
    for name, value in run.settings.items():
        hidden = name == "alert_urls" and value
        yield name, f"{len(value)} set" if hidden else value_text(value), run.origins.get(name, "")


def _again(run: Run) -> str:
    """The command that replays the same: of a replay, with what was changed on its command line."""
    if not run.replayed:
        return f"lap replay {run.run_id} --check"
    changed = [
        f"--set {_quoted(f'{name}={_given(run.settings.get(name))}')}"
        for name, origin in run.origins.items()
        if origin.startswith("--set") and name not in _NOT_SHOWN_AGAIN
    ]
    return " ".join(["lap replay", *map(_quoted, run.replayed), *changed])


def _given(value: object) -> str:
    """A setting's value as the command line takes it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={part}" for name, part in value.items())
    return "" if value is None else str(value)


def _quoted(word: str) -> str:
    """A word as a shell takes it: quoted where it has to be, so that PowerShell and cmd know it too."""
    return word if re.fullmatch(r"[\w./\\:=,+-]+", word) else f'"{word}"'


def _costs(figures: Mapping[str, Any]) -> float:
    return float(figures["fees"] + figures["slippage"] + figures["funding"])


def _tone(amount: float) -> str:
    return "good" if amount > 0 else "bad" if amount < 0 else ""
