"""A strategy on a few made-up candles, for its own tests: no session, no processes, the same core. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from bus.messages import Account, Candle, Decide, Decision, Side, Signal, StrategyFailed
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.interface import SessionSettings, Strategy, params_class
from services.strategy.params import make_params

SETTINGS: Final = SessionSettings(
    symbol="BTCUSDT",
    interval_ms=60_000,
    tick_size=Decimal("0.1"),
    stop_bps=30.0,
    tp_r=1.5,
    risk_pct=1.0,
    max_leverage=5.0,
    taker_fee_bps=6.0,
    maker_fee_bps=2.0,
    limit_ttl_sec=60.0,
    min_trade_interval_sec=60.0,
)
"""Those of a session in which nothing was set."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class FailedError(AssertionError):
    """The strategy failed on a candle; with its traceback."""


def rehearse(
    cls: type[Strategy],
    closes: Sequence[float | Candle],
    *,
    params: Mapping[str, Any] = _NONE,
    settings: SessionSettings = SETTINGS,
    side: Side = Side.FLAT,
) -> list[Signal]:
    """Return what a strategy signals on candles, one after the other; it is asked about each.

    Args:
        cls: the strategy.
        closes: the candles, or their closing prices alone (each then opens at the close before, volume 1).
        params: its parameters, by name.
        settings: the session's, as far as it may know them.
        side: of the position it is told of; the account does not follow its signals here.

    Raises:
        FailedError: the strategy failed, or returned what is no answer.
        StrategyError: it refuses the parameters.
    """
    name = cls.__name__
    strategy = cls(make_params(params_class(cls), params, name))
    core = StrategyCore(StrategyConfig(name, params, 0, settings), strategy)
    signals: list[Signal] = []
    before = closes[0] if closes else 0.0
    for number, close in enumerate(closes):
        candle = close if isinstance(close, Candle) else _candle(number, float(_price(before)), float(close), settings)
        signals += _answer(core, candle, side)
        before = close
    return signals


def _price(before: float | Candle) -> float:
    return before.close if isinstance(before, Candle) else before


def _candle(number: int, opened: float, close: float, settings: SessionSettings) -> Candle:
    open_ms = number * settings.interval_ms
    prices = (opened, max(opened, close), min(opened, close), close)
    return Candle(
        number + 1, open_ms + settings.interval_ms, settings.symbol, settings.interval_ms, open_ms, *prices, volume=1.0
    )


def _answer(core: StrategyCore, candle: Candle, side: Side) -> Sequence[Signal]:
    nothing, balance = Decimal(0), Decimal(10_000)
    account = Account(balance, balance, nothing, side, nothing, nothing, nothing, nothing, 0, 0, halted=False)
    *failures, answer = core.handle(Decide(candle.open_ms, (candle,), account), 0)
    for failed in failures:
        assert isinstance(failed, StrategyFailed)
        raise FailedError(failed.trace or failed.detail)
    assert isinstance(answer, Decision)
    return answer.signals
