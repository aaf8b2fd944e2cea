"""How Bitunix writes numbers and times, shared by its frames and its REST rows. Pure.

Prices and sizes are decimal texts; numbers are taken too, and empty texts are not. Times of the envelope are ms, as a
number or as digits; funding times are ISO texts with any fraction, or ms.
"""

import re
from datetime import UTC, datetime
from typing import Final

from services.numbers import END_MS

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,18}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
LONGEST_NUMBER: Final = 64
FIRST_MS: Final = 1_000_000_000_000
"""Times before this (2001) are seconds, or no times: Bitunix is younger."""


class UnreadableError(ValueError):
    """A text that is no number or no time; the message names the field."""


def shown(value: object, most: int = 40) -> str:
    """Return what stands where something else should, in at most so many characters; of a list or an object its kind.

    What is nested deep enough can be read, and not be written out again.
    """
    return type(value).__name__ if isinstance(value, list | dict) else str(value)[:most]


def number(value: object, name: str) -> float:
    """Return a decimal text, or a number, as the nearest double.

    Raises:
        UnreadableError: it is neither.
    """
    if type(value) is str and len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return float(value)
    if type(value) in {float, int}:
        return float(value)  # type: ignore[arg-type]  # narrowed by the line above
    raise UnreadableError(f"{name} is no number: {shown(value)!r}")


def time_ms(value: object, name: str) -> int:
    """Return a time in ms since the epoch.

    Raises:
        UnreadableError: it is none, or one in other units.
    """
    if type(value) is str and len(value) <= LONGEST_NUMBER and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is int and FIRST_MS <= value < END_MS:
        return value
    raise UnreadableError(f"{name} is no time in ms: {shown(value)!r}")


def iso_ms(value: object, name: str) -> int:
    """Return an ISO text with any fraction of a second, or ms, as ms since the epoch.

    Raises:
        UnreadableError: it is neither.
    """
    match = _ISO.fullmatch(value) if type(value) is str and len(value) <= LONGEST_NUMBER else None
    if match is None:
        return time_ms(value, name)
    seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(seconds + zone.replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name} is no time: {shown(value)!r}") from None
    return int(moment.timestamp()) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
