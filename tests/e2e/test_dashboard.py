"""`lap dashboard`: a live page on the loopback interface that strangers can not use, and a kill button that asks first."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import browser, needs_browser
from processes import LAP, Desk, Program, desk_in, eventually

pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")


class Served:
    """A running session with its dashboard."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.session: Program = desk.session(LAP_DURATION="5", LAP_MAX_DAILY_DRAWDOWN_PCT="90")
        desk.wait_running()
        self.program = desk.start(LAP, "dashboard", PYTHONUNBUFFERED="1")
        eventually(lambda: "token=" in self.program.output(), 20, "the dashboard's address")
        self.url = re.findall(r"http://\S+", self.program.output())[0]
        self.base, _, self.token = self.url.partition("?token=")

    def ask(self, path: str, method: str = "GET", **headers: str) -> int:
        """The status of an answer."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            with urlopen(Request(f"{self.base}{path}", method=method, headers=named), timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with desk_in(tmp_path_factory.mktemp("desk")) as desk:
        yield Served(desk)


def test_without_a_session_there_is_none(desk: Desk) -> None:
    assert desk.lap("dashboard").returncode == 3


def test_it_listens_on_the_loopback_and_wants_the_token(served: Served) -> None:
    assert served.base.startswith("http://127.0.0.1:")
    assert len(served.token) >= 24
    assert served.ask(f"?token={served.token}") == 200
    for path in ("", "?token=wrong", "events", "events?token=wrong"):
        assert served.ask(path) == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X_Lap_Token": "wrong"}, 403),
        ({"X_Lap_Token": "", "Origin": "http://evil.example"}, 403),
        ({"X_Lap_Token": "TOKEN", "Origin": "http://evil.example"}, 403),
        ({"X_Lap_Token": "TOKEN", "Origin": "null"}, 403),
        ({"X_Lap_Token": "TOKEN", "Sec_Fetch_Site": "cross-site"}, 403),
        ({"X_Lap_Token": "TOKEN", "Host": "evil.example"}, 400),
        ({"Cookie": "token=TOKEN"}, 403),
    ],
)
def test_a_stranger_can_not_stop_the_session(served: Served, headers: dict[str, str], status: int) -> None:
    known = {name: text.replace("TOKEN", served.token) for name, text in headers.items()}
    assert served.ask("kill", "POST", **known) == status
    assert served.ask(f"kill?token={served.token}", "GET") == 405
    assert not (served.desk.directory / "kill.txt").exists()


def test_the_stream_says_what_status_says(served: Served) -> None:
    with urlopen(f"{served.base}events?token={served.token}", timeout=10) as answer:
        kind, data = answer.readline().decode(), answer.readline().decode()
    assert kind == "event: look\n"
    seen = json.loads(data.removeprefix("data: "))["seen"]
    status = json.loads(served.desk.lap("status", "--json").stdout)
    assert seen.keys() == status.keys()
    assert seen["run_id"] == status["run_id"]


@needs_browser
def test_a_person_sees_the_session_and_can_stop_it(served: Served, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.look(1200, 900)
        page.open(served.url)
        page.wait("document.getElementById('state').textContent === 'live'")
        page.wait("document.querySelectorAll('#services tr').length === 4")
        page.wait("document.querySelectorAll('#price canvas, #equity canvas').length === 2", 20)
        page.wait("document.querySelectorAll('#log p').length > 3")
        words = page.tell("document.querySelector('#now').innerText")
        assert {"Price", "Equity"} <= set(words.splitlines())
        page.wait("document.querySelector('#services').innerText.includes('ticks/s')")
        assert "market time 2025-01-01" in page.tell("document.querySelector('#clock').textContent")
        candles = "document.querySelector('#price canvas').toDataURL().length"
        assert page.tell(candles) > 2_000, "something is drawn"
        page.click("#kill")
        assert page.tell("document.getElementById('sure').open")
        page.click("#no")
        assert not page.tell("document.getElementById('sure').open")
        assert not (served.desk.directory / "kill.txt").exists()
        page.click("#kill")
        page.click("#yes")
        page.wait("document.getElementById('state').textContent === 'ended: kill'", 20)
        assert served.ask("kill", "POST", X_Lap_Token=served.token) == 409
        assert not (served.desk.directory / "kill.txt").exists(), "nothing that keeps the next session from starting"
        assert served.session.wait(20) == 0
        assert served.desk.summary()["stop_detail"] == "lap dashboard"
        assert served.program.wait(20) == 0, "it leaves with the session"
        assert page.complaints == []
        assert all(url.startswith(served.base) for url in page.requests)
