"""Live pipeline: ticks a second from the feed to the broker, against bare pyzmq with the same messages (`make bench-live`).

Ours is a real session: from the source's first word to the broker's last, everything in between done as always (recorded,
numbered, published, put in order, worked, journalled). Bare is a publisher and two subscribers with our codec.
REPEAT=n for other than 5 runs, of which the medians count; TICKS=n for other than 95,000 ticks.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from bare_zmq import fan_out
from crashing import own_ports
from flood_feed import SAID, Flood
from flood_session import flood_session
from table import compare, median, row, run

from bus.messages import SessionClosed
from services.clock import monotonic_ns

REPEAT = int(os.environ.get("REPEAT", "5"))
TICKS = int(os.environ.get("TICKS", "95000"))
STEP_MS = 100
LOOK_MS = 100


@dataclass(frozen=True)
class Passage:
    """One flood through a session.

    Attributes:
        per_second: ticks.
        lost: ticks.
        broker_mb: the broker's memory (resident) towards the end: what waits in it included, for it is flooded.
        state_bytes: what the broker writes with each commit, and loads when it starts again.
        heartbeat_bytes: what a look at the session reads.
    """

    per_second: float
    lost: int
    broker_mb: float
    state_bytes: int
    heartbeat_bytes: int


def passage(ticks: int) -> Passage:
    """Flood a session."""
    with flood_session(Flood(ticks, 0, STEP_MS)) as session:
        words = session.listen("broker", [SessionClosed])
        broker = psutil.Process(session.desk.service_pid("broker"))
        broker_mb = broker.memory_info().rss / 1e6
        session.go()
        while not (words.socket.poll(LOOK_MS) and list(words.receive())):
            with suppress(psutil.Error):
                broker_mb = broker.memory_info().rss / 1e6
        ended_ns = monotonic_ns()
        said_ns = session.desk.json(SAID)
        for program in session.desk.programs:
            program.wait(60)
        return Passage(
            per_second=ticks / ((ended_ns - said_ns[0]) / 1e9),
            lost=ticks - session.desk.summary()["tick_count"],
            broker_mb=broker_mb,
            state_bytes=_state_bytes(session.desk.run_dir / "journal.db"),
            heartbeat_bytes=(session.desk.directory / "logs" / "heartbeat.json").stat().st_size,
        )


def _state_bytes(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as reader:
        return int(reader.execute("SELECT length(snapshot) FROM state").fetchone()[0])


def main() -> int:
    ours: list[Passage] = []
    encrypted: list[float] = []
    plain: list[float] = []
    alone: list[float] = []
    flood = Flood(TICKS, 0, STEP_MS)
    for _ in range(REPEAT):
        ours.append(passage(TICKS))
        for subscribers, curve, rates in ((2, True, encrypted), (2, False, plain), (1, True, alone)):
            rate, lost = fan_out(own_ports(), flood, subscribers, curve=curve)
            assert not lost, f"the bare fan-out lost {lost}"
            rates.append(rate)
    middle = median([one.per_second for one in ours])
    what = f"live pipeline, {TICKS:,} ticks"
    compare(f"{what}; two bare subscribers, CURVE (to reach: 0.6)", middle, median(encrypted), "ticks/s")
    compare(f"{what}; two bare subscribers, plain", middle, median(plain), "ticks/s")
    compare(f"{what}; one bare subscriber, CURVE", middle, median(alone), "ticks/s")
    row(f"{what}: lost (to reach: 0)", str(sum(one.lost for one in ours)))
    return 0


if __name__ == "__main__":
    run(main)
