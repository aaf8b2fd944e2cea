"""Foresight: the answers of a strategy that looks at candles alone, for all of a stream's questions at once. Pure.

A strategy whose signals do not depend on the account can be worked out over columns before the first event is played.
Which ones can, and how, is the table below; a law in the tests holds each to its strategy.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bus.messages import Decide, Decision, Entry, Message, Side, Signal, StrategyFailed
from services.replay.columnar.columns import Columns, Flags, Floats, Ints
from services.replay.columnar.watch import Watch
from services.strategy.built_in.sma_cross import REASON, SmaCross
from services.strategy.built_in.sma_cross_columns import crossings
from services.strategy.config import StrategyConfig
from services.strategy.interface import Strategy

SIDES = {1: Side.LONG, -1: Side.SHORT}


class Foresight:
    """Answers questions from a table, in the place of the strategy's core.

    Attributes:
        places: the questions that are answered with a signal, in order, counted from 0.
        failures: none.
    """

    failures: Sequence[StrategyFailed] = ()

    def __init__(self, places: Ints, answers: Mapping[int, tuple[Signal, ...]]) -> None:
        self.places = places
        self._answers = answers

    def answer(self, open_ms: int) -> Decision:
        """Return the answer for a candle."""
        return Decision(open_ms, self._answers.get(open_ms, ()))

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take a question; anything else is known already."""
        if not isinstance(message, Decide):
            return []
        return [self.answer(message.open_ms)]


def foresee(strategy: Strategy, config: StrategyConfig, columns: Columns, watch: Watch) -> Foresight | None:
    """Return the answers to all questions, None for a strategy that has to be asked."""
    look = _LOOKS.get(type(strategy))
    history, candles = columns.info.history, columns.candles
    open_ms = np.concatenate([[one.open_ms for one in history], candles.open_ms]).astype(np.int64)
    if look is None or (np.diff(open_ms) <= 0).any():  # told a candle again, a strategy does not look at it
        return None
    closes = np.concatenate([[one.close for one in history], candles.close]).astype(np.float64)
    complete = np.concatenate([[one.complete for one in history], candles.complete]).astype(np.bool_)
    asked = watch.last_candles()
    signs, reason = look(strategy, closes, complete)
    signs = signs[len(history) :][asked]
    places = np.flatnonzero(signs)
    answers: dict[int, tuple[Signal, ...]] = {}
    for place in places.tolist():
        opened = int(candles.open_ms[asked[place]])
        closed = opened + candles.interval_ms
        known = config.known
        side = SIDES[int(signs[place])]
        signal = Signal(known.symbol, side, closed, known.stop_bps, known.tp_r, Entry.MARKET, 0.0, reason)
        answers[opened] = (signal,)
    return Foresight(places, answers)


def _sma_cross(strategy: SmaCross, closes: Floats, complete: Flags) -> tuple[Ints, str]:
    return crossings(strategy.params.fast, strategy.params.slow, closes, complete).astype(np.int64), REASON


_LOOKS: Mapping[type, Callable[..., tuple[Ints, str]]] = {SmaCross: _sma_cross}
