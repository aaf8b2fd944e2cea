"""From a name in the settings to a strategy: built-in, or `package.module:Class` (a shell: it imports)."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.strategy.interface import Strategy, StrategyError
from services.strategy.sma_cross import SmaCross

BUILT_IN: Mapping[str, type] = {"sma_cross": SmaCross}


def load_strategy(name: str, params: Mapping[str, Any], directory: Path) -> Strategy:
    """Return a new strategy.

    Args:
        name: a built-in name or `package.module:Class`; the package is looked for in `directory` too.
        params: keyword arguments of the class.
        directory: the working directory.

    Raises:
        StrategyError: there is none of that name, or it refuses its parameters.
    """
    cls = BUILT_IN.get(name) or _import(name, directory)
    try:
        strategy: Strategy = cls(**params)
    except TypeError as error:
        raise StrategyError(f"strategy {name} does not take these parameters: {error}") from None
    if not callable(getattr(strategy, "on_candle", None)) or not isinstance(getattr(strategy, "warmup", None), int):
        raise StrategyError(
            f"strategy {name} must have a whole number 'warmup' and a method on_candle(context, candle)"
        )
    return strategy


def _import(name: str, directory: Path) -> type:
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise StrategyError(f"no strategy is called {name!r}; built in: {', '.join(BUILT_IN)}; or package.module:Class")
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise StrategyError(f"strategy {name} can not be imported: {error}") from None
    except AttributeError:
        raise StrategyError(f"module {module_name} has no class {class_name}") from None
    except SyntaxError as error:
        raise StrategyError(f"strategy {name} is no Python: {error.msg} (line {error.lineno})") from None
    if not isinstance(found, type):
        raise StrategyError(f"{name} is no class")
    return found
