"""The border between doubles and decimals, and the arithmetic on the far side of it.

All money, fill prices and sizes are decimals of 50 digits, rounded half-even. A double enters as its shortest decimal
text, never by its binary value.
"""

from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    setcontext,
)
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
BPS = Decimal(10_000)


def exactly(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` in the 50-digit context, whatever the caller's is."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        before = getcontext()
        if before is EXACT:  # most calls are from one such function to another
            return function(*args, **kwargs)
        setcontext(EXACT)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(before)

    return inside


def decimal_of(number: float) -> Decimal:
    """Return the decimal of the shortest text that reads back as `number`."""
    return Decimal(repr(number))
