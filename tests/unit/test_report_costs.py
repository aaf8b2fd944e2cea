"""What trading cost and what was drawn; numbers in bins."""

from decimal import Decimal

import pytest
from report_builders import SECOND, START, bar, closed, fill, position, run

from bus.messages import Side, TradeClosed
from services.report.chart_data import chart_data, merged
from services.report.costs import Costs, FiveNumbers, costs_of, fee_share_pct, five_numbers, slippages_bps
from services.report.histogram import Histogram, histogram
from services.report.run import Refusal
from services.report.summary import summary


def test_gross_less_slippage_fees_and_funding_is_net() -> None:
    trade = closed("10", fees=Decimal("0.25"), funding=Decimal("-0.05"))
    fills = [fill(price="100.02"), fill(is_entry=False, base="120", price="119.9"), fill(2)]
    costs = costs_of([trade], fills)
    # half a coin: 0.02 + 0.1 of a price; the fill of trade 2, which is open, does not count
    assert costs == Costs(Decimal("10.26"), Decimal("0.06"), Decimal("0.25"), Decimal("-0.05"))
    assert costs.gross - costs.slippage - costs.fees - costs.funding == trade.pnl


@pytest.mark.parametrize(
    ("trades", "share"),
    [
        ([closed("3.5", fees=Decimal("0.5")), closed("-2.5", fees=Decimal("0.5"))], 25.0),
        ([closed("2", fees=Decimal(1), funding=Decimal(1))], 25.0),
        ([closed("0.3", fees=Decimal("0.2")), closed("-2", fees=Decimal("0.05"))], 50.0),
        ([closed("-0.25", fees=Decimal("0.5"))], 200.0),
        ([closed("-0.5", fees=Decimal("0.5"))], "no trade made anything before fees"),
        ([], "no trade made anything before fees"),
    ],
)
def test_all_fees_are_told_in_percent_of_what_the_winning_trades_made_before_them(
    trades: list[TradeClosed], share: float | str
) -> None:
    assert fee_share_pct(trades) == share


def test_slippage_is_in_bps_of_the_price_before_it() -> None:
    fills = [fill(base="100", price="100.05"), fill(base="100", price="99.95")]
    assert slippages_bps(fills) == [5.0, 5.0]


def test_an_execution_at_a_bid_of_nothing_has_no_slippage_in_bps() -> None:
    """A grid above the market's price rounds a candle's bid down to zero."""
    assert slippages_bps([fill(base="0", price="0.1"), fill(base="-9", price="0.1")]) == []


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([], None),
        ([3.0], FiveNumbers(1, 3, 3, 3, 3)),
        ([4.0, 1.0], FiveNumbers(2, 1, 2.5, 4, 4)),
        ([float(number) for number in range(1, 101)], FiveNumbers(100, 1, 50.5, 95, 100)),
    ],
)
def test_a_list_in_five_numbers(values: list[float], spread: FiveNumbers | None) -> None:
    assert five_numbers(values) == spread


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], None),
        ([0.0], Histogram(0, 1, [1])),
        ([5.0, 5.0], Histogram(5, 1, [2])),
        ([-1.0, -0.5, 0.0, 1.0], Histogram(-1, 0.5, [1, 1, 1, 0, 1])),
        ([0.0, 10.0], Histogram(0, 2, [1, 0, 0, 0, 0, 1])),
    ],
)
def test_bins_have_round_edges_with_zero_among_them(values: list[float], found: Histogram | None) -> None:
    assert histogram(values, bins=5) == found


def test_every_number_is_in_a_bin() -> None:
    values = [number * 0.1 for number in range(-50, 51)]
    for bins in range(1, 41):
        found = histogram(values, bins)
        assert found is not None
        assert sum(found.counts) == len(values)
        assert found.start <= values[0]
        assert len(found.counts) <= bins + 2


def test_neighbouring_candles_become_one_with_their_extremes() -> None:
    bars = [(minute, 10.0, 11.0 + minute, 9.0 - minute, 10.5, 1.0, minute != 3) for minute in range(5)]
    assert merged(bars, most=3) == [
        (0, 10.0, 12.0, 8.0, 10.5, 2.0, True),
        (2, 10.0, 14.0, 6.0, 10.5, 2.0, False),
        (4, 10.0, 15.0, 5.0, 10.5, 1.0, True),
    ]
    assert merged(bars, most=5) is bars


def test_a_trade_without_its_entry_in_the_journal_has_no_stop_to_draw() -> None:
    known, taken_over = closed(trade_id=1), closed(trade_id=2)
    example = run([known, taken_over], fills=[fill(1)])
    rows = chart_data(example, summary(example))["trades"]
    assert [row[6:8] for row in rows] == [[90.0, 120.0], [None, None]]


def test_an_open_position_is_drawn_up_to_the_last_price() -> None:
    example = run([closed(trade_id=1)], fills=[fill(1), fill(2)], position=position())
    rows = chart_data(example, summary(example))["trades"]
    # 0.5 coins from 100.01 to the stop at 90
    assert rows[1] == [
        2,
        1,
        (START + 1000) / 1000,
        100.0,
        START / 1000 + 100,
        101.5,
        90.0,
        120.0,
        3.0,
        3 / 5.005,
        "open",
    ]


def test_how_long_trades_were_held_is_drawn_in_seconds() -> None:
    example = run([closed(held=10), closed(trade_id=2, at=20, held=10)])
    assert chart_data(example, summary(example))["holding"] == {"start": 10.0, "width": 2.0, "counts": [2]}


def test_what_happened_is_drawn_where_it_happened() -> None:
    outage = {"event": "reconnected", "message": "away", "market_ts": START + 20 * SECOND, "seconds": 2.5}
    example = run(
        [closed()], incidents=[outage], refusals=[Refusal(START + 1_500, "LONG", "halted")], equity=[(START + 500, 9.0)]
    )
    drawn = chart_data(example, summary(example))
    start = START / 1000
    assert drawn["spells"] == [
        [0, start + 20, start + 22.5, "away"],
        [1, start + 1.5, start + 1.5, "LONG halted"],
    ]
    assert drawn["equity"]["t"] == [start, start + 0.5, start + 10]
    assert drawn["window"] == [start, start + 100]


def test_candles_are_drawn_where_they_open_and_as_wide_as_they_lie_apart() -> None:
    example = run(bars=[bar(0), bar(1, 99.5), bar(3, 104.0, complete=False)])
    start = START / 1000
    assert chart_data(example, summary(example))["bars"] == {
        "sec": 60.0,
        "t": [start, start + 60, start + 180],
        "open": [100.0, 100.0, 100.0],
        "high": [101.0, 101.0, 105.0],
        "low": [99.0, 98.5, 99.0],
        "close": [100.0, 99.5, 104.0],
        "lost": [2],
    }


def test_a_closed_trade_is_drawn_from_its_entry_to_its_exit() -> None:
    example = run([closed("30", side=Side.SHORT, at=5, held=10)], fills=[fill(1)])
    start = START / 1000
    assert chart_data(example, summary(example))["trades"] == [
        [1, -1, start + 5, 100.0, start + 15, 120.5, 90.0, 120.0, 30.0, 3.0, "TP"]
    ]


def test_an_open_position_without_a_last_price_is_not_drawn() -> None:
    example = run(fills=[fill(1)], position=position(), last_close=None)
    assert chart_data(example, summary(example))["trades"] == []
