"""Laws of the wire: any bytes give a message or one named error; any message comes back as it was."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bus import codec
from bus.errors import MalformedFrameError
from bus.messages import Level, Notice, Quote
from bus.topics import CLASSES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)
PRICES = st.floats(min_value=1e-9, max_value=1e12)


def decodes_or_is_malformed(frame: bytes) -> None:
    try:
        codec.decode(frame)
    except MalformedFrameError:
        return


@given(st.binary(max_size=300))
def test_random_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    decodes_or_is_malformed(frame)


@given(st.sampled_from(sorted(CLASSES)), st.binary(max_size=200))
def test_random_bodies_are_a_message_or_malformed(topic: str, body: bytes) -> None:
    decodes_or_is_malformed(f"{topic}|1|1|feed|1|1|".encode() + body)


@given(st.sampled_from(sorted(CLASSES)), st.lists(JSON, max_size=18))
def test_random_fields_are_a_message_or_malformed(topic: str, row: list[object]) -> None:
    try:
        body = orjson.dumps(row)
    except TypeError:
        return
    decodes_or_is_malformed(f"{topic}|1|1|feed|1|1|".encode() + body)


@given(PRICES, PRICES, st.integers(1, 2**60), st.integers(0, 2**60))
def test_doubles_come_back_bit_for_bit(one: float, other: float, seq: int, ts_ms: int) -> None:
    quote = Quote(seq, ts_ms, min(one, other), max(one, other), one, other)
    assert codec.decode(codec.encode(quote, "feed", 1, seq, 1)).message == quote


@given(st.text().filter(lambda text: "\ud800" not in ascii(text) and text.isprintable()))
def test_any_text_comes_back(text: str) -> None:
    notice = Notice("feed", Level.INFO, "event", text)
    assert codec.decode(codec.encode(notice, "feed", 1, 1, 1)).message == notice
