"""The example in docs/execution.md is run as printed there: its files, its commands, its numbers."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest
from processes import Desk

DOCUMENT = (Path(__file__).parents[2] / "docs" / "execution.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```\w+ title="(\S+)"\n(.*?)^```$', DOCUMENT, re.MULTILINE | re.DOTALL))
ROW = re.compile(r"^\| (\d+\.?\d*) \| ([A-Z_]+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|", re.MULTILINE)
WHAT_IF = ROW.findall(DOCUMENT)


def trade_with_bid(desk: Desk, bid: str) -> dict[str, str]:
    """Put the files on the desk, with another bid at the second 6.000, and replay them."""
    for name, text in FILES.items():
        (desk.directory / name).write_text(text, encoding="utf-8")
    quotes = re.sub(
        r"(?m)^1767225606000,.*$", f"1767225606000,{bid},{Decimal(bid) + Decimal('0.1')}", FILES["quotes.csv"]
    )
    (desk.directory / "quotes.csv").write_text(quotes, encoding="utf-8")
    done = desk.lap("replay", "quotes.csv", "trades.csv", "--out", "out")
    assert done.returncode == 0, done.stderr
    with (desk.directory / "out" / "trades.csv").open(encoding="utf-8") as file:
        [trade] = csv.DictReader(file)
    return trade


def test_the_document_has_the_files_and_the_cases() -> None:
    assert set(FILES) == {"mine.py", "lap.toml", "quotes.csv", "trades.csv"}
    assert {case[1] for case in WHAT_IF} == {"TP", "SESSION_END", "SL"}


def test_the_printed_trade_comes_out(desk: Desk) -> None:
    printed = re.search(r"^1,BTCUSDT,LONG.*$", DOCUMENT, re.MULTILINE)
    assert printed is not None
    assert ",".join(trade_with_bid(desk, "101.5").values()) == printed[0]


@pytest.mark.parametrize(("bid", "exit_reason", "exit_price", "fees", "pnl", "r"), WHAT_IF)
def test_the_table_of_other_bids_is_right(
    desk: Desk, bid: str, exit_reason: str, exit_price: str, fees: str, pnl: str, r: str
) -> None:
    trade = trade_with_bid(desk, bid)
    said = [trade[name] for name in ("exit_reason", "exit_price", "fees", "pnl", "r")]
    assert said == [exit_reason, exit_price, fees, pnl, r]
