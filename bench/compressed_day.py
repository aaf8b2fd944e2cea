"""A day of the exchange in seven minutes, with a fault every ten minutes of it: every candle is accounted for in the end.

`make compressed-day`. HOURS=n for another length. A candle is what was traded on the exchange, or it is flagged incomplete
and listed as a gap, or the session says of it that the exchange has it otherwise; anything else is printed, and the
exit code is 1.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from accounting import Account, Market
from crashing import own_ports
from processes import LAP, Desk, eventually

HOURS = float(os.environ.get("HOURS", "24"))
SPEED = 200.0
EVERY_S = 600 / SPEED
TAIL_S = 15
"""In the end, without faults: for the last candles to be compared with the exchange's own."""
ROUND = (
    "drop@{at}s",
    "gap=10@{at}s+1s",
    "mute@{at}s+1s",
    "duplicate=5@{at}s+2s",
    "drop@{at}s+1500ms",
    "forget@{at}s",
    "reorder=5@{at}s+2s",
    "garbage=5@{at}s+2s",
    "http=500@{at}s+2500ms,drop@{at}s+500ms",
    "oversized=200@{at}s+200ms",
    "delay=300@{at}s+2s",
    "rest_delay=1500@{at}s+2s,drop@{at}s+1s",
    "flood=2000/s@{at}s+2s",
    "code=10006@{at}s+2s,gap=3@{at}s+1s",
    "handshake=429@{at}s+1s,drop@{at}s",
    "flash_crash=-8%@{at}s+2s",
    "empty@{at}s+2s,drop@{at}s+1s",
    "mute@{at}s+500ms,reorder=3@{at}s+2s,nanoseconds@{at}s+2s,ack@{at}s+2s,pong=none@{at}s+2s",
)
HALF_OPEN_AT = 0.5
"""Where in the day a connection goes dead without a word: it takes the feed half a minute, 100 candles, to find out."""
SETTINGS = {
    "LAP_SOURCE": "bitunix",
    "LAP_INTERVAL": "1m",
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_WS_MAX_RETRIES": "1000",
    "LAP_WS_BACKOFF_MIN_SEC": "0.1",
    "LAP_WS_BACKOFF_MAX_SEC": "0.3",
}


def schedule(seconds: float) -> Iterator[str]:
    """A fault every ten minutes of the market's time, of each kind in turn."""
    count = int(seconds / EVERY_S)
    for number in range(1, count):
        at = number * EVERY_S
        yield ROUND[number % len(ROUND)].format(at=f"{at:g}")
        if number == int(count * HALF_OPEN_AT):
            yield f"half_open@{at + EVERY_S / 2:g}s"


def main() -> int:
    seconds = HOURS * 3600 / SPEED
    faults = list(schedule(seconds))
    with tempfile.TemporaryDirectory() as place:
        desk, port = Desk(Path(place)), own_ports()
        try:
            words = [word for fault in faults for word in ("--fault", fault)]
            exchange = desk.start(LAP, "exchange", "--port", str(port), "--speed", str(SPEED), *words)
            eventually(lambda: "listening" in exchange.output(), 30, "the exchange listens")
            urls = {
                "LAP_BITUNIX_WS_URL": f"ws://127.0.0.1:{port}/public/",
                "LAP_BITUNIX_REST_URL": f"http://127.0.0.1:{port}",
            }
            session = desk.session(**{**SETTINGS, **urls, "LAP_BUS_PORT": str(own_ports())})
            account = Account(desk, Market(faults, SPEED))
            end_ms = account.market.at(seconds + TAIL_S)

            def is_over() -> bool:
                beat = desk.json("logs", "heartbeat.json") or {}
                return session.popen.poll() is not None or int(beat.get("market_ts") or 0) >= end_ms

            eventually(is_over, seconds + TAIL_S + 120, "the day is over")
            assert desk.lap("kill").returncode == 0, desk.show()
            assert session.wait(30) == 0
            return told(account, len(faults))
        finally:
            for program in desk.programs:
                program.end()


def told(account: Account, faults: int) -> int:
    """Print the account; return 1 if a candle is wrong without a word."""
    kinds: Counter[str] = Counter()
    for candle in account.candles.values():
        if candle.complete:
            kinds["complete and true" if account.is_true(candle) else "otherwise on the exchange, and listed"] += 1
        else:
            kinds["incomplete and listed, from REST" if account.is_true(candle) else "incomplete and listed"] += 1
    print(
        f"{len(account.candles)} candles, {faults} faults, {len(account.desk.events('feed_connected')) - 1} reconnects"
    )
    for kind, count in kinds.most_common():
        print(f"{count:>6} {kind}")
    wrong = account.unaccounted(TAIL_S * int(SPEED) * 1000)
    print(f"{len(wrong):>6} unaccounted for")
    for line in wrong:
        print(f"       {line}")
    size = sum(path.stat().st_size for path in account.desk.run_dir.glob("events.jsonl*"))
    print(
        f"the recording after the session: {size:,} bytes, {size / account.desk.summary()['tick_count']:.1f} an event"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
