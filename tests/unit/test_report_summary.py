"""`summary.json` and the sentences that people read first."""

import json
from decimal import Decimal

import pytest
from report_builders import SECOND, START, bar, closed, position, run

from bus.messages import StopReason
from services.report.summary import STOP_WORDS, iso, summary, verdict

CONTRACT = set(
    """run_id source symbol interval strategy seed started_at ended_at stop_reason candle_count tick_count last_ts
    last_close starting_balance ending_balance net_pnl fees trades wins losses win_rate profit_factor expectancy_r
    max_drawdown_pct exposure_pct restarts incidents""".split()  # noqa: SIM905 - reads as the contract does
)
FEW = "So few trades say little about the strategy."


def test_every_promised_name_is_there_and_all_of_it_is_json() -> None:
    for example in (run(), run([closed()]), run([closed("-1")], position=position())):
        figures = summary(example)
        assert set(figures) >= CONTRACT
        assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_the_figures_of_a_small_run() -> None:
    trades = [closed("30", equity="10030"), closed("-10", at=50, held=20, equity="10020", trade_id=2)]
    figures = summary(run(trades, reason=StopReason.KILL, detail="lunch", restarts={"feed": 2, "broker": 0}))
    expected = {
        "run_id": "20261123-050000",
        "source": "mock",
        "symbol": "BTCUSDT",
        "interval": "1m",
        "strategy": "sma_cross",
        "seed": 7,
        "started_at": "2026-11-23T05:00:00.000Z",
        "ended_at": "2026-11-23T05:01:40.000Z",
        "stop_reason": "kill",
        "stop_detail": "lunch",
        "exit_code": 0,
        "candle_count": 2,
        "tick_count": 1234,
        "last_ts": START + 100 * SECOND,
        "last_close": 101.5,
        "starting_balance": 10000.0,
        "ending_balance": 10020.0,
        "net_pnl": 20.0,
        "net_pnl_pct": 0.2,
        "fees": 0.5,
        "trades": 2,
        "wins": 1,
        "losses": 1,
        "win_rate": 0.5,
        "profit_factor": 3.0,
        "expectancy_r": 1.0,
        "exposure_pct": 30.0,
        "restarts": 2,
        "restarts_by_service": {"feed": 2, "broker": 0},
        "incidents": [],
        "open_position": None,
        "versions": {"python": "3.11.7"},
    }
    assert {name: figures[name] for name in expected} == expected
    assert figures["max_drawdown_pct"] == pytest.approx(100 * 10 / 10030)


def test_fees_and_funding_of_a_position_that_is_still_open_count() -> None:
    held = run([closed()], position=position(), entry_fees_open=Decimal("0.5"), open_costs=Decimal("2.5"))
    figures, without = summary(held), summary(run([closed()]))
    assert figures["fees"] == 0.75
    assert figures["funding"] == without["funding"] + 2.0
    assert figures["open_position"] == {
        "side": "LONG",
        "qty": 0.5,
        "entry_price": 100.0,
        "entry_ts": START + SECOND,
        "unrealized": 3.0,
    }


def test_without_a_journal_the_settings_balance_stands_on_both_sides() -> None:
    blank = run(starting_balance=None, ending_balance=None, settings={"starting_balance": 500.0})
    figures = summary(blank)
    assert (figures["starting_balance"], figures["ending_balance"], figures["net_pnl"]) == (500.0, 500.0, 0.0)


def test_incidents_of_journal_and_session_stand_together() -> None:
    figures = summary(run(incidents=[{"event": "restart"}]))
    assert figures["incidents"] == [{"event": "restart"}]


def test_every_stop_reason_has_words() -> None:
    assert set(STOP_WORDS) == set(StopReason)


@pytest.mark.parametrize(
    ("pnls", "said"),
    [
        ([], "No trade was closed, so there is nothing to judge."),
        (["30"], f"Made 30.00 (+0.30 %) in 1 trade, of which 1 won. {FEW}"),
        (
            ["-0.10"],
            f"Lost 0.10 (-0.001 %) in 1 trade, of which 0 won. Before fees and funding it made 0.15. {FEW}",
        ),
        (["-1250"], f"Lost 1,250.00 (-12.50 %) in 1 trade, of which 0 won. {FEW}"),
        (["10", "-10"], f"Came out even: 0.00 (+0.00 %) in 2 trades, of which 1 won. {FEW}"),
        (["1"] * 30, "Made 30.00 (+0.30 %) in 30 trades, of which 30 won."),
    ],
)
def test_the_verdict_in_words(pnls: list[str], said: str) -> None:
    total = Decimal(10000) + sum(map(Decimal, pnls), Decimal(0))
    trades = [closed(pnl, equity=str(total)) for pnl in pnls]
    assert verdict(summary(run(trades))) == said


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(START + 7) == "2026-11-23T05:00:00.007Z"


def test_what_holding_one_coin_made_is_told_from_the_first_open_to_the_last_price() -> None:
    assert summary(run(bars=[bar(0, 90.0), bar(1)]))["buy_and_hold_pct"] == pytest.approx(1.5)
    without = summary(run())
    assert (without["buy_and_hold_pct"], without["undefined"]["buy_and_hold_pct"]) == (None, "no candle was closed")


def test_the_time_in_a_position_that_is_still_open_counts() -> None:
    assert summary(run(position=position()))["exposure_pct"] == 99.0


@pytest.mark.parametrize(("funding", "told"), [("0.40", "Before fees and funding it made 0.55."), ("-0.20", "")])
def test_a_loss_that_fees_and_funding_made_is_told_as_one(funding: str, told: str) -> None:
    words = verdict(summary(run([closed("-0.10", funding=Decimal(funding), equity="9999.90")])))
    assert told in words
    assert ("Before fees" in words) == bool(told)


def test_without_any_balance_nothing_was_made_in_percent() -> None:
    figures = summary(run(starting_balance=None, ending_balance=None))
    assert (figures["starting_balance"], figures["net_pnl_pct"]) == (0.0, 0.0)
