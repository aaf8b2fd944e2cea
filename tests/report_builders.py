"""Runs and trades for the report's tests, with quiet defaults: a test names only what matters."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bus.messages import ExitReason, Fill, Side, StopReason, TradeClosed
from services.report.run import Bar, End, JournalFacts, OpenPosition, Run

SECOND = 1000
MINUTE = 60 * SECOND
# 2026-11-23T05:00:00Z
START = 1_795_410_000_000


def closed(
    pnl: str = "10",
    *,
    trade_id: int = 1,
    side: Side = Side.LONG,
    at: int = 0,
    held: int = 10,
    equity: str = "10010",
    **more: Any,
) -> TradeClosed:
    """A trade entered `at` seconds after the start and held for `held` seconds."""
    fields: dict[str, Any] = {
        "trade_id": trade_id,
        "seq": trade_id,
        "symbol": "BTCUSDT",
        "side": side,
        "qty": Decimal("0.5"),
        "entry_ts": START + at * SECOND,
        "entry_price": Decimal(100),
        "exit_ts": START + (at + held) * SECOND,
        "exit_price": Decimal("120.50"),
        "exit_reason": ExitReason.TP,
        "fees": Decimal("0.25"),
        "funding": Decimal(0),
        "pnl": Decimal(pnl),
        "r": Decimal(pnl) / 10,
        "equity": Decimal(equity),
        "client_order_id": f"sma_cross-BTCUSDT-{START}-{side}",
        "latency_ms": 120,
    }
    return TradeClosed(**{**fields, **more})


def fill(trade_id: int = 1, *, is_entry: bool = True, base: str = "100", price: str = "100.01", **more: Any) -> Fill:
    """Half a coin bought or sold, a tick or so worse than the quote."""
    fields: dict[str, Any] = {
        "client_order_id": f"order-{trade_id}",
        "seq": trade_id,
        "ts_ms": START,
        "trade_id": trade_id,
        "side": Side.LONG,
        "is_entry": is_entry,
        "qty": Decimal("0.5"),
        "base_price": Decimal(base),
        "price": Decimal(price),
        "fee": Decimal("0.1"),
        "liquidity": "taker",
        "sl": Decimal(90),
        "tp": Decimal(120),
        "exit_reason": None if is_entry else ExitReason.TP,
    }
    return Fill(**{**fields, **more})


def bar(minute: int, close: float = 100.0, *, complete: bool = True) -> Bar:
    """A candle of a minute, some minutes after the start."""
    return START + minute * 60 * SECOND, 100.0, max(100.0, close) + 1, min(100.0, close) - 1, close, 5.0, complete


def position(side: Side = Side.LONG, **more: Any) -> OpenPosition:
    """Half a coin, entered at 100 a second after the start."""
    fields: dict[str, Any] = {
        "side": side,
        "qty": Decimal("0.5"),
        "entry_price": Decimal(100),
        "entry_ts": START + SECOND,
        "unrealized": Decimal(3),
    }
    return OpenPosition(**{**fields, **more})


def run(
    trades: Sequence[TradeClosed] = (),
    *,
    reason: StopReason = StopReason.DURATION,
    detail: str = "",
    restarts: Mapping[str, int] | None = None,
    incidents: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    feed: Mapping[str, float] | None = None,
    in_order: bool = True,
    replayed: Sequence[str] = (),
    origins: Mapping[str, str] | None = None,
    journalled: Sequence[Mapping[str, Any]] = (),
    **facts: Any,
) -> Run:
    """A run of 100 seconds of event time on 10,000; `journalled` are the incidents that the journal knows."""
    known: dict[str, Any] = {
        "starting_balance": Decimal(10000),
        "ending_balance": trades[-1].equity if trades else Decimal(10000),
        "trades": trades,
        "first_ts": START,
        "last_ts": START + 100 * SECOND,
        "last_close": 101.5,
        "ticks": 1234,
        "candles": 2,
        "incidents": journalled,
    }
    return Run(
        run_id="20261123-050000",
        seed=7,
        started_at="2026-11-23T05:00:00.000Z",
        settings={
            "source": "mock",
            "symbol": "BTCUSDT",
            "interval": "1m",
            "strategy": "sma_cross",
            "stop_bps": 30.0,
            **(settings or {}),
        },
        origins={"source": "--source", "stop_bps": "default", **(origins or {})},
        facts=JournalFacts(**{**known, **facts}),
        end=End(reason, detail, "monitor", START + 100 * SECOND, restarts or {}, incidents, feed or {}, in_order),
        notes=notes,
        versions={"python": "3.11.7"},
        replayed=replayed,
    )
