"""The crash matrix: every service dies at every named point, long, short and flat, and nobody could tell afterwards.

Each case is a session of real processes on a data file; the oracle is what its uncrashed twin left. A few of them are
in the ordinary run, all others under `make chaos`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from crash_hook import POINTS, SIDES
from crashing import LIVE_SPEED, PLAYS, SLOW_SPEED, Twins, check_left, crash_order
from processes import desk_in

pytestmark = pytest.mark.timeout(900)

WORKERS = 3
"""Sessions at a time: a session waits most of its life."""
HELD = ("LONG", "SHORT")
ONE_SIDED = {
    "the commit of an entry": HELD,
    "the commit of an exit": HELD,
    "the commit of a maker's entry": HELD,
    "the commit of a FLAT": HELD,
    "the publish of an entry": HELD,
    "the publish of a trade": HELD,
    "the commit of a resting order": ("FLAT",),
    "the commit of a cancelled order": ("FLAT",),
    "the head": ("FLAT",),
    "of the head": ("FLAT",),
    "the answer with the head": ("FLAT",),
    "the opening of the journal": ("FLAT",),
    "the answer with events": ("FLAT",),
    "the hello": ("FLAT",),
}
"""Points that there are on some sides only: a session begins flat, an entry is long or short."""
OF_LIMITS = ("a resting order", "a cancelled order", "a maker's entry", "a FLAT")
FIRST_OF_TWO = {
    "the recall": "strategy, after the decision",
    "the restart": "broker, after the commit of an answer",
    "the answer with events": "broker, after the commit of an answer",
}
"""Points that are come to for certain only when a service starts again, and what kills it before."""
CONSTANTS: Mapping[str, Mapping[str, object]] = {
    "the checkpoint": {"services.broker.process:COMMIT_EVERY_MS": 0},
    "the packing": {"services.feed.packed_file:LEAST_BYTES": 0},
}
"""What comes once a second comes all the time; what is done to long recordings is done to short ones."""
HELLO_TWICE = ("services.strategy.process:StrategyShell._say_hello",)
"""As a strategy does when the broker is slow to answer: it is then told everything twice."""
SAMPLE = {
    "feed, within the flush, LONG",
    "feed, after the publish of a candle, FLAT",
    "strategy, before the answer with an order, FLAT",
    "strategy, after the recall, FLAT",
    "broker, within the commit of an entry, LONG",
    "broker, after the commit of an entry, SHORT",
    "broker, before the publish of a trade, LONG",
    "closing, before the report, LONG",
}


@dataclass(frozen=True)
class Case:
    """A point, and the account's side when it comes."""

    point: str
    side: str

    @property
    def name(self) -> str:
        return f"{self.point}, {self.side}"

    @property
    def points(self) -> list[str]:
        return [*(first for end, first in FIRST_OF_TWO.items() if self.point.endswith(end)), self.point]

    @property
    def play(self) -> str:
        is_flat_refused = self.point.endswith("refusal") and self.side == "FLAT"
        if self.point.endswith(OF_LIMITS) or self.point.startswith("strategy") or is_flat_refused:
            return "limits"
        return f"cross {self.side}" if self.is_at_the_end else "cross LONG"

    @property
    def is_at_the_end(self) -> bool:
        return self.point.endswith("the end") or self.point.startswith("closing")

    @property
    def speed(self) -> str:
        """The end of a session is the same however fast it came; a checkpoint wants a broker that is not behind."""
        if self.point.endswith("checkpoint"):
            return SLOW_SPEED
        return "max" if self.is_at_the_end else LIVE_SPEED


def sides_of(point: str) -> tuple[str, ...]:
    return next((sides for end, sides in ONE_SIDED.items() if point.endswith(end)), SIDES)


CASES = [Case(point, side) for point in POINTS for side in sides_of(point)]


def crash(case: Case, directory: Path, twins: Twins) -> None:
    """Play the case; raise with everything that was said when it did not go as it must."""
    play = PLAYS[case.play]
    twin = twins.of(play)
    with desk_in(directory) as desk:
        constants = next((values for end, values in CONSTANTS.items() if case.point.endswith(end)), {})
        doubled = HELLO_TWICE if case.point.endswith("answer with an order") else ()
        order = crash_order(desk, case.points, case.side, twin.moment_of(case.side), constants, doubled)
        program = play.session(desk, case.speed, **order)
        try:
            assert program.wait(90) == 0
            assert {mark.name for mark in (desk.directory / "marks").iterdir()} == set(case.points), (
                "a point was not met"
            )
            check_left(desk, program, twin)
            check_restarts(case, desk.summary()["restarts_by_service"])
        except AssertionError as error:
            raise AssertionError(f"{case.name}\n{error}\n{desk.show()}") from error


def check_restarts(case: Case, restarts: Mapping[str, int]) -> None:
    """One for each point; at the session's very end its stop may be known first, and the closing child is no service."""
    wanted = Counter(point.partition(",")[0] for point in case.points)
    del wanted["closing"]
    assert +Counter(restarts) == wanted or (case.point.endswith("the end") and not any(restarts.values()))


@pytest.fixture(scope="module")
def crashes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """The cases that were asked for, several at a time, in the order in which the tests look at them."""
    directory = tmp_path_factory.mktemp("crashes")
    twins = Twins(directory / "twins")
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    cases = [call.params["case"] for call in calls if isinstance(call.params.get("case"), Case)]
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = {
            case.name: pool.submit(crash, case, directory / f"case {number}", twins)
            for number, case in enumerate(cases)
        }
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=() if case.name in SAMPLE else pytest.mark.chaos) for case in CASES],
)
def test_a_service_that_dies_there_leaves_what_its_twin_left(case: Case, crashes: dict[str, Future[None]]) -> None:
    crashes[case.name].result()


def test_the_sample_names_cases() -> None:
    assert {case.name for case in CASES} >= SAMPLE
