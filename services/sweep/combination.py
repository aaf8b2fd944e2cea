"""From a combination to the settings of its run: a name is a setting, or else a parameter of the strategy. Pure."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from services.settings import Resolved, SettingsError, changed
from services.settings.layers import NAMES
from services.sweep.errors import SweepError
from services.sweep.space import Choices, Space, Value, corners, names_of, text_of, texts_of

SWEPT = frozenset(
    {
        *("strategy", "symbol", "interval", "starting_balance", "risk_pct", "stop_bps", "tp_r", "max_leverage"),
        *("maintenance_margin_pct", "taker_fee_bps", "maker_fee_bps", "slip_bps", "half_spread_bps"),
        *("latency_min_ms", "latency_max_ms", "seed", "min_trade_interval_sec", "max_daily_drawdown_pct"),
        *("max_consecutive_losses", "max_bars_open", "limit_ttl_sec", "max_fill_pct_of_volume", "max_order_age_sec"),
        *("max_quote_age_sec", "tick_size", "lot_size", "min_qty", "on_stop", "max_strategy_errors"),
    }
)
"""The settings that a replay depends on."""
PARAMS = "params."
"""Before the name of a parameter of the strategy that is the name of a setting, too."""
_LIKE = 0.8

Refuses = Callable[[Mapping[str, Any]], str]
"""Tells in a sentence why the strategy of these settings can not be made; empty where it can."""


def settings_of(base: Resolved, values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the settings of a run.

    Args:
        base: what holds for every run.
        values: what this one changes.

    Raises:
        SettingsError: together they break a rule.
    """
    texts = {name: text_of(value) for name, value in values.items() if name in NAMES}
    params = {name.removeprefix(PARAMS): value for name, value in values.items() if name not in NAMES}
    settings = dict(changed(base, texts, "the sweep").values) if texts else dict(base.values)
    return {**settings, "strategy_params": {**(settings["strategy_params"] or {}), **params}}


def check_space(space: Space, base: Resolved, refuses: Refuses) -> None:
    """See that every name is one, every value of a setting keeps its rule, and the strategy takes some combination.

    Raises:
        SweepError: with the first thing that does not hold.
    """
    for dimension in space:
        if dimension.name in NAMES:
            _check_setting(
                dimension.name, dimension.values if isinstance(dimension, Choices) else dimension.corners, base
            )
    reasons = []
    for values in corners(space):
        _check_meaning(base, values, refuses)
        try:
            reason = refuses(settings_of(base, values))
        except SettingsError as error:
            reason = str(error)
        if not reason:
            return
        reasons.append(reason)
    raise SweepError(f"{reasons[0]} ({texts_of(corners(space, 1)[0])}){_meant(space)}")


def _check_meaning(base: Resolved, values: Mapping[str, Value], refuses: Refuses) -> None:
    """Refuse the name of a setting that the strategy has a parameter of, too: one of the two would be left as it is."""
    for name in (name for name in values if name in NAMES and name != "strategy"):
        others = {other: value for other, value in values.items() if other != name}
        try:
            is_param = not refuses(settings_of(base, {**others, f"{PARAMS}{name}": values[name]}))
        except SettingsError:
            continue
        if is_param:
            raise SweepError(
                f"{name} is a setting, and a parameter of the strategy: write {PARAMS}{name} for the parameter; "
                "to sweep the setting, rename the parameter"
            )


def _check_setting(name: str, values: tuple[Value, ...], base: Resolved) -> None:
    if name == "strategy_params":
        raise SweepError("strategy_params can not be swept as a whole: name the parameter itself, as --grid fast=5,10")
    if name not in SWEPT:
        raise SweepError(f"{name} can not be swept: a replay does not depend on it")
    for value in values:
        try:
            changed(base, {name: text_of(value)}, f"--grid or --range {name}")
        except SettingsError as error:
            # a rule between two settings that are both swept is judged run by run
            if not str(error).startswith(f"{name} ") or " and " not in str(error):
                raise SweepError(str(error)) from None


def _meant(space: Space) -> str:
    for name in names_of(space):
        near = difflib.get_close_matches(name, SWEPT, n=1, cutoff=_LIKE)
        if name not in NAMES and near:
            return f"; did you mean the setting {near[0]}?"
    return ""
