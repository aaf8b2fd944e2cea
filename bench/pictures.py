"""Make the pictures of the documents from a real demo session: `make pictures`. Needs Chromium or Chrome.

The session runs in a directory of its own, with the demo's settings; its report and `lap top` are what is shown.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import Page, browser
from rich.console import Console, Group

from services.commands.top import Watch
from services.commands.top_view import picture
from services.session.state import read_session
from services.waiting import pause, wait_until

IMAGES = Path(__file__).parents[1] / "docs" / "images"
LAP = Path(sys.executable).parent / "lap"
DEMO = {
    "LAP_SOURCE": "demo",
    "LAP_DURATION": "1",
    "LAP_SEED": "0",
    "LAP_INTERVAL": "1s",
    "LAP_STRATEGY_PARAMS": "fast=3,slow=8",
    "LAP_MIN_TRADE_INTERVAL_SEC": "3",
    "LAP_STOP_BPS": "12",
    "LAP_TP_R": "3",
    "LAP_MAX_CONSECUTIVE_LOSSES": "50",
}
DRAWN = "document.documentElement.dataset.drawn === 'yes'"
SHOTS = (
    ("report", 1100, 1250, False, False),
    ("report-dark", 1100, 1250, True, False),
    ("report-phone", 390, 844, False, True),
)
"""Name, width, height, dark, phone."""


def main() -> None:
    """Run a session, look at it, write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        desk = Path(name)
        session = subprocess.Popen([LAP, "run"], cwd=desk, env={**os.environ, **DEMO}, stdout=subprocess.DEVNULL)
        with browser(desk) as page:
            svg = _watch_in_position(desk)
            _shoot_dashboard(page, desk)
            assert session.wait(120) == 0
            _shoot_report(page, next(desk.glob("runs/*/summary.html")))
            _shoot_top(page, svg, desk)


def _watch_in_position(desk: Path) -> str:
    """The picture of `lap top`, some looks after a position was opened late in the session."""
    assert wait_until(lambda: read_session(desk / ".lap") is not None, 20_000)
    session = read_session(desk / ".lap")
    assert session is not None
    watch = Watch(session)

    def is_worth_it() -> bool:
        seen = watch.look().seen
        return bool(seen["position"]) and seen["elapsed"] > 35

    assert wait_until(is_worth_it, 80_000, every_ms=500)
    for _ in range(3):
        pause(500)
        look = watch.look()
    console = Console(record=True, width=80, height=24, file=io.StringIO(), force_terminal=True)
    console.print(Group(*picture(look, 80, 24)))
    # the library's picture asks for a font from elsewhere
    return re.sub(r"@font-face\s*\{.*?\}", "", console.export_svg(title="lap top"), flags=re.DOTALL)


def _shoot_dashboard(page: Page, desk: Path) -> None:
    said = desk / "dashboard.txt"
    with said.open("wb") as file:
        served = subprocess.Popen(
            [LAP, "dashboard"], cwd=desk, stdout=file, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    assert wait_until(lambda: "token=" in said.read_text(), 20_000)
    page.look(1100, 1250, dark=True)
    page.open(said.read_text().split()[-1])
    page.wait("document.querySelectorAll('#price canvas, #log p').length > 5")
    page.shoot(IMAGES / "dashboard.png")
    served.terminate()
    served.wait(20)


def _shoot_report(page: Page, report: Path) -> None:
    for name, width, height, dark, phone in SHOTS:
        page.look(width, height, dark=dark, phone=phone)
        page.open(report.as_uri())
        page.wait(DRAWN)
        page.tell("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.shoot(IMAGES / f"{name}.png")


def _shoot_top(page: Page, svg: str, desk: Path) -> None:
    html = desk / "top.html"
    html.write_text(f'<body style="margin:0;width:860px">{svg}</body>', encoding="utf-8")
    page.look(860, 560)
    page.open(html.as_uri())
    height = page.tell("Math.ceil(document.querySelector('svg').getBoundingClientRect().height)")
    page.look(860, height)
    page.shoot(IMAGES / "top.png")


if __name__ == "__main__":
    main()
