"""The figures of `summary.json`, and a run's end in words. Pure.

Numbers are JSON numbers, for scripts to compute with; exact decimals are in `trades.csv`. `restarts` is the number of
restarts of all services together, `restarts_by_service` has them apart.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bus.messages import StopReason
from services.report.costs import FiveNumbers, costs_of, five_numbers, latencies, slippages_bps
from services.report.quality import quality_of
from services.report.run import OpenPosition, Run
from services.report.statistics import Statistics, measure

STOP_WORDS: Mapping[StopReason, str] = {
    StopReason.DURATION: "The time was up.",
    StopReason.END_OF_DATA: "The replay ran out of data.",
    StopReason.KILL: "It was stopped by the kill file.",
    StopReason.SIGNAL: "It was stopped by Ctrl-C or a termination signal.",
    StopReason.CONFIG: "Its settings or surroundings were refused.",
    StopReason.STALE_DATA: "The source was connected but sent no market data any more.",
    StopReason.CIRCUIT_BREAKER: "The circuit breaker tripped: losses reached the limit.",
    StopReason.RESTARTS_EXHAUSTED: "A service crashed or hung more often than allowed.",
    StopReason.FEED_LOST: "The connection to the source was lost, and all attempts to reconnect failed.",
    StopReason.ORPHANED: "Whoever started it was gone.",
    StopReason.INTERNAL_ERROR: "Something broke inside.",
}
FEW_TRADES = 30


def starting_balance(run: Run) -> Decimal:
    """What the account began with: the journal's word, else the setting's."""
    if run.facts.starting_balance is not None:
        return run.facts.starting_balance
    return Decimal(str(run.settings.get("starting_balance") or 0))


def ending_balance(run: Run) -> Decimal:
    """What the account ended with; without a journal, what it began with."""
    if run.facts.ending_balance is not None:
        return run.facts.ending_balance
    return starting_balance(run)


def statistics_of(run: Run) -> Statistics:
    """The run's figures."""
    facts = run.facts
    return measure(
        facts.trades,
        starting_balance(run),
        facts.equity,
        first_ts=facts.first_ts,
        last_ts=facts.last_ts,
        open_since=facts.position.entry_ts if facts.position else None,
    )


def summary(run: Run) -> dict[str, Any]:
    """Everything of `summary.json`."""
    facts, end, begin, final = run.facts, run.end, starting_balance(run), ending_balance(run)
    costs, figures = costs_of(facts.trades, facts.fills), asdict(statistics_of(run))
    undefined = figures.pop("undefined")
    hold = buy_and_hold_pct(run)
    if isinstance(hold, str):
        undefined["buy_and_hold_pct"] = hold
    return {
        "run_id": run.run_id,
        **{name: run.settings.get(name) for name in ("source", "symbol", "interval", "strategy")},
        "seed": run.seed,
        "started_at": run.started_at,
        "ended_at": iso(end.at_ms),
        "stop_reason": end.reason and end.reason.value,
        "exit_code": end.reason and end.reason.exit_code,
        "stop_detail": end.detail,
        "stopped_by": end.by,
        "candle_count": facts.candles,
        "tick_count": facts.ticks,
        "first_ts": facts.first_ts or None,
        "last_ts": facts.last_ts or None,
        "last_close": facts.last_close,
        "starting_balance": float(begin),
        "ending_balance": float(final),
        "net_pnl": float(final - begin),
        "net_pnl_pct": float(100 * (final - begin) / begin) if begin else 0.0,
        "buy_and_hold_pct": None if isinstance(hold, str) else hold,
        "gross_pnl": float(costs.gross),
        "slippage": float(costs.slippage),
        "fees": float(costs.fees + facts.entry_fees_open),
        "funding": float(costs.funding + facts.open_costs - facts.entry_fees_open),
        **figures,
        "latency_ms": _five(five_numbers(latencies(facts.orders))),
        "slippage_bps": _five(five_numbers(slippages_bps(facts.fills))),
        "rejections": dict(facts.rejections),
        "cancelled_orders": facts.cancelled,
        "restarts": sum(end.restarts.values()),
        "restarts_by_service": dict(end.restarts),
        "incidents": incidents(run),
        "open_position": open_position(facts.position),
        "quality": asdict(quality_of(run)),
        "undefined": undefined,
        "versions": dict(run.versions),
        "notes": list(run.notes),
    }


def buy_and_hold_pct(run: Run) -> float | str:
    """What holding one coin from the first candle's open to the last price made, in percent; or why it is not known."""
    bars, last = run.facts.bars, run.facts.last_close
    if not bars or last is None:
        return "no candle was closed"
    return 100 * (last / bars[0][1] - 1)


def _five(spread: FiveNumbers | None) -> dict[str, float] | None:
    return None if spread is None else asdict(spread)


def incidents(run: Run) -> list[dict[str, Any]]:
    """Incidents of the session's log, and before them those that only the journal knows."""
    logged = [dict(incident) for incident in run.end.incidents]
    known = {_essence(incident) for incident in logged}
    return [dict(incident) for incident in run.facts.incidents if _essence(incident) not in known] + logged


def _essence(incident: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(incident.get(key)) for key in ("service", "event", "message"))


def open_position(position: OpenPosition | None) -> dict[str, Any] | None:
    """The position that outlived the run (`on_stop = keep`, or a crash), if there is one."""
    if position is None:
        return None
    return {
        "side": position.side.value,
        "qty": float(position.qty),
        "entry_price": float(position.entry_price),
        "entry_ts": position.entry_ts,
        "unrealized": float(position.unrealized),
    }


def verdict(figures: Mapping[str, Any]) -> str:
    """One or two sentences that a person reads first."""
    trades, net, pct = figures["trades"], figures["net_pnl"], figures["net_pnl_pct"]
    if not trades:
        moved = f" The balance moved by {net:+,.2f}." if net else ""
        return f"No trade was closed, so there is nothing to judge.{moved}"
    word = "Made" if net > 0 else "Lost" if net < 0 else "Came out even:"
    many = f"{trades:,} trade{'s' if trades != 1 else ''}"
    first = f"{word} {abs(net):,.2f} ({percent(pct)}) in {many}, of which {figures['wins']:,} won."
    gross = net + figures["fees"] + figures["funding"]
    costs = f" Before fees and funding it made {gross:,.2f}." if gross > 0 > net else ""
    few = " So few trades say little about the strategy." if trades < FEW_TRADES else ""
    return first + costs + few


def percent(value: float) -> str:
    """A signed percentage with two decimals, more where a small one would read as nothing: `+0.30 %`, `-0.001 %`."""
    return f"{value:+.2f} %" if abs(value) >= 0.01 or not value else f"{value:+.1g} %"


def iso(unix_ms: int) -> str:
    """A time in ms since the epoch as ISO 8601, UTC, with milliseconds."""
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC).replace(microsecond=unix_ms % 1000 * 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03d}Z"
