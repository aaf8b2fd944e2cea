"""Figures of trade lists, against numbers done by hand."""

from decimal import Decimal
from functools import partial

import pytest
from report_builders import SECOND, START, closed

from services.report.equity import DAY_MS, daily_returns, deepest_fall, drawdowns, equity_curve
from services.report.statistics import measure

START_BALANCE = Decimal(10000)


def test_no_trades_give_zeros_and_no_profit_factor() -> None:
    figures = measure([], START_BALANCE, first_ts=START, last_ts=START + SECOND)
    assert (figures.trades, figures.wins, figures.losses, figures.win_rate) == (0, 0, 0, 0.0)
    assert figures.profit_factor is None
    assert (figures.expectancy_r, figures.max_drawdown_pct, figures.exposure_pct) == (0.0, 0.0, 0.0)


def test_wins_and_losses_are_counted_net_and_a_zero_is_neither() -> None:
    trades = [closed("30"), closed("-10"), closed("0"), closed("-10"), closed("20")]
    figures = measure(trades, START_BALANCE)
    assert (figures.trades, figures.wins, figures.losses) == (5, 2, 2)
    assert figures.win_rate == 0.4
    assert figures.profit_factor == 50 / 20
    assert figures.expectancy == 6.0
    assert figures.expectancy_r == pytest.approx(0.6)
    assert (figures.average_win, figures.average_loss) == (25.0, -10.0)
    assert (figures.best, figures.worst) == (30.0, -10.0)


def test_without_losses_there_is_no_profit_factor_and_without_wins_it_is_zero() -> None:
    assert measure([closed("1")], START_BALANCE).profit_factor is None
    assert measure([closed("-1")], START_BALANCE).profit_factor == 0.0


@pytest.mark.parametrize(
    ("pnls", "streak"), [("1 -1 -1 1 -1", 2), ("1 1", 0), ("-1 0 -1", 1), ("-1 -1 -1", 3), ("", 0)]
)
def test_the_longest_losing_streak(pnls: str, streak: int) -> None:
    assert measure([closed(pnl) for pnl in pnls.split()], START_BALANCE).longest_losing_streak == streak


@pytest.mark.parametrize(
    ("equity", "pct"),
    [
        ([100, 110, 120], 0.0),
        ([100, 90, 95], 10.0),
        ([100, 200, 150, 180, 140, 300], 30.0),
        ([100, 80, 200, 170], 20.0),
        ([0, -5, -10], 0.0),
        ([], 0.0),
    ],
)
def test_drawdown_is_the_deepest_fall_from_a_former_peak(equity: list[float], pct: float) -> None:
    assert deepest_fall((0, value) for value in equity).pct == pytest.approx(pct)


def test_drawdown_counts_the_start_the_trades_and_the_marks_between() -> None:
    won = closed("1000", at=0, held=10, equity="11000")
    lost = closed("-550", at=50, held=10, equity="10450")
    assert measure([won, lost], START_BALANCE).max_drawdown_pct == pytest.approx(5.0)
    marks = [(START + 55 * SECOND, 9900.0)]
    assert measure([won, lost], START_BALANCE, marks).max_drawdown_pct == pytest.approx(10.0)
    assert measure([closed("-100", equity="9900")], START_BALANCE).max_drawdown_pct == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("equity", "falls"),
    [
        ([100.0, 80.0, 200.0, 150.0, 200.0], [0.0, -20.0, 0.0, -25.0, 0.0]),
        ([0.0, -5.0, 10.0, -10.0], [0.0, 0.0, 0.0, -200.0]),
        ([0.5, 0.25], [0.0, -50.0]),
        ([], []),
    ],
)
def test_each_point_of_the_curve_falls_from_the_highest_before_it(equity: list[float], falls: list[float]) -> None:
    assert drawdowns(enumerate(equity)) == falls


def test_the_curve_is_in_the_order_of_time_and_begins_with_the_start() -> None:
    trade = closed(at=0, held=20, equity="10010")
    curve = equity_curve([trade], START_BALANCE, [(START + 30 * SECOND, 1.0), (START + 40 * SECOND, 2.0)], START)
    assert curve == [
        (START, 10000.0),
        (START + 20 * SECOND, 10010.0),
        (START + 30 * SECOND, 1.0),
        (START + 40 * SECOND, 2.0),
    ]


def test_exposure_is_the_share_of_event_time_with_a_position() -> None:
    trades = [closed(at=10, held=10), closed(at=30, held=15)]
    measured = partial(measure, starting_balance=START_BALANCE, first_ts=START, last_ts=START + 100 * SECOND)
    assert measured(trades).exposure_pct == 25.0
    still_open = measured(trades, open_since=START + 75 * SECOND)
    assert still_open.exposure_pct == 50.0
    # taken over from the session before
    assert measured([closed(at=-500, held=510)]).exposure_pct == 10.0
    assert measure(trades, START_BALANCE).exposure_pct == 0.0
    assert measure(trades, START_BALANCE).average_holding_sec == 12.5


@pytest.mark.parametrize(
    ("equity", "lasted"),
    [([100, 90, 100, 50], 20), ([100, 90, 95, 101, 100], 30), ([100, 90, 95], 20), ([100, 100, 101], 0), ([], 0)],
)
def test_a_fall_lasts_from_its_peak_until_equity_is_as_high_again_or_to_the_end(
    equity: list[float], lasted: int
) -> None:
    assert deepest_fall((10 * place, value) for place, value in enumerate(equity)).longest_ms == lasted


def test_a_day_after_one_that_ended_with_nothing_has_no_return() -> None:
    curve = [(0, 100.0), (1, 50.0), (DAY_MS + 1, 0.0), (2 * DAY_MS + 1, 5.0), (4 * DAY_MS + 1, 10.0)]
    assert daily_returns(curve) == [-0.5, -1.0, 0.0, 0.0, 1.0]
