"""The same talk inside one process, first in, first out: for replay and tests. No threads, no time of its own.

Cores are joined by a `MemoryBus`: what one returns is delivered to those who listen to its class, in the order in
which it was said, until nobody has anything more to say.
"""

from collections import deque
from collections.abc import Callable, Iterable

from bus.messages import Message

Listener = Callable[[Message], Iterable[Message]]


class MemoryBus:
    """Delivers messages to listeners, one at a time, in order."""

    def __init__(self) -> None:
        self._listeners: dict[type, list[Listener]] = {}
        self._queue: deque[Message] = deque()

    def subscribe(self, listener: Listener, classes: Iterable[type]) -> None:
        """Call `listener` with each message of these classes; what it returns is said next."""
        for cls in classes:
            self._listeners.setdefault(cls, []).append(listener)

    def say(self, *messages: Message) -> None:
        """Deliver messages and everything that is said because of them."""
        self._queue.extend(messages)
        while self._queue:
            message = self._queue.popleft()
            for listener in self._listeners.get(type(message), ()):
                self._queue.extend(listener(message))
