"""Bytes to messages and back, strictly.

A frame is `topic|seq|epoch|source|version|sent_ns|body`: the topic first, ended by the separator, because
subscriptions match on a frame's prefix; the body is a JSON array of the message's fields in their order. Decimals
travel as text, enumerations by value, nested messages as arrays. Fields at the end that have a default may be missing:
what was written before they existed is still read. Whatever is not so is a `MalformedFrameError`; nothing else is ever
raised for bytes from outside.
"""

import re
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import orjson

from bus import messages as m
from bus.errors import InvalidMessageError, MalformedFrameError
from bus.topics import CLASSES, NAMES, PREFIXES, SCHEMA_VERSION, SEPARATOR

_DECIMAL = re.compile(r"-?\d{1,40}(\.\d{1,60})?(E[+-]?\d{1,3})?")
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
_Converter = Callable[[Any], Any]


class Envelope(NamedTuple):
    """A message as it arrived: who sent it, as which incarnation, with which number, when (monotonic ns)."""

    message: m.Message
    topic: str
    source: str
    epoch: int
    seq: int
    sent_ns: int


def encode_body(message: m.Message) -> bytes:
    """Return the message's fields as a JSON array."""
    return orjson.dumps(_ROWS[type(message)](message), default=_plain, option=_OPTIONS)


def decode_body(topic: str, body: bytes) -> m.Message:
    """Return the message that `encode_body` made.

    Raises:
        MalformedFrameError: the body is no such message.
    """
    cls = CLASSES.get(topic)
    if cls is None:
        raise MalformedFrameError(f"no topic is called {topic[:40]!r}")
    try:
        message: m.Message = _build(cls, orjson.loads(body))
    except (InvalidMessageError, ValueError, TypeError, RecursionError, ArithmeticError) as error:
        raise MalformedFrameError(f"{topic}: {error}") from None
    return message


def encode(message: m.Message, source: str, epoch: int, seq: int, sent_ns: int, body: bytes | None = None) -> bytes:
    """Return the one frame in which a message travels; `body` is the message's, where it has been encoded already."""
    if body is None:
        body = encode_body(message)
    head = b"%b%d|%d|%b|%d|%d|"
    return head % (PREFIXES[type(message)], seq, epoch, source.encode(), SCHEMA_VERSION, sent_ns) + body


def decode(frame: bytes) -> Envelope:
    """Return what `encode` was given.

    Raises:
        MalformedFrameError: the frame is no message of ours, or of another schema version.
    """
    try:
        head, seq_text, epoch_text, sender, version_text, sent_text, body = frame.split(SEPARATOR, 6)
    except ValueError:
        raise MalformedFrameError("a frame must have a topic, five header fields and a body") from None
    try:
        topic, source = head.decode("ascii"), sender.decode("ascii")
        seq, epoch, version, sent_ns = int(seq_text), int(epoch_text), int(version_text), int(sent_text)
    except ValueError:
        raise MalformedFrameError("a frame's header must be ASCII with whole numbers") from None
    if version != SCHEMA_VERSION:
        raise MalformedFrameError(f"schema version must be {SCHEMA_VERSION}, was {version}")
    return Envelope(decode_body(topic, body), topic, source, epoch, seq, sent_ns)


class _Rows(dict[type, Callable[[Any], Any]]):
    """Per class: message to the tuple of its fields."""

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        names = [field.name for field in fields(cls)]
        self[cls] = attrgetter(*names) if len(names) > 1 else lambda message: [getattr(message, n) for n in names]
        return self[cls]


class _Converters(dict[type, list[_Converter | None]]):
    """Per class: what turns each field's JSON value into the field's."""

    def __missing__(self, cls: type) -> list[_Converter | None]:
        hints = get_type_hints(cls)
        self[cls] = [_converter(hints[field.name]) for field in fields(cls)]
        return self[cls]


class _Least(dict[type, int]):
    """Per class: how many fields must be there; those with a default may be missing at the end."""

    def __missing__(self, cls: type) -> int:
        self[cls] = sum(field.default is MISSING for field in fields(cls))
        return self[cls]


_SELF_CHECKING = frozenset(get_args(m.MarketEvent))
"""Market events check every field themselves, types too: the hot path converts nothing."""
_ROWS = _Rows()
_CONVERTERS = _Converters()
_LEAST = _Least()


def _plain(value: object) -> object:
    """What orjson can not write by itself: decimals, nested messages."""
    if type(value) is Decimal:
        return str(value)
    if type(value) in _nested():
        named = _nested()[type(value)]
        row = _ROWS[type(value)](value)
        return [named, *row] if named else row
    raise TypeError(f"{type(value).__name__} has no place in a message")


@cache
def _nested() -> dict[type, str]:
    """Classes that may stand inside a message; those of a union are preceded by their topic."""
    plain: dict[type, str] = {m.Account: "", m.Signal: "", m.Decide: ""}
    return plain | {cls: NAMES[cls] for cls in get_args(m.MarketEvent)}


def _build(cls: type[Any], row: object) -> Any:
    if cls in _SELF_CHECKING and type(row) is list:
        return cls(*row)
    converters = _CONVERTERS[cls]
    if type(row) is not list or not _LEAST[cls] <= len(row) <= len(converters):
        raise MalformedFrameError(f"the body must be an array of {len(converters)} fields")
    return cls(*[value if convert is None else convert(value) for convert, value in zip(converters, row, strict=False)])


def _converter(hint: Any) -> _Converter | None:
    if hint is Decimal:
        return _to_decimal
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    if get_origin(hint) is tuple:
        return _to_tuple(_converter(get_args(hint)[0]))
    if hint == m.MarketEvent:
        return _to_event
    if get_origin(hint) in {Union, types.UnionType} and set(get_args(hint)) - {types.NoneType} <= _SELF_CHECKING:
        return _to_optional(_to_event)
    if get_origin(hint) in {Union, types.UnionType}:
        return _to_optional(_converter(get_args(hint)[0]))
    if hint is m.Candle:
        return _to_candle
    if hint in _nested():
        return lambda row: _build(hint, row)
    return _exactly(hint)


def _exactly(hint: type) -> _Converter | None:
    if hint not in {int, float, str, bool}:
        raise TypeError(f"{hint!r} has no place in a message")

    def check(value: Any) -> Any:
        if type(value) is not hint:
            raise MalformedFrameError(f"expected {hint.__name__}, was {type(value).__name__}")
        return value

    return check


def _to_decimal(value: Any) -> Decimal:
    if type(value) is not str or not _DECIMAL.fullmatch(value):
        raise MalformedFrameError("a decimal must be text of digits")
    return Decimal(value)


def _to_tuple(convert: _Converter | None) -> _Converter:
    def build(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise MalformedFrameError("expected an array")
        return tuple(value) if convert is None else tuple(convert(item) for item in value)

    return build


def _to_optional(convert: _Converter | None) -> _Converter:
    return lambda value: value if value is None or convert is None else convert(value)


def _to_event(row: Any) -> Any:
    if type(row) is not list or not row or row[0] not in _market_classes():
        raise MalformedFrameError("expected a market event with its topic")
    return _build(_market_classes()[row[0]], row[1:])


def _to_candle(row: Any) -> Any:
    event = _to_event(row)
    if type(event) is not m.Candle:
        raise MalformedFrameError("expected a candle")
    return event


@cache
def _market_classes() -> dict[object, type]:
    return {NAMES[cls]: cls for cls in get_args(m.MarketEvent)}
