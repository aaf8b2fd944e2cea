"""Data files and recordings on a disk."""

import gzip
from pathlib import Path

import pytest
from feed_builders import MINUTE, SHARED_DATA, T0, feed_core, published, raw_quote, raw_trade, stream_info

from bus.messages import MarketEvent
from services.feed.data_file import DataFileError, DataSpan, look_over, read_rows, read_rows_strictly
from services.feed.facts import Fact, RawCandle, RawQuote, RawTrade, Refusal
from services.feed.recording_file import NAME, Recording, read_all
from services.feed.recording_lines import RecordingError

TRADES = "ts_ms,price,size,side\n1000,100.5,0.25,buy\n2000,101,1,SELL\n"
QUOTES = "ask,bid,ts_ms\n101,100,1000\n102,101,3000\n"
CANDLES = "ts_ms,open,high,low,close,volume\n0,1,4,0.5,2,9\n60000,2,2,2,2,0\n"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_a_file_is_told_by_its_columns(tmp_path: Path) -> None:
    assert list(read_rows([put(tmp_path, "a.csv", TRADES)])) == [
        RawTrade(1000, 100.5, 0.25, "buy"),
        RawTrade(2000, 101.0, 1.0, "sell"),
    ]
    assert list(read_rows([put(tmp_path, "b.csv.gz", QUOTES)])) == [
        RawQuote(1000, 100.0, 101.0, 0.0, 0.0),
        RawQuote(3000, 101.0, 102.0, 0.0, 0.0),
    ]
    assert list(read_rows([put(tmp_path, "c.csv", CANDLES)])) == [
        RawCandle(0, 1.0, 4.0, 0.5, 2.0, 9.0),
        RawCandle(60000, 2.0, 2.0, 2.0, 2.0, 0.0),
    ]


def test_sizes_of_quotes_are_read_wherever_they_stand(tmp_path: Path) -> None:
    path = put(tmp_path, "q.csv", "\ufeffts_ms,bid,bid_size,ask,ask_size,venue\n1,10,3,11,4,x\n\n")
    assert list(read_rows([path])) == [RawQuote(1, 10.0, 11.0, 3.0, 4.0)]


def test_files_are_merged_by_time_with_quotes_before_trades(tmp_path: Path) -> None:
    paths = [put(tmp_path, "t.csv", TRADES), put(tmp_path, "q.csv", QUOTES)]
    assert [(type(row).__name__, row[0]) for row in read_rows(paths)] == [
        ("RawQuote", 1000),
        ("RawTrade", 1000),
        ("RawTrade", 2000),
        ("RawQuote", 3000),
    ]


def test_rows_of_one_file_keep_its_order_also_when_late(tmp_path: Path) -> None:
    late = put(tmp_path, "t.csv", "ts_ms,price,size,side\n5,1,1,buy\n3,2,1,buy\n6,3,1,buy\n")
    quotes = put(tmp_path, "q.csv", "ts_ms,bid,ask\n4,1,2\n6,1,2\n")
    assert [row[0] for row in read_rows([late, quotes])] == [4, 5, 3, 6, 6]
    assert [row[0] for row in read_rows([late])] == [5, 3, 6]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x,1,1,buy", "ts_ms is no whole number of ms: 'x'"),
        ("1,abc,1,buy", "price is no number: 'abc'"),
        ("1,1,,buy", "size is no number: ''"),
        ("1,1,1", "3 columns, expected 4"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line(tmp_path: Path, row: str, words: str) -> None:
    path = put(tmp_path, "t.csv", TRADES + row + "\n3000,102,1,buy\n")
    rows = list(read_rows([path]))
    assert rows[2:] == [Refusal("bad_row", f"t.csv line 4: {words}"), RawTrade(3000, 102.0, 1.0, "buy")]
    with pytest.raises(DataFileError, match=r"t\.csv line 4: "):
        list(read_rows_strictly([path]))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "time,value\n", "a.csv line 1: its columns are neither trades, quotes nor candles: time,value"),
        ("a.csv", "ts_ms,price,size,side,price\n", "a.csv line 1: column price comes twice"),
        ("a.csv", "ts_ms,bid,ask\nx,y,z\n", "a.csv has no rows that can be read"),
    ],
)
def test_a_file_that_is_no_data_is_one_sentence(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(DataFileError) as error:
        look_over([put(tmp_path, name, text)])
    assert str(error.value) == words


def test_files_that_can_not_be_read_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="does not exist"):
        look_over([tmp_path / "none.csv"])
    (tmp_path / "no.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DataFileError, match=r"no.csv.gz can not be read"):
        look_over([tmp_path / "no.csv.gz"])
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress((TRADES * 500).encode())[:60])
    with pytest.raises(DataFileError, match=r"cut.csv.gz can not be read"):
        look_over([cut])
    with pytest.raises(DataFileError, match="can not be merged"):
        look_over([put(tmp_path, "t.csv", TRADES), put(tmp_path, "c.csv", CANDLES)])


def test_a_look_tells_how_far_files_reach(tmp_path: Path) -> None:
    assert look_over([put(tmp_path, "t.csv", TRADES), put(tmp_path, "q.csv", QUOTES)]) == DataSpan(
        1000, 3000, 4, is_candles=False, interval_ms=None
    )
    assert look_over([put(tmp_path, "c.csv", CANDLES)]) == DataSpan(0, 60000, 2, is_candles=True, interval_ms=60000)


def test_real_files_are_read_whole() -> None:
    name = "binanceperp_btcusdt_20240808_2354_{}.csv.gz"
    paths = [SHARED_DATA / name.format("trades"), SHARED_DATA / name.format("quotes")]
    if not paths[0].exists():
        pytest.skip(f"{paths[0]} is not there")
    rows = list(read_rows_strictly(paths))
    assert sum(isinstance(row, RawTrade) for row in rows) == 21_313
    assert sum(isinstance(row, RawQuote) for row in rows) == 66_089
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


# --- recordings


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
