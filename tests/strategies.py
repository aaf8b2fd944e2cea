"""Strategies that go wrong, each in its own way, on the candles whose number they are told."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import force_setattr, replace

from services.strategy.interface import Answer, Candle, Context, Side, Signal, Strategy, Tick, param


def raises(_: Context, __: Candle) -> Answer:
    raise ZeroDivisionError("no such luck")


def prints(_: Context, __: Candle) -> Answer:
    print("say a word of the strategy's own\nbeat")  # noqa: T201 - what it does wrong
    return None


def leaves(_: Context, __: Candle) -> Answer:
    raise SystemExit(2)


def kills(_: Context, __: Candle) -> Answer:
    """With the code that a service refuses its settings with."""
    os._exit(2)


def hangs(_: Context, __: Candle) -> Answer:
    while True:
        pass


def gives_text(_: Context, __: Candle) -> Answer:
    return "LONG"  # type: ignore[return-value]


def gives_a_number_among_signals(context: Context, _: Candle) -> Answer:
    return [context.market(Side.LONG), 5]  # type: ignore[list-item]


def never_stops_giving(context: Context, _: Candle) -> Answer:
    return iter(lambda: context.market(Side.LONG), None)


def gives_what_can_not_be_carried(context: Context, _: Candle) -> Answer:
    """And among it, one good signal."""
    plain = context.market(Side.SHORT)
    return [
        context.market(Side.LONG, stop_bps=float("nan")),
        plain,
        replace(plain, tp_r=float("inf")),
        replace(plain, side="UP"),
        replace(plain, entry="iceberg"),
    ]


def signals_in_the_past(context: Context, _: Candle) -> Answer:
    return Signal(context.symbol, Side.LONG, context.ts_ms - 1, 30.0, 1.5)


def signals_for_another_symbol(context: Context, _: Candle) -> Answer:
    return Signal("DOGEUSDT", Side.LONG, context.ts_ms, 30.0, 1.5)


def writes_into_history(context: Context, _: Candle) -> Answer:
    context.history.close[-1] = 1.0  # type: ignore[index]
    return None


def changes_the_candle(_: Context, candle: Candle) -> Answer:
    candle.close = 1.0  # type: ignore[misc]
    return None


def forces_the_account(context: Context, candle: Candle) -> Answer:
    """Past every lock: no error, and no harm."""
    force_setattr(candle, "close", 1.0)
    if context.account is not None:
        force_setattr(context.account, "balance", context.account.balance * 1000)
    return context.market(Side.LONG)


def goes_long(context: Context, _: Candle) -> Answer:
    """Right, to compare with."""
    return context.market(Side.LONG)


def leaks(_: Context, __: Candle) -> Answer:
    HOARD.append(bytearray(64 * 1024 * 1024))
    return None


def reads_the_clock(context: Context, _: Candle) -> Answer:
    """LONG at the pace of the market; SHORT in a replay, which takes candles as fast as it can."""
    ASKED.append(time.monotonic())  # noqa: TID251 - what it does wrong
    is_live = len(ASKED) < 2 or ASKED[-1] - ASKED[-2] > 0.1
    return context.market(Side.LONG if is_live else Side.SHORT)


HOARD: list[bytearray] = []
ASKED: list[float] = []
WAYS: Mapping[str, Callable[[Context, Candle], Answer]] = {
    way.__name__: way
    for way in (
        *(
            raises,
            prints,
            leaves,
            kills,
            hangs,
            gives_text,
            gives_a_number_among_signals,
            never_stops_giving,
            gives_what_can_not_be_carried,
        ),
        *(signals_in_the_past, signals_for_another_symbol, writes_into_history, changes_the_candle),
        *(forces_the_account, goes_long, leaks, reads_the_clock),
    )
}


@dataclass(frozen=True)
class Wrong:
    plan: tuple[str, ...] = ("raises",)
    at: int = param(3, "on which candle it begins", least=2)
    forever: bool = param(False, "the last of the plan goes on and on")


class GoesWrong(Strategy):
    """LONG and SHORT in turn on the candles that it is asked about, but for those on which its plan is something else."""

    params: Wrong

    def __init__(self, params: Wrong) -> None:
        super().__init__(params)
        self._told = -1

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        if context.account is None:
            return None
        if self._told < 0:
            self._told = len(context.history) - 1
        number = len(context.history) - self._told
        plan, step = self.params.plan, number - self.params.at
        if 0 <= step < len(plan) or (step > 0 and self.params.forever):
            return WAYS[plan[min(step, len(plan) - 1)]](context, candle)
        return context.market(Side.LONG if number % 2 else Side.SHORT, f"candle {number}")


class OnTicks(Strategy):
    """Goes with each trade that is larger than the last one, and leaves with each that is smaller."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._last = 0.0

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        return None

    def on_tick(self, context: Context, tick: Tick) -> Answer:
        price = getattr(tick, "price", None)
        if price is None:
            return None
        last, self._last = self._last, price
        if price > last > 0:
            return context.market(Side.LONG, "up")
        return context.market(Side.FLAT, "down") if context.side is Side.LONG and price < last else None
