"""From a tick's arrival to the broker's acknowledgement of the decision on it, against bare rounds of four hops.

Ours: the feed's source says a tick that closes a candle; feed, broker, strategy, broker; `OrderAccepted` arrives at a
listener. The peers make the same way over bare sockets with CURVE: empty; with what no session can leave out (see `bare_rounds`); with the
session's own cores, recording and journal (see `core_rounds`). SECONDS=n and REPEAT=n for other than 3 times 10 seconds of each.
"""

import os
import tempfile
from pathlib import Path

from bare_rounds import Cargo, Empty, Laden, rounds
from core_rounds import Cores, alone
from crashing import own_ports
from flood_feed import SAID, START_MS, Flood
from flood_session import flood_session
from table import compare, quantile, run

from bus.messages import OrderAccepted
from services.clock import monotonic_ms, monotonic_ns

SECONDS = float(os.environ.get("SECONDS", "10"))
REPEAT = int(os.environ.get("REPEAT", "3"))
CANDLE_MS = 1_000
SETTINGS = {"LAP_INTERVAL": "1s", "LAP_STRATEGY": "flood_strategies:Always"}


def flood(per_second: float, every: int) -> Flood:
    """Return what the feed shall say; every so many ticks closes a candle."""
    return Flood(int(SECONDS * per_second), per_second, CANDLE_MS // every)


def decisions(plan: Flood) -> list[float]:
    """Return how long each decision of a session took, in ms."""
    # The first candle is that of the first trade, the second tick.
    wanted = (plan.ticks - 1) * plan.step_ms // CANDLE_MS - plan.step_ms // CANDLE_MS
    heard_ns: dict[int, int] = {}
    with flood_session(plan, **SETTINGS) as session:
        words = session.listen("broker", [OrderAccepted])
        session.go()
        end_ms = monotonic_ms() + int(SECONDS * 1000) + 10_000
        while len(heard_ns) < wanted and monotonic_ms() < end_ms:
            words.socket.poll(100)
            now_ns = monotonic_ns()
            for message in words.receive():
                assert isinstance(message, OrderAccepted)
                heard_ns[message.signal.ts_ms] = now_ns
        for program in session.desk.programs:
            program.wait(60)
        said_ns = session.desk.json(SAID)
    assert len(heard_ns) == wanted, "every decision is acknowledged in time"
    return [(at_ns - said_ns[(closed_ms - START_MS) // plan.step_ms]) / 1e6 for closed_ms, at_ns in heard_ns.items()]


def bare(per_second: float, cargo: Cargo) -> list[float]:
    """Return how long each bare round took, in ms."""
    return rounds(own_ports(), SECONDS, per_second, cargo)


def main() -> int:
    for per_second, every, targets in ((100, 1, {"p50": 1.5, "p99": 2.0}), (5_000, 50, {})):
        plan = flood(per_second, every)
        ours: list[float] = []
        empty: list[float] = []
        laden: list[float] = []
        cores: list[float] = []
        for _ in range(REPEAT):
            ours += decisions(plan)
            empty += bare(per_second, Empty(every))
            with tempfile.TemporaryDirectory() as place:
                laden += bare(per_second, Laden(every, Path(place)))
            with tempfile.TemporaryDirectory() as place:
                cores += bare(per_second, Cores(plan, CANDLE_MS, SETTINGS, Path(place)))
        for part, name in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")):
            what = f"tick to acknowledged decision at {per_second:,} ticks/s, {name}"
            wanted = f" (to reach: {targets[name]:g})" if name in targets else ""
            mine, least, own, none = (quantile(times, part) for times in (ours, laden, cores, empty))
            compare(f"{what}; empty rounds{wanted}", mine, none, "ms", places=3)
            compare(f"{what}; laden rounds", mine, least, "ms", places=3)
            compare(f"{what}; rounds with our cores", mine, own, "ms", places=3)
            compare(f"{what}; not ours but laden over empty rounds: the least there is", least, none, "ms", places=3)
            compare(f"{what}; not ours but rounds with our cores over empty rounds", own, none, "ms", places=3)
    rested(8.0)
    return 0


def rested(rest_ms: float) -> None:
    """Print what a rest costs: meanwhile the processor has lost what it had at hand of our code and data."""
    found_ms = []
    for rest in (rest_ms, 0.0):
        with tempfile.TemporaryDirectory() as place:
            found_ms.append(
                quantile(alone(Cores(Flood(500, 0, CANDLE_MS), CANDLE_MS, SETTINGS, Path(place)), rest), 0.5)
            )
    what = f"the cores' work for a decision in one process, without sockets: after a rest of {rest_ms:g} ms; at once after the last"
    compare(what, found_ms[0], found_ms[1], "ms", places=3)


if __name__ == "__main__":
    run(main)
