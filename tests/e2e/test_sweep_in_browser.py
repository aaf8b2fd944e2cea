"""The page of a sweep as a person opens it: drawn, without an error, and asking nobody for anything."""

from pathlib import Path

import pytest
from browser import Page, browser, needs_browser
from sweep_builders import CALM, candles
from typer.testing import CliRunner

from services.commands.app import app

pytestmark = needs_browser

DRAWN = "document.documentElement.dataset.drawn === 'yes'"


def opened(directory: Path, page: Page, *words: str) -> None:
    """Sweep, and open its page."""
    settings = [word for setting in CALM for word in ("--set", setting)]
    done = CliRunner().invoke(
        app, ["sweep", str(candles(directory)), *words, *settings, "--workers", "0", "--out", str(directory / "out")]
    )
    assert done.exit_code == 0, done.output
    page.open((directory / "out" / "sweep.html").as_uri())
    page.wait(DRAWN)


@pytest.mark.parametrize(
    ("words", "charts", "maps"),
    [
        (("--grid", "fast=3,5", "--grid", "slow=12,20", "--grid", "on_stop=keep,flatten"), 3, 3),
        (("--grid", "fast=3,5", "--grid", "slow=12,20", "--walk-forward", "200,100"), 3, 1),
    ],
)
def test_charts_and_maps_are_drawn_and_nothing_is_fetched(
    words: tuple[str, ...], charts: int, maps: int, tmp_path: Path
) -> None:
    (tmp_path / "browser").mkdir()
    with browser(tmp_path / "browser") as page:
        page.look(1200, 900)
        opened(tmp_path, page, *words)
        assert page.tell("document.querySelectorAll('.chart canvas').length") == charts
        assert page.tell("document.querySelectorAll('table.heat').length") == maps
        assert page.tell("document.documentElement.scrollWidth <= innerWidth")
        page.look(360, 700, phone=True)
        assert page.tell("document.documentElement.scrollWidth <= innerWidth"), "a phone scrolls it down alone"
        assert page.complaints == []
        assert {url for url in page.requests if not url.startswith("data:")} == {
            (tmp_path / "out" / "sweep.html").as_uri()
        }
