"""What grows with a session's length: throughput and the broker's memory after 1, 10 and 100 times as many ticks.

Nothing may: a tick late in a session has to cost what an early one does. The longest run is ten times what fits between a
publisher and a reader; what the reader then misses it fetches.
"""

from live_pipeline import passage
from table import row, run

BASE = 9_500


def main() -> int:
    for times in (1, 10, 100):
        found = passage(times * BASE)
        what = f"{times}x: {times * BASE:,} ticks"
        row(f"{what}, throughput", f"{found.per_second:,.0f} ticks/s")
        row(f"{what}, lost (to reach: 0)", str(found.lost))
        row(f"{what}, the broker's memory", f"{found.broker_mb:.1f} MB")
        row(f"{what}, the broker's state", f"{found.state_bytes:,} bytes")
        row(f"{what}, the heartbeat file", f"{found.heartbeat_bytes:,} bytes")
    return 0


if __name__ == "__main__":
    run(main)
