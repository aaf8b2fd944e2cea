"""Golden sessions: each recording gives the trades, and every word of the broker, that are written beside it.

A change that alters what the broker does shows here as a difference in `said.txt` or `trades.csv`. If that is what
the change is for, run `python tests/replay/make_golden.py`, read `git diff tests/replay/golden`, and commit it with
the change. The recordings themselves come from `golden_scenarios.py`, by the same command.
"""

import difflib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from golden import GOLDEN, INPUTS, OUTPUTS, STRATEGIES, Session, inputs_of, perform, read_session
from golden_scenarios import SCENARIOS

from bus.messages import ExitReason, OrderRejected, RejectReason, TradeClosed
from services.replay.run import replay
from services.replay.script import read_script

NAMES = tuple(SCENARIOS)
HOW = "if it is meant to be so: python tests/replay/make_golden.py, and read the git diff"


def assert_same(name: str, expected: Mapping[str, bytes], now: Mapping[str, bytes]) -> None:
    """Fail with the lines that differ."""
    for file, content in expected.items():
        if content != now[file]:
            old, new = (text.decode().splitlines() for text in (content, now[file]))
            lines = "\n".join(difflib.unified_diff(old, new, f"{name}/{file}", "now", lineterm="", n=1))
            pytest.fail(f"{lines}\n\n{HOW}")


def on_disk(name: str, files: tuple[str, ...]) -> dict[str, bytes]:
    return {file: (GOLDEN / name / file).read_bytes() for file in files}


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_the_words_and_trades_written_beside_it(name: str) -> None:
    assert_same(name, on_disk(name, OUTPUTS), perform(read_session(GOLDEN / name)).texts())


@pytest.mark.parametrize("name", NAMES)
def test_the_feed_makes_the_recording_that_is_on_disk(name: str) -> None:
    assert_same(name, on_disk(name, INPUTS), inputs_of(SCENARIOS[name]()))


@pytest.mark.parametrize("name", NAMES)
def test_the_report_of_a_replay_has_the_golden_trades_and_the_run_replays_as_recorded(
    name: str, tmp_path: Path
) -> None:
    """What `lap replay` writes is a run again: with the recording beside it, `--check` finds no difference."""
    script = read_session(GOLDEN / name).script(name)
    replay(script, tmp_path, STRATEGIES, lambda _: None, check=False)
    assert_same(name, on_disk(name, ("trades.csv",)), {"trades.csv": (tmp_path / "trades.csv").read_bytes()})
    shutil.copy(GOLDEN / name / "events.jsonl", tmp_path)
    again = read_script([tmp_path], {}, tmp_path)
    outcome = replay(again, tmp_path / "again", STRATEGIES, lambda _: None, check=True)
    assert outcome.difference == ""


def test_nothing_lies_about_that_no_scenario_makes() -> None:
    found = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}
    assert found == {f"{name}/{file}" for name in NAMES for file in (*INPUTS, *OUTPUTS)}
    assert max((GOLDEN / path).stat().st_size for path in found) < 60_000


def test_together_they_show_every_exit_and_every_refusal_that_an_order_can_meet() -> None:
    said = [message for make in SCENARIOS.values() for message in perform(make()).said]
    exits = {message.exit_reason for message in said if isinstance(message, TradeClosed)}
    refusals = {message.reason for message in said if isinstance(message, OrderRejected)}
    # no feed's stream has a trade before its first quote; the other exits are a stop's, by the same path as KILL
    assert refusals == set(RejectReason) - {RejectReason.NO_QUOTE}
    assert exits == set(ExitReason) - {ExitReason.KILL, ExitReason.STALE_DATA, ExitReason.FAULT}


def test_a_changed_price_shows_as_a_changed_line() -> None:
    """The comparison is worth something: another seed draws other latencies, and the words differ."""
    session: Session = read_session(GOLDEN / "trend")
    other = replace(session, settings={**session.settings, "seed": "8"})
    assert perform(other).texts()["said.txt"] != (GOLDEN / "trend" / "said.txt").read_bytes()
