"""A minute of 5,000 trades a second through exchange, feed, bus, broker and recording, in real processes (`make bench-feed`).

Measured: the lag from an event's own time on the exchange's clock (which is this machine's, so the exchange's and the
socket's delays count, too) to its publication by the feed, and to its arrival at a listener; how late this machine
wakes a thread that does nothing (a busy machine has no better lag than that), and how busy it was; memory of feed and
broker. Checked: every trade that the exchange made is in the recording, once and in order; the broker has worked what
is recorded, each event once. SECONDS=n and RATE=n for another length and flood. Where others are at work on the
machine, `chrt --rr 1 make bench-feed` (Linux, as root) keeps them out of the figures.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from accounting import Market
from crashing import own_ports
from processes import Desk

from bus.messages import Burst, Quote, Trade
from bus.sockets import Bus
from services.clock import boot_ms, monotonic_ms
from services.exchange.config import WALK_START_MS, ExchangeConfig
from services.exchange.faults import parse_faults
from services.exchange.market import Trade as Printed
from services.exchange.server_ws import serve
from services.feed.recording_file import read_all
from services.session.keys_file import load_keys

SECONDS = float(os.environ.get("SECONDS", "60"))
RATE = int(os.environ.get("RATE", "5000"))
TESTS = Path(__file__).resolve().parents[1] / "tests"
MOST_LAG_MS = 50
MOST_GROWTH_MB = 8.0
SETTINGS = {
    "LAP_SOURCE": "bitunix",
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
}


@dataclass
class Seen:
    """What was seen on the bus and in the process table."""

    published_ms: list[float] = field(default_factory=list)
    arrived_ms: list[float] = field(default_factory=list)
    woken_ms: list[float] = field(default_factory=list)
    missed: int = 0
    cores: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, list[float]] = field(default_factory=lambda: {"feed": [], "broker": []})


def exchange(port: int, began_ms: int) -> None:
    """Be the exchange, with a clock that began at a known instant."""
    config = ExchangeConfig(
        symbol="BTCUSDT", seed=0, port=port, faults=parse_faults([f"flood={RATE}/s"]), started_boot_ms=began_ms
    )
    asyncio.run(serve(config, asyncio.Event(), lambda: None, lambda line: print(line, flush=True)))


def busy_s() -> float:
    """Seconds that this machine's cores have worked, for whomever."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def worked_s(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Seconds that some processes have worked, and all together."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()} | {"all": busy_s()}


def watch(desk: Desk, bus: Bus, began_ms: int) -> Seen:
    """Listen to the feed as the broker does, for the bench's length."""
    seen, over = Seen(), threading.Event()
    port = desk.json(".lap", "session.json")["ports"]["feed"]
    subscriber = bus.subscriber(port, [Burst])
    watched = {service: psutil.Process(desk.service_pid(service)) for service in seen.memory_mb}
    workers = {**watched, "exchange": psutil.Process(desk.programs[0].popen.pid), "observer": psutil.Process()}
    worked_before_s = worked_s(workers)
    threading.Thread(target=measure_wakes, args=(seen, over), daemon=True).start()
    offset_ms = boot_ms() - monotonic_ms()
    end_ms, next_look_ms, last_seq = boot_ms() + int(SECONDS * 1000), 0, 0
    while (now_ms := boot_ms()) < end_ms:
        subscriber.socket.poll(100)
        arrived_ms = boot_ms()
        for envelope in subscriber.receive_envelopes():
            assert isinstance(envelope.message, Burst)
            for event in envelope.message.events:
                seen.missed += max(0, event.seq - last_seq - 1) if last_seq else 0
                last_seq = event.seq
                happened_ms = began_ms + event.ts_ms - WALK_START_MS
                seen.published_ms.append(envelope.sent_ns / 1e6 + offset_ms - happened_ms)
                seen.arrived_ms.append(arrived_ms - happened_ms)
        if now_ms >= next_look_ms:
            next_look_ms = now_ms + 1_000
            for service, process in watched.items():
                seen.memory_mb[service].append(process.memory_info().rss / 1e6)
    over.set()
    seen.cores = {name: (now_s - worked_before_s[name]) / SECONDS for name, now_s in worked_s(workers).items()}
    return seen


def measure_wakes(seen: Seen, over: threading.Event) -> None:
    """Sleep 5 ms again and again, and note how much longer it was."""
    before = time.perf_counter()
    while not over.wait(0.005):
        now = time.perf_counter()
        seen.woken_ms.append((now - before) * 1000 - 5)
        before = now


