"""A lone price far off, and the same frame twice: what the feed makes of them."""

import pytest
from feed_builders import T0, raw_quote, raw_trade

from services.feed.facts import RawFunding, RawTrade, Refusal
from services.feed.jump import JumpGuard, Tick
from services.feed.repeats import REMEMBERED, Repeats


def told(guard: JumpGuard, *facts: Tick) -> list[str]:
    """What goes on, in short: prices, and `jump` for a refusal."""
    out = [word for fact in facts for word in guard.take(fact)]
    return [
        word.name if isinstance(word, Refusal) else f"{word.price if isinstance(word, RawTrade) else word.bid:g}"
        for word in out
    ]


def trades(*prices: float) -> list[RawTrade]:
    return [raw_trade(at, price) for at, price in enumerate(prices)]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([100, 101, 99], ["100", "101", "99"]),
        ([100, 101, 121.2, 100], ["100", "101", "121.2", "100"]),  # 20 %: still believed
        ([100, 101, 122, 100], ["100", "101", "jump", "100"]),
        ([100, 101, 50, 100], ["100", "101", "jump", "100"]),
        ([100, 101, 200, 201, 202], ["100", "101", "200", "201", "202"]),  # confirmed
        ([100, 101, 200, 50, 100], ["100", "101", "jump", "jump", "100"]),
        ([100, 101, 200, 50, 51], ["100", "101", "jump", "50", "51"]),
        ([1, 100, 101], ["jump", "100", "101"]),  # the very first needs a second one, too
        ([100], []),
    ],
)
def test_a_price_far_from_the_one_before_waits_for_a_second(prices: list[float], expected: list[str]) -> None:
    assert told(JumpGuard(20.0), *trades(*prices)) == expected


def test_trades_of_one_push_do_not_confirm_each_other() -> None:
    guard = JumpGuard(20.0)
    assert told(guard, *trades(100, 100)) == ["100", "100"]
    batch = [raw_trade(5, 200.0), raw_trade(5, 201.0), raw_trade(5, 202.0)]
    assert told(guard, *batch, raw_trade(6, 100.0)) == ["jump", "jump", "jump", "100"]
    assert told(guard, *batch, raw_trade(6, 203.0), raw_trade(7, 204.0)) == ["200", "201", "202", "203", "204"]


def test_quotes_and_trades_watch_each_other() -> None:
    good: list[Tick] = [raw_quote(0, 99.0, 101.0), raw_trade(1, 100.0)]
    assert told(JumpGuard(20.0), *good, raw_quote(2, 1.0, 101.0), raw_trade(3, 100.0)) == ["99", "100", "jump", "100"]
    assert told(JumpGuard(20.0), *good, raw_trade(2, 150.0), raw_quote(3, 149.0, 151.0)) == ["99", "100", "150", "149"]


def test_a_market_whose_bid_and_ask_are_far_apart_is_a_market_all_the_same() -> None:
    wide: list[Tick] = [raw_quote(at, 1.0, 1.6) for at in range(3)]
    assert told(JumpGuard(20.0), *wide, raw_trade(3, 1.3), raw_quote(4, 1.0, 1.6)) == ["1", "1", "1", "1.3", "1"]
    assert told(JumpGuard(20.0), *wide, raw_trade(3, 2.0), raw_quote(4, 1.0, 1.6)) == ["1", "1", "1", "jump", "1"]


def test_numbers_that_are_none_pass_by_to_be_refused_by_their_own_name() -> None:
    guard = JumpGuard(20.0)
    assert told(guard, *trades(100, 100, float("nan"), -1, 100)) == ["100", "100", "nan", "-1", "100"]
    crossed = raw_quote(0, 100.2, 100.1)
    assert guard.take(crossed) == [crossed]


def test_what_a_lost_connection_leaves_unconfirmed_is_refused() -> None:
    guard = JumpGuard(20.0)
    assert told(guard, *trades(100, 100, 200)) == ["100", "100"]
    assert [refusal.name for refusal in guard.forget()] == ["jump"]
    assert guard.forget() == []


def test_a_mark_price_far_from_the_market_is_not_believed() -> None:
    guard = JumpGuard(20.0)
    funding = RawFunding(T0, 0.0001, 1e9, None, None)
    assert guard.take_mark(funding) == funding
    told(guard, *trades(100, 100))
    assert guard.take_mark(funding) == funding._replace(mark=0.0)
    assert guard.take_mark(funding._replace(mark=101.0)).mark == 101.0


def test_a_wider_setting_believes_more() -> None:
    assert told(JumpGuard(100.0), *trades(100, 100, 200, 1)) == ["100", "100", "200", "1"]
    assert told(JumpGuard(0.5), *trades(100, 100, 101, 100)) == ["100", "100", "jump", "100"]


def test_the_same_push_twice_is_one_however_far_apart_within_reason() -> None:
    repeats = Repeats()
    pushes = [str(number).encode() for number in range(REMEMBERED + 1)]
    assert all(repeats.is_new(push) for push in pushes)
    assert not repeats.is_new(pushes[-1])
    assert not repeats.is_new(pushes[1])
    assert repeats.is_new(pushes[0])
