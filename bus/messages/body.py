"""What every message is made as: a frozen struct, which goes on the wire as the array of its fields."""

from typing import Annotated, TypeAlias

import msgspec

Int: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that a row of the journal can hold."""


class Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of all messages. Not even `object.__setattr__` changes one. The collector need not look at them (`gc`): none holds itself."""
