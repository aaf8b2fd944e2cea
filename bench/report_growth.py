"""The report of a replayed session, against how long it was: in ticks, and in candles and trades.

The report is made of the journal alone, which grows with candles, orders and trades, not with ticks.
"""

import sys
import tempfile
from pathlib import Path
from time import process_time

from table import median, row
from tape import write_tape

from services.replay.run import replay
from services.replay.script import read_script
from services.report.build import build_report

TRIALS = 3
SECONDS = 400
SETTINGS = {
    "seed": "7",
    "strategy_params": "fast=3,slow=8",
    "max_consecutive_losses": "1000000",
    "max_daily_drawdown_pct": "100",
    "risk_pct": "0.1",
    "starting_balance": "1000000",
    "min_trade_interval_sec": "3",
    "stop_bps": "12",
    "tp_r": "3",
}


def main() -> int:
    for times in (1, 10, 100):
        for interval in ("1s", "1m"):
            measure(SECONDS * times, interval)
    return 0


def measure(seconds: int, interval: str) -> None:
    """Replay a made-up market and print what its report costs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = [place / name for name in write_tape(place, seconds).split(":")]
        script = read_script(files, {**SETTINGS, "interval": interval}, place)
        replay(script, place / "out", place, lambda _: None, check=False)
        trials = []
        for _ in range(TRIALS):
            begun = process_time()
            build_report(place / "out")
            trials.append(process_time() - begun)
        trades = (place / "out" / "trades.csv").read_bytes().count(b"\n") - 1
        assert script.columns is not None, "a plain file"
        events, candles = script.columns.count, script.columns.candles.seq.size
        what = f"report of {events:,} events, {candles:,} candles, {trades:,} trades"
        row(what, f"{median(trials) * 1000:,.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
