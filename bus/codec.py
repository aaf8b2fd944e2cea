"""Bytes to messages and back, strictly.

A frame is `topic|seq|epoch|source|version|sent_ns|body`: the topic first, ended by the separator, because
subscriptions match on a frame's prefix; the body is a JSON array of the message's fields in their order. Decimals travel
as text (a number is read, too), enumerations by value, nested messages as arrays, market events among them headed by
their topic. Fields at the end that have a default may be missing: what was written before they existed is still read.
Whatever is not so is a `MalformedFrameError`; nothing else is ever raised for bytes from outside.
"""

from collections.abc import Callable
from typing import Any, get_args

import msgspec

from bus import messages as m
from bus.errors import MalformedFrameError
from bus.topics import CLASSES, NAMES, PREFIXES, SCHEMA_VERSION, SEPARATOR

_TAGS = {cls: b'["%b",' % NAMES[cls].encode() for cls in get_args(m.MarketEvent)}
"""How market events begin inside of other messages. On their own they need no such head: the topic tells."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message as it arrived: who sent it, as which incarnation, with which number, when (monotonic ns)."""

    message: m.Message
    topic: str
    source: str
    epoch: int
    seq: int
    sent_ns: int


class _Decoders(dict[str, Callable[[bytes], Any]]):
    """Per topic: what reads a body. Made when first needed, for most services hear few topics."""

    def __missing__(self, topic: str) -> Callable[[bytes], Any]:
        cls = CLASSES.get(topic)
        if cls is None:
            raise MalformedFrameError(f"no topic is called {topic[:40]!r}")
        decode, tag = msgspec.json.Decoder(cls).decode, _TAGS.get(cls, b"[")

        def headed(body: bytes) -> Any:
            return decode(tag + body[1:] if body.startswith(b"[") else body)

        self[topic] = headed if cls in _TAGS else decode
        return self[topic]


_DECODERS = _Decoders()
_written = msgspec.json.Encoder().encode


def encode_body(message: m.Message) -> bytes:
    """Return the message's fields as a JSON array."""
    body = _written(message)
    tag = _TAGS.get(type(message))
    return body if tag is None else b"[" + body[len(tag) :]


def decode_body(topic: str, body: bytes) -> m.Message:
    """Return the message that `encode_body` made.

    Raises:
        MalformedFrameError: the body is no such message.
    """
    try:
        message: m.Message = _DECODERS[topic](body)
    except (ValueError, TypeError, RecursionError, ArithmeticError) as error:
        raise MalformedFrameError(f"{topic}: {error}") from None
    return message


def encode(message: m.Message, source: str, epoch: int, seq: int, sent_ns: int) -> bytes:
    """Return the one frame in which a message travels."""
    head = b"%b%d|%d|%b|%d|%d|"
    return head % (PREFIXES[type(message)], seq, epoch, source.encode(), SCHEMA_VERSION, sent_ns) + encode_body(message)


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
