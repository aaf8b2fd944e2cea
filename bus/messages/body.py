"""What every message is made as: a frozen struct, which goes on the wire as the array of its fields."""

from dataclasses import Field, fields, make_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec

Int: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that a row of the journal can hold."""


class _AsDataclass:
    """A message's fields as the standard library knows them: `dataclasses.replace`, `asdict` and `fields` work on it."""

    def __get__(self, _: object, cls: type[msgspec.Struct]) -> dict[str, Field[Any]]:
        return _dataclass_fields(cls)


@cache
def _dataclass_fields(cls: type[msgspec.Struct]) -> dict[str, Field[Any]]:
    twin = make_dataclass(cls.__name__, [(field.name, field.type) for field in msgspec.structs.fields(cls)])
    return {field.name: field for field in fields(twin)}


class Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of all messages. Not even `object.__setattr__` changes one. The collector need not look at them (`gc`): none holds itself."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]] = _AsDataclass()  # type: ignore[assignment]
