"""The broker's memory as JSON types and back, exactly: decimals as text, doubles as numbers, messages by field name.

Written for the journal's state row, so it is readable, and a report may take its counters from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec
import orjson

from bus.messages import Account, Candle, Entry, Funding, Quote, Side, Signal, StreamInfo, Tick, Trade
from services.broker.orders import Order
from services.broker.position import Position

Packed = dict[str, Any]


def pack(thing: Account | Candle | Funding | Order | Position | Signal | StreamInfo | Tick) -> Packed:
    """Return the fields of `thing` by name, as JSON types."""
    fields_of, others = _WAYS[type(thing)]
    packed = fields_of(thing)
    for name in others:
        packed[name] = _pack_value(packed[name])
    return packed


def json_text(packed: Any) -> str:
    """Return what was packed as it is written down."""
    return orjson.dumps(packed).decode()


class _Ways(dict[type, tuple[Callable[[Any], Packed], list[str]]]):
    """Per class: what gives its fields by name, and which of them are no JSON types yet."""

    def __missing__(self, cls: type[Any]) -> tuple[Callable[[Any], Packed], list[str]]:
        hints = get_type_hints(cls)
        if issubclass(cls, msgspec.Struct):
            names, fields_of = cls.__struct_fields__, msgspec.structs.asdict
        else:
            names = tuple(field.name for field in fields(cls) if field.init)
            values_of = attrgetter(*names)

            def fields_of(thing: Any) -> Packed:
                return dict(zip(names, values_of(thing), strict=True))

        self[cls] = fields_of, [name for name in names if hints[name] not in _JSON_TYPES]
        return self[cls]


_WAYS = _Ways()
_JSON_TYPES = frozenset({bool, int, float, str, Entry, Side})


def _pack_value(value: Any) -> Any:
    if type(value) is Decimal:
        return str(value)
    if type(value) is tuple or type(value) is list:
        return [_pack_value(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else pack(value)


def unpack_account(packed: Mapping[str, Any]) -> Account:
    """Return the account that was packed."""
    return Account(**_with_decimals(packed, "balance equity unrealized qty entry_price sl tp") | _side_of(packed))


def unpack_candle(packed: Mapping[str, Any]) -> Candle:
    """Return the candle that was packed."""
    return Candle(**packed)


def unpack_tick(packed: Mapping[str, Any]) -> Tick:
    """Return the quote or the trade that was packed."""
    return Quote(**packed) if "bid" in packed else Trade(**packed)


def unpack_funding(packed: Mapping[str, Any]) -> Funding:
    """Return the funding that was packed."""
    return Funding(**packed)


def unpack_signal(packed: Mapping[str, Any]) -> Signal:
    """Return the signal that was packed; an unknown side or entry stays the text it was."""
    return Signal(**{**packed, **_side_of(packed), "entry": _entry_of(packed["entry"])})


def unpack_order(packed: Mapping[str, Any]) -> Order:
    """Return the order that was packed."""
    return Order(**{**packed, "signal": unpack_signal(packed["signal"])})


def unpack_position(packed: Mapping[str, Any]) -> Position:
    """Return the position that was packed."""
    return Position(
        **_with_decimals(packed, "qty entry_price entry_fee sl tp exit_factor funding") | _side_of(packed),
    )


def unpack_stream(packed: Mapping[str, Any]) -> StreamInfo:
    """Return the head of the stream that was packed (the broker keeps no history)."""
    return StreamInfo(**_with_decimals(packed, "tick_size lot_size min_qty") | {"history": ()})


def optional_decimal(text: str | None) -> Decimal | None:
    """Return the decimal, or None for None."""
    return None if text is None else Decimal(text)


def optional_text(number: Decimal | None) -> str | None:
    """Return the text that reads back as the number, to its last digit, or None for None."""
    return None if number is None else str(number)


def _with_decimals(packed: Mapping[str, Any], names: str) -> Packed:
    return {**packed, **{name: Decimal(packed[name]) for name in names.split()}}


def _side_of(packed: Mapping[str, Any]) -> Packed:
    return {"side": Side(packed["side"]) if packed["side"] in _SIDES else packed["side"]}


def _entry_of(text: str) -> Any:
    return Entry(text) if text in _ENTRIES else text


_SIDES = {side.value for side in Side}
_ENTRIES = {entry.value for entry in Entry}
