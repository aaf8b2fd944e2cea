"""Settings judged one by one, for a command whose session has, or will have, settings of its own."""

from pathlib import Path

import pytest

from services.settings import SettingsError, check_each, resolve


@pytest.mark.parametrize(
    ("options", "environ", "line"),
    [
        ({"stop_bps": "-3"}, {}, "stop_bps must be greater than 0, got -3 (from --set stop_bps)"),
        ({"symbol": ""}, {}, "symbol must not be empty, got '' (from --symbol)"),
        ({}, {"LAP_TP_R": "much"}, "tp_r must be a number, got much (from LAP_TP_R)"),
        ({}, {"LAP_STOPBPS": "1"}, "LAP_STOPBPS is not a setting; did you mean LAP_STOP_BPS?"),
        (
            {"latency_min_ms": "9999", "max_bars_open": "-1"},
            {},
            "max_bars_open must be at least 0, got -1 (from --set max_bars_open)",
        ),
    ],
)
def test_a_value_that_breaks_its_own_rule_is_refused(
    tmp_path: Path, options: dict[str, str], environ: dict[str, str], line: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        check_each(options, tmp_path, environ)
    assert str(refused.value) == line


def test_what_two_settings_must_be_to_each_other_is_left_to_the_session_that_has_both(tmp_path: Path) -> None:
    options = {"latency_min_ms": "9999"}
    check_each(options, tmp_path, {})
    with pytest.raises(SettingsError, match="latency_min_ms must be at most latency_max_ms"):
        resolve(options, tmp_path, {})
