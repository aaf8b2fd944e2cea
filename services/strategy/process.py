"""The strategy's composition root: history from the feed, earlier questions from the broker, then question, answer.

What it is told is worked off one piece at a time, with the loop's beats between: a slow strategy that has much to catch
up with is not a hung one.
"""

from collections import deque
from pathlib import Path

from msgspec.structs import replace

from bus import messages as m
from services import log
from services.clock import iso, monotonic_ms
from services.runner import ConfigError, Runner
from services.session.state import Session
from services.strategy.attempts_file import AttemptsFile
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.interface import StrategyError
from services.strategy.loading import load_strategy
from services.strategy.memory_rlimit import build_memory_wall

ASK_EVERY_MS = 250
STATUS_EVERY_MS = 1_000
MANY_CANDLES = 100
"""In one question; nearly all have one."""
TURN_MS = 100
"""The strategy's code is called for at most so long, and the call that is running, until the loop turns."""


class StrategyShell:
    """Joins the core to its two conversations."""

    def __init__(self, runner: Runner, session: Session, core: StrategyCore) -> None:
        self._runner = runner
        self._core = core
        self._todo: deque[m.Message] = deque()
        self._waiting: m.QuestionKey | None = None
        """The question that is not worked off yet: asked again meanwhile, it is the same."""
        self._informed = False
        self._recalled = False
        self._may_answer_at_once = True
        """Once a turn: a broker that asks as fast as it is answered shall not keep the loop from turning."""
        self._logged = 0
        self._next_ask_ms = self._next_status_ms = 0
        self._told_of_warmup = False
        self._feed = runner.bus.client(session.ports["feed_rpc"])
        self._broker = runner.bus.client(session.ports["broker_rpc"])
        runner.listen(self._feed, self._hear_feed)
        runner.listen(runner.bus.connections(self._broker), self._reached_broker)
        runner.listen(self._broker, self._hear_broker)

    def on_turn(self, now_ms: int) -> int:
        """Work off what was told; ask for what is missing, until it is there."""
        self._may_answer_at_once = True
        self._work_off(now_ms + TURN_MS)
        if now_ms >= self._next_ask_ms and not self._todo:
            self._next_ask_ms = now_ms + ASK_EVERY_MS
            if not self._informed:
                self._feed.send(m.InfoRequest())
            elif not self._recalled:
                self._say_hello()
        if now_ms >= self._next_status_ms:
            self._next_status_ms = now_ms + STATUS_EVERY_MS
            self._runner.publisher.send(self._core.status())
        if self._todo:
            return 0
        return self._next_status_ms - now_ms if self._recalled else self._next_ask_ms - now_ms

    def close(self, shutdown: m.Shutdown) -> bool:
        """Leave: nothing of a strategy is worth keeping, it is rebuilt from its inputs."""
        return True

    def _hear_feed(self, message: m.Message) -> None:
        if isinstance(message, m.StreamInfo) and not self._informed:
            self._informed = True
            self._todo.append(replace(message, history=()))
            self._todo += [replace(message, history=(candle,)) for candle in message.history]

    def _reached_broker(self, _: object) -> None:
        """A broker that has just started knows nobody: make it ask."""
        if self._informed:
            self._say_hello()

    def _say_hello(self) -> None:
        self._broker.send(m.StrategyHello(self._core.seen_seq))

    def _hear_broker(self, message: m.Message) -> None:
        match message:
            case m.Recall():
                for question in message.questions:
                    self._tell_ahead(question)
                    self._todo.append(m.Recall((question,), more=True))
                self._todo.append(m.Recall((), message.more))
            case m.Decide() if self._recalled and message.key != self._waiting:
                self._waiting = message.key
                self._tell_ahead(message)
                self._todo.append(message)
                if self._may_answer_at_once:
                    self._may_answer_at_once = False
                    self._work_off(monotonic_ms() + TURN_MS)

    def _tell_ahead(self, question: m.Decide) -> None:
        """Have the candles of a wide hole told one by one, that the loop turns in between; the question then skips them."""
        if len(question.candles) > MANY_CANDLES:
            self._todo += question.candles[:-1]

    def _work_off(self, until_ms: int) -> None:
        while self._todo:
            self._work(self._todo.popleft())
            if monotonic_ms() >= until_ms:
                return

    def _work(self, message: m.Message) -> None:
        answers = self._core.handle(message, 0)
        self._log_failures()
        for answer in answers:
            self._broker.send(answer)
        match message:
            case m.StreamInfo() if not self._todo:
                self._say_hello()
            case m.Recall(questions=()) if message.more:
                self._say_hello()
            case m.Recall(questions=()):
                self._recalled = self._runner.ready = True
                for failed in self._core.failures:
                    self._broker.send(failed)
            case m.Decide():
                self._waiting = None
                self._tell_of_warmup()

    def _log_failures(self) -> None:
        """Write what the strategy's code raised into this process's log; the broker makes the incident of it."""
        for failed in self._core.failures[self._logged :]:
            where = f"the tick {failed.tick_seq}" if failed.tick_seq else f"the candle of {iso(failed.open_ms)}"
            log.write(m.Level.ERROR, "strategy_failed", f"failed on {where}: {failed.detail}\n{failed.trace}")
        self._logged = len(self._core.failures)

    def _tell_of_warmup(self) -> None:
        """Say once, when the first candle is known, until when nothing can be signalled."""
        status = self._core.status()
        if status.missing and not self._told_of_warmup and status.warm_at_ms is not None:
            text = (
                f"no signal before {iso(status.warm_at_ms)}: until then the strategy warms up live, having no history"
            )
            self._runner.notice(m.Level.INFO, "warming_up", text)
        self._told_of_warmup = True


def compose(runner: Runner, session: Session) -> StrategyShell:
    """Build the strategy.

    Raises:
        ConfigError: the strategy can not be loaded.
    """
    config = StrategyConfig.from_settings(session.settings)
    build_memory_wall(int(session.settings["max_strategy_memory_mb"]))
    try:
        strategy = load_strategy(config.name, config.params, Path(session.root))
    except StrategyError as error:
        raise ConfigError(str(error)) from None
    attempts = AttemptsFile(session.state_dir)
    return StrategyShell(runner, session, StrategyCore(config, strategy, attempts))
