"""Settings as a session will use them: the highest layer's value of each, checked, with its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.settings.layers import DEFAULT, Layer, SettingsError, options_layer, read_layers, recorded_layer
from services.settings.model import Located, Settings
from services.settings.texts import shown

_BOUNDS = {
    "greater_than": ("must be greater than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}
_KINDS = {"finite_number": "must be a finite number", "float": "must be a number", "int": "must be a whole number"}


@dataclass(frozen=True, slots=True)
class Resolved:
    """All settings by name, as JSON has them (`duration` None: endless), and where each comes from.

    An origin is `default`, `replay_file` (what the run that is replayed was made with), the settings file's name
    (`lap.toml`), `LAP_<NAME>`, `.env`, `--<name>` or `--set <name>`.
    """

    values: dict[str, Any]
    origins: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting, for people: its value as text, where it comes from, and its rule."""

    name: str
    value: str
    origin: str
    rule: str


def resolve(options: Mapping[str, str], cwd: Path, environ: Mapping[str, str]) -> Resolved:
    """Resolve a session's settings: defaults < settings file < `environ` < `.env` in `cwd` < `options`.

    Args:
        options: Command-line options by setting name; their values are texts.
        cwd: The working directory; relative paths count from it.
        environ: The shell's variables.

    Raises:
        SettingsError: Something is wrong; its text is one line for a person.
    """
    layers = read_layers(options, cwd, environ)
    said = _merged(layers, cwd)
    recorded = recorded_layer(said.values, cwd)
    return _merged([recorded, *layers], cwd) if recorded.values else said


def check_each(options: Mapping[str, str], cwd: Path, environ: Mapping[str, str]) -> None:
    """Judge each name and value by itself, for a command whose session has, or will have, settings of its own.

    What two settings must be to each other is left out: it depends on what that session adds.

    Raises:
        SettingsError: Something is wrong; its text is one line for a person.
    """
    given, _, places = _laid_over(read_layers(options, cwd, environ))
    try:
        _settings(given, cwd)
    except ValidationError as error:
        wrong = [one for one in error.errors() if "other" not in one.get("ctx", {})]
        if wrong:
            raise _first(wrong, given, places) from None


def _merged(layers: Sequence[Layer], cwd: Path) -> Resolved:
    given, origins, places = _laid_over(layers)
    return Resolved(_checked(given, places, cwd), origins)


def _laid_over(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Return the highest layer's value of each setting, with its origin and its place."""
    given: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, DEFAULT)
    places = dict.fromkeys(Settings.model_fields, "the default")
    for layer in layers:
        given |= layer.values
        origins |= layer.origins
        places |= layer.places
    return given, origins, places


def changed(base: Resolved, options: Mapping[str, str], place: str) -> Resolved:
    """Return settings with some of them given anew; nothing is read.

    Args:
        base: What holds for all others.
        options: The new values by setting name, as texts.
        place: Where they come from, for an error's line: `--grid`.

    Raises:
        SettingsError: A name is unknown, or the settings break a rule; its text is one line for a person.
    """
    given = dict(options_layer(options).values)
    origins = dict.fromkeys(given, place)
    values = _checked({**base.values, **given}, {**base.origins, **origins}, Path())
    return Resolved(values, {**base.origins, **origins})


def _checked(given: Mapping[str, Any], places: Mapping[str, str], cwd: Path) -> dict[str, Any]:
    try:
        return _settings(given, cwd).model_dump()
    except ValidationError as error:
        raise _first(error.errors(), given, places) from None


def _settings(given: Mapping[str, Any], cwd: Path) -> Settings:
    return Settings(**{**given, "replay_file": Located(given.get("replay_file"), cwd)})


def _first(errors: Sequence[ErrorDetails], given: Mapping[str, Any], places: Mapping[str, str]) -> SettingsError:
    names = list(Settings.model_fields)
    return SettingsError(_line(min(errors, key=lambda item: names.index(str(item["loc"][0]))), given, places))


def _line(error: ErrorDetails, given: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """`stop_bps must be greater than 0, got -3 (from LAP_STOP_BPS)`."""
    context = error.get("ctx", {})
    name = str(context.get("first") or error["loc"][0])

    def got(of: str) -> str:
        value = given[of] if of in given else Settings.model_fields[of].default
        return f"{shown(of, value)} (from {places[of]})"

    also = f" and {context['other']} {got(context['other'])}" if "other" in context else ""
    return f"{name} {_rule(error)}, got {got(name)}{also}"


def _rule(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]:g}"
    if kind == "literal_error":
        return f"must be one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    return _KINDS.get(kind) or _KINDS.get(kind.partition("_")[0]) or error["msg"]


def describe(resolved: Resolved) -> list[SettingRow]:
    """Every setting in the order of the documented table."""
    return [
        SettingRow(name, shown(name, resolved.values[name]), resolved.origins[name], field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def markdown_table() -> str:
    """The table of settings for the README: name, default, rule; a test holds the two together."""
    lines = ["| name | default | rule |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{name}` | `{shown(name, field.default)}` | {field.description} |")
    return "\n".join(lines) + "\n"
