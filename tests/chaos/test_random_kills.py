"""Kills at random instants: whatever was killed whenever, what is left is what the uncrashed twin left.

The seed is printed; `CHAOS_SEED` sets it. It fixes who is killed and how long the pauses are, not what they meet.
"""

import os
import sys
from pathlib import Path

import pytest
from crashing import PLAYS, Twins, check_left
from nemesis import Draws, Nemesis
from processes import desk_in

pytestmark = pytest.mark.timeout(900)

UNTIRING = {"LAP_MAX_RESTARTS": "10000", "LAP_RESTART_WINDOW_SEC": "0.5"}
LAUNCHERS = ("run", "honcho")


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return Twins(tmp_path_factory.mktemp("twins"))


@pytest.fixture
def seed(capsys: pytest.CaptureFixture[str]) -> int:
    drawn = int(os.environ.get("CHAOS_SEED") or int.from_bytes(os.urandom(4), "big"))
    with capsys.disabled():
        sys.stdout.write(f"\nCHAOS_SEED={drawn}\n")
    return drawn


def killed_in(directory: Path, twins: Twins, seed: int, kills: int, speed: str, start: str) -> int:
    """Play a session under a nemesis, check what it left; return the number of kills."""
    play = PLAYS["limits" if seed % 2 else "cross LONG"]
    twin = twins.of(play)
    with desk_in(directory) as desk:
        program = play.session(desk, speed, start, **UNTIRING)
        nemesis = Nemesis(desk, program, Draws(seed))
        try:
            nemesis.rage(kills)
            assert program.wait(90) == 0
            check_left(desk, program, twin)
            assert desk.summary()["restarts"] <= nemesis.killed
        except AssertionError as error:
            deeds = ", ".join(nemesis.deeds)
            raise AssertionError(f"CHAOS_SEED={seed} ({start})\n{deeds}\n{error}\n{desk.show()}") from error
        return nemesis.killed


def test_a_few_kills_at_random_instants_change_nothing(tmp_path: Path, twins: Twins, seed: int) -> None:
    assert killed_in(tmp_path / "session", twins, seed, 6, "30", "run") >= 2


@pytest.mark.chaos
def test_a_hundred_kills_at_random_instants_change_nothing(tmp_path: Path, twins: Twins, seed: int) -> None:
    killed = number = 0
    while killed < 100:
        start = LAUNCHERS[number % 2]
        killed += killed_in(tmp_path / f"session {number}", twins, seed + number, 25, "8", start)
        number += 1
        assert killed >= number, "the sessions are over before anything can be killed"
