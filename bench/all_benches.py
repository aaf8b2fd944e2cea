"""Runs every bench and writes one table, `bench/RESULTS.md` (`make bench`; about twenty minutes on a quiet machine).

A bench is a script that prints rows `name | ours | peer | ratio`; everything else that it prints is for whoever watches.
A bench that fails has its row too, and the exit code 1. Names of benches on the command line: these alone, and the rows of the
others stay as they were.
"""

import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil

from services.clock import iso, wall_ms

BENCH = Path(__file__).resolve().parent
RESULTS = BENCH / "RESULTS.md"
TIMEOUT_S = 1_800
BENCHES = {
    "live_pipeline": "Live pipeline: throughput",
    "live_latency": "Live pipeline: latency of a decision",
    "live_start": "Start and imports",
    "live_footprint": "Memory and CPU",
    "live_growth": "Live session: growth with run length",
    "replay_peers": "Replay",
    "report_growth": "Report: growth with run length",
}
HEAD = """# Measured

By `make bench`, which writes this file. Ours and the peer's were taken in turns within one run, so that a busy moment meets both; each
figure is the median of its run's trials, or a quantile of all of them together. The ratio is ours over the peer's. What each bench does stands at the head of its script.

A decision can not be acknowledged as fast as an empty round of four hops. A round that records, encodes, decodes and commits, and does nothing
else (`laden`), says how near to it anything can come that keeps the rules. One with our own feed, broker and strategy cores, recording and journal on
the same bare sockets says what the execution model costs on top, and how little runner, bus and supervision add to that. Why the cores weigh
so much at 100 ticks a second the last row tells: between two ticks a processor rests, and after that the same work takes several times as long.

A replay over candles costs next to nothing for a candle, and some tenths of a millisecond for a trade: its order, fills, stop, fees and
account, each a message in exact decimals, as in a live session. So its ratio to others depends on how often a strategy trades; what
says the same messages and reckons the same trades, and does nothing else, says how near to them a replay can come.

"""
COLUMNS = "| | ours | peer | ratio |\n|---|---|---|---|\n"


def main(wanted: Sequence[str]) -> int:
    sections = dict(_sections(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else {}
    failed = []
    for name, title in BENCHES.items():
        script = BENCH / f"{name}.py"
        if not script.exists() or (wanted and name not in wanted):
            continue
        print(f"{title} ({name})", flush=True)
        before = os.getloadavg()[0]
        rows, code = rows_of(script)
        if code:
            failed.append(name)
            rows.append(f"{name} ended with code {code} | - | - | -")
        sections[title] = f"{conditions(before)}\n\n{COLUMNS}" + "".join(f"| {row} |\n" for row in rows) + "\n"
        RESULTS.write_text(page(sections), encoding="utf-8")
    return 1 if failed else 0


def rows_of(script: Path) -> tuple[list[str], int]:
    """Run a bench; return its rows and its exit code."""
    rows = []
    # As an installation is: with what has been compiled kept, whatever the shell that the benches are started from says.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env) as bench:
        assert bench.stdout is not None
        limit = threading.Timer(TIMEOUT_S, bench.kill)
        limit.start()
        for line in bench.stdout:
            print(line, end="", flush=True)
            if line.count(" | ") == 3:
                rows.append(line.strip())
        limit.cancel()
        return rows, bench.wait()


def conditions(load_before: float) -> str:
    """Return in a sentence where and when a section was measured."""
    commit = _output("git", "rev-parse", "--short", "HEAD") or "unknown"
    dirty = (
        " with changes not committed"
        if _output("git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)bench/RESULTS.md")
        else ""
    )
    return (
        f"{iso(wall_ms())[:16]}Z, commit {commit}{dirty}; load average {load_before:.1f} before, "
        f"{os.getloadavg()[0]:.1f} after (the benches' own included)."
    )


def page(sections: dict[str, str]) -> str:
    ordered = [title for title in BENCHES.values() if title in sections]
    return HEAD + machine() + "".join(f"## {title}\n\n{sections[title]}" for title in ordered).rstrip("\n") + "\n"


def machine() -> str:
    names = ("pyzmq", "orjson", "websockets", "psutil")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, {libraries}.\n\n"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _sections(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("\n## ")[1:]:
        title, _, body = part.partition("\n\n")
        yield title, body.rstrip("\n") + "\n\n"


def _output(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, cwd=BENCH, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
