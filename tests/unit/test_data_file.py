"""Data files on a disk: told by their columns, merged by time, refused in one sentence."""

import gzip
from pathlib import Path

import pytest
from feed_builders import OF_NO_KIND, SHARED_DATA, rows_of

from services.data_file.files import LEAP_MS, DataFileError, DataSpan, file_kind, look_over, read_rows
from services.feed.facts import RawCandle, RawQuote, RawTrade, Refusal
from services.feed.source_replay import FACTS

TRADES = "ts_ms,price,size,side\n1000,100.5,0.25,buy\n2000,101,1,SELL\n"
QUOTES = "ask,bid,ts_ms\n101,100,1000\n102,101,3000\n"
CANDLES = "ts_ms,open,high,low,close,volume\n0,1,4,0.5,2,9\n60000,2,2,2,2,0\n"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")
    return path


def test_a_file_is_told_by_its_columns(tmp_path: Path) -> None:
    assert list(read_rows([put(tmp_path, "a.csv", TRADES)], FACTS)) == [
        RawTrade(1000, 100.5, 0.25, "buy"),
        RawTrade(2000, 101.0, 1.0, "sell"),
    ]
    assert list(read_rows([put(tmp_path, "b.csv.gz", QUOTES)], FACTS)) == [
        RawQuote(1000, 100.0, 101.0, 0.0, 0.0),
        RawQuote(3000, 101.0, 102.0, 0.0, 0.0),
    ]
    assert list(read_rows([put(tmp_path, "c.csv", CANDLES)], FACTS)) == [
        RawCandle(0, 1.0, 4.0, 0.5, 2.0, 9.0),
        RawCandle(60000, 2.0, 2.0, 2.0, 2.0, 0.0),
    ]


def test_sizes_of_quotes_are_read_wherever_they_stand(tmp_path: Path) -> None:
    path = put(tmp_path, "q.csv", "\ufeffts_ms,bid,bid_size,ask,ask_size,venue\n1,10,3,11,4,x\n\n")
    assert list(read_rows([path], FACTS)) == [RawQuote(1, 10.0, 11.0, 3.0, 4.0)]


def test_files_are_merged_by_time_with_quotes_before_trades(tmp_path: Path) -> None:
    paths = [put(tmp_path, "t.csv", TRADES), put(tmp_path, "q.csv", QUOTES)]
    assert [(type(row).__name__, row[0]) for row in read_rows(paths, FACTS)] == [
        ("RawQuote", 1000),
        ("RawTrade", 1000),
        ("RawTrade", 2000),
        ("RawQuote", 3000),
    ]


def test_rows_of_one_file_keep_its_order_also_when_late(tmp_path: Path) -> None:
    late = put(tmp_path, "t.csv", "ts_ms,price,size,side\n5,1,1,buy\n3,2,1,buy\n6,3,1,buy\n")
    quotes = put(tmp_path, "q.csv", "ts_ms,bid,ask\n4,1,2\n6,1,2\n")
    assert [row[0] for row in read_rows([late, quotes], FACTS)] == [4, 5, 3, 6, 6]
    assert [row[0] for row in read_rows([late], FACTS)] == [5, 3, 6]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x,1,1,buy", "ts_ms is no time in whole ms: 'x'"),
        ("1.5,1,1,buy", "ts_ms is no time in whole ms: '1.5'"),
        ("-1,1,1,buy", "ts_ms is no time in whole ms: '-1'"),
        ("10000000000000,1,1,buy", "ts_ms is no time in whole ms: '10000000000000'"),
        ("1,abc,1,buy", "price is no number: 'abc'"),
        ("1,1,,buy", "size is no number: ''"),
        ("1,1,1", "3 columns, expected 4"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line(tmp_path: Path, row: str, words: str) -> None:
    path = put(tmp_path, "t.csv", TRADES + row + "\n3000,102,1,buy\n")
    rows = list(read_rows([path], FACTS))
    assert rows[2:] == [Refusal("bad_row", f"t.csv line 4: {words}"), RawTrade(3000, 102.0, 1.0, "buy")]


def test_a_quotation_mark_too_many_spoils_its_own_row_alone(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", 'ts_ms,price,size,side\n1,1,1,buy\n"2,1,1,buy\n3,"1","1",buy\n4,1,1,"buy"\n')
    rows = list(read_rows([path], FACTS))
    assert rows[1] == Refusal("bad_row", "t.csv line 3: 1 columns, expected 4")
    assert [row[0] for row in rows if isinstance(row, RawTrade)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "time,value\n", f"a.csv line 1: {OF_NO_KIND}: time,value"),
        ("a.csv", "ts_ms,price,size,side,price\n", "a.csv line 1: column price comes twice"),
        ("a.csv", "ts_ms,bid,ask\n", "a.csv has no rows that can be read"),
        (
            *("a.csv", "ts_ms,bid,ask\nx,y,z\n1e3,2,3\n"),
            "a.csv has no rows that can be read; a.csv line 2: ts_ms is no time in whole ms: 'x'",
        ),
        (
            *("a.csv", "ts_ms,bid,ask\n1700000040,1,2\n1700000041,1,2\n"),
            "ts_ms must be milliseconds, 1700000040 looks like seconds",
        ),
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
    assert look_over([put(tmp_path, "c.csv", CANDLES)]) == DataSpan(
        0, 60000, 2, is_candles=True, interval_ms=60000, closest_ms=60000
    )


def test_real_files_are_read_whole() -> None:
    name = "binanceperp_btcusdt_20240808_2354_{}.csv.gz"
    paths = [SHARED_DATA / name.format("trades"), SHARED_DATA / name.format("quotes")]
    if not paths[0].exists():
        pytest.skip(f"{paths[0]} is not there")
    rows = list(rows_of(paths))
    assert sum(isinstance(row, RawTrade) for row in rows) == 21_313
    assert sum(isinstance(row, RawQuote) for row in rows) == 66_089
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_a_file_of_nothing_is_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"^a\.csv is empty$"):
        file_kind(put(tmp_path, "a.csv", "\n\n"))


def test_a_row_that_leaps_by_more_than_a_year_does_not_stretch_a_file(tmp_path: Path) -> None:
    rows = f"1000,1,2\n{2000 + LEAP_MS},1,2\n2000,1,2\n{2000 + LEAP_MS},1,2\n"
    found = look_over([put(tmp_path, "q.csv", f"ts_ms,bid,ask\n{rows}")])
    assert (found.first_ms, found.last_ms, found.rows) == (1000, 2000 + LEAP_MS, 3)


def test_a_bad_row_goes_with_the_row_before_it(tmp_path: Path) -> None:
    trades = put(tmp_path, "t.csv", "ts_ms,price,size,side\n1000,1,1,buy\n2000,x,1,buy\n5000,1,1,buy\n")
    quotes = put(tmp_path, "q.csv", "ts_ms,bid,ask\n500,1,2\n1500,1,2\n")
    kinds = [type(row).__name__ for row in read_rows([trades, quotes], FACTS)]
    assert kinds == ["RawQuote", "RawTrade", "Refusal", "RawQuote", "RawTrade"]


def test_the_column_that_does_not_read_is_named_whatever_stands_beside_it(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", "venue,side,ts_ms,price,size\nbitunix,buy,1,abc,1\n")
    assert list(read_rows([path], FACTS)) == [Refusal("bad_row", "t.csv line 2: price is no number: 'abc'")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_file_of_wide_characters_is_told_as_such(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(TRADES.encode(encoding))
    with pytest.raises(DataFileError, match=r"^a\.csv is no text in UTF-8$"):
        look_over([tmp_path / "a.csv"])
