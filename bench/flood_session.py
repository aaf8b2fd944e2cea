"""A live session around `flood_feed`: three supervised services as always, and the feed that floods them."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flood_feed import GO, Flood
from processes import LAP, Desk, eventually

from bus.messages import Heartbeat, Message
from bus.sockets import Bus, Subscriber
from services.session.keys_file import load_keys
from services.waiting import read_json

BENCH = Path(__file__).resolve().parent
SETTINGS = {
    "LAP_SOURCE": "mock",  # what the flood stands in for: known before the session, as a simulated market is
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_MAX_CONSECUTIVE_LOSSES": "1000000",
    "PYTHONPATH": str(BENCH),
}


@dataclass
class FloodSession:
    """A session that is ready, and a peer on its bus."""

    desk: Desk
    bus: Bus

    def listen(self, service: str, topics: Sequence[type[Message]]) -> Subscriber:
        """Listen to topics of a service."""
        port = self.desk.json(".lap", "session.json")["ports"][service]
        return self.bus.subscriber(port, topics)

    def go(self) -> None:
        """Open the flood."""
        (self.desk.directory / GO).touch()


@contextmanager
def flood_session(flood: Flood, **settings: str) -> Iterator[FloodSession]:
    """Start a session whose feed waits to flood it; end it."""
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place))
        flood.write(desk.directory)
        env = {**SETTINGS, **settings}
        try:
            desk.start(sys.executable, str(BENCH / "flood_feed.py"), **env)
            for service in ("strategy", "broker", "monitor"):
                desk.start(LAP, service, **env)
            key = desk.directory / ".lap" / "bus.key"
            eventually(key.exists, 60, "the session is open")
            eventually(lambda: read_json(key.parent / "session.json") is not None, 60, "the session is open")
            bus = Bus(load_keys(key.parent), "bench", 1)
            try:
                session = FloodSession(desk, bus)
                wait_ready(session)
                yield session
            finally:
                bus.close()
        except AssertionError:
            print(desk.show(), file=sys.stderr)
            raise
        finally:
            for program in desk.programs:
                program.end()


def wait_ready(session: FloodSession) -> None:
    """Wait until every service says that it is ready."""
    names = ("feed", "strategy", "broker", "monitor")
    listeners = [session.listen(name, [Heartbeat]) for name in names]
    ready: set[str] = set()

    def all_ready() -> bool:
        for listener in listeners:
            ready.update(beat.service for beat in listener.receive() if isinstance(beat, Heartbeat) and beat.ready)
        return len(ready) == len(names)

    eventually(all_ready, 60, "all services are ready")
