"""A strategy's process beats between any two calls of the strategy, however much it has to catch up with."""

from collections.abc import Callable
from typing import Any

from builders import T0, candle, strategy_config, stream

from bus.messages import Account, Candle, Decide, Message, Recall, Side
from services.broker.decimals import ZERO
from services.strategy.core import StrategyCore
from services.strategy.interface import Answer, Context, Strategy
from services.strategy.process import StrategyShell

ACCOUNT = Account(ZERO, ZERO, ZERO, Side.FLAT, ZERO, ZERO, ZERO, ZERO, 0, 0, False)
MINUTE = 60_000


class Counting(Strategy):
    def __init__(self) -> None:
        self.calls = 0

    def on_candle(self, context: Context, candle: Candle) -> Answer:
        self.calls += 1
        return None


class Wire:
    """A client that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> bool:
        self.sent.append(message)
        return True


class Loop:
    """What a shell needs of a runner and its bus; handlers are called by the test."""

    def __init__(self) -> None:
        self.ready = False
        self.publisher = self
        self.bus = self
        self.heard: dict[int, Callable[[Any], None]] = {}
        self.ports = {"feed_rpc": 1, "broker_rpc": 2}
        self.wires = {1: Wire(), 2: Wire()}

    def client(self, port: int) -> Wire:
        return self.wires[port]

    def connections(self, wire: Wire) -> object:
        return object()

    def listen(self, receiver: object, handler: Callable[[Any], None]) -> None:
        self.heard[id(receiver)] = handler

    def send(self, message: Message) -> None:
        """Nobody listens."""

    def notice(self, *_: object, **__: object) -> None:
        """Nobody reads."""

    def say(self, port: int, message: Message) -> None:
        self.heard[id(self.wires[port])](message)


def question(minute: int) -> Decide:
    return Decide(T0 + minute * MINUTE, (candle(minute + 1, minute * MINUTE),), ACCOUNT)


def test_what_is_to_be_caught_up_with_waits_for_the_turn_and_a_question_does_not() -> None:
    strategy, loop = Counting(), Loop()
    shell = StrategyShell(loop, loop, StrategyCore(strategy_config(), strategy))  # type: ignore[arg-type]
    loop.say(1, stream())
    shell.on_turn(0)
    loop.say(2, Recall((question(0), question(1)), more=False))
    assert strategy.calls == 0
    while not loop.ready:
        shell.on_turn(0)
    assert strategy.calls == 2
    loop.say(2, question(2))
    assert (strategy.calls, type(loop.wires[2].sent[-1]).__name__) == (3, "Decision")
    loop.say(2, question(3))
    assert strategy.calls == 3, "a broker that asks as fast as it is answered must not keep the loop from turning"
    shell.on_turn(0)
    assert strategy.calls == 4
    loop.say(2, question(4))
    assert strategy.calls == 5
