"""The strategy's side of the decision barrier, pure: questions in, answers out, the same answer to the same question.

It learns candles from the questions alone, so that it and the broker can not disagree about what had happened.
"""

from bus.messages import Candle, Decide, Decision, Message, Recall, Signal, StrategyStatus, StreamInfo
from services.strategy.config import StrategyConfig
from services.strategy.interface import Context, Strategy


class StrategyCore:
    """Answers `Decide` with `Decision`.

    Args:
        config: the room's settings.
        strategy: a new strategy that has seen nothing.
    """

    def __init__(self, config: StrategyConfig, strategy: Strategy) -> None:
        self._config = config
        self._strategy = strategy
        self._seen_open_ms = -1
        self._missing = strategy.warmup
        self._interval_ms = 1
        self._answer: Decision | None = None

    @property
    def seen_open_ms(self) -> int:
        """Open time of the newest candle it has seen; -1 before the first."""
        return self._seen_open_ms

    def status(self) -> StrategyStatus:
        """Return how far it is from being warm."""
        return StrategyStatus(self._missing, self._interval_ms, self._seen_open_ms)

    def handle(self, message: Message, now_ms: int) -> list[Message]:
        """Take the history, earlier questions (answered again in silence) or a question."""
        match message:
            case StreamInfo():
                self._interval_ms = message.interval_ms
                for candle in message.history:
                    self._tell(candle)
            case Recall():
                for question in message.questions:
                    if question.open_ms > self._seen_open_ms:  # told twice, it must not forget the last answer
                        self._decide(question)
            case Decide():
                return [self._decide(message)]
        return []

    def _decide(self, question: Decide) -> Decision:
        if self._answer is not None and self._answer.open_ms == question.open_ms:
            return self._answer
        for candle in question.candles[:-1]:
            self._tell(candle)
        last = question.candles[-1]
        signals: tuple[Signal, ...] = ()
        if last.open_ms > self._seen_open_ms:
            self._see(last)
            signals = tuple(self._strategy.on_candle(self._context(last, question), last))
        self._answer = Decision(question.open_ms, signals)
        return self._answer

    def _tell(self, candle: Candle) -> None:
        """Tell a candle as history; its signals go nowhere."""
        if candle.open_ms > self._seen_open_ms:
            self._see(candle)
            self._strategy.on_candle(self._context(candle, None), candle)

    def _see(self, candle: Candle) -> None:
        self._seen_open_ms = candle.open_ms
        self._missing = max(0, self._missing - 1)

    def _context(self, candle: Candle, question: Decide | None) -> Context:
        account = question.account if question is not None else None
        return Context(self._config.symbol, candle.close_ms, account, self._config.stop_bps, self._config.tp_r)
