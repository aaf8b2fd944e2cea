"""Copies of messages: whatever a strategy does to what it is given, nobody else holds that. Pure.

A message that exists is valid, so a copy need not be checked again: its fields are set past its own refusal to change.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")

_Slots = list[tuple[Callable[[Any], Any], Callable[[Any, Any], None]]]


class _SlotsOf(dict[type, _Slots]):
    """Per class of messages: what reads and what writes each field."""

    def __missing__(self, cls: type) -> _Slots:
        slots = [cls.__dict__[field.name] for field in fields(cls)]
        self[cls] = [(slot.__get__, slot.__set__) for slot in slots]
        return self[cls]


_SLOTS = _SlotsOf()


def copied(message: T) -> T:
    """Return a message equal to this one."""
    cls = type(message)
    copy = object.__new__(cls)
    for read, write in _SLOTS[cls]:
        write(copy, read(message))
    return copy
