"""Every stop reason, rejection reason, alert and state of a service has a test that brings real processes to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from provoking import outcomes

E2E = Path(__file__).parents[1] / "e2e"


def claims() -> Iterator[str]:
    """What the tests of real processes say that they provoke; the desk checks that they do."""
    for path in E2E.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.provokes":
                yield from (ast.literal_eval(argument) for argument in node.args)


def test_everything_a_session_can_come_to_is_provoked_by_a_test() -> None:
    assert outcomes() - set(claims()) == set()


def test_nothing_is_claimed_that_there_is_not() -> None:
    assert set(claims()) - outcomes() == set()


def test_there_is_something_to_claim() -> None:
    kinds = {outcome.partition(" ")[0] for outcome in outcomes()}
    assert kinds == {"stop_reason", "rejection", "state", "alert"}
    assert "alert event feed_lost" in outcomes()
    assert len(outcomes()) > 40
