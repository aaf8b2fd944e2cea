"""Every command with its options as Markdown: what the documents print. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from bus.ports import SERVICES
from services.commands.app import app
from services.supervision.launch import ANY_OPTION, OPTIONS

SUPERVISED = ("run", *SERVICES)
_ALL = {**OPTIONS, "set": ANY_OPTION}


def commands() -> Mapping[str, Any]:
    """The commands that a person is told of, by name, in the order of `lap --help`."""
    return dict(_walk(typer.main.get_command(app)))


def _walk(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands by name; one of a group is named after both, such as `new strategy`."""
    for name, command in group.commands.items():
        if not command.hidden and hasattr(command, "commands"):
            yield from _walk(command, f"{before}{name} ")
        elif not command.hidden:
            yield f"{before}{name}", command


def options_of(name: str) -> frozenset[str]:
    """The options that a command takes, such as `--quiet` and `-f`."""
    params = commands()[name].params
    own = (
        [f"--{option}" for option in _ALL] if name in SUPERVISED else [text for param in params for text in param.opts]
    )
    return frozenset([*own, "--help"])


def markdown_commands() -> str:
    """A section for each command: what it does, how it is called, a table of its options."""
    return "\n\n".join(_section(name, command) for name, command in commands().items())


def _section(name: str, command: Any) -> str:
    if name in SUPERVISED:
        arguments, rows = [], [(f"--{option} {what}", text) for option, (what, text) in _ALL.items()]
    else:
        arguments = [_placeholder(param) for param in command.params if param.param_type_name == "argument"]
        rows = [(_call(param), _told(param)) for param in command.params]
    words = " ".join(("lap", name, *(["[OPTIONS]"] if len(rows) > len(arguments) else []), *arguments))
    told = f"### lap {name}\n\n{' '.join((command.help or '').split())}\n\n`{words}`"
    if name in SUPERVISED[1:]:
        return f"{told}\n\nThe options of [lap {SUPERVISED[0]}](#lap-{SUPERVISED[0]})."
    table = "\n".join(("| option | |", "|---|---|", *(f"| `{option}` | {text} |" for option, text in rows)))
    return f"{told}\n\n{table}" if rows else told


def _placeholder(argument: Any) -> str:
    text = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return text if argument.required else f"[{text}]"


def _call(param: Any) -> str:
    if param.param_type_name == "argument":
        return _placeholder(param)
    what = param.metavar or ("N" if isinstance(param.default, int | float) else param.opts[-1].strip("-").upper())
    return ", ".join(param.opts) + ("" if param.is_flag else f" {what}")


def _told(param: Any) -> str:
    text = " ".join((param.help or "").replace("|", "\\|").split())
    is_plain = param.default is None or param.default is False or param.default in ("", [])
    return text if is_plain or param.required else f"{text} Default: `{param.default}`."
