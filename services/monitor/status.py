"""How the session looks in one line and in `heartbeat.json`, pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bus.messages import Side
from services.monitor.core import View
from services.numbers import plain


def status_line(symbol: str, view: View) -> str:
    """Return the line of each second: symbol, price, position, equity, elapsed, remaining."""
    price = _price(view.price)
    feed = "" if view.feed == "connected" else f" | feed {view.feed}"
    left = "no end" if view.remaining_ms is None else f"{clock(view.remaining_ms)} left"
    equity = f"equity {view.equity:,.2f}"
    candles = "candle" if view.missing == 1 else "candles"
    warmup = f" | warming up, {view.missing} {candles} to go" if view.missing else ""
    return f"{symbol} {price} | {_position(view)} | {equity} | {clock(view.elapsed_ms)} elapsed, {left}{feed}{warmup}"


def _price(price: float) -> str:
    if not price:
        return "no price yet"
    return f"{Decimal(f'{price:.6g}'):f}" if price < 1000 else f"{price:,.1f}"


def clock(ms: int) -> str:
    """Return a span as `m:ss`, or `h:mm:ss` from an hour on; negative ones as 0:00."""
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def heartbeat(
    run_id: str, symbol: str, view: View, wall_ms: int, iso: str, supervisors: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the content of `heartbeat.json`; `state` and `restarts` are the supervisors' words."""
    services = {
        name: {
            "pid": view.pids.get(name, supervised.get("pid")),
            "age": round(view.ages_ms[name] / 1000, 3) if name in view.ages_ms else None,
            "state": supervised.get("state"),
            "restarts": supervised.get("restarts", 0),
        }
        for name, supervised in supervisors.items()
    }
    return {
        "ts": iso,
        "unix_ts": wall_ms / 1000,
        "run_id": run_id,
        "symbol": symbol,
        "elapsed": round(view.elapsed_ms / 1000, 3),
        "remaining": None if view.remaining_ms is None else round(view.remaining_ms / 1000, 3),
        "candle_idx": view.candles,
        "price": view.price,
        "position": _position_of(view),
        "equity": float(view.equity),
        "balance": float(view.balance),
        "halted": view.halted,
        "feed": view.feed,
        "data_age": round(view.data_age_ms / 1000, 3),
        "market_ts": view.market_ts or None,
        "counts": view.counts,
        "feed_record": view.feed_record,
        "warmup_missing": view.missing,
        "warm_at_ms": view.warm_at_ms if view.missing else None,
        "services": services,
    }


def _position_of(view: View) -> dict[str, Any] | None:
    if view.side is Side.FLAT:
        return None
    numbers = {
        "qty": view.qty,
        "entry_price": view.entry_price,
        "sl": view.sl,
        "tp": view.tp,
        "unrealized": view.unrealized,
    }
    return {"side": view.side.value, **{name: float(value) for name, value in numbers.items()}}


def _position(view: View) -> str:
    if view.side is Side.FLAT:
        return "flat"
    return f"{view.side.value} {plain(view.qty)} @ {plain(view.entry_price)} {view.unrealized:+,.2f}"
