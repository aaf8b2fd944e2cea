"""The table of settings: every name, its default, its rule, and the words for breaking the rule.

Nothing is read here, neither the environment nor a file but for one question: whether a replay file exists.
Fields stand in the order of the documented table; of several wrong ones the first is told.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.settings.texts import parse_files, parse_params, parse_urls
from services.waiting import is_there

MOST = 1_000_000_000
"""No number is above it: a wait of that many seconds is thirty years, and what is made of it still fits 64 bits."""
LEAST = 1e-12
"""No grid, and no speed, is below it: a billion counted in it still has fewer than the 50 digits of our decimals."""
TOP_PORT = 65535
BUS_PORTS = 10

_STRATEGY = re.compile(r"[^\W\d]\w*|[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_ENDLESS = {"inf", "+inf", "infinity", "+infinity"}


@dataclass(frozen=True, slots=True)
class Located:
    """A value that is a path, with the directory it is relative to."""

    value: object
    cwd: Path


def refusal(words: str, **context: object) -> PydanticCustomError:
    """A rule that is broken, in words that follow the setting's name; `other` in the context names a second one."""
    return PydanticCustomError("rule", words, context)


def _not_a_flag(value: object) -> object:
    # pydantic reads true as 1
    if isinstance(value, bool):
        raise refusal("must be a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise refusal("must be text")
    # the shell hands over bytes that are no UTF-8 as lone surrogates, which JSON can not carry
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise refusal("must be UTF-8 text")
    return value


def _minutes(value: object) -> object:
    endless = value.strip().lower() in _ENDLESS if isinstance(value, str) else value == math.inf
    return None if endless else _not_a_flag(value)


def _symbol(value: object) -> str:
    symbol = "".join(re.split(r"[\s/_-]+", _text(value))).upper()
    if not symbol:
        raise refusal("must not be empty")
    if not symbol.isprintable():
        raise refusal("must be printable text")
    return symbol


def _strategy(value: object) -> str:
    if not _STRATEGY.fullmatch(_text(value)):
        raise refusal("must be a built-in name or package.module:Class")
    return str(value)


def _place(value: object) -> str:
    if not _text(value).strip():
        raise refusal("must not be empty")
    if any(character < " " for character in str(value)):
        raise refusal("must be a name without line ends")
    return str(value)


def _url(value: object, *schemes: str) -> str:
    try:
        parts = urlsplit(_text(value))
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", str(value)):
        raise refusal("must be a URL such as " + " or ".join(f"{scheme}://host" for scheme in schemes))
    return str(value)


def _ws_url(value: object) -> str:
    return _url(value, "ws", "wss")


def _http_url(value: object) -> str:
    return _url(value, "http", "https")


def _params(value: object) -> dict[str, Any]:
    try:
        params = parse_params(value) if isinstance(value, str) else value
        if isinstance(params, Mapping) and all(isinstance(name, str) and name for name in params):
            json.dumps(params, allow_nan=False, ensure_ascii=False).encode()
            return dict(params)
    except (TypeError, ValueError):
        pass
    raise refusal("must be a table such as fast=5,slow=20 (finite numbers, text, true or false), or JSON")


def _alert_urls(value: object) -> list[str]:
    urls = parse_urls(value) if isinstance(value, str) else value
    if isinstance(urls, list) and all(isinstance(url, str) and re.match(r"[\w.+-]+://\S+$", url) for url in urls):
        return urls
    raise refusal("must be notification URLs such as json://host/path")


def _replay_speed(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() == "max":
        return "max"
    try:
        speed = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        speed = math.nan
    if not 0 < speed < math.inf:
        raise refusal("must be greater than 0, or max")
    if not LEAST <= speed <= MOST:
        raise refusal(f"must be from {LEAST:g} to {MOST:g}, or max")
    return speed


def _replay_files(value: object) -> list[str] | None:
    cwd, given = (value.cwd, value.value) if isinstance(value, Located) else (Path(), value)
    if given is None:
        return None
    files = parse_files(given, cwd) if isinstance(given, str) else given
    if not isinstance(files, list) or not files or not all(isinstance(name, str) and name for name in files):
        raise refusal("must name one or more files")
    for name in files:
        if not is_there(cwd / _text(name)):
            escapes = (
                "" if all(map(str.isprintable, files)) else "; a path with \\ in it stands in single quotes in lap.toml"
            )
            raise refusal((f"must exist, {name!r} does not" if len(files) > 1 else "must exist") + escapes)
    return files


Number = Annotated[float, BeforeValidator(_not_a_flag), Field(allow_inf_nan=False), Field(le=MOST)]
Whole = Annotated[int, BeforeValidator(_not_a_flag), Field(le=MOST)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[Whole, Field(ge=0)]
Grid = Annotated[Positive, Field(ge=LEAST)]
Seed = Annotated[int, BeforeValidator(_not_a_flag), Field(ge=0)]
Place = Annotated[Any, AfterValidator(_place)]


class Settings(BaseSettings):
    """All settings of a session. `description` is the rule as the documentation tells it."""

    model_config = SettingsConfigDict(env_prefix="LAP_", extra="forbid", validate_default=True)

    source: Literal["bitunix", "demo", "mock", "replay"] = Field(
        default="bitunix",
        description="`bitunix`; `demo` (the simulated exchange over Bitunix's protocol); `mock` (seeded random walk "
        "inside the feed); `replay` (needs `replay_file`)",
    )
    symbol: Annotated[Any, AfterValidator(_symbol)] = Field(
        default="BTCUSDT", description="upper-cased, `/`, `-`, `_` and spaces removed; not empty"
    )
    interval: Literal["1s", "5s", "15s", "1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"] = Field(
        default="1m", description="`1s` `5s` `15s` `1m` `3m` `5m` `15m` `30m` `1h` `4h` `1d`"
    )
    duration: Annotated[Positive | None, BeforeValidator(_minutes)] = Field(
        default=10, description="minutes of the session's wall time, > 0; `inf` runs until stopped"
    )
    strategy: Annotated[Any, AfterValidator(_strategy)] = Field(
        default="sma_cross", description="a name of `lap strategies`, or `package.module:Class`"
    )
    strategy_params: Annotated[Any, AfterValidator(_params)] = Field(
        default={},
        description="table; in the environment `fast=5,slow=20` or JSON; validated by the strategy itself",
    )
    starting_balance: Positive = Field(default=10000, description="quote currency, > 0")
    risk_pct: Annotated[Positive, Field(le=100)] = Field(default=1.0, description="> 0, <= 100")
    stop_bps: Annotated[Positive, Field(lt=10000)] = Field(default=30, description="> 0, < 10000")
    tp_r: Positive = Field(default=1.5, description="> 0")
    max_leverage: Annotated[Positive, Field(le=200)] = Field(default=5.0, description="> 0, <= 200")
    maintenance_margin_pct: Annotated[NotNegative, Field(lt=100)] = Field(default=0.5, description=">= 0, < 100")
    taker_fee_bps: NotNegative = Field(default=6, description=">= 0")
    maker_fee_bps: NotNegative = Field(default=2, description=">= 0")
    slip_bps: NotNegative = Field(default=0.5, description=">= 0")
    half_spread_bps: NotNegative = Field(default=0.5, description=">= 0")
    latency_min_ms: Count = Field(default=50, description="integer, >= 0, <= `latency_max_ms`")
    latency_max_ms: Count = Field(default=500, description="integer, >= `latency_min_ms`")
    seed: Seed | None = Field(default=None, description="integer, >= 0; unset: drawn at the start and recorded")
    min_trade_interval_sec: NotNegative = Field(default=60, description=">= 0")
    max_daily_drawdown_pct: Annotated[Positive, Field(le=100)] = Field(default=5.0, description="> 0, <= 100")
    max_consecutive_losses: Annotated[Whole, Field(ge=1)] = Field(default=5, description="integer, >= 1")
    max_bars_open: Count = Field(default=0, description="integer, >= 0; 0: no limit")
    limit_ttl_sec: NotNegative = Field(default=60, description=">= 0")
    max_fill_pct_of_volume: NotNegative = Field(default=0, description=">= 0; 0: no cap")
    max_order_age_sec: Positive = Field(default=10, description="> 0")
    max_quote_age_sec: Positive = Field(default=10, description="> 0")
    max_jump_pct: Positive = Field(
        default=20, description="> 0; percent from one tick to the next; a price further off waits for a second one"
    )
    tick_size: Grid | None = Field(default=None, description="> 0; unset: from the source, without one 0.1")
    lot_size: Grid | None = Field(default=None, description="> 0; unset: from the source, without one 0.0001")
    min_qty: Grid | None = Field(default=None, description="> 0; unset: from the source, without one 0.0001")
    on_stop: Literal["flatten", "keep"] = Field(default="flatten", description="`flatten`, `keep`")
    stale_data_timeout_sec: Positive = Field(default=90, description="> 0; counts while the feed says it is connected")
    heartbeat_interval_sec: Positive = Field(default=1, description="> 0")
    heartbeat_timeout_sec: Positive = Field(
        default=10, description=">= 2 x `heartbeat_interval_sec`; the first beat may take 30 s"
    )
    decision_timeout_sec: Positive = Field(default=30, description="> `heartbeat_timeout_sec` + 5")
    max_strategy_errors: Count = Field(
        default=20,
        description="integer, >= 0; candles (and ticks, where it decides on them) on which the strategy may fail; "
        "one more ends the session",
    )
    max_strategy_memory_mb: Annotated[Whole, Field(ge=256)] = Field(
        default=2048,
        description="integer, >= 256; data that the strategy may hold beside the program itself (on Linux)",
    )
    max_restarts: Count = Field(default=3, description="integer, >= 0; per service")
    restart_window_sec: Positive = Field(default=600, description="> 0; per service")
    ws_max_retries: Count = Field(default=10, description="integer, >= 0; consecutive failed attempts")
    ws_backoff_min_sec: Positive = Field(default=2, description="> 0, <= `ws_backoff_max_sec`")
    ws_backoff_max_sec: Positive = Field(default=60, description=">= `ws_backoff_min_sec`")
    kill_file: Place = Field(default="kill.txt", description="relative to the working directory")
    log_dir: Place = Field(default="logs", description="relative to the working directory")
    runs_dir: Place = Field(default="runs", description="relative to the working directory")
    state_dir: Place = Field(default=".lap", description="relative to the working directory")
    bus_port: Annotated[Count, Field(le=TOP_PORT - BUS_PORTS)] = Field(
        default=0, description="0: free ports, published in `session.json`; else a few ports from there up"
    )
    bitunix_ws_url: Annotated[Any, AfterValidator(_ws_url)] = Field(
        default="wss://fapi.bitunix.com/public/", description="`ws://` or `wss://`"
    )
    bitunix_rest_url: Annotated[Any, AfterValidator(_http_url)] = Field(
        default="https://fapi.bitunix.com", description="`http://` or `https://`"
    )
    replay_file: Annotated[Any, AfterValidator(_replay_files)] = Field(
        default=None, description="one or several files that exist; in the environment with commas between"
    )
    replay_speed: Annotated[Any, AfterValidator(_replay_speed)] = Field(default=1.0, description="> 0, or `max`")
    alert_urls: Annotated[Any, AfterValidator(_alert_urls)] = Field(
        default=[], description="notification URLs; in the environment with commas between"
    )
    metrics_port: Annotated[Whole, Field(ge=1024, le=TOP_PORT)] | None = Field(
        default=None, description="1024...65535, loopback only"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the framework's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: `layers` runs the sources one by one and remembers who said what."""
        return (init_settings,)

    # A field's validator sees the fields above it, so a rule between two stands with the lower one.

    @field_validator("latency_max_ms")
    @classmethod
    def _above_latency_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("latency_min_ms")
        if least is not None and least > value:
            raise refusal("must be at most latency_max_ms", first="latency_min_ms", other="latency_max_ms")
        return value

    @field_validator("heartbeat_timeout_sec")
    @classmethod
    def _two_beats(cls, value: float, info: ValidationInfo) -> float:
        interval = info.data.get("heartbeat_interval_sec")
        if interval is not None and value < 2 * interval:
            raise refusal("must be at least 2 x heartbeat_interval_sec", other="heartbeat_interval_sec")
        return value

    @field_validator("decision_timeout_sec")
    @classmethod
    def _after_a_restart(cls, value: float, info: ValidationInfo) -> float:
        timeout = info.data.get("heartbeat_timeout_sec")
        if timeout is not None and value <= timeout + 5:
            raise refusal("must be greater than heartbeat_timeout_sec + 5", other="heartbeat_timeout_sec")
        return value

    @field_validator("ws_backoff_max_sec")
    @classmethod
    def _above_backoff_min(cls, value: float, info: ValidationInfo) -> float:
        least = info.data.get("ws_backoff_min_sec")
        if least is not None and least > value:
            raise refusal("must be at most ws_backoff_max_sec", first="ws_backoff_min_sec", other="ws_backoff_max_sec")
        return value

    @field_validator("replay_file")
    @classmethod
    def _something_to_replay(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if value is None and info.data.get("source") == "replay":
            raise refusal("must be set when source is replay", other="source")
        return value
