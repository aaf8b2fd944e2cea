"""Settings: each name's good and bad values, the exact line for a bad one, and which layer wins."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.settings import Resolved, SettingsError, describe, markdown_table, resolve

DEFAULTS: dict[str, Any] = {
    "source": "bitunix",
    "symbol": "BTCUSDT",
    "interval": "1m",
    "duration": 10.0,
    "strategy": "sma_cross",
    "strategy_params": {},
    "starting_balance": 10000.0,
    "risk_pct": 1.0,
    "stop_bps": 30.0,
    "tp_r": 1.5,
    "max_leverage": 5.0,
    "maintenance_margin_pct": 0.5,
    "taker_fee_bps": 6.0,
    "maker_fee_bps": 2.0,
    "slip_bps": 0.5,
    "half_spread_bps": 0.5,
    "latency_min_ms": 50,
    "latency_max_ms": 500,
    "seed": None,
    "min_trade_interval_sec": 60.0,
    "max_daily_drawdown_pct": 5.0,
    "max_consecutive_losses": 5,
    "max_bars_open": 0,
    "limit_ttl_sec": 60.0,
    "max_fill_pct_of_volume": 0.0,
    "max_order_age_sec": 10.0,
    "max_quote_age_sec": 10.0,
    "max_jump_pct": 20.0,
    "tick_size": None,
    "lot_size": None,
    "min_qty": None,
    "on_stop": "flatten",
    "stale_data_timeout_sec": 90.0,
    "heartbeat_interval_sec": 1.0,
    "heartbeat_timeout_sec": 10.0,
    "decision_timeout_sec": 30.0,
    "max_strategy_errors": 20,
    "max_strategy_memory_mb": 2048,
    "max_restarts": 3,
    "restart_window_sec": 600.0,
    "ws_max_retries": 10,
    "ws_backoff_min_sec": 2.0,
    "ws_backoff_max_sec": 60.0,
    "kill_file": "kill.txt",
    "log_dir": "logs",
    "runs_dir": "runs",
    "state_dir": ".lap",
    "bus_port": 0,
    "bitunix_ws_url": "wss://fapi.bitunix.com/public/",
    "bitunix_rest_url": "https://fapi.bitunix.com",
    "replay_file": None,
    "replay_speed": 1.0,
    "alert_urls": [],
    "metrics_port": None,
}


def env(cwd: Path, /, **variables: str) -> Resolved:
    return resolve({}, cwd, {f"LAP_{name.upper()}": value for name, value in variables.items()})


def error(cwd: Path, variables: dict[str, str] | None = None, options: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(options or {}, cwd, variables or {})
    line = str(caught.value)
    assert "\n" not in line
    return line


def toml(cwd: Path, text: str, name: str = "lap.toml") -> None:
    (cwd / name).write_text(text, encoding="utf-8")


def test_without_anything_said_the_documented_defaults_hold_in_the_documented_order(tmp_path: Path) -> None:
    resolved = resolve({}, tmp_path, {"HOME": "/home/ada"})
    assert resolved.values == DEFAULTS
    assert list(resolved.values) == list(DEFAULTS)
    assert resolved.origins == dict.fromkeys(DEFAULTS, "default")


GOOD = [
    ("source", "demo", "demo"),
    ("symbol", "btc/usdt", "BTCUSDT"),
    ("symbol", " eth-usdt_perp ", "ETHUSDTPERP"),
    ("interval", "1s", "1s"),
    ("interval", "4h", "4h"),
    ("duration", "0.5", 0.5),
    ("duration", "inf", None),
    ("duration", "INF", None),
    ("strategy", "my_rules", "my_rules"),
    ("strategy", "my.package.rules:Breakout", "my.package.rules:Breakout"),
    ("strategy_params", "fast=5,slow=20", {"fast": 5, "slow": 20}),
    ("strategy_params", " fast = 0.5 , mode=slow, on=true ", {"fast": 0.5, "mode": "slow", "on": True}),
    ("strategy_params", '{"fast": 5, "levels": [1, 2]}', {"fast": 5, "levels": [1, 2]}),
    ("strategy_params", "", {}),
    ("risk_pct", "100", 100.0),
    ("stop_bps", "9999.9", 9999.9),
    ("stop_bps", "1e2", 100.0),
    ("max_leverage", "200", 200.0),
    ("maintenance_margin_pct", "0", 0.0),
    ("taker_fee_bps", "0", 0.0),
    ("latency_min_ms", "500", 500),
    ("seed", "0", 0),
    ("seed", "123456789012345678901234567890", 123456789012345678901234567890),
    ("max_daily_drawdown_pct", "100", 100.0),
    ("max_consecutive_losses", "1", 1),
    ("max_restarts", "0", 0),
    ("tick_size", "0.01", 0.01),
    ("on_stop", "keep", "keep"),
    ("heartbeat_timeout_sec", "2", 2.0),
    ("decision_timeout_sec", "15.1", 15.1),
    ("max_strategy_errors", "0", 0),
    ("max_strategy_memory_mb", "256", 256),
    ("log_dir", "my logs", "my logs"),
    ("bus_port", "65525", 65525),
    ("bitunix_ws_url", "ws://127.0.0.1:8080/public/", "ws://127.0.0.1:8080/public/"),
    ("bitunix_rest_url", "http://[::1]:8080", "http://[::1]:8080"),
    ("replay_speed", "max", "max"),
    ("replay_speed", "60", 60.0),
    ("alert_urls", "json://a/b, tgram://c", ["json://a/b", "tgram://c"]),
    ("alert_urls", '["json://a,b"]', ["json://a,b"]),
    ("alert_urls", "", []),
    ("metrics_port", "1024", 1024),
    ("metrics_port", "65535", 65535),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_good_text_gives_its_value(tmp_path: Path, name: str, text: str, value: object) -> None:
    resolved = env(tmp_path, **{name: text})
    assert resolved.values == {**DEFAULTS, name: value}
    assert type(resolved.values[name]) is type(value)
    assert resolved.origins[name] == f"LAP_{name.upper()}"


BAD = [
    ("source", "binance", "must be one of bitunix, demo, mock, replay, got binance"),
    ("source", "replay", "replay_file must be set when source is replay, got unset (from the default) and source replay"),
    ("symbol", "", "must not be empty, got ''"),
    ("symbol", " /-_ ", "must not be empty, got ' /-_ '"),
    ("symbol", "BTC\x07", "must be printable text, got 'BTC\\x07'"),
    ("interval", "2m", "must be one of 1s, 5s, 15s, 1m, 3m, 5m, 15m, 30m, 1h, 4h, 1d, got 2m"),
    ("duration", "0", "must be greater than 0, got 0"),
    ("duration", "-inf", "must be a finite number, got -inf"),
    ("duration", "nan", "must be a finite number, got nan"),
    ("duration", "1e999", "must be a finite number, got 1e999"),
    ("duration", "1e308", "must be at most 1e+09, got 1e308"),
    ("duration", "soon", "must be a number, got soon"),
    ("strategy", "", "must be a built-in name or package.module:Class, got ''"),
    ("strategy", "my.rules", "must be a built-in name or package.module:Class, got my.rules"),
    ("strategy", "rules.py:", "must be a built-in name or package.module:Class, got rules.py:"),
    ("strategy_params", "fast", "must be a table such as fast=5,slow=20 (finite numbers, text, true or false), or JSON"),
    ("strategy_params", "fast=nan", "must be a table such as fast=5,slow=20"),
    ("strategy_params", "fast=1,fast=2", "must be a table such as fast=5,slow=20"),
    ("strategy_params", '{"fast": }', "must be a table such as fast=5,slow=20"),
    ("starting_balance", "0", "must be greater than 0, got 0"),
    ("starting_balance", "1e10", "must be at most 1e+09, got 1e10"),
    ("starting_balance", "inf", "must be a finite number, got inf"),
    ("risk_pct", "150", "must be at most 100, got 150"),
    ("risk_pct", "0", "must be greater than 0, got 0"),
    ("stop_bps", "-3", "must be greater than 0, got -3"),
    ("stop_bps", "10000", "must be less than 10000, got 10000"),
    ("stop_bps", "", "must be a number, got ''"),
    ("stop_bps", "3 bps", "must be a number, got '3 bps'"),
    ("stop_bps", "3\n4", "must be a number, got '3\\n4'"),
    ("tp_r", "0", "must be greater than 0, got 0"),
    ("max_leverage", "201", "must be at most 200, got 201"),
    ("maintenance_margin_pct", "100", "must be less than 100, got 100"),
    ("taker_fee_bps", "-1", "must be at least 0, got -1"),
    ("maker_fee_bps", "nan", "must be a finite number, got nan"),
    ("slip_bps", "-0.1", "must be at least 0, got -0.1"),
    ("half_spread_bps", "-1", "must be at least 0, got -1"),
    ("latency_min_ms", "-1", "must be at least 0, got -1"),
    ("latency_min_ms", "1.5", "must be a whole number, got 1.5"),
    ("latency_min_ms", "600", "must be at most latency_max_ms, got 600"),
    ("latency_max_ms", "10", "latency_min_ms must be at most latency_max_ms, got 50 (from the default) and latency_max_ms 10"),
    ("latency_max_ms", "9999999999", "must be at most 1e+09, got 9999999999"),
    ("seed", "-1", "must be at least 0, got -1"),
    ("seed", "lucky", "must be a whole number, got lucky"),
    ("seed", "", "must be a whole number, got ''"),
    ("min_trade_interval_sec", "-1", "must be at least 0, got -1"),
    ("max_daily_drawdown_pct", "101", "must be at most 100, got 101"),
    ("max_consecutive_losses", "0", "must be at least 1, got 0"),
    ("max_bars_open", "0.5", "must be a whole number, got 0.5"),
    ("limit_ttl_sec", "-1", "must be at least 0, got -1"),
    ("max_fill_pct_of_volume", "-1", "must be at least 0, got -1"),
    ("max_order_age_sec", "0", "must be greater than 0, got 0"),
    ("max_quote_age_sec", "0", "must be greater than 0, got 0"),
    ("max_jump_pct", "0", "must be greater than 0, got 0"),
    ("tick_size", "0", "must be greater than 0, got 0"),
    ("lot_size", "-1", "must be greater than 0, got -1"),
    ("lot_size", "1e-300", "must be at least 1e-12, got 1e-300"),
    ("min_qty", "none", "must be a number, got none"),
    ("on_stop", "hold", "must be one of flatten, keep, got hold"),
    ("stale_data_timeout_sec", "0", "must be greater than 0, got 0"),
    ("heartbeat_interval_sec", "6", "heartbeat_timeout_sec must be at least 2 x heartbeat_interval_sec, got 10 (from the default) and heartbeat_interval_sec 6"),
    ("heartbeat_timeout_sec", "1.9", "must be at least 2 x heartbeat_interval_sec, got 1.9"),
    ("heartbeat_timeout_sec", "25", "decision_timeout_sec must be greater than heartbeat_timeout_sec + 5, got 30 (from the default) and heartbeat_timeout_sec 25"),
    ("decision_timeout_sec", "15", "must be greater than heartbeat_timeout_sec + 5, got 15"),
    ("max_restarts", "-1", "must be at least 0, got -1"),
    ("restart_window_sec", "0", "must be greater than 0, got 0"),
    ("ws_max_retries", "-1", "must be at least 0, got -1"),
    ("ws_backoff_min_sec", "0", "must be greater than 0, got 0"),
    ("ws_backoff_max_sec", "1", "ws_backoff_min_sec must be at most ws_backoff_max_sec, got 2 (from the default) and ws_backoff_max_sec 1"),
    ("kill_file", "", "must not be empty, got ''"),
    ("log_dir", " ", "must not be empty, got ' '"),
    ("log_dir", "a\nb", "must be a name without line ends, got 'a\\nb'"),
    ("runs_dir", "\udcff", "must be UTF-8 text, got '\\udcff'"),
    ("state_dir", "", "must not be empty, got ''"),
    ("bus_port", "65526", "must be at most 65525, got 65526"),
    ("bus_port", "-1", "must be at least 0, got -1"),
    ("bitunix_ws_url", "https://x", "must be a URL such as ws://host or wss://host, got https://x"),
    ("bitunix_ws_url", "wss://", "must be a URL such as ws://host or wss://host, got wss://"),
    ("bitunix_rest_url", "ws://x", "must be a URL such as http://host or https://host, got ws://x"),
    ("bitunix_rest_url", "http://x:port", "must be a URL such as http://host or https://host, got http://x:port"),
    ("replay_file", "nowhere.csv", "must exist, got nowhere.csv"),
    ("replay_file", "f," * 200, "must exist, 'f' does not, got f,f,f,"),
    ("replay_file", "f" * 300, "must exist, got fff"),
    ("replay_file", "", "must name one or more files, got ''"),
    ("replay_speed", "0", "must be greater than 0, or max, got 0"),
    ("replay_speed", "1e-300", "must be from 1e-12 to 1e+09, or max, got 1e-300"),
    ("replay_speed", "inf", "must be greater than 0, or max, got inf"),
    ("replay_speed", "fast", "must be greater than 0, or max, got fast"),
    ("alert_urls", "secret-token", "must be notification URLs such as json://host/path, got ..."),
    ("metrics_port", "80", "must be at least 1024, got 80"),
    ("metrics_port", "65536", "must be at most 65535, got 65536"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), BAD)
def test_a_bad_text_gives_one_line_that_names_setting_rule_value_and_origin(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    variable = f"LAP_{name.upper()}"
    line = error(tmp_path, {variable: text})
    assert line.startswith(said if said.split(" ", 1)[0] in DEFAULTS else f"{name} {said}")
    assert f"(from {variable})" in line


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        ("LAP_STOP_BPS", "-3", "stop_bps must be greater than 0, got -3 (from LAP_STOP_BPS)"),
        ("LAP_RISK_PCT", "150", "risk_pct must be at most 100, got 150 (from LAP_RISK_PCT)"),
        ("LAP_DURATION", "0", "duration must be greater than 0, got 0 (from LAP_DURATION)"),
        ("LAP_SYMBOL", "", "symbol must not be empty, got '' (from LAP_SYMBOL)"),
        ("LAP_STOPBPS", "1", "LAP_STOPBPS is not a setting; did you mean LAP_STOP_BPS?"),
        ("LAP_stop_bps", "1", "LAP_stop_bps is not a setting; did you mean LAP_STOP_BPS?"),
        ("LAP_CONFG", "x", "LAP_CONFG is not a setting; did you mean LAP_CONFIG?"),
        ("LAP_CONFIG", "my.toml", "LAP_CONFIG must name a file that exists, got my.toml"),
        ("LAP_CONFIG", "c" * 300, f"LAP_CONFIG must name a file that exists, got {'c' * 300}"),
    ],
)
def test_the_line_is_exactly(tmp_path: Path, variable: str, text: str, line: str) -> None:
    assert error(tmp_path, {variable: text}) == line


def test_variables_of_others_and_our_own_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    environ = {"LAPTOP": "1", "lap_stop_bps": "1", "STOP_BPS": "1", "LAP_TEST_TIMEOUT_FACTOR": "3", "LAP_CONFIG": ""}
    assert resolve({}, tmp_path, environ).values == DEFAULTS


def test_of_several_bad_values_the_first_of_the_table_is_told(tmp_path: Path) -> None:
    variables = {"LAP_METRICS_PORT": "1", "LAP_RISK_PCT": "0", "LAP_ON_STOP": "x", "LAP_LATENCY_MIN_MS": "9999"}
    assert error(tmp_path, variables).startswith("risk_pct ")
    del variables["LAP_RISK_PCT"]
    assert error(tmp_path, variables).startswith("latency_min_ms ")


def test_each_layer_wins_over_those_below_and_is_remembered(tmp_path: Path) -> None:
    toml(tmp_path, "tp_r = 2\nstop_bps = 2\nrisk_pct = 2\nsymbol = 'two'\n")
    (tmp_path / ".env").write_text("# mine\nexport LAP_RISK_PCT=4\nLAP_SYMBOL=four # inline\nOTHER='x'\n")
    environ = {"LAP_STOP_BPS": "3", "LAP_RISK_PCT": "3", "LAP_SYMBOL": "three"}
    resolved = resolve({"symbol": "five", "max_leverage": "5"}, tmp_path, environ)
    names = ("tp_r", "stop_bps", "risk_pct", "symbol", "max_leverage", "seed")
    assert [resolved.values[name] for name in names] == [2.0, 3.0, 4.0, "FIVE", 5.0, None]
    assert [resolved.origins[name] for name in names] == [
        "lap.toml",
        "LAP_STOP_BPS",
        ".env",
        "--symbol",
        "--set max_leverage",
        "default",
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"seed": "x"}, "seed must be a whole number, got x (from --seed)"),
        ({"stop_bps": "0"}, "stop_bps must be greater than 0, got 0 (from --set stop_bps)"),
        ({"stopbps": "0"}, "stopbps is not a setting; did you mean stop_bps?"),
        ({"STOP_BPS": "1"}, "STOP_BPS is not a setting; did you mean stop_bps?"),
    ],
)
def test_an_error_names_the_option_it_comes_from(tmp_path: Path, options: dict[str, str], line: str) -> None:
    assert error(tmp_path, options=options) == line


def test_an_error_names_the_variable_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LAP_STOP_BPS=-3\n")
    assert error(tmp_path) == "stop_bps must be greater than 0, got -3 (from LAP_STOP_BPS in .env)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nLAP_STOPBPS=1\n", "LAP_STOPBPS is not a setting; did you mean LAP_STOP_BPS? (in .env)"),
        ("A=1\nLAP_STOP_BPS\n", ".env, line 2: it is not NAME=VALUE"),
        ("A=1\nB=2\nLAP_SEED='1\n", ".env, line 3: it is not NAME=VALUE"),
    ],
)
def test_a_broken_dotenv_is_told_in_one_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / ".env").write_text(text)
    assert error(tmp_path) == line


def test_a_dotenv_that_is_a_directory_or_broken_in_strangers_lines_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert resolve({}, tmp_path, {}).values == DEFAULTS
    (tmp_path / ".env").rmdir()
    (tmp_path / ".env").write_text("not a statement\nLAP_SEED=7\nALSO='not\n")
    assert resolve({}, tmp_path, {}).values["seed"] == 7


def test_dotenv_expands_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LAP_LOG_DIR=${HOME}/logs\n")
    assert resolve({}, tmp_path, {"HOME": "/home/ada"}).values["log_dir"] == "${HOME}/logs"


TOML = [
    ("stop_bps = 25", "stop_bps", 25.0),
    ("stop_bps = '25'", "stop_bps", 25.0),
    ("\ufeffstop_bps = 25\r\n", "stop_bps", 25.0),
    ("duration = inf", "duration", None),
    ("duration = 'inf'", "duration", None),
    ("[strategy_params]\nfast = 5\nname = 'a'", "strategy_params", {"fast": 5, "name": "a"}),
    ("strategy_params = 'fast=5'", "strategy_params", {"fast": 5}),
    ("alert_urls = ['json://a', 'json://b']", "alert_urls", ["json://a", "json://b"]),
    ("replay_speed = 'max'", "replay_speed", "max"),
    ("seed = 7", "seed", 7),
]


@pytest.mark.parametrize(("text", "name", "value"), TOML)
def test_the_settings_file_gives_values_of_its_own_types(tmp_path: Path, text: str, name: str, value: object) -> None:
    (tmp_path / "lap.toml").write_bytes(text.encode())
    resolved = resolve({}, tmp_path, {})
    assert resolved.values[name] == value
    assert resolved.origins[name] == "lap.toml"


BAD_TOML = [
    ("tp_r = 1\nstop_bps = \n", "lap.toml, line 2: Invalid value"),
    ("tp_r = 1\ntp_r = 2\n", "lap.toml, line 2: Cannot overwrite a value"),
    ("tp_r = 1\nstop_bps", "lap.toml, line 2: Expected '=' after a key in a key/value pair"),
    ("tp_r = 1\nsymbol = '\xff'", "lap.toml, line 2: it is not UTF-8 text"),
    ("tp_r = 1\nalert_urls = [\n\n", "lap.toml, line 2: Invalid value"),
    (r'log_dir = "C:\Users\me"', r"lap.toml, line 1: Invalid hex value; a path with \ in it stands in single quotes"),
    (
        r'replay_file = "here\temp.csv"',
        r"replay_file must exist; a path with \ in it stands in single quotes in lap.toml, got 'here\temp.csv' (from lap.toml)",
    ),
    ("stopbps = 1", "stopbps in lap.toml is not a setting; did you mean stop_bps?"),
    ("LAP_STOP_BPS = 1", "LAP_STOP_BPS in lap.toml is not a setting; did you mean stop_bps?"),
    ("[settings]\ntp_r = 1", "settings in lap.toml is not a setting; did you mean "),
    ("stop_bps = -3", "stop_bps must be greater than 0, got -3 (from lap.toml)"),
    ("stop_bps = true", "stop_bps must be a number, got true (from lap.toml)"),
    ("stop_bps = nan", "stop_bps must be a finite number, got nan (from lap.toml)"),
    ("stop_bps = [1]", "stop_bps must be a number, got 1 (from lap.toml)"),
    ("seed = 1.5", "seed must be a whole number, got 1.5 (from lap.toml)"),
    ("symbol = 5", "symbol must be text, got 5 (from lap.toml)"),
    ("log_dir = 5", "log_dir must be text, got 5 (from lap.toml)"),
    ("strategy_params = 5", "strategy_params must be a table such as"),
    ("[strategy_params]\nday = 2026-01-01", "strategy_params must be a table such as"),
    ("[strategy_params]\nfast = inf", "strategy_params must be a table such as"),
    ("alert_urls = [5]", "alert_urls must be notification URLs such as"),
    ("alert_urls = 5", "alert_urls must be notification URLs such as"),
    ("replay_file = [5]", "replay_file must name one or more files, got 5 (from lap.toml)"),
    ("replay_speed = true", "replay_speed must be greater than 0, or max, got true (from lap.toml)"),
]


@pytest.mark.parametrize(("text", "line"), BAD_TOML)
def test_a_bad_settings_file_gives_one_line_with_file_and_place(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "lap.toml").write_bytes(text.encode("latin-1"))
    assert error(tmp_path).startswith(line)


def test_only_where_a_path_may_be_meant_are_quotes_advised(tmp_path: Path) -> None:
    toml(tmp_path, "tp_r = 1\nstop_bps = \n")
    assert error(tmp_path) == "lap.toml, line 2: Invalid value"
    toml(tmp_path, "log_dir = 'my\\logs'\nstop_bps = \n")
    assert error(tmp_path) == "lap.toml, line 2: Invalid value"


def test_another_settings_file_is_named_in_errors_and_origins(tmp_path: Path) -> None:
    toml(tmp_path, "stop_bps = 1")
    toml(tmp_path, "tp_r = 0", "fast.toml")
    assert error(tmp_path, {"LAP_CONFIG": "fast.toml"}) == "tp_r must be greater than 0, got 0 (from fast.toml)"
    toml(tmp_path, "tp_r = 1", "fast.toml")
    resolved = resolve({}, tmp_path, {"LAP_CONFIG": "fast.toml"})
    assert (resolved.values["tp_r"], resolved.origins["tp_r"]) == (1.0, "fast.toml")
    assert resolved.values["stop_bps"] == DEFAULTS["stop_bps"]


def test_replay_files_are_one_or_several_relative_to_the_working_directory(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c,d.csv"):
        (tmp_path / name).touch()

    def files(text: str) -> object:
        return env(tmp_path, source="replay", replay_file=text).values["replay_file"]

    assert files("a.csv") == ["a.csv"]
    assert files("a.csv, b.csv") == ["a.csv", "b.csv"]
    assert files(f"a.csv{os.pathsep}b.csv") == ["a.csv", "b.csv"]
    assert files("c,d.csv") == ["c,d.csv"]
    assert files(str(tmp_path / "a.csv")) == [str(tmp_path / "a.csv")]
    assert error(tmp_path, {"LAP_REPLAY_FILE": "a.csv,x.csv"}).startswith("replay_file must exist, 'x.csv' does not")


def test_a_session_that_replays_a_run_is_of_its_market_unless_told_otherwise(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "events.jsonl").touch()
    (run / "config.json").write_text('{"settings": {"symbol": "ETHUSDT", "interval": "5s", "stop_bps": 99}}')
    for name in ("run", "run/events.jsonl"):
        found = env(tmp_path, source="replay", replay_file=name, interval="1m")
        assert [found.values[name] for name in ("symbol", "interval", "stop_bps")] == ["ETHUSDT", "1m", 30.0]
        assert [found.origins[name] for name in ("symbol", "interval")] == ["replay_file", "LAP_INTERVAL"]
    assert env(tmp_path, source="mock", replay_file="run").values["symbol"] == "BTCUSDT"
    (run / "config.json").write_text("[")
    assert env(tmp_path, source="replay", replay_file="run").values["symbol"] == "BTCUSDT"


def test_secrets_in_notification_urls_are_not_shown(tmp_path: Path) -> None:
    rows = {row.name: row for row in describe(env(tmp_path, alert_urls="tgram://1234:secret/5"))}
    assert rows["alert_urls"].value == "tgram://..."


def test_rows_tell_name_value_origin_and_rule_of_every_setting(tmp_path: Path) -> None:
    rows = describe(env(tmp_path, duration="inf", strategy_params="fast=5,slow=20"))
    assert [row.name for row in rows] == list(DEFAULTS)
    shown = {row.name: (row.value, row.origin) for row in rows}
    assert shown["duration"] == ("inf", "LAP_DURATION")
    assert shown["strategy_params"] == ("fast=5, slow=20", "LAP_STRATEGY_PARAMS")
    assert shown["stop_bps"] == ("30", "default")
    assert all(row.rule for row in rows)


def test_the_table_for_people_has_a_line_for_every_setting() -> None:
    lines = markdown_table().splitlines()
    assert lines[0] == "| name | default | rule |"
    assert [line.split("`")[1] for line in lines[2:]] == list(DEFAULTS)
    assert "| `stop_bps` | `30` | > 0, < 10000 |" in lines


def child(cwd: Path, stdin: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services.settings"],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, **variables},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_child_answers_as_json(tmp_path: Path) -> None:
    code, out, err = child(tmp_path, '{"symbol": "eth/usdt"}', LAP_SEED="7")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["values"] == {**DEFAULTS, "symbol": "ETHUSDT", "seed": 7}
    assert answer["origins"]["symbol"] == "--symbol"


def test_the_child_refuses_with_one_line_and_code_2(tmp_path: Path) -> None:
    assert child(tmp_path, "", LAP_STOP_BPS="-3") == (
        2,
        "",
        "stop_bps must be greater than 0, got -3 (from LAP_STOP_BPS)\n",
    )
