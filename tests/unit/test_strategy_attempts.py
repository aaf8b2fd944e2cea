"""Deaths within a call of the strategy are remembered by the next process; others are not its fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.strategy.attempts_file import NAME, AttemptsFile

CANDLE, OTHER, TICK = (60_000, 0), (120_000, 0), (0, 7)


class Lives:
    """One process after the other, with the same file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: list[AttemptsFile] = []

    def start(self) -> AttemptsFile:
        self._open.append(AttemptsFile(self._directory))
        return self._open[-1]

    def end(self) -> None:
        for file in self._open:
            file.close()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    lives = Lives(tmp_path)
    yield lives
    lives.end()


@pytest.mark.parametrize("key", [CANDLE, TICK])
def test_what_two_died_of_is_not_tried_a_third_time(lives: Lives, key: tuple[int, int]) -> None:
    for _ in range(2):
        process = lives.start()
        assert process.begin(OTHER)  # each learns what went before again, first
        process.end()
        assert process.begin(key)
    third = lives.start()
    assert not third.begin(key)
    assert third.begin(OTHER)
    third.end()
    assert not lives.start().begin(key), "nor ever after"


def test_a_process_that_dies_between_calls_blames_none(lives: Lives) -> None:
    for _ in range(5):
        process = lives.start()
        assert process.begin(CANDLE)
        process.end()


def test_deaths_of_different_calls_do_not_add_up(lives: Lives) -> None:
    for key in (CANDLE, OTHER, TICK):
        assert lives.start().begin(key)
    fourth = lives.start()
    assert all(fourth.begin(key) for key in (CANDLE, OTHER, TICK))


def test_a_garbled_file_is_an_empty_one(lives: Lives, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\x00\xffnonsense\n" * 3)
    assert lives.start().begin(CANDLE)
