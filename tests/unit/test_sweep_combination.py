"""A swept name is a setting, or else a parameter of the strategy; one that is both is not guessed at."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.settings import resolve
from services.sweep.combination import check_space, settings_of
from services.sweep.errors import SweepError
from services.sweep.space import Choices, Space

BASE = resolve({}, Path("/nonexistent"), {})
STOPS, FASTS = Choices("stop_bps", (20, 40)), Choices("fast", (5, 10))


def takes(*names: str) -> Callable[[Mapping[str, Any]], str]:
    """A strategy that has these parameters and needs each of them."""

    def refuses(settings: Mapping[str, Any]) -> str:
        given = settings["strategy_params"].keys()
        return "" if given == set(names) else f"it takes {names}"

    return refuses


@pytest.mark.parametrize("space", [(STOPS, FASTS), (FASTS, STOPS)])
def test_a_name_that_is_a_setting_and_a_parameter_is_refused_with_a_way_out(space: Space) -> None:
    with pytest.raises(SweepError) as refused:
        check_space(space, BASE, takes("fast", "stop_bps"))
    assert str(refused.value) == (
        "stop_bps is a setting, and a parameter of the strategy: write params.stop_bps for the parameter; "
        "to sweep the setting, rename the parameter"
    )


def test_a_setting_and_a_parameter_of_names_of_their_own_are_swept_together() -> None:
    check_space((STOPS, FASTS), BASE, takes("fast"))
    changed = settings_of(BASE, {"stop_bps": 20, "fast": 5})
    assert changed == {**BASE.values, "stop_bps": 20.0, "strategy_params": {"fast": 5}}


def test_a_parameter_of_a_settings_name_leaves_the_setting_as_it_is() -> None:
    space = (Choices("params.stop_bps", (20, 40)), FASTS)
    check_space(space, BASE, takes("fast", "stop_bps"))
    changed = settings_of(BASE, {"params.stop_bps": 20, "fast": 5})
    assert changed == {**BASE.values, "strategy_params": {"stop_bps": 20, "fast": 5}}
