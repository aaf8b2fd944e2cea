"""A plan's digest names its results: what decides them is in it, where things lie is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.settings import resolve
from services.sweep.folds import Fold
from services.sweep.plan import Plan
from services.sweep.space import Choices

SETTINGS = resolve({}, Path("/nonexistent"), {}).values
PLAN = Plan({"a.csv": "1"}, "program", "code", SETTINGS, (Choices("fast", (5, 10)),), None, "grid", "net_pnl")


@pytest.mark.parametrize(
    "change",
    [
        {"taker_fee_bps": 5.5},
        {"seed": 8},
        {"strategy": "ema_cross"},
        {"strategy_params": {"slow": 30}},
        {"interval": "5m"},
    ],
    ids=str,
)
def test_a_setting_that_decides_what_comes_out_makes_another_sweep(change: dict[str, Any]) -> None:
    assert replace(PLAN, settings={**SETTINGS, **change}).digest != PLAN.digest


@pytest.mark.parametrize(
    "change",
    [
        {"log_dir": "elsewhere"},
        {"runs_dir": "elsewhere"},
        {"state_dir": "elsewhere"},
        {"kill_file": "elsewhere"},
        {"replay_file": ["elsewhere/a.csv"]},
        {"replay_speed": 0.0},
        {"alert_urls": ["json://elsewhere"]},
        {"metrics_port": 9_000},
        {"bus_port": 9_100},
        {"max_restarts": 9},
    ],
    ids=str,
)
def test_a_setting_that_no_replay_depends_on_leaves_the_sweep_what_it_is(change: dict[str, Any]) -> None:
    assert replace(PLAN, settings={**SETTINGS, **change}).digest == PLAN.digest


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"a.csv": "2"}},
        {"program": "another"},
        {"code": "another"},
        {"space": (Choices("fast", (5, 11)),)},
        {"trials": 10},
        {"sampler": "random"},
        {"figure": "sharpe"},
        {"folds": (Fold(1, (0, 10), (10, 20)),)},
    ],
    ids=str,
)
def test_all_else_that_is_planned_makes_another_sweep(change: dict[str, Any]) -> None:
    assert replace(PLAN, **change).digest != PLAN.digest


def test_a_digest_is_twelve_hexadecimal_digits_and_always_the_same() -> None:
    backwards = dict(reversed(SETTINGS.items()))
    assert replace(PLAN, settings=backwards).digest == PLAN.digest
    assert len(PLAN.digest) == 12
    assert int(PLAN.digest, 16) >= 0
