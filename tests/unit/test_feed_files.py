"""Recordings on a disk."""

from pathlib import Path

import pytest
from feed_builders import MINUTE, T0, feed_core, published, raw_quote, raw_trade, stream_info

from bus.messages import MarketEvent
from services.feed.facts import Fact
from services.feed.recording_file import NAME, Recording, read_all
from services.feed.recording_lines import RecordingError


def some_events(count: int = 500) -> list[MarketEvent]:
    facts: list[Fact] = [raw_quote(n * 1_000) if n % 3 else raw_trade(n * 1_000, 100.0 + n % 7) for n in range(count)]
    return published(feed_core(), facts)


def recorded(folder: Path, events: list[MarketEvent]) -> Recording:
    recording = Recording(folder / NAME)
    recording.begin(stream_info())
    recording.append(events)
    return recording


def test_a_recording_gives_back_what_was_written(tmp_path: Path) -> None:
    events = some_events()
    recorded(tmp_path / "run", events).close()
    assert list(read_all(tmp_path / "run")) == [stream_info(), *events]
    again = Recording(tmp_path / "run" / NAME)
    assert (again.info, again.last_seq) == (stream_info(), len(events))
    again.close()


def test_events_after_any_number_are_found_in_a_long_recording(tmp_path: Path) -> None:
    events = some_events(5_000)
    recording = recorded(tmp_path, events)
    for seq in (0, 1, 2, 777, 1_234, 4_321, len(events) - 1, len(events), len(events) + 9):
        assert recording.events_after(seq, 50) == tuple(events[seq : seq + 50])
    assert recording.events_after(0, 100_000) == tuple(events)
    recording.close()


@pytest.mark.parametrize("torn", [b"quote|[501,17", b"\x00\x00\x00", b"trade|[1,2]\n", b"quote|", b"\n"])
def test_a_torn_end_is_cut_off_and_written_over(tmp_path: Path, torn: bytes) -> None:
    events = some_events()
    recorded(tmp_path, events[:-1]).close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(torn)
    recording = Recording(tmp_path / NAME)
    assert recording.last_seq == len(events) - 1
    recording.append(events[-1:])
    assert recording.events_after(len(events) - 1, 5) == (events[-1],)
    recording.close()
    assert list(read_all(tmp_path))[1:] == events


def test_a_recording_cut_at_any_byte_keeps_its_whole_lines(tmp_path: Path) -> None:
    events = some_events(12)
    recorded(tmp_path, events).close()
    whole = (tmp_path / NAME).read_bytes()
    for length in range(len(whole) + 1):
        (tmp_path / NAME).write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        assert len(list(read_all(tmp_path))) == lines
        recording = Recording(tmp_path / NAME)
        assert (recording.last_seq, recording.info is None) == (max(0, lines - 1), lines == 0)
        recording.close()


def test_a_stranger_s_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"dear diary\nit was a day\n")
    with pytest.raises(RecordingError, match="is no recording"):
        Recording(path)
    assert path.read_bytes() == b"dear diary\nit was a day\n"
    with pytest.raises(RecordingError, match="line 1"):
        list(read_all(path))
    with pytest.raises(RecordingError, match="can not be read"):
        list(read_all(tmp_path / "nowhere.jsonl"))


def test_totals_and_the_resume_point(tmp_path: Path) -> None:
    events = published(
        feed_core(), [raw_quote(0), raw_trade(1), raw_quote(MINUTE), raw_trade(MINUTE), raw_trade(MINUTE)]
    )
    recording = recorded(tmp_path, events)
    totals = recording.totals()
    assert (totals.last_seq, totals.ticks, totals.candles) == (6, 5, 1)
    resume = recording.resume()
    assert resume is not None
    assert (resume.last_seq, resume.last_ts_ms, resume.ticks_at_last) == (6, T0 + MINUTE, 3)
    recording.close()
    fresh = Recording(tmp_path / "fresh" / NAME)
    assert (fresh.resume(), fresh.totals().last_seq, list(fresh.tail())) == (None, 0, [])
    fresh.close()


def test_the_tail_is_enough_to_go_on_from(tmp_path: Path) -> None:
    facts: list[Fact] = [raw_quote(n * 900) if n % 4 else raw_trade(n * 900, 100.0 + n % 7) for n in range(400)]
    whole = published(feed_core(), facts)
    for kept in range(1, len(whole), 37):
        recording = recorded(tmp_path / str(kept), whole[:kept])
        totals = recording.totals()
        by_tail, by_all = feed_core(), feed_core()
        by_tail.restore(recording.tail(), ticks=totals.ticks, candles=totals.candles)
        by_all.restore(whole[:kept])
        assert len(list(recording.tail())) < 80
        assert (by_tail.last_seq, by_tail.last_ts_ms) == (kept, whole[kept - 1].ts_ms)
        later: list[Fact] = [raw_trade(400_000, 5.0), raw_quote(500_000)]
        assert published(by_tail, later) == published(by_all, later)
        recording.close()
