"""What `lap top` shows: a session at a glance as lines of text for a terminal of any size, colour or none. Pure.

Everything that colour says is said by a word or a sign as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from services.commands.log_lines import LogLine

SPARKS = "▁▂▃▄▅▆▇█"
PLAIN_SPARKS = "_.-=*#"
_STATES = {"RUNNING": "green", "STARTING": "yellow", "BACKOFF": "red", "STOPPING": "yellow", "FATAL": "bold red"}
SHOWN_EVENTS = frozenset(
    [
        *("fill", "trade_closed", "order_rejected", "order_cancelled", "service_failed"),
        *("data_stale", "data_gap", "feed_reconnecting", "feed_lost", "breaker_tripped", "entries_halted"),
        *("decision_timed_out", "strategy_failed", "candle_poisoned", "session_stopping"),
    ]
)


@dataclass(frozen=True, slots=True)
class Look:
    """All that one picture is made of.

    Attributes:
        seen: what `services.commands.glance` saw.
        prices: of the last looks, oldest first.
        rates: things a second, by name (`ticks`).
        events: lines of the system log, oldest first.
        question: what is asked in the last line; empty: none.
        is_plain: no more than ASCII.
    """

    seen: Mapping[str, Any]
    prices: Sequence[float] = ()
    rates: Mapping[str, float] | None = None
    events: Sequence[LogLine] = ()
    question: str = ""
    is_plain: bool = False


def picture(look: Look, width: int, height: int) -> list[Text]:
    """The lines of one picture, at most `height` of at most `width` columns."""
    head = [
        _title(look.seen),
        _countdown(look.seen, width, is_plain=look.is_plain),
        Text(),
        _price(look, width),
        *_position(look.seen),
        _equity(look.seen),
        Text(),
        *_services(look),
    ]
    foot = Text(look.question, "bold reverse") if look.question else Text("k kill the session   q leave", "dim")
    room = max(0, height - len(head) - 3)
    shown = [line for line in look.events if _is_shown(line)][-room:] if room else []
    body = [Text(), *map(_event, shown)] if shown else []
    lines = [*head, *body][: max(1, height - 1)]
    filler = [Text() for _ in range(height - 1 - len(lines))]
    for line in (cut := [*lines, *filler, foot]):
        line.truncate(width)
        line.no_wrap = True
    return cut


def spark(values: Sequence[float], *, is_plain: bool = False) -> str:
    """A line of small columns, one a value, between the least and the greatest of them."""
    signs = PLAIN_SPARKS if is_plain else SPARKS
    if not values:
        return ""
    low, high = min(values), max(values)
    if high == low:
        return signs[0] * len(values)
    return "".join(signs[min(len(signs) - 1, int((value - low) / (high - low) * len(signs)))] for value in values)


def bar(share: float, width: int, *, is_plain: bool = False) -> str:
    """A bar of some width that is filled up to a share of 0 to 1."""
    full, empty = ("#", ".") if is_plain else ("█", "░")
    filled = round(min(1.0, max(0.0, share)) * width)
    return full * filled + empty * (width - filled)


def distances(position: Mapping[str, Any], price: float) -> dict[str, tuple[float, float]]:
    """How far stop and target are from the price: in 1/10,000 of it, and in units of the initial risk."""
    risk = abs(position["entry_price"] - position["sl"])
    found = {}
    for name in ("sl", "tp"):
        away = abs(position[name] - price)
        found[name] = (away / price * 10_000 if price else 0.0, away / risk if risk else 0.0)
    return found


def clock(seconds: float) -> str:
    """A span as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _title(seen: Mapping[str, Any]) -> Text:
    words = f"{seen['symbol']} {seen['interval']} from {seen['source']}, run {seen['run_id']}, seed {seen['seed']}"
    text = Text(words, "bold")
    if seen["stopping"]:
        text.append(f"  stopping: {seen['stopping']}", "bold yellow")
    return text


def _countdown(seen: Mapping[str, Any], width: int, *, is_plain: bool) -> Text:
    elapsed, remaining = seen["elapsed"], seen["remaining"]
    if remaining is None:
        return Text(f"{clock(elapsed)} elapsed, no end")
    words = f" {clock(elapsed)} elapsed, {clock(remaining)} left"
    room = max(10, min(50, width - len(words)))
    return Text().append(bar(elapsed / ((elapsed + remaining) or 1), room, is_plain=is_plain), "cyan").append(words)


