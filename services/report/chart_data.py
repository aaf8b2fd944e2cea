"""What the page's charts draw, as JSON types: candles, trades, equity, spells, distributions. Pure.

Times are seconds of event time, because the chart library counts so. Long runs are thinned: neighbouring candles become
one with the highest and lowest of them, and each stretch of equity keeps its extremes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bus.messages import Fill
from services.report.costs import slippages_bps
from services.report.equity import drawdowns, equity_curve
from services.report.equity_svg import thinned
from services.report.histogram import histogram, thinned_bins
from services.report.run import Bar, Run
from services.report.summary import starting_balance
from services.report.timeline import LANES, timeline

MOST_BARS = 20_000
MOST_POINTS = 8_000
MOST_TRADES = 5_000
REFUSED = "refused"
_BINS = 32


def chart_data(run: Run, figures: Mapping[str, Any]) -> dict[str, Any]:
    """All that is drawn.

    Args:
        run: The run.
        figures: Its `summary.json`.
    """
    facts = run.facts
    curve = thinned(
        equity_curve(facts.trades, starting_balance(run), facts.equity, facts.first_ts), most_points=MOST_POINTS
    )
    return {
        "bars": _bars(merged(facts.bars)),
        "trades": _trades(run),
        "equity": {
            "t": [ts / 1000 for ts, _ in curve],
            "value": [value for _, value in curve],
            "fall": [round(fall, 4) for fall in drawdowns(curve)],
        },
        **_lanes(run, figures),
        "window": [facts.first_ts / 1000, facts.last_ts / 1000],
        "r": _histogram([float(trade.r) for trade in facts.trades]),
        "holding": _histogram([(trade.exit_ts - trade.entry_ts) / 1000 for trade in facts.trades]),
        "latency": _histogram([float(order.latency_ms) for order in facts.orders]),
        "slippage": _histogram(slippages_bps(facts.fills)),
    }


def merged(bars: Sequence[Bar], most: int = MOST_BARS) -> Sequence[Bar]:
    """At most `most` candles, made of neighbours where there are more."""
    step = -(-len(bars) // most)
    if step <= 1:
        return bars
    return [_one_of(bars[begin : begin + step]) for begin in range(0, len(bars), step)]


def _one_of(bars: Sequence[Bar]) -> Bar:
    first, last = bars[0], bars[-1]
    high, low = max(bar[2] for bar in bars), min(bar[3] for bar in bars)
    return first[0], first[1], high, low, last[4], sum(bar[5] for bar in bars), all(bar[6] for bar in bars)


def _bars(bars: Sequence[Bar]) -> dict[str, Any]:
    spacing = min((after[0] - bar[0] for bar, after in pairwise(bars)), default=0)
    return {
        "sec": spacing / 1000,
        "t": [bar[0] / 1000 for bar in bars],
        **{name: [bar[place] for bar in bars] for place, name in enumerate(("open", "high", "low", "close"), 1)},
        "lost": [index for index, bar in enumerate(bars) if not bar[6]],
    }


def _trades(run: Run) -> list[list[Any]]:
    """Id, sign, entry time and price, exit time and price, stop, target, profit, R, reason of the newest trades.

    A position that is open is drawn as a trade that ends, for now, at the last price.
    """
    entries: dict[int, Fill] = {fill.trade_id: fill for fill in run.facts.fills if fill.is_entry}
    rows = []
    for trade in run.facts.trades[-MOST_TRADES:]:
        entry = entries.get(trade.trade_id)
        prices = [float(entry.sl), float(entry.tp)] if entry else [None, None]
        rows.append(
            [
                *(trade.trade_id, trade.side.sign, trade.entry_ts / 1000, float(trade.entry_price)),
                *(trade.exit_ts / 1000, float(trade.exit_price), *prices),
                *(round(float(trade.pnl), 8), float(trade.r), trade.exit_reason.value),
            ]
        )
    return [*rows, *_open_one(run, entries)]


def _open_one(run: Run, entries: Mapping[int, Fill]) -> Iterator[list[Any]]:
    held, last = run.facts.position, run.facts.last_close
    closed = {trade.trade_id for trade in run.facts.trades}
    entry = next((fill for number, fill in entries.items() if number not in closed), None)
    if held is None or entry is None or last is None:
        return
    risk = abs(entry.price - entry.sl) * entry.qty
    yield [
        *(entry.trade_id, held.side.sign, held.entry_ts / 1000, float(held.entry_price)),
        *(run.facts.last_ts / 1000, last, float(entry.sl), float(entry.tp)),
        *(float(held.unrealized), float(held.unrealized / risk) if risk else 0.0, "open"),
    ]


def _lanes(run: Run, figures: Mapping[str, Any]) -> dict[str, Any]:
    spells = timeline(run, figures["incidents"])
    refusals = run.facts.refusals[-MOST_TRADES:]
    used = [lane for lane in LANES if any(spell.lane == lane for spell in spells)]
    lanes = [*used, REFUSED] if refusals else used
    return {
        "lanes": lanes,
        "spells": [
            *([lanes.index(spell.lane), spell.begin_ms / 1000, spell.end_ms / 1000, spell.text] for spell in spells),
            *(
                [len(used), order.ts_ms / 1000, order.ts_ms / 1000, f"{order.side} {order.reason}"]
                for order in refusals
            ),
        ],
    }


def _histogram(values: Sequence[float]) -> dict[str, Any] | None:
    found = histogram(values, thinned_bins(_BINS, len(values)))
    return None if found is None else {"start": found.start, "width": found.width, "counts": list(found.counts)}
