"""The broker's arithmetic: decimals, prices, draws, sizes."""

from decimal import Decimal
from hashlib import sha256

import pytest
from builders import config, signal, stream

from bus.messages import Side
from services.broker.decimals import decimal_of, exactly
from services.broker.draws import entry_factor, exit_factor, latency_ms
from services.broker.prices import Around, on_grid, round_nearest, round_toward, slipped
from services.broker.sizing import quantity, stop_and_target
from services.draws import number
from services.numbers import plain

D = Decimal
LONG, SHORT = Side.LONG, Side.SHORT


def test_a_double_enters_as_its_shortest_text() -> None:
    assert decimal_of(0.1) == D("0.1")
    assert decimal_of(63_350.1) == D("63350.1")
    assert decimal_of(6) == D(6)


def test_decimals_have_fifty_digits_whatever_the_callers_context() -> None:
    assert len(str(exactly(lambda: D(1) / D(3))())) == 52


@pytest.mark.parametrize(
    ("number", "text"),
    [("100.10", "100.1"), ("1E+3", "1000"), ("-0.00", "0"), ("1E-7", "0.0000001"), ("-5.50", "-5.5"), ("100", "100")],
)
def test_plain_text_has_no_exponent_and_no_trailing_zeros(number: str, text: str) -> None:
    assert plain(D(number)) == text


@pytest.mark.parametrize(
    ("price", "up", "down"),
    [("100", "100", "100"), ("100.01", "100.1", "100"), ("100.09", "100.1", "100"), ("-0.05", "0", "-0.1")],
)
def test_rounding_toward_a_side(price: str, up: str, down: str) -> None:
    assert round_toward(D(price), D("0.1"), 1) == D(up)
    assert round_toward(D(price), D("0.1"), -1) == D(down)


@pytest.mark.parametrize(
    ("price", "nearest"),
    [("99.74", "99.5"), ("99.76", "100"), ("99.75", "100"), ("100.25", "100"), ("100.75", "101"), ("-0.75", "-1")],
)
def test_rounding_to_the_nearest_tick_sends_ties_to_an_even_number_of_ticks(price: str, nearest: str) -> None:
    assert round_nearest(D(price), D("0.5")) == D(nearest)


def test_on_grid() -> None:
    assert on_grid(D("99.9"), D("0.1"))
    assert not on_grid(D("99.95"), D("0.1"))


@pytest.mark.parametrize(("direction", "price"), [(1, "101.5"), (-1, "98.5")])
def test_slippage_is_adverse_in_both_directions(direction: int, price: str) -> None:
    assert slipped(D(100), D(100), D("1.5"), direction, D("0.1")) == D(price)


@pytest.mark.parametrize(("slip_bps", "price"), [("6660", "0.1"), ("6667", "0.1"), ("20000", "0.1"), ("6650", "0.2")])
def test_a_sale_brings_at_least_one_tick_however_large_the_slippage(slip_bps: str, price: str) -> None:
    assert slipped(D(100), D(slip_bps), D("1.5"), -1, D("0.1")) == D(price)


def test_without_slippage_a_price_on_the_grid_stays() -> None:
    assert slipped(D("100.1"), D(0), D("1.5"), 1, D("0.1")) == D("100.1")


def test_a_print_stands_for_a_bid_and_an_ask_rounded_outward() -> None:
    made = Around(100.0, D("0.5"), D("0.1"))
    assert (made.bid, made.ask) == (99.9, 100.1)
    made = Around(100.0, D(0), D("0.1"))
    assert (made.bid, made.ask) == (100.0, 100.0)


def test_a_draw_is_the_first_eight_bytes_of_the_hash() -> None:
    digest = sha256(b"7:test-BTCUSDT-1-LONG:0").digest()
    assert number(7, "test-BTCUSDT-1-LONG", 0) == int.from_bytes(digest[:8], "big")


def test_latency_reaches_both_bounds_and_nothing_beyond() -> None:
    drawn = {latency_ms(7, f"order-{index}", 50, 53) for index in range(100)}
    assert drawn == {50, 51, 52, 53}


def test_factors_are_half_to_one_and_a_half_and_differ_for_entry_and_exit() -> None:
    for index in range(50):
        for factor in (entry_factor(7, str(index)), exit_factor(7, str(index))):
            assert D("0.5") <= factor < D("1.5")
    assert entry_factor(7, "a") != exit_factor(7, "a")
    assert entry_factor(7, "a") == exactly(lambda: D("0.5") + D(number(7, "a", 1)) / D(2**64))()


SIZES = {
    "risk over the stop distance": ({}, 1000.0, "100"),
    "at most the leverage": ({"max_leverage": 0.3}, 1000.0, "30"),
    "at most a share of the volume": ({"max_fill_pct_of_volume": 2.5}, 1000.0, "25"),
    "no cap before the first candle": ({"max_fill_pct_of_volume": 2.5}, None, "100"),
    "nothing on an empty candle": ({"max_fill_pct_of_volume": 2.5}, 0.0, "0"),
}


@pytest.mark.parametrize(("changes", "volume", "size"), SIZES.values(), ids=SIZES)
def test_sizes(changes: dict[str, float], volume: float | None, size: str) -> None:
    assert quantity(config(**changes), stream(), signal(), D(100), D(10_000), volume) == D(size)


def test_no_balance_buys_nothing() -> None:
    assert quantity(config(), stream(), signal(), D(100), D(-5), None) == 0
    assert quantity(config(), stream(), signal(), D(0), D(100), None) == 0


@pytest.mark.parametrize(("side", "sl", "tp"), [(LONG, "99", "101.5"), (SHORT, "101", "98.5")])
def test_stop_and_target_stand_on_their_sides(side: Side, sl: str, tp: str) -> None:
    assert stop_and_target(stream(), signal(side), D(100)) == (D(sl), D(tp))


@pytest.mark.parametrize(("side", "sl", "tp"), [(LONG, "99", "101"), (SHORT, "101", "99")])
def test_each_is_at_least_a_tick_away(side: Side, sl: str, tp: str) -> None:
    near = signal(side, stop_bps=1.0, tp_r=0.1)
    assert stop_and_target(stream(tick="1"), near, D(100)) == (D(sl), D(tp))