def _price(look: Look, width: int) -> Text:
    seen = look.seen
    if not seen["price"]:
        return Text("no price yet, ").append(f"feed {seen['feed'] or 'starting'}", "yellow")
    missing = seen.get("warmup_missing")
    warm = f", warming up: {missing} candle{'s' if missing > 1 else ''} to go" if missing else ""
    age = f", data {seen['data_age']:.0f} s old" if (seen.get("data_age") or 0) >= 2 else ""
    words = f"feed {seen['feed']}{age}{warm}"
    text = Text("price ").append(f"{seen['price']:,} ", "bold")
    room = max(0, min(30, width - len(text) - len(words) - 2))
    text.append(spark(look.prices[-room:] if room else (), is_plain=look.is_plain), "cyan")
    return text.append("  ").append(words, "default" if seen["feed"] == "connected" and not age else "yellow")


def _position(seen: Mapping[str, Any]) -> list[Text]:
    held, price = seen["position"], seen["price"] or 0.0
    if not held:
        return [Text("position flat"), Text()]
    risk = abs(held["entry_price"] - held["sl"]) * held["qty"]
    in_r = held["unrealized"] / risk if risk else 0.0
    first = Text("position ").append(f"{held['side']} {held['qty']:g}", "bold")
    first.append(f" at {held['entry_price']:,}  ")
    first.append(f"{held['unrealized']:+,.2f} ({in_r:+.2f} R)", "green" if held["unrealized"] >= 0 else "red")
    away = distances(held, price)
    second = (
        Text("  stop ").append(f"{held['sl']:,}", "red").append(f" {away['sl'][0]:.1f} bps, {away['sl'][1]:.2f} R away")
    )
    second.append("   target ").append(f"{held['tp']:,}", "green")
    return [first, second.append(f" {away['tp'][0]:.1f} bps, {away['tp'][1]:.2f} R away")]


def _equity(seen: Mapping[str, Any]) -> Text:
    if seen["equity"] is None:
        return Text("equity not known yet")
    counts = seen.get("counts") or {}
    halted = Text("  HALTED", "bold red") if seen.get("halted") else Text()
    words = (
        f"   balance {seen['balance']:,.2f}   trades {counts.get('trades', 0)}   rejected {counts.get('rejected', 0)}"
    )
    pending = f"   pending {counts['pending']}" if counts.get("pending") else ""
    return Text("equity ").append(f"{seen['equity']:,.2f}", "bold").append(words + pending).append_text(halted)


def _services(look: Look) -> list[Text]:
    lines = [Text(f"{'service':<10}{'state':<10}{'pid':>8}{'beat':>8}{'restarts':>10}  rate", "dim")]
    told = paces(look)
    for name, service in look.seen["services"].items():
        age = "-" if service["age"] is None else f"{service['age']:.1f} s"
        line = Text(f"{name:<10}").append(f"{service['state']:<10}", _STATES.get(service["state"], "default"))
        line.append(f"{service['pid'] or '-':>8}{age:>8}")
        line.append(f"{service['restarts']:>10}", "yellow" if service["restarts"] else "default")
        lines.append(line.append(f"  {told.get(name, '')}"))
    return lines


def paces(look: Look) -> dict[str, str]:
    """How fast services work and whether they keep up, in words, by service."""
    counts, rates = look.seen.get("counts") or {}, look.rates or {}
    # feed and broker tell of themselves once a second, not at the same moment
    behind = max(0, counts.get("last_seq", 0) - counts.get("worked_seq", 0))
    pace = f"{behind} behind" if behind > 10 + 2 * rates.get("ticks", 0.0) else "keeps up"
    feed, broker = [f"{counts.get('reconnects', 0)} reconnects"], [pace]
    if rates:
        feed.insert(0, f"{rates.get('ticks', 0.0):.0f} ticks/s")
        broker.insert(0, f"{rates.get('worked_seq', 0.0):.0f} events/s")
    return {"feed": ", ".join(feed), "broker": ", ".join(broker)}


def _is_shown(line: LogLine) -> bool:
    """Whether it is news; a session that begins within a candle is none."""
    return line.event in SHOWN_EVENTS and not (line.event == "data_gap" and line.level == "INFO")


def _event(line: LogLine) -> Text:
    style = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}.get(line.level, "default")
    return (
        Text()
        .append(f"{line.ts[11:19]} ", "dim")
        .append(f"{line.event:<16} ", style)
        .append(" ".join(line.message.split()))
    )


def ended(seen: Mapping[str, Any], reason: str) -> Iterable[str]:
    """What is said when the session has gone."""
    yield f"session {seen['run_id']} ended: {reason or 'unknown'}"
    yield f"report: {seen['run_dir']}/summary.html"
