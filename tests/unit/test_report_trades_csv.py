"""`trades.csv`, byte for byte."""

from decimal import Decimal

import pytest
from report_builders import START, closed

from bus.messages import ExitReason, Side
from services.numbers import plain
from services.report.trades_csv import trades_csv

HEAD = (
    "trade_id,symbol,side,qty,entry_ts,entry_price,exit_ts,exit_price,exit_reason,"
    "fees,funding,pnl,r,equity,client_order_id,latency_ms\n"
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1", "1"),
        ("100", "100"),
        ("1E+2", "100"),
        ("1.500", "1.5"),
        ("1.000", "1"),
        ("0.00000001", "0.00000001"),
        ("1E-10", "0.0000000001"),
        ("-0.5", "-0.5"),
        ("0", "0"),
        ("0.000", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+3", "0"),
        ("0E-12", "0"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
    ],
)
def test_a_decimal_is_plain_text(text: str, written: str) -> None:
    assert plain(Decimal(text)) == written


def test_without_trades_there_is_the_head_line() -> None:
    assert trades_csv([]) == HEAD


def test_rows_are_in_the_order_given_with_every_column() -> None:
    first = closed("9.750", trade_id=1, funding=Decimal("-0.10"))
    second = closed("-12", trade_id=2, side=Side.SHORT, exit_reason=ExitReason.SL, r=Decimal("-1.000000"))
    assert trades_csv([first, second]) == (
        HEAD
        + f"1,BTCUSDT,LONG,0.5,{START},100,{START + 10_000},120.5,TP,0.25,-0.1,9.75,0.975,10010,"
        + f"sma_cross-BTCUSDT-{START}-LONG,120\n"
        + f"2,BTCUSDT,SHORT,0.5,{START},100,{START + 10_000},120.5,SL,0.25,0,-12,-1,10010,"
        + f"sma_cross-BTCUSDT-{START}-SHORT,120\n"
    )


def test_a_comma_in_a_text_is_quoted() -> None:
    assert '"a,b"' in trades_csv([closed(client_order_id="a,b")])
