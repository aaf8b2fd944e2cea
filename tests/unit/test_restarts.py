"""When a service is started again: so often within a window, at once the first time, later each time after."""

import pytest

from services.supervision.restarts import BASE_DELAY_MS, MAX_DELAY_MS, RestartPolicy

WINDOW_MS = 600_000


def test_the_first_restart_comes_at_once() -> None:
    assert RestartPolicy(3, WINDOW_MS).failed(0, jitter=1.0) == 0


def test_later_ones_wait_longer_each_time() -> None:
    policy = RestartPolicy(10, WINDOW_MS)
    delays = [policy.failed(at, jitter=1.0) for at in range(4)]
    assert delays == [0, 2 * BASE_DELAY_MS, 4 * BASE_DELAY_MS, 8 * BASE_DELAY_MS]


def test_waiting_is_capped_and_jitter_takes_at_most_half() -> None:
    policy = RestartPolicy(100, WINDOW_MS)
    delays = [policy.failed(0, jitter=0.0) for _ in range(20)]
    assert delays[-1] == MAX_DELAY_MS // 2


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_one_failure_more_than_allowed_is_final(allowed: int) -> None:
    policy = RestartPolicy(allowed, WINDOW_MS)
    answers = [policy.failed(at, jitter=0.5) for at in range(allowed + 1)]
    assert answers[-1] is None
    assert None not in answers[:-1]


def test_failures_that_left_the_window_are_forgotten() -> None:
    policy = RestartPolicy(1, WINDOW_MS)
    assert policy.failed(0, jitter=0.5) == 0
    assert policy.failed(WINDOW_MS + 1, jitter=0.5) == 0
    assert policy.failed(WINDOW_MS + 2, jitter=0.5) is None
