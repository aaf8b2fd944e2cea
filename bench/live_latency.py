"""From a tick's arrival to the broker's acknowledgement of the decision on it, against bare rounds of four hops.

Ours: the feed's source says a tick that closes a candle; feed, broker, strategy, broker; `OrderAccepted` arrives at a
listener. The peers make the same way over bare sockets with CURVE, once empty, once with what no session can leave out (see
`bare_rounds`): how far ours is from that is what could still be gained. SECONDS=n and REPEAT=n for other than 3 times 10
seconds of each.
"""

import os
import tempfile
from pathlib import Path

from bare_rounds import Empty, Laden, rounds
from crashing import own_ports
from flood_feed import SAID, START_MS, Flood
from flood_session import flood_session
from table import compare, quantile, run

from bus.messages import OrderAccepted
from services.clock import monotonic_ms, monotonic_ns

SECONDS = float(os.environ.get("SECONDS", "10"))
REPEAT = int(os.environ.get("REPEAT", "3"))
CANDLE_MS = 1_000


def decisions(per_second: float, every: int) -> list[float]:
    """Return how long each decision took, in ms; every so many ticks closes a candle."""
    ticks = int(SECONDS * per_second)
    flood = Flood(ticks, per_second, CANDLE_MS // every)
    heard_ns: dict[int, int] = {}
    with flood_session(flood, LAP_INTERVAL="1s", LAP_STRATEGY="flood_strategies:Always") as session:
        words = session.listen("broker", [OrderAccepted])
        session.go()
        end_ms = monotonic_ms() + int(SECONDS * 1000) + 10_000
        while len(heard_ns) < ticks // every - 1 and monotonic_ms() < end_ms:
            words.socket.poll(100)
            now_ns = monotonic_ns()
            for message in words.receive():
                assert isinstance(message, OrderAccepted)
                heard_ns[message.signal.ts_ms] = now_ns
        for program in session.desk.programs:
            program.wait(60)
        said_ns = session.desk.json(SAID)
    return [(at_ns - said_ns[(closed_ms - START_MS) // flood.step_ms]) / 1e6 for closed_ms, at_ns in heard_ns.items()]


def laden_rounds(per_second: float, every: int) -> list[float]:
    with tempfile.TemporaryDirectory() as place:
        return rounds(own_ports(), SECONDS, per_second, Laden(every, Path(place)))


def main() -> int:
    for per_second, every, targets in ((100, 1, {"p50": 1.5, "p99": 2.0}), (5_000, 50, {})):
        ours: list[float] = []
        empty: list[float] = []
        laden: list[float] = []
        for _ in range(REPEAT):
            ours += decisions(per_second, every)
            empty += rounds(own_ports(), SECONDS, per_second, Empty(every))
            laden += laden_rounds(per_second, every)
        for part, name in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")):
            what = f"tick to acknowledged decision at {per_second:,} ticks/s, {name}"
            wanted = f" (to reach: {targets[name]:g})" if name in targets else ""
            mine, least, bare = (quantile(times, part) for times in (ours, laden, empty))
            compare(f"{what}; empty rounds{wanted}", mine, bare, "ms", places=3)
            compare(f"{what}; laden rounds", mine, least, "ms", places=3)
            compare(f"{what}; not ours but laden over empty rounds: the least there is", least, bare, "ms", places=3)
    return 0


if __name__ == "__main__":
    run(main)
