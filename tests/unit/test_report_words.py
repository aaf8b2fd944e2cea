"""Numbers, times and values as a person reads them."""

import pytest

from services.report.words import clock, dash, many, span, value_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (12, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3_599.6, "1 h"),
        (18_120, "5 h 2 min"),
        (86_399, "23 h 59 min"),
        (86_400 + 3_599, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_greatest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 orders"), (1, "1 order"), (2_000, "2,000 orders")])
def test_things_are_counted_in_their_number(count: int, text: str) -> None:
    assert many(count, "order") == text


def test_a_figure_that_does_not_exist_is_a_dash() -> None:
    assert (dash(None, "{:.2f} %"), dash(0.0, "{:.2f} %")) == ("\N{EN DASH}", "0.00 %")


def test_a_moment_is_told_to_the_second() -> None:
    assert clock("2026-11-23T05:18:00.123Z") == clock("2026-11-23T05:18:00Z") == "2026-11-23 05:18:00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), ([], "-"), ({}, "-"), (0, "0"), (0.0, "0"), (30.0, "30"), (0.5, "0.5"), (1e16, "1e+16")),
        *((["a", 2.0], "a, 2"), ({"fast": 5.0, "slow": None}, "fast=5, slow=-"), ("1m", "1m")),
    ],
)
def test_a_settings_value_is_told_as_it_would_be_written(value: object, text: str) -> None:
    assert value_text(value) == text