def lost(desk: Desk) -> tuple[int, int]:
    """How many trades the exchange made while the session listened, and how many of them are not in the recording."""
    _, *events = read_all(desk.run_dir)
    recorded = [(event.ts_ms, event.price, event.size) for event in events if isinstance(event, Trade)]
    market = Market([f"flood={RATE}/s"])
    # The first and the last instant may have been met in their middle.
    first_ms, last_ms = recorded[0][0] + 1, recorded[-1][0]
    made = [event for event in market.tape.events(first_ms, last_ms) if isinstance(event, Printed)]
    within = [row for row in recorded if first_ms <= row[0] < last_ms]
    if within == [(trade.ts_ms, trade.price, trade.size) for trade in made]:
        return len(made), 0
    return len(made), max(1, len(made) - len(within))


def last_worked(desk: Desk) -> int:
    """The number of the newest event that the broker has worked; they are numbered 1, 2, 3 ..."""
    with closing(sqlite3.connect(desk.run_dir / "journal.db")) as journal:
        return int(journal.execute("select last_seq from state").fetchone()[0])


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        desk, port, began_ms = Desk(Path(place)), own_ports(), boot_ms()
        try:
            desk.start(sys.executable, str(Path(__file__)), str(port), str(began_ms), PYTHONPATH=str(TESTS))
            urls = {
                "LAP_BITUNIX_WS_URL": f"ws://127.0.0.1:{port}/public/",
                "LAP_BITUNIX_REST_URL": f"http://127.0.0.1:{port}",
            }
            session = desk.session(**{**SETTINGS, **urls, "LAP_BUS_PORT": str(own_ports())})
            desk.wait_running()
            bus = Bus(load_keys(Path(place) / ".lap"), "bench", 1)
            try:
                seen = watch(desk, bus, began_ms)
            finally:
                bus.close()
            assert desk.lap("kill").returncode == 0
            assert session.wait(30) == 0
            return told(desk, seen)
        finally:
            for program in desk.programs:
                program.end()


def spread(values_ms: list[float]) -> str:
    cuts = statistics.quantiles(values_ms, n=1000)
    return f"p50 {cuts[499]:.1f} ms, p99 {cuts[989]:.1f} ms, p99.9 {cuts[998]:.1f} ms"


def told(desk: Desk, seen: Seen) -> int:
    """Print what was found; return 1 if any of it is too much."""
    made, missing = lost(desk)
    _, *events = read_all(desk.run_dir)
    # The feed goes on for the moment in which the broker has ended already.
    heard = events[: last_worked(desk)]
    ticks = sum(isinstance(event, Quote | Trade) for event in heard)
    summary = desk.summary()
    count = len(seen.published_ms)
    print(f"{count:,} events on the bus in {SECONDS:g} s ({count / SECONDS:,.0f} a second)")
    print(f"from event to publication: {spread(seen.published_ms)}")
    print(f"from event to arrival at a listener: {spread(seen.arrived_ms)}")
    print(f"this machine wakes an idle thread late by: {spread(seen.woken_ms)}")
    shares = ", ".join(f"{name} {share:.2f}" for name, share in seen.cores.items() if name != "all")
    print(f"cores at work: {seen.cores['all']:.2f} of {psutil.cpu_count()} ({shares}, the rest is others')")
    print(f"trades of the exchange {made:,}, missing in the recording {missing}; missed by this observer {seen.missed}")
    print(
        f"ticks recorded while the broker ran {ticks:,}, worked by it {summary['tick_count']:,}; "
        f"events recorded after its end {len(events) - len(heard):,}; restarts {summary['restarts']}"
    )
    growth = {}
    for service, sizes in seen.memory_mb.items():
        growth[service] = sizes[-1] - sizes[len(sizes) // 2]
        print(
            f"memory of {service}: {sizes[0]:.1f} MB, {sizes[-1]:.1f} MB, in the second half {growth[service]:+.1f} MB"
        )
    size = sum(path.stat().st_size for path in desk.run_dir.glob("events.jsonl*"))
    print(f"the recording after the session: {size:,} bytes, {size / len(events):.1f} an event")
    held = (
        statistics.quantiles(seen.published_ms, n=100)[98] < MOST_LAG_MS
        and not missing
        and ticks == summary["tick_count"]
    )
    return 0 if held and max(growth.values()) < MOST_GROWTH_MB else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        exchange(int(sys.argv[1]), int(sys.argv[2]))
    sys.exit(main())
