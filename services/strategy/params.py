"""Parameters of a strategy: a frozen dataclass of whole numbers, numbers, texts and flags, with rules. Pure."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final, get_args, get_origin, get_type_hints

_RULES: Final = "rules"
_KINDS: Final = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}


class StrategyError(Exception):
    """A strategy can not be loaded, or refuses its parameters; one sentence."""


@dataclass(frozen=True)
class NoParams:
    """For a strategy without parameters."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a parameter's value must keep to, and what it is for, in words.

    Attributes:
        least: the smallest value allowed.
        above: every value must be greater.
        most: the greatest value allowed.
        tells: what the parameter is, for `lap strategies`.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    tells: str = ""

    def fault_of(self, value: float) -> str:
        """Return which rule a number breaks, in words; empty when it keeps to all."""
        if self.least is not None and value < self.least:
            return f"must be at least {self.least:g}"
        if self.above is not None and value <= self.above:
            return f"must be greater than {self.above:g}"
        if self.most is not None and value > self.most:
            return f"must be at most {self.most:g}"
        return ""

    def __str__(self) -> str:
        words = ((">=", self.least), (">", self.above), ("<=", self.most))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in words if bound is not None)


@dataclass(frozen=True, slots=True)
class Param:
    """A declared parameter; its `kind` is int, float, str, bool, or a tuple of one of them."""

    name: str
    kind: Any
    is_required: bool
    default: Any
    rules: Rules

    @property
    def kind_name(self) -> str:
        """The kind as it is written in Python."""
        return self.kind.__name__ if isinstance(self.kind, type) and not get_origin(self.kind) else str(self.kind)


def param(
    default: Any, tells: str = "", *, least: float | None = None, above: float | None = None, most: float | None = None
) -> Any:
    """Declare a parameter with its default, what it is, and its bounds; used as a dataclass's field."""
    return field(default=default, metadata={_RULES: Rules(least, above, most, tells)})


def declared(cls: type, strategy: str) -> list[Param]:
    """Return the parameters that a class of parameters declares, in their order.

    Raises:
        StrategyError: it is no frozen dataclass, or a field is of another kind.
    """
    settings = getattr(cls, "__dataclass_params__", None)
    if not is_dataclass(cls) or settings is None or not settings.frozen:
        raise StrategyError(f"the parameters of {strategy} must be a class with @dataclass(frozen=True), was {cls!r}")
    hints = get_type_hints(cls)
    return [_declared(one, hints[one.name], strategy) for one in fields(cls) if one.init]


def make_params(cls: type, given: Mapping[str, Any], strategy: str) -> Any:
    """Return the parameters given, checked; those not given have their default.

    Args:
        cls: the strategy's class of parameters.
        given: values by name.
        strategy: the strategy's name, for what is said.

    Raises:
        StrategyError: a name is unknown, a value is of the wrong kind or breaks a rule, or one is missing.
    """
    known = {one.name: one for one in declared(cls, strategy)}
    for name in given:
        if name not in known:
            raise StrategyError(f"{strategy} has no parameter {name!r}; {_those_it_has(name, known)}")
    values = {name: _checked(known[name], value, strategy) for name, value in given.items()}
    for name in known.keys() - given.keys():
        if known[name].is_required:
            raise StrategyError(f"{strategy} needs the parameter {name!r}")
    try:
        return cls(**values)
    except ValueError as error:
        raise StrategyError(f"{strategy}: {error}") from None


def _declared(one: "Field[Any]", kind: Any, strategy: str) -> Param:
    if _item_of(kind) not in _KINDS:
        kinds = "int, float, str, bool, or a tuple of one of them such as tuple[float, ...]"
        raise StrategyError(f"parameter {one.name!r} of {strategy} must be {kinds}, was {kind!r}")
    rules = one.metadata.get(_RULES) or Rules()
    return Param(one.name, kind, one.default is MISSING, None if one.default is MISSING else one.default, rules)


def _item_of(kind: Any) -> Any:
    """Return the kind of a value, or of each of several."""
    return get_args(kind)[0] if get_origin(kind) is tuple and get_args(kind)[1:] == (...,) else kind


def _those_it_has(name: str, known: Mapping[str, Param]) -> str:
    if not known:
        return "it has none"
    near = get_close_matches(name, known, 1)
    return f"the nearest is {near[0]!r}" if near else f"it has {', '.join(known)}"


def _checked(wanted: Param, value: Any, strategy: str) -> Any:
    kind = _item_of(wanted.kind)
    if kind is wanted.kind:
        return _checked_one(wanted, kind, value, strategy)
    if not isinstance(value, list | tuple):
        raise StrategyError(f"{strategy}: {wanted.name} must be a list, was {value!r}")
    return tuple(_checked_one(wanted, kind, item, strategy) for item in value)


def _checked_one(wanted: Param, kind: Any, value: Any, strategy: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    fault = ""
    if type(value) is not kind or (kind is float and not isfinite(value)):
        fault = f"must be {_KINDS[kind]}"
    elif kind in {int, float}:
        fault = wanted.rules.fault_of(value)
    if fault:
        raise StrategyError(f"{strategy}: {wanted.name} {fault}, was {value!r}")
    return value
