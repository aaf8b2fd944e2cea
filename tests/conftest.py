"""Fixtures of all tests."""

import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from processes import Desk, desk_in
from provoking import is_proved


def pytest_configure() -> None:
    """Start sessions as a terminal does, even when the tests themselves run under nohup, which sessions heed."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A working directory of its own; whatever was started in it ends with the test.

    What the test says that it provokes (`provoking`) must have come about there.
    """
    with desk_in(tmp_path) as desk:
        yield desk
        claims = [claim for mark in request.node.iter_markers("provokes") for claim in mark.args]
        assert [claim for claim in claims if not is_proved(desk, claim)] == [], desk.show()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 - pytest's name
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed test's processes had to say."""
    report = yield
    found = getattr(item, "funcargs", {}).get("desk")
    if report.when == "call" and report.failed and found is not None:
        report.sections.append(("processes", found.show()))
    return report
