"""Lines of a recording: `topic|` and a message's fields as a JSON array. Pure."""

import orjson

from bus.codec import decode_body, encode_body
from bus.errors import MalformedFrameError
from bus.messages import Message
from bus.topics import PREFIXES


class RecordingError(Exception):
    """A file that is no recording; one sentence."""


def line_of(message: Message) -> bytes:
    """Return a message's line."""
    return PREFIXES[type(message)] + encode_body(message) + b"\n"


def message_of(line: bytes) -> Message:
    """Return the message of a line, with or without its end.

    Raises:
        MalformedFrameError: it is no message.
    """
    topic, bar, body = line.rstrip(b"\n").partition(b"|")
    if not bar:
        raise MalformedFrameError("a line without a topic")
    return decode_body(topic.decode("utf-8", "replace"), body)


def is_whole(line: bytes) -> bool:
    """Whether a line is a message."""
    try:
        message_of(line)
    except MalformedFrameError:
        return False
    return True


def seq_of(line: bytes) -> int:
    """Return the number of an event's line, which may be cut after it.

    Raises:
        RecordingError: there is none.
    """
    digits = line.partition(b"[")[2].partition(b",")[0]
    try:
        return int(orjson.loads(digits))
    except (orjson.JSONDecodeError, ValueError, TypeError):
        raise RecordingError("a line without a number in the recording") from None
