import gzip
from pathlib import Path

import pytest
from exchange_builders import data_file
from feed_builders import OF_NO_KIND

from services.exchange.config import ExchangeConfig, ExchangeError
from services.exchange.market import Quote, Trade
from services.exchange.tape_file import read_data_files

TRADES = "ts_ms,price,size,side"


def test_trades_and_quotes_are_merged_quotes_first_and_file_order_otherwise(tmp_path: Path) -> None:
    trades = data_file(tmp_path / "t.csv", [TRADES, "5,100.5,1,buy", "5,100.25,2,sell", "7,101,0.125,BUY"])
    quotes = data_file(tmp_path / "q.csv", ["ts_ms,bid,bid_size,ask,ask_size", "5,100,1,101,2", "6,99,3,100,4"])
    read = read_data_files([trades, quotes])
    assert read.events == [
        Quote(5, 100.0, 101.0, 1.0, 2.0),
        Trade(5, 100.5, 1.0, "buy"),
        Trade(5, 100.25, 2.0, "sell"),
        Quote(6, 99.0, 100.0, 3.0, 4.0),
        Trade(7, 101.0, 0.125, "buy"),
    ]
    assert (read.price_decimals, read.size_decimals) == (2, 3)


def test_quotes_may_come_without_sizes_in_any_column_order_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "q.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfask,ts_ms,bid\r\n101,5,100\r\n\r\n"))
    assert read_data_files([path]).events == [Quote(5, 100.0, 101.0, 1.0, 1.0)]


def test_a_candle_becomes_four_trades_from_its_open_to_its_close(tmp_path: Path) -> None:
    rows = ["ts_ms,open,high,low,close,volume", "60000,10,14,8,12,4", "120000,12,13,7,9,8", "180000,9,9,9,9,0"]
    events = read_data_files([data_file(tmp_path / "c.csv", rows)]).events
    assert events == [
        Trade(60_000, 10.0, 1.0, "buy"),
        Trade(80_000, 8.0, 1.0, "sell"),
        Trade(100_000, 14.0, 1.0, "buy"),
        Trade(119_999, 12.0, 1.0, "sell"),
        Trade(120_000, 12.0, 2.0, "buy"),
        Trade(140_000, 13.0, 2.0, "buy"),
        Trade(160_000, 7.0, 2.0, "sell"),
        Trade(179_999, 9.0, 2.0, "buy"),
    ]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "bad.csv is empty"),
        (["time,price"], f"bad.csv line 1: {OF_NO_KIND}: time,price"),
        ([TRADES], "no events in"),
        ([TRADES, "5,100,1"], "bad.csv line 2: 3 columns, expected 4"),
        ([TRADES, "5,100,1,buy", "soon,100,1,buy"], "bad.csv line 3: ts_ms is no time in whole ms: 'soon'"),
        ([TRADES, "5,x,1,buy"], "bad.csv line 2: price is no number: 'x'"),
        ([TRADES, "5,inf,1,buy"], "bad.csv line 2: price must be finite and greater than 0, got inf"),
        ([TRADES, "5,0,1,buy"], "bad.csv line 2: price must be finite and greater than 0, got 0"),
        ([TRADES, "5,100,nan,buy"], "bad.csv line 2: size must be finite and at least 0, got nan"),
        ([TRADES, "5,100,0,buy"], "bad.csv line 2: size must be greater than 0, got 0"),
        ([TRADES, "5,100,1,long"], "bad.csv line 2: side must be buy or sell, got 'long'"),
        (["ts_ms,bid,ask,bid_size,ask_size", "5,1,2,-1,0"], "line 2: bid_size must be finite and at least 0, got -1"),
        (["ts_ms,open,high,low,close,volume", "0,5,4,3,4,1"], "line 2: high and low must enclose open and close"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_one_sentence_that_names_the_place(
    tmp_path: Path, rows: list[str], sentence: str
) -> None:
    path = data_file(tmp_path / "bad.csv", rows)
    with pytest.raises(ExchangeError) as refusal:
        read_data_files([path])
    assert path.name in str(refusal.value)
    assert sentence in str(refusal.value)


def test_a_missing_and_a_torn_file_are_refused_in_one_sentence(tmp_path: Path) -> None:
    missing, torn = tmp_path / "none.csv", tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(f"{TRADES}\n5,1,1,buy\n".encode())[:-12])
    with pytest.raises(ExchangeError, match=r"none\.csv does not exist"):
        read_data_files([missing])
    with pytest.raises(ExchangeError, match=r"torn\.csv\.gz can not be read: "):
        read_data_files([torn])


def test_candles_stand_alone(tmp_path: Path) -> None:
    trades = data_file(tmp_path / "t.csv", [TRADES, "5,100,1,buy"])
    candles = data_file(tmp_path / "c.csv", ["ts_ms,open,high,low,close,volume", "0,1,1,1,1,1"])
    with pytest.raises(ExchangeError, match="candles can not be merged with trades or quotes"):
        read_data_files([trades, candles])


@pytest.mark.parametrize(
    ("symbol", "speed", "sentence"),
    [
        ('BTC"USDT', 1.0, "symbol must be upper-case letters and digits"),
        ("", 1.0, "symbol must be upper-case letters and digits"),
        ("BTCUSDT", 0.0, "speed must be greater than 0, got 0"),
        ("BTCUSDT", float("inf"), "speed must be greater than 0, got inf"),
    ],
)
def test_an_impossible_exchange_is_refused(symbol: str, speed: float, sentence: str) -> None:
    with pytest.raises(ExchangeError, match=sentence):
        ExchangeConfig(symbol=symbol, seed=1, speed=speed)


def test_a_sessions_exchange_takes_its_symbol_from_the_settings() -> None:
    config = ExchangeConfig.from_settings({"symbol": "ETHUSDT"}, seed=3, port=4000, started_boot_ms=77)
    assert (config.symbol, config.seed, config.port, config.started_boot_ms) == ("ETHUSDT", 3, 4000, 77)
