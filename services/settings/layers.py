"""Who says what: the settings file, the shell, `.env` and the options, each read by a source of its own.

The only reader of the environment for settings. Names are judged here (an unknown one is an error with the nearest
known one), values in `model`.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from services.file_names import CONFIG
from services.session import locate
from services.settings.model import Settings
from services.waiting import is_there, read_json

NAMES = tuple(Settings.model_fields)
VARIABLES = tuple(f"{locate.PREFIX}{name.upper()}" for name in NAMES)
# Variables of ours that are no settings: where the settings file is, and the tests' patience.
OTHER_VARIABLES = (locate.CONFIG_VARIABLE, "LAP_TEST_TIMEOUT_FACTOR")
# Settings with an option of their own; any other is given by `--set NAME=VALUE`.
OPTIONS = ("source", "symbol", "interval", "duration", "seed")
DEFAULT = "default"
_MARKET = ("symbol", "interval")


class SettingsError(Exception):
    """Settings that can not be used, in one line for a person. The exit code is 2."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says. `origins` is where each value comes from, `places` the same for an error's line."""

    values: dict[str, Any]
    origins: dict[str, str]
    places: dict[str, str]


def read_layers(options: Mapping[str, str], cwd: Path, environ: Mapping[str, str]) -> list[Layer]:
    """All layers above the defaults, lowest first.

    Raises:
        SettingsError: A file is broken, or a name is unknown.
    """
    dotenv = _dotenv(cwd)
    config_name = {**environ, **dotenv}.get(locate.CONFIG_VARIABLE)
    return [
        _file_layer(cwd, config_name or ""),
        _variables_layer(environ, ""),
        _variables_layer(dotenv, locate.DOTENV_FILE),
        options_layer(options),
    ]


def _file_layer(cwd: Path, given: str) -> Layer:
    name = given or locate.CONFIG_FILE
    if given and not (is_there(cwd / given) and (cwd / given).is_file()):
        raise SettingsError(f"{locate.CONFIG_VARIABLE} must name a file that exists, got {given}")
    table = _TomlFile(cwd / name, name)()
    for key in table:
        if key not in NAMES:
            raise SettingsError(f"{_word(key)} in {name} is not a setting; did you mean {_meant(key)}?")
    origins = dict.fromkeys(table, name)
    return Layer(table, origins, origins)


class _TomlFile(TomlConfigSettingsSource):
    """The settings file; a broken one is told in one line. A byte order mark, as Windows editors write it, is fine."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        super().__init__(Settings, path)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        try:
            raw: bytes = file_path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{self._name} can not be read: {error.strerror or error}") from None
        try:
            return tomllib.loads(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SettingsError(f"{self._name}, line {line}: it is not UTF-8 text") from None
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{self._name}, {_toml_reason(str(error), raw)}") from None


def _toml_reason(message: str, raw: bytes) -> str:
    """`line 3: Invalid value`; tomllib writes `Invalid value (at line 3, column 8)` or `(at end of document)`."""
    reason, _, where = message.rpartition(" (at ")
    found = re.match(r"line (\d+)", where)
    line = int(found[1]) if found else raw.rstrip().count(b"\n") + 1
    is_path = any(b"\\" in text for text in raw.split(b"\n")[line - 1 : line])
    hint = "; a path with \\ in it stands in single quotes" if is_path else ""
    return f"line {line}: {' '.join((reason or message).split())}{hint}"


def _dotenv(cwd: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for line in locate.dotenv_lines(cwd):
            if line.broken or line.value is None:
                # what is not ours need not be ours to judge
                if line.text.strip().removeprefix("export").lstrip().startswith(locate.PREFIX):
                    raise SettingsError(f"{locate.DOTENV_FILE}, line {line.line}: it is not NAME=VALUE")
                continue
            found[line.name] = line.value
    except OSError as error:
        raise SettingsError(f"{locate.DOTENV_FILE} can not be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{locate.DOTENV_FILE} is not UTF-8 text") from None
    return found


def _variables_layer(variables: Mapping[str, str], file: str) -> Layer:
    ours = {name: value for name, value in variables.items() if name.startswith(locate.PREFIX)}
    for name in ours:
        if name not in VARIABLES and name not in OTHER_VARIABLES:
            near = nearest(name.upper(), (*VARIABLES, *OTHER_VARIABLES))
            place = f" (in {file})" if file else ""
            raise SettingsError(f"{_word(name)} is not a setting; did you mean {near}?{place}")
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in ours.items()}
    values = source()
    variable_of = {name: f"{locate.PREFIX}{name.upper()}" for name in values}
    if not file:
        return Layer(values, variable_of, variable_of)
    return Layer(values, dict.fromkeys(values, file), {name: f"{of} in {file}" for name, of in variable_of.items()})


def options_layer(options: Mapping[str, str]) -> Layer:
    """What the command line says.

    Raises:
        SettingsError: A name is unknown.
    """
    for name in options:
        if name not in NAMES:
            raise SettingsError(f"{_word(name)} is not a setting; did you mean {_meant(name)}?")
    values = InitSettingsSource(Settings, dict(options))()
    origins = {name: f"--{name}" if name in OPTIONS else f"--set {name}" for name in values}
    return Layer(values, origins, origins)


def recorded_layer(values: Mapping[str, Any], cwd: Path) -> Layer:
    """What market a recorded run was of, when a session replays one: it lies below all that is said."""
    if values["source"] != "replay":
        return Layer({}, {}, {})
    path, *more = (cwd / file for file in values["replay_file"])
    run = path if path.is_dir() else path.parent if path.name.startswith("events.") else None
    config = None if run is None or more else read_json(run / CONFIG)
    said = config.get("settings") if isinstance(config, dict) else None
    of_run = {name: said[name] for name in _MARKET if name in said} if isinstance(said, dict) else {}
    origins = dict.fromkeys(of_run, "replay_file")
    return Layer(of_run, origins, origins)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`."""
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def _meant(name: str) -> str:
    """The setting whose name is most like a word, which may be written as the environment has it."""
    return nearest(name.lower().removeprefix(locate.PREFIX.lower()), NAMES)


def _word(name: str) -> str:
    return name if name.isprintable() and name.strip() else repr(name)
