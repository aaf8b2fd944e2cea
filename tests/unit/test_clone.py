"""The reading half of Clone: every event once, in order, whatever the publisher dropped."""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from bus.clone import HELD_LIMIT, StreamReader
from bus.messages import MarketEvent, Trade


def trades(*seqs: int) -> list[MarketEvent]:
    return [Trade(seq, seq, 100.0, 1.0, "buy") for seq in seqs]


def seqs(events: list[MarketEvent]) -> list[int]:
    return [event.seq for event in events]


def test_what_comes_in_order_goes_straight_through() -> None:
    reader = StreamReader(0)
    assert seqs(reader.offer(trades(1, 2, 3))) == [1, 2, 3]
    assert not reader.missing


def test_a_hole_holds_back_what_follows_until_it_is_filled() -> None:
    reader = StreamReader(0)
    assert seqs(reader.offer(trades(1, 4, 5))) == [1]
    assert reader.missing
    assert reader.last_seq == 1
    assert seqs(reader.offer(trades(2, 3, 4))) == [2, 3, 4, 5]
    assert not reader.missing


def test_a_long_hole_is_filled_as_fast_with_much_behind_it() -> None:
    reader, hole = StreamReader(0), 10_000
    reader.offer(trades(*range(hole + 1, hole + HELD_LIMIT + 1)))
    missed, began = trades(*range(1, hole + 1)), process_time()
    ready = reader.offer(missed)
    assert process_time() - began < 1.0  # looking through what is held at each event took seven seconds
    assert (len(ready), reader.last_seq, reader.missing) == (hole + HELD_LIMIT, hole + HELD_LIMIT, False)


def test_doubles_vanish() -> None:
    reader = StreamReader(2)
    assert seqs(reader.offer(trades(1, 2, 3, 3, 2))) == [3]


def test_a_status_that_knows_more_makes_it_ask() -> None:
    reader = StreamReader(5)
    reader.heard_of(5)
    assert not reader.missing
    reader.heard_of(7)
    assert reader.missing


def test_what_is_held_is_bounded() -> None:
    reader = StreamReader(0)
    reader.offer(trades(*range(2, HELD_LIMIT + 100)))
    assert len(reader.offer(trades(1))) == HELD_LIMIT + 1
    assert reader.missing


@given(st.permutations(range(1, 30)), st.integers(0, 28))
def test_any_order_with_any_doubles_comes_out_whole(order: list[int], double: int) -> None:
    reader = StreamReader(0)
    out: list[int] = []
    for seq in [*order, order[double]]:
        out += [event.seq for event in reader.offer(trades(seq))]
    assert out == list(range(1, 30))
