"""From the start of a session (mock source) to its first tick and to all services ready, and what imports cost.

The first tick is there when it stands in the recording, just before it is published. Peers are imported in a process of
their own; `PEERS` names the Python that has them (`.venv-peers/bin/python`); those not installed there are left out.
REPEAT=n for other than 7 trials, of which the medians count.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from processes import HONCHO, LAP, PROCFILE, Desk, eventually
from table import compare, median, row, run

from bus.messages import Heartbeat
from bus.sockets import Bus
from services.session.keys_file import load_keys
from services.waiting import read_json, wait_until

REPEAT = int(os.environ.get("REPEAT", "7"))
ROOT = Path(__file__).resolve().parents[1]
PEERS = os.environ.get("PEERS", str(ROOT / ".venv-peers" / "bin" / "python"))
SERVICES = ("feed", "strategy", "broker", "monitor")
SETTINGS = {"LAP_SOURCE": "mock", "LAP_DURATION": "inf", "LAP_SEED": "7"}
FREQTRADE = "from freqtrade.freqtradebot import FreqtradeBot"
NAUTILUS = "from nautilus_trader.live.node import TradingNode"


def start(words: list[str]) -> tuple[float, float]:
    """Return seconds from the start of a session to its first tick, and to all services ready."""
    with tempfile.TemporaryDirectory() as place:
        desk, state = Desk(Path(place)), Path(place) / ".lap"
        (desk.directory / "Procfile").write_bytes(PROCFILE.read_bytes())
        began = perf_counter()
        program = desk.start(*words, **SETTINGS)
        try:
            eventually(lambda: (state / "bus.key").exists() and bool(read_json(state / "session.json")), 60, "opened")
            session = read_json(state / "session.json")
            bus = Bus(load_keys(state), "bench", 1)
            try:
                listeners = [bus.subscriber(session["ports"][service], [Heartbeat]) for service in SERVICES]
                recording = desk.directory / "runs" / session["run_id"] / "events.jsonl"
                head_only = 1
                assert wait_until(lambda: _lines(recording) > head_only, 60_000, 2), program.output()
                first_tick = perf_counter() - began
                ready: set[str] = set()
                while len(ready) < len(SERVICES):
                    for listener in listeners:
                        listener.socket.poll(2)
                        beats = list(listener.receive())
                        ready.update(beat.service for beat in beats if isinstance(beat, Heartbeat) and beat.ready)
                return first_tick, perf_counter() - began
            finally:
                bus.close()
        finally:
            desk.lap("kill")
            program.end()


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def import_seconds(python: str, statement: str) -> float | None:
    """Return how long a new interpreter takes with a statement, beyond one that does nothing; None: it can not."""
    times: dict[str, list[float]] = {"pass": [], statement: []}
    for _ in range(max(3, REPEAT // 2)):
        for code, found in times.items():
            began = perf_counter()
            done = subprocess.run([python, "-P", "-c", code], capture_output=True, check=False, cwd="/")
            if done.returncode:
                return None
            found.append(perf_counter() - began)
    return median(times[statement]) - median(times["pass"])


def peer_import(statement: str) -> float | None:
    """The same for a peer, None where it is not installed."""
    return import_seconds(PEERS, statement) if Path(PEERS).exists() else None


def main() -> int:
    trials = [start([LAP, "run"]) for _ in range(REPEAT)]
    by_honcho = [start([HONCHO, "start"]) for _ in range(REPEAT)]
    first, ready = (median([trial[part] for trial in trials]) for part in (0, 1))
    freqtrade, nautilus = peer_import(FREQTRADE), peer_import(NAUTILUS)
    what = "lap run, mock: start to first tick (to reach: 1.5 s"
    if freqtrade is None:
        row(f"{what}; freqtrade is not installed)", f"{first:.2f} s")
    else:
        compare(f"{what}; importing freqtrade's bot: 0.33)", first, freqtrade, "s", places=2)
    if nautilus is not None:
        compare(
            "lap run, mock: start to first tick, over importing NautilusTrader's live node",
            first,
            nautilus,
            "s",
            places=2,
        )
    row("lap run, mock: start to all services ready", f"{ready:.2f} s")
    row("honcho start, mock: start to first tick", f"{median([trial[0] for trial in by_honcho]):.2f} s")
    row("honcho start, mock: start to all services ready", f"{median([trial[1] for trial in by_honcho]):.2f} s")
    for module in (*(f"services.{service}.process" for service in SERVICES), "services.supervision.launch"):
        seconds = import_seconds(sys.executable, f"import {module}")
        row(f"import {module}", "can not" if seconds is None else f"{seconds:.3f} s")
    return 0


if __name__ == "__main__":
    run(main)
