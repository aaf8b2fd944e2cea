"""What every message checks of its fields; what does not hold can not become a message."""

from decimal import Decimal
from math import isfinite
from typing import Final

from bus.errors import InvalidMessageError

MOST: Final = 1e15
"""Prices and sizes stay below it. No market comes near; beyond it, products of two would leave the ledger's digits."""


def check_require(ok: bool, what: str, value: object) -> None:
    """Refuse unless `ok`; `what` says what must hold."""
    if not ok:
        raise InvalidMessageError(f"{what}, was {value!r}")


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Refuse what is no whole number, or is less than `least`."""
    if type(value) is not int or value < least:
        raise InvalidMessageError(f"{name} must be a whole number of at least {least}, was {value!r}")


def check_number(name: str, value: object) -> None:
    """Refuse what is no finite double."""
    if type(value) is not float or not isfinite(value):
        raise InvalidMessageError(f"{name} must be a finite double, was {value!r}")


def check_price(name: str, value: object) -> None:
    """Refuse what is no price: a finite double in (0, `MOST`)."""
    if type(value) is not float or not 0.0 < value < MOST:
        raise InvalidMessageError(f"{name} must be a finite double greater than 0 and below {MOST:g}, was {value!r}")


def check_size(name: str, value: object) -> None:
    """Refuse what is no size: a finite double in [0, `MOST`)."""
    if type(value) is not float or not 0.0 <= value < MOST:
        raise InvalidMessageError(f"{name} must be a finite double of at least 0 and below {MOST:g}, was {value!r}")


def check_money(name: str, value: object) -> None:
    """Refuse what is no finite decimal."""
    if type(value) is not Decimal or not value.is_finite():
        raise InvalidMessageError(f"{name} must be a finite decimal, was {value!r}")


def check_moneys(*values: object) -> None:
    """Refuse unless all are finite decimals."""
    for value in values:
        if type(value) is not Decimal or not value.is_finite():
            raise InvalidMessageError(f"expected finite decimals, was {value!r}")


def check_text(name: str, value: object) -> None:
    """Refuse what is no text."""
    if type(value) is not str:
        raise InvalidMessageError(f"{name} must be text, was {value!r}")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if type(value) is not bool:
        raise InvalidMessageError(f"{name} must be true or false, was {value!r}")
