"""From a name in the settings to a strategy: built-in, a plug-in's, or `package.module:Class` (a shell: it imports).

A plug-in is a package that is installed beside this one and names its strategies in the entry-point group
`laptop_agents.strategies`.

`python -P -m services.strategy.loading` tries it in a process of its own: name and parameters as JSON on stdin; the last
line of stdout is JSON, with what is wrong with them as `fault`, an empty text when nothing is.
"""

import importlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import isasyncgenfunction, iscoroutinefunction, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from services.strategy.guard import attempt
from services.strategy.interface import Strategy, StrategyError, params_class
from services.strategy.params import Param, declared, make_params

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUGINS: Final = "laptop_agents.strategies"
MOST_WARMUP: Final = 1_000_000
"""Candles that a strategy may ask for at most: two years of minutes, for which there is memory."""
SLOW_SEC: Final = 10.0
"""After so long whoever waits for an import is told what for."""
_HERE: Final = "services.strategy.built_in"
BUILT_IN: Final[Mapping[str, str]] = {
    "sma_cross": f"{_HERE}.sma_cross:SmaCross",
    "ema_cross": f"{_HERE}.ema_cross:EmaCross",
    "rsi_reversion": f"{_HERE}.rsi_reversion:RsiReversion",
    "donchian_breakout": f"{_HERE}.donchian_breakout:DonchianBreakout",
    "limit_pullback": f"{_HERE}.limit_pullback:LimitPullback",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A strategy that can be named: what it says of itself and its parameters or, with `fault`, why it can not load."""

    name: str
    origin: str
    tells: str = ""
    params: tuple[Param, ...] = ()
    on_ticks: bool = False
    fault: str = ""


def load_strategy(name: str, params: Mapping[str, Any], directory: Path) -> Strategy:
    """Return a new strategy.

    Args:
        name: a built-in name, a plug-in's, or `package.module:Class`; the package is looked for in `directory` too.
        params: its parameters, by name.
        directory: the working directory.

    Raises:
        StrategyError: there is none of that name, it can not be loaded, or it refuses its parameters.
    """
    cls = strategy_class(name, directory)
    given = make_params(_params_class(cls, name), params, name)
    if not _takes_params(cls):
        raise StrategyError(
            f"strategy {name} can not be made: write 'def __init__(self, params):', with 'super().__init__(params)' in it"
        )
    made = attempt(lambda: cls(given))
    strategy = made.result
    if strategy is None:
        raise StrategyError(
            f"strategy {name} can not be made: {made.fault.detail if made.fault else 'no reason given'}"
        )
    if type(strategy.warmup) is not int or strategy.warmup < 0:
        raise StrategyError(f"warmup of strategy {name} must be a whole number of candles, was {strategy.warmup!r}")
    if strategy.warmup > MOST_WARMUP:
        raise StrategyError(f"warmup of strategy {name} must be at most {MOST_WARMUP} candles, was {strategy.warmup}")
    return strategy


def _takes_params(cls: type[Strategy]) -> bool:
    try:
        signature(cls.__init__).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # written in C: making it will tell
    return True


def strategy_class(name: str, directory: Path) -> type[Strategy]:
    """Return the class behind a name.

    Raises:
        StrategyError: there is none of that name, or it can not be imported.
    """
    found = _import(_place_of(name), name, directory)
    if not isinstance(found, type):
        raise StrategyError(f"{name} is no class")
    if not issubclass(found, Strategy):
        raise StrategyError(f"{name} is no strategy: write 'class {found.__name__}(Strategy):' with an on_candle")
    if missing := ", ".join(sorted(getattr(found, "__abstractmethods__", ()))):
        raise StrategyError(f"strategy {name} has no method {missing}(self, context, candle)")
    for method in ("on_candle", "on_tick"):
        if not _is_plain(getattr(found, method)):
            raise StrategyError(f"{method} of strategy {name} must be a plain method: no async, no property")
    return found


def _is_plain(method: object) -> bool:
    return callable(method) and not iscoroutinefunction(method) and not isasyncgenfunction(method)


def listed(directory: Path) -> Iterator[Listed]:
    """Yield the built-in strategies, then those of plug-ins, by name."""
    from inspect import getdoc  # noqa: PLC0415 - a session lists nothing, and starts without it

    plugins = {point.name: f"{point.value} (plug-in)" for point in _plugins() if point.name not in BUILT_IN}
    for name, origin in [*((name, "built in") for name in BUILT_IN), *sorted(plugins.items())]:
        try:
            cls = strategy_class(name, directory)
            params = tuple(declared(_params_class(cls, name), name))
        except StrategyError as error:
            yield Listed(name, origin, fault=str(error))
            continue
        tells = (getdoc(cls) or "").partition("\n")[0]
        yield Listed(name, origin, tells, params, cls.on_tick is not Strategy.on_tick)


def _params_class(cls: type[Strategy], name: str) -> type:
    found = attempt(lambda: params_class(cls))
    if found.result is None:
        raise StrategyError(f"the annotations of {name} can not be read: {found.fault.detail if found.fault else ''}")
    return found.result


def _place_of(name: str) -> str:
    """Return `module:Class` of a name."""
    if ":" in name:
        return name
    if name in BUILT_IN:
        return BUILT_IN[name]
    plugins = {point.name: point.value for point in _plugins()}
    if name in plugins:
        return plugins[name]
    near = get_close_matches(name, [*BUILT_IN, *plugins], 1)
    hint = f"the nearest is {near[0]!r}" if near else "'lap strategies' lists them"
    raise StrategyError(f"no strategy is called {name!r}; {hint}; one of your own is named package.module:Class")


def _plugins() -> "tuple[EntryPoint, ...]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - weighs as much as a bus; a built-in one needs none

    return tuple(entry_points(group=PLUGINS))


def _import(place: str, name: str, directory: Path) -> object:
    module_name, _, class_name = place.partition(":")
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    with nullcontext() if module_name in sys.modules else _told_when_slow(name):
        imported = attempt(lambda: importlib.import_module(module_name))
    if imported.fault is not None:
        raise StrategyError(f"strategy {name} can not be imported: {imported.fault.detail}")
    found: object = imported.result
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise StrategyError(f"module {module_name} has no class {class_name}")
    return found


@contextmanager
def _told_when_slow(name: str) -> Iterator[None]:
    def tell() -> None:
        if sys.stderr is not None:  # a process may have been started without
            text = f"the module of strategy {name} has been loading for {SLOW_SEC:g} s; does it wait for something?\n"
            sys.stderr.write(text)

    slow = threading.Timer(SLOW_SEC, tell)
    slow.daemon = True
    slow.start()
    try:
        yield
    finally:
        slow.cancel()


def main() -> None:
    """Try the strategy that stdin names, with the working directory as its own."""
    name, params = json.loads(sys.stdin.buffer.read())
    fault = ""
    try:
        load_strategy(name, params, Path.cwd())
    except StrategyError as error:
        fault = str(error)
    sys.stdout.write(f"{json.dumps({'fault': fault})}\n")


if __name__ == "__main__":
    main()
