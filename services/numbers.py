"""What all rooms mean by the text of a decimal, and by a time. Pure, and light."""

from decimal import Decimal
from typing import Final

END_MS: Final = 10_000_000_000_000
"""The first instant that is no time any more (the year 2286): seconds taken for ms and worse never get that far."""


def plain(number: Decimal) -> str:
    """Return `number` as text without exponent or trailing zeros: `0.5`, `100`; zero is `0`, never `-0`."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
