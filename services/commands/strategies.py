"""`lap strategies` and `lap new strategy`: what can be named in `strategy`, and a file to begin one's own with."""

import keyword
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from services.strategy.loading import Listed, listed
from services.strategy.params import Param
from services.waiting import write_atomic

_TEMPLATES: Final = (("strategy.txt", "{name}.py"), ("strategy_test.txt", "test_{name}.py"))


class NewStrategyError(Exception):
    """The files can not be written; one sentence."""


def strategy_lines(directory: Path) -> Iterator[str]:
    """Yield the list of strategies as it is printed: what each does, and its parameters."""
    for strategy in listed(directory):
        yield f"{strategy.name}  ({strategy.origin}{', decides on ticks' if strategy.on_ticks else ''})"
        yield f"    {strategy.tells}" if not strategy.fault else f"    can not be loaded: {strategy.fault}"
        yield from _parameter_lines(strategy)
        yield ""
    yield "One's own: 'lap new strategy NAME', then strategy = \"NAME:Class\". A plug-in: a package with an entry point"
    yield "in the group laptop_agents.strategies."


def new_strategy(name: str, directory: Path) -> list[Path]:
    """Write a strategy to begin with, and its test, and return the two files.

    Args:
        name: of the module, a Python name in lower case such as `my_idea`; the class is `MyIdea`.
        directory: where they are written.

    Raises:
        NewStrategyError: the name is none or taken, or one of the files is there already or can not be written.
    """
    if not name.isidentifier() or name != name.lower() or keyword.iskeyword(name) or name.startswith(("_", "test_")):
        raise NewStrategyError(f"NAME must be a Python name in lower case, such as my_idea, was {name!r}")
    if find_spec(name) is not None:
        raise NewStrategyError(f"{name} is a module that is installed already; take another name")
    words = {"name": name, "Class": "".join(part.capitalize() for part in name.split("_"))}
    made = [(template, directory / place.format(name=name)) for template, place in _TEMPLATES]
    for _, path in made:
        if path.exists():
            raise NewStrategyError(f"{path.name} is there already")
    try:
        for template, path in made:
            text = files("services.commands").joinpath("templates", template).read_text(encoding="utf-8")
            write_atomic(path, Template(text).substitute(words).encode())
    except OSError as error:
        for _, path in made:
            path.unlink(missing_ok=True)
        raise NewStrategyError(f"{error.filename} can not be written: {error.strerror}") from None
    return [path for _, path in made]


def _parameter_lines(strategy: Listed) -> Iterator[str]:
    width = max((len(param.name) for param in strategy.params), default=0)
    for param in strategy.params:
        words = ", ".join(filter(None, [param.rules.tells, str(param.rules)]))
        yield f"    {param.name:<{width}}  {param.kind_name} = {_default(param)}{'  ' if words else ''}{words}"


def _default(param: Param) -> str:
    return "(must be given)" if param.is_required else repr(param.default)
