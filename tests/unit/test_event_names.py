"""An event has one name everywhere: who shows, sorts or counts it uses a word that somebody says."""

import ast
import json
import re
from pathlib import Path

from pages import ROOT

from services.commands.top_view import SHOWN_EVENTS
from services.report.timeline import _LANE_OF

SPEAKERS = [
    *(path for room in ("feed", "strategy", "broker", "monitor") for path in (ROOT / "services" / room).glob("*.py")),
    ROOT / "services" / "runner.py",
]
DASHBOARD = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text(encoding="utf-8"))


def said(path: Path) -> set[str]:
    """Every text that stands in a module's code."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


SAID = set().union(*map(said, SPEAKERS))


def test_the_reports_time_line_and_the_live_view_know_what_is_said() -> None:
    assert set(_LANE_OF) <= SAID
    assert SHOWN_EVENTS <= SAID


def test_the_grafana_dashboard_and_the_page_of_faults_know_what_is_said() -> None:
    asked = set(re.findall(r'event="(\w+)"', json.dumps(DASHBOARD).replace('\\"', '"')))
    assert asked
    assert asked <= SAID
    rows = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").partition("## How a session ends")[0]
    seen = {
        name
        for row in rows.splitlines()
        for name in re.findall(r"`([a-z]+_[a-z_]+)`", row.rpartition("|")[0].rpartition("|")[2])
    }
    codes = {"circuit_breaker", "feed_lost", "internal_error", "restarts_exhausted", "stale_data"}
    assert len(seen) > 8
    assert seen - codes <= SAID
