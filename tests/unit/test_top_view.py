"""What `lap top` shows, in any size, without colour, whatever is not known yet."""

from typing import Any

import pytest

from services.commands.log_lines import LogLine
from services.commands.top_view import Look, bar, clock, distances, picture, spark

HELD = {"side": "LONG", "qty": 0.5, "entry_price": 100.0, "sl": 98.0, "tp": 103.0, "unrealized": 0.5}
SERVICES = {
    name: {"state": "RUNNING", "pid": 4711 + number, "age": 0.4, "restarts": number}
    for number, name in enumerate(("feed", "strategy", "broker", "monitor"))
}
LINE = LogLine("2026-11-23T05:18:00.123Z", "INFO", "broker", "fill", "LONG 0.5 enters at 100")


def seen(**more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "run_id": "20261123-051800",
        "source": "mock",
        "symbol": "BTCUSDT",
        "interval": "1s",
        "seed": 7,
        "stopping": None,
        "elapsed": 30.0,
        "remaining": 90.0,
        "price": 101.0,
        "position": HELD,
        "equity": 10000.5,
        "balance": 10000.0,
        "halted": False,
        "feed": "connected",
        "data_age": 0.1,
        "counts": {"trades": 3, "rejected": 2, "pending": 1, "reconnects": 4, "last_seq": 90, "worked_seq": 40},
        "services": SERVICES,
        "run_dir": "runs/20261123-051800",
    }
    return {**known, **more}


def shown(look: Look, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in picture(look, width, height)]


def test_everything_a_person_looks_for_is_on_an_80_by_24_screen() -> None:
    look = Look(seen(), [1.0, 2.0], {"ticks": 12.4, "worked_seq": 13.6}, [LINE])
    text = "\n".join(shown(look))
    for words in (
        *("BTCUSDT 1s from mock", "seed 7", "0:30 elapsed, 1:30 left", "price 101.0 ▁█", "feed connected"),
        *(
            "LONG 0.5 at 100.0  +0.50 (+0.50 R)",
            "stop 98.0 297.0 bps, 1.50 R away",
            "target 103.0 198.0 bps, 1.00 R away",
        ),
        *("equity 10,000.50   balance 10,000.00   trades 3   rejected 2   pending 1", "12 ticks/s, 4 reconnects"),
        *("14 events/s, 50 behind", "05:18:00 fill", "k kill the session   q leave"),
    ):
        assert words in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (40, 12), (20, 5), (80, 1)])
@pytest.mark.parametrize("question", ["", "sure?"])
def test_it_fits_every_screen_and_the_last_line_is_the_keys_or_the_question(
    width: int, height: int, question: str
) -> None:
    lines = shown(Look(seen(), [1.0, 2.0] * 50, {}, [LINE] * 50, question), width, height)
    assert len(lines) <= max(2, height)
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith((question or "k kill the session")[:width].rstrip()[:5])


@pytest.mark.parametrize(
    "known",
    [
        {"price": None, "equity": None, "position": None, "feed": None, "counts": None, "services": {}},
        {"price": 0, "position": None},
        {"remaining": None},
        {"warmup_missing": 12},
        {"halted": True, "stopping": "kill", "data_age": 30.0},
        {"services": {"feed": {"state": "BACKOFF", "pid": None, "age": None, "restarts": 3}}},
        {"position": {**HELD, "sl": 100.0}},
    ],
)
def test_what_is_not_known_or_goes_wrong_is_shown_too(known: dict[str, Any]) -> None:
    text = "\n".join(shown(Look(seen(**known))))
    for word, fact in (("HALTED", "halted"), ("stopping: kill", "stopping"), ("warming up: 12", "warmup_missing")):
        assert (word in text) == bool(known.get(fact))


def test_without_more_than_ascii_and_without_colour_nothing_is_lost() -> None:
    lines = shown(Look(seen(), [1.0, 2.0, 3.0], {}, [LINE], is_plain=True))
    assert "\n".join(lines).isascii()
    assert "RUNNING" in "\n".join(lines)


@pytest.mark.parametrize(("values", "line"), [([], ""), ([5.0], "▁"), ([1.0, 1.0], "▁▁"), ([1.0, 4.5, 8.0], "▁▅█")])
def test_a_spark_line(values: list[float], line: str) -> None:
    assert spark(values) == line


def test_a_bar_and_a_clock() -> None:
    assert [bar(share, 4, is_plain=True) for share in (-1, 0.5, 9)] == ["....", "##..", "####"]
    assert [clock(seconds) for seconds in (-5, 65.9, 3600)] == ["0:00", "1:05", "1:00:00"]


@pytest.mark.parametrize(("level", "count"), [("INFO", 0), ("WARNING", 1)])
def test_lost_data_are_news_and_the_begin_within_a_candle_is_none(level: str, count: int) -> None:
    line = LogLine(LINE.ts, level, "feed", "data_gap", "of a candle")
    assert "\n".join(shown(Look(seen(), events=[line]))).count("of a candle") == count


def test_a_broker_that_is_a_status_old_keeps_up() -> None:
    counts = {"last_seq": 90, "worked_seq": 83}
    assert "keeps up" in "\n".join(shown(Look(seen(counts=counts), rates={"ticks": 12.0})))


def test_distances_of_a_short_position_are_the_same_way_round() -> None:
    held = {**HELD, "side": "SHORT", "sl": 102.0, "tp": 97.0}
    assert distances(held, 100.0) == {"sl": (200.0, 1.0), "tp": (300.0, 1.5)}
