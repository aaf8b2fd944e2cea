"""The strategy's side of the barrier: the same answer to the same question, also after a restart."""

from decimal import Decimal as D
from pathlib import Path

import pytest
from builders import strategy_config

from bus.messages import Account, Candle, Decide, Decision, Recall, Side, StreamInfo
from services.strategy.built_in.sma_cross import SmaCross, SmaCrossParams
from services.strategy.core import StrategyCore
from services.strategy.interface import Answer, Context, Strategy, StrategyError
from services.strategy.loading import load_strategy

CONFIG = strategy_config()
ZERO = D(0)
ACCOUNT = Account(D(10_000), D(10_000), ZERO, Side.FLAT, ZERO, ZERO, ZERO, ZERO, 0, 0, False)
FALL_THEN_RISE = [10.0, 9.0, 8.0, 7.0, 6.0, 9.0, 12.0]
"""With averages of 1 and 2 closes: below until 6, above from the first 9 on."""


def candle(index: int, close: float, *, complete: bool = True) -> Candle:
    return Candle(index + 1, 0, "BTCUSDT", 1_000, index * 1_000, close, close, close, close, 1.0, complete)


def question(*candles: Candle) -> Decide:
    return Decide(candles[-1].open_ms, candles, ACCOUNT)


def core() -> StrategyCore:
    return StrategyCore(CONFIG, SmaCross(SmaCrossParams(fast=1, slow=2)))


def answers(strategy: StrategyCore, closes: list[float], *, complete: bool = True) -> list[str]:
    said = []
    for index, close in enumerate(closes):
        (answer,) = strategy.handle(question(candle(index, close, complete=complete)), 0)
        assert isinstance(answer, Decision)
        said.append("".join(signal.side[0] for signal in answer.signals) or ".")
    return said


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        (FALL_THEN_RISE, ". . . . . L ."),
        ([6.0, 7.0, 8.0, 6.0, 5.0], ". . . S ."),
        ([5.0, 5.0, 5.0], ". . ."),
        ([5.0, 5.0, 6.0], ". . L"),
        ([5.0, 5.0, 4.0], ". . S"),
        ([5.0, 6.0, 6.0, 7.0], ". . . L"),
        ([1e9, 1e9 + 0.1, 1e9], ". . ."),
    ],
    ids=[
        "cross up",
        "cross down",
        "flat",
        "up from equal",
        "down from equal",
        "up again from equal",
        "within rounding",
    ],
)
def test_sma_cross_signals_on_the_crossing_alone(closes: list[float], expected: str) -> None:
    assert answers(core(), closes) == expected.split()


def test_sma_cross_counts_incomplete_candles_and_signals_on_none() -> None:
    assert answers(core(), FALL_THEN_RISE, complete=False) == ["."] * 7


def test_a_signal_bears_the_sessions_stop_and_target_and_the_candles_end() -> None:
    strategy = core()
    strategy.handle(question(candle(0, 5.0)), 0)
    strategy.handle(question(candle(1, 5.0)), 0)
    (answer,) = strategy.handle(question(candle(2, 6.0)), 0)
    assert isinstance(answer, Decision)
    (signal,) = answer.signals
    assert (signal.ts_ms, signal.stop_bps, signal.tp_r, signal.limit_price) == (3_000, 30.0, 1.5, 0.0)


def test_history_warms_up_and_gives_no_signals() -> None:
    history = tuple(candle(index, close) for index, close in enumerate(FALL_THEN_RISE[:5]))
    strategy = core()
    info = StreamInfo("BTCUSDT", 1_000, "tick", D("0.1"), D(1), D(1), history)
    assert strategy.handle(info, 0) == []
    (answer,) = strategy.handle(question(candle(5, 9.0)), 0)
    assert isinstance(answer, Decision)
    assert [signal.side for signal in answer.signals] == [Side.LONG]


def test_of_several_candles_at_once_only_the_last_is_answered_for() -> None:
    strategy = core()
    candles = [candle(index, close) for index, close in enumerate(FALL_THEN_RISE)]
    (answer,) = strategy.handle(question(*candles), 0)
    assert answer == Decision(6_000, ())


def test_it_tells_how_far_it_is_from_being_warm() -> None:
    strategy = core()
    history = (candle(0, 5.0),)
    assert (strategy.status().missing, strategy.status().warm_at_ms) == (3, None)
    strategy.handle(StreamInfo("BTCUSDT", 1_000, "tick", D("0.1"), D(1), D(1), history), 0)
    assert (strategy.status().missing, strategy.status().warm_at_ms) == (2, 3_000)
    strategy.handle(question(candle(1, 5.0)), 0)
    strategy.handle(question(candle(2, 5.0)), 0)
    assert (strategy.status().missing, strategy.status().warm_at_ms) == (0, 3_000)


