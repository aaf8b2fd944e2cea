"""Data files read in one go hold the rows that they hold when read one by one, and no others."""

from pathlib import Path

import numpy as np
import pytest

from services.replay.columnar.data_arrays_file import read_arrays

HEAD = "ts_ms,price,size,side"
GOOD = "1000,100.5,2,buy"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\n{GOOD}\n1001,100,1,sell\n",
        f"{HEAD}\r\n{GOOD}\r\n1001,100,1,sell",
        f'"ts_ms","price","size","side"\n{GOOD}\n1001,100,1,sell\n',
        f'{HEAD}\n{GOOD}\n1001,100,1,"sell"\n',
        "side,ts_ms,size,price\nbuy,1000,2,100.5\nsell,1001,1,100\n",
    ],
    ids=["plain", "CRLF", "quoted head", "quoted side", "another order"],
)
def test_two_trades_are_two_trades_however_they_are_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "trades.csv").write_bytes(text.encode())
    found = read_arrays(tmp_path / "trades.csv")
    assert found.ts_ms.tolist() == [1000, 1001]
    assert found.numbers.tolist() == [[100.5, 2.0, 1.0], [100.0, 1.0, 0.0]]
    assert found.unread == 0


@pytest.mark.parametrize("row", ["1001,100,buy,1", "1001,1buy,1,0", "1001,buy00,1,0", "1001,100,1,\rsell"])
def test_a_side_where_none_belongs_makes_no_number(tmp_path: Path, row: str) -> None:
    (tmp_path / "trades.csv").write_bytes(f"{HEAD}\n{GOOD}\n{row}\n".encode())
    found = read_arrays(tmp_path / "trades.csv")
    believed = ~np.isnan(found.numbers).any(axis=1)
    assert found.ts_ms[believed].tolist() == [1000]


def test_numbers_are_no_sides_whatever_stands_behind_them(tmp_path: Path) -> None:
    (tmp_path / "trades.csv").write_text(f"{HEAD},taker\n1000,100.5,2,1,buy\n1001,100,1,0,sell\n")
    assert np.isnan(read_arrays(tmp_path / "trades.csv").numbers[:, 2]).all()


def test_candles_with_a_quoted_head_are_read(tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text('"ts_ms","open","high","low","close","volume"\n60000,1,2,0.5,1.5,7\n')
    assert read_arrays(tmp_path / "candles.csv").numbers.tolist() == [[1.0, 2.0, 0.5, 1.5, 7.0]]
