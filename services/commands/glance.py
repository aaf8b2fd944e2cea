"""One look at the running session, from its files alone: what `lap status` shows."""

from collections.abc import Mapping
from typing import Any

from services.clock import boot_ms, iso, wall_ms
from services.file_names import HEARTBEAT
from services.session.state import Session, read_stop, read_views
from services.waiting import read_json


def glance(session: Session) -> dict[str, Any]:
    """Return what is to be seen of a running session, as `lap status --json` prints it."""
    beat = read_json(session.log_dir / HEARTBEAT)
    if not isinstance(beat, dict) or beat.get("run_id") != session.run_id:
        beat = {}
    stop = read_stop(session)
    minutes = session.settings["duration"]
    elapsed = (boot_ms() - session.started_boot_ms) / 1000
    age = wall_ms() / 1000 - beat["unix_ts"] if "unix_ts" in beat else None
    return {
        "running": True,
        "run_id": session.run_id,
        "source": session.settings["source"],
        "symbol": session.settings["symbol"],
        "interval": session.settings["interval"],
        "seed": session.seed,
        "stopping": stop.reason.value if stop else None,
        "elapsed": round(elapsed, 1),
        "remaining": None if minutes is None else round(max(0.0, minutes * 60 - elapsed), 1),
        "heartbeat_age": None if age is None else round(age, 1),
        "candle_idx": beat.get("candle_idx"),
        "price": beat.get("price"),
        "position": beat.get("position"),
        "equity": beat.get("equity"),
        "balance": beat.get("balance"),
        "halted": beat.get("halted"),
        "counts": beat.get("counts"),
        "data_age": beat.get("data_age"),
        "market_ts": beat.get("market_ts"),
        "feed": beat.get("feed"),
        "warmup_missing": beat.get("warmup_missing"),
        "warm_at": iso(beat["warm_at_ms"]) if beat.get("warm_at_ms") else None,
        "services": {name: _service(view, beat, age) for name, view in read_views(session).items()},
        "run_dir": str(session.run_dir),
    }


def lines(seen: Mapping[str, Any]) -> list[str]:
    """Return the same for people."""
    left = "no end" if seen["remaining"] is None else f"{seen['remaining']:.0f} s left"
    head = f"session {seen['run_id']}: {seen['symbol']} {seen['interval']} from {seen['source']}, seed {seen['seed']}"
    told = [head, f"{seen['elapsed']:.0f} s elapsed, {left}"]
    if seen["stopping"]:
        told.append(f"stopping: {seen['stopping']}")
    if seen["heartbeat_age"] is None:
        told.append("no heartbeat yet")
    else:
        told.append(
            f"price {seen['price'] or 'not known yet'}, equity {seen['equity']:.2f}, {_position(seen['position'])}; "
            f"feed {seen['feed']}; seen {seen['heartbeat_age']:.1f} s ago"
        )
    if seen["warmup_missing"]:
        until = f" (until {seen['warm_at']}, market time)" if seen["warm_at"] else ""
        told.append(f"warming up live, closed candles to go: {seen['warmup_missing']}{until}; no signal before that")
    for name, service in seen["services"].items():
        age = "-" if service["age"] is None else f"{service['age']:.1f} s"
        state, pid, restarts = service["state"], service["pid"], service["restarts"]
        told.append(f"  {name:<9} {state:<9} pid {pid}  beat {age} ago  restarts {restarts}")
    return told


def _service(view: Mapping[str, Any], beat: Mapping[str, Any], beat_age: float | None) -> dict[str, Any]:
    seen = beat.get("services", {}).get(view["service_name"], {})
    age = seen.get("age")
    return {
        "pid": view["pid"],
        "state": view["state"],
        "restarts": view["restarts"],
        "age": None if age is None or beat_age is None else round(age + beat_age, 1),
    }


def _position(position: Mapping[str, Any] | None) -> str:
    if position is None:
        return "flat"
    return f"{position['side']} {position['qty']:g} at {position['entry_price']:g} ({position['unrealized']:+.2f})"