def test_asked_again_it_repeats_the_answer() -> None:
    strategy = core()
    answers(strategy, FALL_THEN_RISE[:5])
    asked = question(candle(5, 9.0))
    first = strategy.handle(asked, 0)
    assert strategy.handle(asked, 0) == first
    assert first != [Decision(5_000, ())]


@pytest.mark.parametrize("known", range(8))
def test_one_that_starts_again_goes_on_as_if_nothing_had_happened(known: int) -> None:
    questions = [question(candle(index, close)) for index, close in enumerate([*FALL_THEN_RISE, 3.0])]
    twin = core()
    expected = [twin.handle(asked, 0) for asked in questions]
    again = core()
    again.handle(Recall(tuple(questions[:known]), more=False), 0)
    assert [again.handle(asked, 0) for asked in questions[known:]] == expected[known:]


def test_the_last_recalled_question_is_answered_as_before() -> None:
    questions = [question(candle(index, close)) for index, close in enumerate(FALL_THEN_RISE[:6])]
    again = core()
    again.handle(Recall(tuple(questions), more=False), 0)
    (answer,) = again.handle(questions[-1], 0)
    assert isinstance(answer, Decision)
    assert [signal.side for signal in answer.signals] == [Side.LONG]


@pytest.mark.parametrize("twice", [1, 3, 6])
def test_a_recall_that_comes_twice_changes_no_answer(twice: int) -> None:
    """It says hello again when the broker is slow to answer, and is then told everything twice."""
    questions = [question(candle(index, close)) for index, close in enumerate(FALL_THEN_RISE[:6])]
    again = core()
    again.handle(Recall(tuple(questions), more=False), 0)
    again.handle(Recall(tuple(questions[-twice:]), more=False), 0)
    (answer,) = again.handle(questions[-1], 0)
    assert isinstance(answer, Decision)
    assert [signal.side for signal in answer.signals] == [Side.LONG]


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("nonsense", {}, "no strategy is called 'nonsense'"),
        ("sma_crosss", {}, "the nearest is 'sma_cross'"),
        ("no.such:Thing", {}, "can not be imported"),
        ("json:Nothing", {}, "has no class Nothing"),
        ("json:dumps", {}, "is no class"),
        ("json:JSONDecoder", {}, "is no strategy: write 'class JSONDecoder\\(Strategy\\):'"),
        ("services.strategy.interface:Strategy", {}, "has no method on_candle"),
        ("sma_cross", {"fast": 5, "slow": 5}, "fast must be below slow"),
        ("sma_cross", {"fast": 0}, "fast must be at least 1, was 0"),
        ("sma_cross", {"fast": 2.5}, "fast must be a whole number, was 2.5"),
        ("sma_cross", {"fats": 5}, "no parameter 'fats'; the nearest is 'fast'"),
        ("ema_cross", {"stop_atr": float("nan")}, "stop_atr must be a finite number, was nan"),
        ("ema_cross", {"stop_atr": 0}, "stop_atr must be greater than 0"),
    ],
)
def test_a_strategy_that_can_not_be_loaded_is_refused_in_a_sentence(
    name: str, params: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(StrategyError, match=says):
        load_strategy(name, params, tmp_path)


class Draws(Strategy):
    """Takes the side that chance says."""

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        drawn = [context.draw(k) for k in range(50)]
        assert all(0 <= one < 1 for one in drawn)
        assert len(set(drawn)) == len(drawn)
        return context.market(Side.LONG if drawn[0] < 0.5 else Side.SHORT, str(drawn[0]))


def drawn(questions: list[Decide], seed: int) -> list[str]:
    strategy = StrategyCore(strategy_config(seed=seed), Draws(None))
    return [signal.reason for asked in questions for answer in strategy.handle(asked, 0) for signal in answer.signals]  # type: ignore[union-attr]


def test_draws_hang_on_seed_and_decision_alone() -> None:
    questions = [question(candle(index, 5.0)) for index in range(6)]
    assert drawn(questions, 7)[3:] == drawn(questions[3:], 7)
    assert len(set(drawn(questions, 7))) == 6
    assert not set(drawn(questions, 7)) & set(drawn(questions, 8))
