"""The session's figures as Prometheus metrics: names, kinds, words and values. Pure.

All come from the content of `heartbeat.json`, so that both, and `lap status`, say the same. Names follow the
convention: base units, `_total` for what only counts up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "lap_"
EVENTS = "lap_log_events"
"""Events of the system log, by service, level and event: counted where they are written."""
_COUNTED = {
    "market_ticks": ("ticks", "Quotes and trades published by the feed."),
    "market_candles": ("candles", "Candles closed by the feed."),
    "market_events": ("last_seq", "Market events published by the feed."),
    "worked_events": ("worked_seq", "Market events worked off by the broker."),
    "refused_events": ("refused", "Market events refused by the feed: malformed, late, impossible."),
    "feed_reconnects": ("reconnects", "Times the source was lost and found again."),
    "feed_stale_seconds": ("stale_sec", "Seconds without market data while connected."),
    "trades": ("trades", "Trades closed."),
    "orders_rejected": ("rejected", "Orders refused."),
}
_SHOWN = {
    "session_elapsed_seconds": ("elapsed", "Time since the session's start."),
    "session_remaining_seconds": ("remaining", "Time until the session's end; absent without one."),
    "price": ("price", "Newest price, quote currency."),
    "balance": ("balance", "Balance, quote currency."),
    "equity": ("equity", "Balance and unrealized profit, quote currency."),
    "candle_index": ("candle_idx", "Candles the broker has seen."),
    "feed_data_age_seconds": ("data_age", "Time since the source last said something useful."),
    "warmup_missing_candles": ("warmup_missing", "Closed candles to go until the strategy can signal."),
}
_HELD = {
    "position_entry_price": ("entry_price", "Entry price of the open position; absent without one."),
    "position_stop_price": ("sl", "Stop of the open position; absent without one."),
    "position_target_price": ("tp", "Target of the open position; absent without one."),
    "position_unrealized": ("unrealized", "Unrealized profit of the open position; absent without one."),
}
_SIGNS = {"LONG": 1, "SHORT": -1}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric; a counter's name is without its `_total`."""

    name: str
    help: str
    value: float
    is_counter: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def samples(beat: Mapping[str, Any], about: Mapping[str, str]) -> Iterator[Sample]:
    """All values of a moment.

    Args:
        beat: the content of `heartbeat.json`.
        about: what the session is, as labels.
    """
    yield Sample("lap_session_info", "What the session is; always 1.", 1.0, labels=about)
    for name, (key, words) in _SHOWN.items():
        if beat[key] is not None:
            yield Sample(PREFIX + name, words, float(beat[key]))
    for name, (key, words) in _COUNTED.items():
        yield Sample(PREFIX + name, words, float(beat["counts"][key]), is_counter=True)
    yield Sample(
        "lap_orders_pending", "Orders that wait: for their due time, or in the book.", beat["counts"]["pending"]
    )
    yield Sample("lap_entries_halted", "1 while no entry is allowed.", float(beat["halted"]))
    yield Sample("lap_feed_connected", "1 while the feed says it is connected.", float(beat["feed"] == "connected"))
    yield from _position(beat["position"])
    yield from _services(beat["services"])


def _position(held: Mapping[str, Any] | None) -> Iterator[Sample]:
    words = "Size of the open position in base coin; negative when short, 0 without one."
    yield Sample("lap_position_quantity", words, held["qty"] * _SIGNS[held["side"]] if held else 0.0)
    for name, (key, told) in _HELD.items() if held else ():
        yield Sample(PREFIX + name, told, held[key] if held else 0.0)


def _services(services: Mapping[str, Mapping[str, Any]]) -> Iterator[Sample]:
    for name, service in services.items():
        labels = {"service": name}
        up = float(service["state"] == "RUNNING")
        yield Sample("lap_service_up", "1 while the service runs.", up, labels=labels)
        if service["age"] is not None:
            words = "Time since the service's last heartbeat."
            yield Sample("lap_service_heartbeat_age_seconds", words, service["age"], labels=labels)
        words = "Times the service was started again."
        yield Sample("lap_service_restarts", words, service["restarts"], is_counter=True, labels=labels)
