"""A run without a journal says the same to its report as one with a journal: for every golden session."""

from dataclasses import replace
from pathlib import Path

import pytest
from golden import GOLDEN, STRATEGIES, read_session
from golden_scenarios import SCENARIOS

from services.replay.run import replay
from services.report.journal_reader_sqlite import read_journal
from services.sweep.play import play


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_the_broker_said_is_what_its_journal_says(name: str, tmp_path: Path) -> None:
    session = read_session(GOLDEN / name)
    replay(session.script(name), tmp_path, STRATEGIES, lambda _: None, check=False)
    written = read_journal(tmp_path / "journal.db")
    assert (written.incidents, written.problems) == ([], [])
    assert play(session.script(name), STRATEGIES)[0].facts == replace(written, incidents=(), problems=())
