"""The Clone pattern's reading half, pure: every market event once, in order, whatever the publisher dropped.

A reader offers what it hears on the stream and what it was sent on request; it gets back what may be worked off now.
A hole is a fact: `missing` says after which `seq` to ask for more.
"""

from collections.abc import Iterable

from bus.messages import MarketEvent

HELD_LIMIT = 50_000
"""Events kept beyond a hole; past that the newest are dropped and asked for again."""


class StreamReader:
    """Puts the market stream in order from the event after `last_seq`."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self._known_seq = last_seq
        self._held: dict[int, MarketEvent] = {}

    def offer(self, events: Iterable[MarketEvent]) -> list[MarketEvent]:
        """Return the events that follow without a hole, in order of `seq`; doubles vanish."""
        ready: list[MarketEvent] = []
        for event in events:
            if event.seq == self.last_seq + 1:
                ready.append(event)
                self.last_seq = event.seq
                if self._held:
                    self._held.pop(event.seq, None)  # it may have come both ways
                    self._release(ready)
            elif event.seq > self.last_seq:
                self._hold(event)
        return ready

    def heard_of(self, last_seq: int) -> None:
        """Take note that the feed has published up to `last_seq`."""
        self._known_seq = max(self._known_seq, last_seq)

    @property
    def missing(self) -> bool:
        """Whether events after `last_seq` exist that are not here."""
        return bool(self._held) or self._known_seq > self.last_seq

    def _hold(self, event: MarketEvent) -> None:
        self.heard_of(event.seq)
        if len(self._held) < HELD_LIMIT:
            self._held[event.seq] = event

    def _release(self, ready: list[MarketEvent]) -> None:
        while (event := self._held.pop(self.last_seq + 1, None)) is not None:
            ready.append(event)
            self.last_seq = event.seq
