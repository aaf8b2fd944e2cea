"""Parameters are declared, checked, and listed; a wrong one is told in a sentence."""

from dataclasses import dataclass
from typing import Any

import pytest

from services.strategy.params import NoParams, StrategyError, declared, make_params, param


@dataclass(frozen=True)
class Knobs:
    window: int = param(20, "candles looked at", least=2, most=100)
    share: float = param(0.5, above=0)
    label: str = "x"
    eager: bool = False
    levels: tuple[float, ...] = (1.0, 2.0)

    def __post_init__(self) -> None:
        if self.window == 13:
            raise ValueError("13 is unlucky")


@dataclass
class Loose:
    window: int = 1


@dataclass(frozen=True)
class Odd:
    window: dict[str, int]


@dataclass(frozen=True)
class Pair:
    window: tuple[int, int]


@dataclass(frozen=True)
class Needy:
    window: int


def test_what_is_not_given_has_its_default_and_whole_numbers_are_numbers_too() -> None:
    assert make_params(Knobs, {}, "mine") == Knobs()
    made = make_params(Knobs, {"share": 2, "levels": [3, 4.5], "eager": True}, "mine")
    assert made == Knobs(share=2.0, levels=(3.0, 4.5), eager=True)
    assert isinstance(made.share, float)


@pytest.mark.parametrize(
    ("cls", "given", "says"),
    [
        (Knobs, {"windwo": 3}, "mine has no parameter 'windwo'; the nearest is 'window'"),
        (Knobs, {"qqq": 3}, "it has window, share, label, eager, levels"),
        (NoParams, {"window": 3}, "mine has no parameter 'window'; it has none"),
        (Knobs, {"window": 1}, "mine: window must be at least 2, was 1"),
        (Knobs, {"window": 101}, "must be at most 100"),
        (Knobs, {"window": 2.0}, "window must be a whole number, was 2.0"),
        (Knobs, {"window": True}, "window must be a whole number, was True"),
        (Knobs, {"share": 0}, "share must be greater than 0"),
        (Knobs, {"share": float("nan")}, "share must be a finite number, was nan"),
        (Knobs, {"share": float("inf")}, "finite"),
        (Knobs, {"label": 5}, "label must be text"),
        (Knobs, {"eager": 1}, "eager must be true or false"),
        (Knobs, {"levels": 5}, "levels must be a list"),
        (Knobs, {"levels": [1, "a"]}, "levels must be a finite number, was 'a'"),
        (Knobs, {"window": 13}, "mine: 13 is unlucky"),
        (Needy, {}, "mine needs the parameter 'window'"),
        (Loose, {}, "must be a class with @dataclass"),
        (Odd, {}, "parameter 'window' of mine must be int, float, str, bool"),
        (Pair, {}, "parameter 'window' of mine must be int, float, str, bool, or a tuple of one of them"),
    ],
)
def test_a_wrong_one_is_told_in_a_sentence(cls: type, given: dict[str, Any], says: str) -> None:
    with pytest.raises(StrategyError) as refusal:
        make_params(cls, given, "mine")
    assert says in str(refusal.value)


def test_they_can_be_listed_with_their_rules() -> None:
    window, share, *_, levels = declared(Knobs, "mine")
    assert (window.name, window.kind_name, window.default, str(window.rules)) == ("window", "int", 20, ">= 2, <= 100")
    assert (str(share.rules), levels.kind_name) == ("> 0", "tuple[float, ...]")


def test_one_that_must_be_given_has_no_default() -> None:
    (window,) = declared(Needy, "mine")
    assert (window.is_required, window.default) == (True, None)
