"""Where a session lives, without resolving its settings: for light supervisors and for commands that only look.

Standard library only, and python-dotenv when a `.env` is there; never pydantic. Nothing is judged here: what is
broken or wrong is told by `services.settings`, and the session is looked for at the place the rest names.
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "LAP_"
CONFIG_VARIABLE = "LAP_CONFIG"
CONFIG_FILE = "lap.toml"
DOTENV_FILE = ".env"
STATE_DIR = ".lap"


@dataclass(frozen=True, slots=True)
class DotenvLine:
    """One statement of a `.env`: `value` is None when there is no `=`; `broken`: not a statement at all."""

    line: int
    text: str
    name: str
    value: str | None
    broken: bool


def dotenv_lines(cwd: Path) -> Iterator[DotenvLine]:
    """Statements of the working directory's `.env`, in order; none without the file.

    `${NAME}` is not expanded, as honcho does not.

    Raises:
        OSError: The file can not be read.
        UnicodeDecodeError: It is not UTF-8.
    """
    path = cwd / DOTENV_FILE
    if not path.is_file():
        return
    from dotenv.parser import parse_stream  # noqa: PLC0415 - most sessions have no .env, and start without it

    with path.open(encoding="utf-8-sig") as stream:
        for binding in parse_stream(stream):
            text = binding.original.string
            if binding.error or binding.key is not None:
                yield DotenvLine(binding.original.line, text, binding.key or "", binding.value, binding.error)


def dotenv(cwd: Path) -> dict[str, str]:
    """Variables of the working directory's `.env`; broken lines and an unreadable file count as nothing."""
    found: dict[str, str] = {}
    try:
        for line in dotenv_lines(cwd):
            if line.value is not None and not line.broken:
                found[line.name] = line.value
    except (OSError, UnicodeDecodeError):
        return {}
    return found


def environment(cwd: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The shell's variables with those of `.env` over them, as honcho gives them to its processes."""
    return {**environ, **dotenv(cwd)}


def config_path(cwd: Path, variables: Mapping[str, str]) -> Path:
    """The settings file: `lap.toml` in the working directory, or what `LAP_CONFIG` names. It need not be there."""
    return cwd / (variables.get(CONFIG_VARIABLE) or CONFIG_FILE)


def state_dir(cwd: Path, environ: Mapping[str, str], options: Mapping[str, str] | None = None) -> Path:
    """The state directory, by the usual layers."""
    return cwd / ((options or {}).get("state_dir") or named("state_dir", cwd, environ) or STATE_DIR)


def named(setting: str, cwd: Path, environ: Mapping[str, str]) -> str:
    """Return what environment, `.env` or the settings file say of a setting that is text; empty when they do not.

    A broken or unreadable `lap.toml` counts as none: `lap kill` has to find its session all the same.
    """
    variables = environment(cwd, environ)
    if given := variables.get(f"{PREFIX}{setting.upper()}"):
        return given
    try:
        table: dict[str, Any] = tomllib.loads(config_path(cwd, variables).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""
    found = table.get(setting)
    return found if isinstance(found, str) else ""


def fingerprint(options: Mapping[str, str], cwd: Path, environ: Mapping[str, str]) -> str:
    """SHA-256, as hex, of all that settings are made of: the settings file, `LAP_` variables, options.

    Two starts with the same fingerprint ask for the same session.
    """
    variables = environment(cwd, environ)
    try:
        config = config_path(cwd, variables).read_bytes()
    except OSError:
        config = b""
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    said = json.dumps([ours, dict(options)], sort_keys=True)
    return hashlib.sha256(os.fsencode(said) + b"\0" + config).hexdigest()
