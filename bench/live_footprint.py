"""Memory (PSS) of a whole session, services and supervisors, and the CPU time it takes at 10 and 1,000 ticks a second.

A session as `lap run` and as honcho starts it, with a data file played at its own speed. PSS counts what processes share
once; honcho's own memory is not counted, its CPU time is. Peer: what importing NautilusTrader's live node weighs (`PEERS` as in `live_start`).
SECONDS=n for other than 30 seconds of each. Linux alone has the figures.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
from flood_feed import Flood
from live_start import NAUTILUS, PEERS
from processes import HONCHO, LAP, PROCFILE, Desk
from table import compare, row, run

from services.clock import monotonic_ns
from services.feed.facts import RawQuote
from services.waiting import pause

SECONDS = float(os.environ.get("SECONDS", "30"))
SETTLE_MS = 4_000
SETTINGS = {"LAP_SOURCE": "replay", "LAP_DURATION": "inf", "LAP_INTERVAL": "1s"}


def write_data(directory: Path, per_second: float) -> str:
    """Write a data file of so many ticks a second; return the setting that names it."""
    # A third of a file is history, and the session plays the rest: enough of it for settling, measuring and a slow start.
    flood = Flood(int((SECONDS + 40) * 1.6 * per_second), 0, int(1_000 / per_second))
    facts = [flood.fact(number) for number in range(flood.ticks)]
    quotes = [",".join(map(str, fact)) for fact in facts if isinstance(fact, RawQuote)]
    trades = [",".join(map(str, fact)) for fact in facts if not isinstance(fact, RawQuote)]
    (directory / "quotes.csv").write_text("\n".join(["ts_ms,bid,ask,bid_size,ask_size", *quotes]) + "\n")
    (directory / "trades.csv").write_text("\n".join(["ts_ms,price,size,side", *trades]) + "\n")
    return "quotes.csv,trades.csv"


def members(directory: Path) -> list[psutil.Process]:
    """The processes in a session's directory: services, supervisors, honcho and its wrappers."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory):
                found.append(process)
        except psutil.Error:
            continue
    return found


def name_of(process: psutil.Process) -> str:
    """Return what a process of a session is: `services.feed`, `lap feed`, or `honcho`."""
    words = process.cmdline()
    services = [word for word in words if word.startswith("services.")]
    if services:
        return services[0]
    return f"lap {words[2]}" if len(words) > 2 and Path(words[1]).name == "lap" else "honcho"


def pss_mb(pid: int) -> float:
    """Return a process's proportional set size."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def cpu_seconds(process: psutil.Process) -> float:
    """Return the time that a process has had of the processors."""
    times = process.cpu_times()
    return times.user + times.system


def footprint(words: list[str], per_second: float) -> tuple[float, float]:
    """Return a session's memory in MB and its CPU time in percent of one core."""
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place))
        (desk.directory / "Procfile").write_bytes(PROCFILE.read_bytes())
        files = write_data(desk.directory, per_second)
        program = desk.start(*words, **SETTINGS, LAP_REPLAY_FILE=files)
        try:
            desk.wait_running(60)
            pause(SETTLE_MS)
            processes = members(desk.directory)
            before, began_ns = {process.pid: cpu_seconds(process) for process in processes}, monotonic_ns()
            pause(SECONDS * 1000)
            seconds = (monotonic_ns() - began_ns) / 1e9
            spent = {process: cpu_seconds(process) - before[process.pid] for process in processes}
            memory = {process: pss_mb(process.pid) for process in processes}
            for process in processes:
                share = 100 * spent[process] / seconds
                print(f"  {name_of(process):<22} {memory[process]:6.1f} MB {share:6.2f} %", file=sys.stderr)
            own = [size for process, size in memory.items() if name_of(process) != "honcho"]
            desk.lap("kill")
            return sum(own), 100 * sum(spent.values()) / seconds
        finally:
            program.end()


def import_mb(statement: str) -> float | None:
    """Return the PSS of an interpreter of the peers' that has run a statement; None where it can not."""
    if not Path(PEERS).exists():
        return None
    code = f"{statement}\nprint(open('/proc/self/smaps_rollup').read())"
    done = subprocess.run([PEERS, "-c", code], capture_output=True, text=True, check=False)
    sizes = [int(line.split()[1]) / 1024 for line in done.stdout.splitlines() if line.startswith("Pss:")]
    return sizes[0] if sizes else None


def main() -> int:
    nautilus = import_mb(NAUTILUS)
    for name, words in (("lap run", [LAP, "run"]), ("honcho start", [HONCHO, "start"])):
        for per_second in (10.0, 1_000.0):
            memory, cpu = footprint(words, per_second)
            what = f"{name} at {per_second:,.0f} ticks/s"
            if nautilus is None:
                row(f"{what}: memory (to reach: 180 MB)", f"{memory:.0f} MB")
            else:
                compare(
                    f"{what}: memory; importing NautilusTrader's live node (to reach: 180 MB, 1)",
                    memory,
                    nautilus,
                    "MB",
                )
            row(f"{what}: CPU{' (to reach: 3 %)' if per_second < 100 else ''}", f"{cpu:.1f} % of a core")
    return 0


if __name__ == "__main__":
    run(main)
