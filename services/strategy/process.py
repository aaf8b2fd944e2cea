"""The strategy's composition root: history from the feed, earlier questions from the broker, then question, answer."""

from pathlib import Path

from bus import messages as m
from services.clock import iso
from services.runner import ConfigError, Runner
from services.session.state import Session
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.interface import StrategyError
from services.strategy.loading import load_strategy

ASK_EVERY_MS = 250
STATUS_EVERY_MS = 1_000


class StrategyShell:
    """Joins the core to its two conversations."""

    def __init__(self, runner: Runner, session: Session, core: StrategyCore) -> None:
        self._runner = runner
        self._core = core
        self._informed = False
        self._recalled = False
        self._next_ask_ms = self._next_status_ms = 0
        self._told_of_warmup = False
        self._feed = runner.bus.client(session.ports["feed_rpc"])
        self._broker = runner.bus.client(session.ports["broker_rpc"])
        runner.listen(self._feed, self._hear_feed)
        runner.listen(runner.bus.connections(self._broker), self._reached_broker)
        runner.listen(self._broker, self._hear_broker)

    def on_turn(self, now_ms: int) -> int:
        """Ask for what is missing, until it is there."""
        if now_ms >= self._next_ask_ms:
            self._next_ask_ms = now_ms + ASK_EVERY_MS
            if not self._informed:
                self._feed.send(m.InfoRequest())
            elif not self._recalled:
                self._say_hello()
        if now_ms >= self._next_status_ms:
            self._next_status_ms = now_ms + STATUS_EVERY_MS
            self._runner.publisher.send(self._core.status())
        return self._next_status_ms - now_ms if self._recalled else self._next_ask_ms - now_ms

    def close(self, shutdown: m.Shutdown) -> bool:
        """Leave: nothing of a strategy is worth keeping, it is rebuilt from its inputs."""
        return True

    def _hear_feed(self, message: m.Message) -> None:
        if isinstance(message, m.StreamInfo) and not self._informed:
            self._informed = True
            self._core.handle(message, 0)
            self._say_hello()

    def _reached_broker(self, _: int) -> None:
        """A broker that has just started knows nobody: make it ask."""
        if self._informed:
            self._say_hello()

    def _say_hello(self) -> None:
        self._broker.send(m.StrategyHello(self._core.seen_open_ms))

    def _hear_broker(self, message: m.Message) -> None:
        match message:
            case m.Recall():
                self._core.handle(message, 0)
                if message.more:
                    self._say_hello()
                else:
                    self._recalled = self._runner.ready = True
            case m.Decide() if self._recalled:
                for answer in self._core.handle(message, 0):
                    self._broker.send(answer)
                self._tell_of_warmup()

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
    try:
        strategy = load_strategy(config.name, config.params, Path(session.root))
    except StrategyError as error:
        raise ConfigError(str(error)) from None
    return StrategyShell(runner, session, StrategyCore(config, strategy))
