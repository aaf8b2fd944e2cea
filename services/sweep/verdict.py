"""What a sweep says, and what that is worth, in sentences. Pure."""

from collections.abc import Iterator, Sequence
from math import isfinite
from statistics import fmean, stdev

from bus.messages import StopReason
from services.sweep.figures import Goal
from services.sweep.luck import Shape, deflated_sharpe, expected_best
from services.sweep.plan import TEST, TRAIN, Plan
from services.sweep.space import texts_of
from services.sweep.table import Done, FoldResult, best_of, efficiency


def verdict(plan: Plan, runs: Sequence[Done], results: Sequence[FoldResult]) -> list[str]:
    """The sentences a person reads first."""
    goal = Goal(plan.figure)
    words = [*_whole(runs, goal)] if not plan.folds else [*_forward(results, runs, goal)]
    return [*words, *_unranked(runs, goal), *_cut_short(runs), *_left_out(runs)]


def number(value: float | None) -> str:
    """A figure in few digits: `1,234.57`, `0.0123`, a count as `12`, a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:.4g}"


def _whole(runs: Sequence[Done], goal: Goal) -> Iterator[str]:
    best = best_of(runs, goal)
    if best is None:
        yield f"No run has a {goal.figure}."
        return
    scores = [score for _, outcome in runs if (score := goal.score(outcome.figures)) is not None]
    value = number(best[1].figures[goal.figure]) if isfinite(max(scores)) else "without end (no trade lost)"
    yield f"Of {len(scores):,} trial{'s' if len(scores) > 1 else ''} the best has {goal.figure} {value}: {texts_of(best[0].values)}."
    if not isfinite(max(scores)):
        return
    lucky = expected_best(scores)
    if lucky is None or min(scores) == max(scores):
        return
    mean, spread = number(goal.sign * fmean(scores)), number(stdev(scores))
    is_more = scores and (goal.score(best[1].figures) or 0.0) > lucky
    yield (
        f"All together have a mean of {mean} and a standard deviation of {spread}: if the parameters meant nothing, the "
        f"best of so many would come to about {number(goal.sign * lucky)} by luck. "
        f"{'It did better than that.' if is_more else 'It did no better than that.'}"
    )
    yield _deflated(best, runs)


def _deflated(best: Done, runs: Sequence[Done]) -> str:
    sharpes = [outcome.shape[1] for _, outcome in runs if outcome.shape is not None]
    probability = None if best[1].shape is None else deflated_sharpe(Shape(*_shape(best)), sharpes)
    if probability is None:
        return "There is no deflated Sharpe ratio: it needs 30 days in which equity moved, and two trials."
    return (
        f"Deflated Sharpe ratio of the best: {probability:.3f}. That is the probability that it is better than nothing at "
        f"all, after {len(sharpes):,} trials over {best[1].shape[0] if best[1].shape else 0:.0f} days; below 0.95 it is "
        "usually taken for luck."
    )


def _shape(done: Done) -> tuple[int, float, float, float]:
    assert done[1].shape is not None, "looked at before"
    days, sharpe, skewness, kurtosis = done[1].shape
    return int(days), sharpe, skewness, kurtosis


def _forward(results: Sequence[FoldResult], runs: Sequence[Done], goal: Goal) -> Iterator[str]:
    trials = sum(job.part == TRAIN for job, _ in runs)
    tested = [result.tested[1] for result in results if result.tested is not None and result.tested[1].status == "ok"]
    nets = [outcome.figures["net_pnl"] or 0.0 for outcome in tested]
    yield (
        f"{len(results):,} folds, {trials:,} trials in sample: the best of each by {goal.figure} was tried in the window "
        "after it, where nothing had been chosen."
    )
    if not tested:
        yield "No fold has a trial that could be tried out of sample."
        return
    won = sum(net > 0 for net in nets)
    yield f"Out of sample {won:,} of {len(nets):,} windows ended with a profit; together they made {sum(nets):,.2f}."
    ratio = efficiency(results)
    yield (
        "There is no walk-forward efficiency: the chosen trials made no profit in sample."
        if ratio is None
        else f"Walk-forward efficiency: {ratio:.2f}, profit a day out of sample over profit a day in sample."
    )


def _unranked(runs: Sequence[Done], goal: Goal) -> Iterator[str]:
    scores = [goal.score(outcome.figures) for job, outcome in runs if outcome.status == "ok" and job.part != TEST]
    if scores.count(None) and len(scores) > scores.count(None):
        yield f"{scores.count(None):,} of {len(scores):,} trials have no {goal.figure}, and are not compared."


def _cut_short(runs: Sequence[Done]) -> Iterator[str]:
    ended = sum(outcome.stop_reason == StopReason.CIRCUIT_BREAKER for _, outcome in runs)
    if ended:
        yield f"{ended:,} of {len(runs):,} runs were ended by the circuit breaker, before their data were at an end."


def _left_out(runs: Sequence[Done]) -> Iterator[str]:
    for status, word in (("refused", "were refused"), ("failed", "failed")):
        found = [(job, outcome) for job, outcome in runs if outcome.status == status]
        if found:
            job, outcome = found[0]
            yield f"{len(found):,} of {len(runs):,} runs {word}, the first ({texts_of(job.values)}): {outcome.error}."
