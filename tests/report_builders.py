"""Runs and trades for the report's tests, with quiet defaults: a test names only what matters."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bus.messages import ExitReason, Side, StopReason, TradeClosed
from services.report.run import End, JournalFacts, OpenPosition, Run

SECOND = 1000
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
    **facts: Any,
) -> Run:
    """A run of 100 seconds of event time on 10,000."""
    known: dict[str, Any] = {
        "starting_balance": Decimal(10000),
        "ending_balance": trades[-1].equity if trades else Decimal(10000),
        "trades": trades,
        "first_ts": START,
        "last_ts": START + 100 * SECOND,
        "last_close": 101.5,
        "ticks": 1234,
        "candles": 2,
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
        origins={"source": "--source", "stop_bps": "default"},
        facts=JournalFacts(**{**known, **facts}),
        end=End(reason, detail, "monitor", START + 100 * SECOND, restarts or {}, incidents),
        notes=notes,
    )
