"""`lap replay` takes the fast way by itself, and writes the same journal and report as event by event."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden import GOLDEN, STRATEGIES
from golden_scenarios import SCENARIOS
from replay_builders import candle_rows, rows_of, swings, write_csv

from bus.messages import StreamInfo
from services.feed.facts import RawQuote, RawTrade
from services.feed.recording_file import read_all
from services.replay.columnar.recording_columns_file import read_columns
from services.replay.run import replay
from services.replay.script import Script, read_script
from services.replay.staging import set_stage

CROSS = {"strategy_params": "fast=2,slow=5", "max_consecutive_losses": "99"}
PLAN = {
    "strategy": "scripted:Plan",
    "strategy_params": json.dumps({"lines": ["00:50 LONG", "00:55 FLAT", "01:10 SHORT"]}),
}
# what is told of the replay itself, not of the session
OF_THE_REPLAY = ("started_at", "ended_at", "versions")


def files(directory: Path, kind: str) -> list[Path]:
    facts = swings()
    if kind == "candles":
        return [write_csv(directory / "candles.csv", "candles", candle_rows(facts))]
    quotes = write_csv(directory / "quotes.csv.gz", "quotes", rows_of(facts, RawQuote))
    return [quotes, write_csv(directory / "trades.csv", "trades", rows_of(facts, RawTrade))]


def leaps(script: Script) -> bool:
    """Whether the script is played in leaps."""
    return set_stage(script, STRATEGIES).leaps is not None


def written(script: Script, out: Path) -> tuple[bytes, dict[str, Any], list[Any]]:
    """The trades, the figures and the journal that a replay writes."""
    replay(script, out, STRATEGIES, lambda _: None, check=False)
    figures = json.loads((out / "summary.json").read_bytes())
    with closing(sqlite3.connect(out / "journal.db")) as journal:
        rows = list(journal.iterdump())
    return (out / "trades.csv").read_bytes(), {k: v for k, v in figures.items() if k not in OF_THE_REPLAY}, rows


@pytest.mark.parametrize(
    ("kind", "overrides", "is_fast"),
    [("ticks", CROSS, True), ("candles", CROSS, True), ("ticks", PLAN, True), ("candles", PLAN, False)],
)
def test_data_files_give_the_same_journal_and_report_either_way(
    kind: str, overrides: dict[str, str], is_fast: bool, tmp_path: Path
) -> None:
    paths = files(tmp_path, kind)
    scripts = [read_script(paths, overrides, STRATEGIES) for _ in range(2)]
    assert leaps(scripts[0]) == is_fast
    fast = written(scripts[0], tmp_path / "fast")
    plain = written(replace(scripts[1], columns=None), tmp_path / "plain")
    assert fast == plain
    assert fast[0].count(b"\n") > 1, "a market without trades proves nothing"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_read_in_one_go_is_the_recording(name: str) -> None:
    columns = read_columns(GOLDEN / name)
    assert columns is not None
    assert [columns.info, *columns.events()] == list(read_all(GOLDEN / name))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"quote|[1,", b"quote|[2,"),  # a number that is not its line's
        (b"4.0,false]", b"4,false]"),  # a whole number for a double
        (b"4.0,false]", b"-4.0,false]"),
        (b"4.0,false]", b"4.0,0]"),
        (b"4.0,false]", b"4.0,false"),
        (b"4.0,false]\n", b"4.0,false]"),
        (b"quote|", b"fill|"),
        (b"info|", b"quote|"),
    ],
)
def test_a_recording_with_anything_odd_is_left_to_the_reader_that_says_what_it_is(
    old: bytes, new: bytes, tmp_path: Path
) -> None:
    lines = (GOLDEN / "trend" / "events.jsonl").read_bytes()
    assert old in lines
    (tmp_path / "events.jsonl").write_bytes(lines.replace(old, new, 1))
    assert read_columns(tmp_path) is None


def test_late_answers_are_played_event_by_event() -> None:
    columns = read_columns(GOLDEN / "late_answer")
    session = SCENARIOS["late_answer"]()
    assert columns is not None
    assert isinstance(columns.info, StreamInfo)
    assert not leaps(replace(session.script("late"), columns=columns))
    assert leaps(replace(session.script("timely"), columns=columns, facts=()))
