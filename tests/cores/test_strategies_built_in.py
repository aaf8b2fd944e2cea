"""The built-in strategies: what each signals, and on what; and that each is short and names its source."""

import ast
from collections.abc import Sequence
from importlib import import_module
from math import sin
from pathlib import Path
from types import ModuleType

import pytest
from talipp.indicators.Indicator import Indicator

from bus.messages import Candle, Entry, Side, Signal
from services.strategy.built_in import indicators
from services.strategy.built_in.donchian_breakout import DonchianBreakout
from services.strategy.built_in.ema_cross import EmaCross
from services.strategy.built_in.limit_pullback import LimitPullback
from services.strategy.built_in.rsi_reversion import RsiReversion
from services.strategy.interface import Strategy, StrategyError
from services.strategy.loading import BUILT_IN, listed, load_strategy
from services.strategy.rehearsal import FailedError, rehearse

FALL = [100.0, 98, 96, 94, 92, 90]
RISE = [92.0, 95, 99, 104, 110]


def told(signals: Sequence[Signal]) -> list[tuple[int, Side]]:
    """The number of the candle that each signal came on, and its side."""
    return [(signal.ts_ms // 60_000, signal.side) for signal in signals]


def test_ema_cross_signals_on_the_crossing_with_a_stop_by_the_range() -> None:
    signals = rehearse(EmaCross, FALL + RISE, params={"fast": 2, "slow": 4, "atr": 3, "stop_atr": 2})
    assert told(signals) == [(8, Side.LONG)]
    (signal,) = signals
    atr = (0.0 + 2.0 + 2.0) / 3  # true ranges of the first three candles, then Wilder's smoothing
    for true_range in (2.0, 2.0, 2.0, 2.0, 3.0):
        atr = (atr * 2 + true_range) / 3
    assert signal.stop_bps == pytest.approx(2 * atr / 95 * 10_000)


def test_ema_cross_sees_a_crossing_that_begins_with_equal_averages() -> None:
    params = {"fast": 2, "slow": 4, "atr": 3}
    flat = [100.0] * 10
    assert told(rehearse(EmaCross, [*flat, 101, 102], params=params)) == [(11, Side.LONG)]
    assert told(rehearse(EmaCross, [*flat, 99, 98], params=params)) == [(11, Side.SHORT)]
    with pytest.raises(StrategyError, match="fast must be below slow"):
        load_strategy("ema_cross", {"fast": 5, "slow": 5}, Path())


@pytest.mark.parametrize("cls", [EmaCross, RsiReversion, LimitPullback])
def test_what_is_long_past_is_forgotten_and_changes_nothing(
    cls: type[Strategy], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Strategy] = []

    class Seen(cls):  # type: ignore[misc, valid-type]  # one of the three
        def __init__(self, params: object) -> None:
            super().__init__(params)
            made.append(self)

    wave = [100 + 5 * sin(number / 9) + sin(number / 2.3) for number in range(900)]
    remembering = rehearse(Seen, wave)
    monkeypatch.setattr(indicators, "_SPARE", 20)
    assert rehearse(Seen, wave) == remembering != []
    most = max(len(value) for value in vars(made[1]).values() if isinstance(value, Indicator))
    assert most <= made[1].warmup + 1 + 20


def test_rsi_reversion_takes_a_market_that_never_moved_for_nothing() -> None:
    for first in (99.9, 100.1):
        assert told(rehearse(RsiReversion, [*[100.0] * 10, first], params={"period": 3})) == []


def test_rsi_reversion_comes_in_at_the_levels_and_leaves_at_the_middle() -> None:
    params = {"period": 3, "low": 30, "high": 70}
    assert told(rehearse(RsiReversion, FALL + RISE[:2], params=params)) == [(7, Side.LONG)]
    mirrored = [200 - price for price in FALL + RISE[:2]]
    assert told(rehearse(RsiReversion, mirrored, params=params)) == [(7, Side.SHORT)]
    assert {side for _, side in told(rehearse(RsiReversion, FALL + RISE, params=params, side=Side.LONG))} == {Side.FLAT}


def test_donchian_breakout_goes_with_the_break_and_leaves_at_the_other_end() -> None:
    params = {"enter": 3, "leave": 2}
    assert told(rehearse(DonchianBreakout, [100, 101, 100, 102], params=params)) == [(4, Side.LONG)]
    assert told(rehearse(DonchianBreakout, [100, 101, 100, 99], params=params)) == [(4, Side.SHORT)]
    assert told(rehearse(DonchianBreakout, [100, 101, 100, 101], params=params)) == []
    assert told(rehearse(DonchianBreakout, [100, 103, 104, 105, 102], params=params, side=Side.LONG)) == [
        (5, Side.FLAT)
    ]
    assert told(rehearse(DonchianBreakout, [100, 97, 96, 95, 98], params=params, side=Side.SHORT)) == [(5, Side.FLAT)]


def test_limit_pullback_waits_at_the_average_in_a_trend() -> None:
    params = {"period": 3, "slope": 1}
    signals = rehearse(LimitPullback, [100, 101, 102, 103.2], params=params)
    assert told(signals) == [(4, Side.LONG)]
    (signal,) = signals
    assert (signal.entry, signal.limit_price) == (Entry.LIMIT, 102.1), "(101 + 103.2) / 2 on the grid of 0.1"
    assert rehearse(LimitPullback, [100, 101, 102, 103], params=params, side=Side.LONG) == []
    (short,) = rehearse(LimitPullback, [100, 99, 98, 96.8], params=params)
    assert (short.side, short.limit_price) == (Side.SHORT, 97.9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_signals_on_a_lively_market_and_on_no_incomplete_candle(name: str, tmp_path: Path) -> None:
    prices = [100 + 5 * sin(number / 7) + 2 * sin(number / 3) for number in range(300)]
    cls = type(load_strategy(name, {}, tmp_path))
    assert {signal.side for signal in rehearse(cls, prices)} >= {Side.LONG, Side.SHORT}
    torn = [
        Candle(number + 1, 0, "BTCUSDT", 60_000, number * 60_000, price, price, price, price, 1.0, complete=False)
        for number, price in enumerate(prices)
    ]
    assert rehearse(cls, torn) == []


@pytest.mark.parametrize("place", BUILT_IN.values())
def test_it_is_short_and_names_its_source(place: str) -> None:
    module: ModuleType = import_module(place.partition(":")[0])
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert "Source" in (module.__doc__ or "")
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    code = [line for node in classes for line in text.splitlines()[node.lineno - 1 : node.end_lineno] if line.strip()]
    assert len(code) < 40


def test_all_of_them_are_listed_with_their_parameters(tmp_path: Path) -> None:
    found = {strategy.name: strategy for strategy in listed(tmp_path)}
    assert found.keys() >= BUILT_IN.keys()
    assert not [strategy.fault for strategy in found.values() if strategy.fault]
    assert all(strategy.tells and strategy.params for strategy in found.values())


def test_a_rehearsal_fails_where_the_strategy_does() -> None:
    class Wrong(Strategy):
        def on_candle(self, context: object, candle: Candle) -> None:
            raise KeyError("mine")

    with pytest.raises(FailedError, match="KeyError: 'mine'"):
        rehearse(Wrong, [100])
