"""An hour of a session that is never left in peace: 200 ticks a second, a kill every 30 s, in real processes.

`make soak MINUTES=60`. Killed is one service after the other, by draws of a printed seed (CHAOS_SEED sets it). In the end:
memory and handles of every process must not have grown, nothing may be lost or doubled. Every trade that the exchange
made in a candle that the session calls complete is in the recording, once and in order; the broker has worked each
recorded event once; its books agree; and the recording, replayed, gives the same trades. A line a minute tells how it is.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from accounting import Market
from crashing import check_books, check_recording, own_ports
from nemesis import SERVICES, Draws, kill_service
from processes import LAP, Desk, Program, eventually

from bus.messages import Candle, Quote, Trade
from services.clock import boot_ms, monotonic_ms
from services.exchange.market import Trade as Printed
from services.feed.recording_file import read_all
from services.waiting import pause

MINUTES = float(os.environ.get("MINUTES", "60"))
SEED = int(os.environ.get("CHAOS_SEED") or int.from_bytes(os.urandom(4), "big"))
RATE = 181
"""Trades a second on top of the market's own nineteen events."""
KILL_EVERY_MS = 30_000
LOOK_EVERY_MS = 1_000
MOST_GROWTH_MB = 8.0
MOST_GROWTH_HANDLES = 2
SETTINGS = {
    "LAP_SOURCE": "bitunix",
    "LAP_INTERVAL": "1s",
    "LAP_DURATION": "inf",
    "LAP_RISK_PCT": "0.01",
    "LAP_MAX_DAILY_DRAWDOWN_PCT": "90",
    "LAP_MAX_RESTARTS": "1000000",
    "LAP_RESTART_WINDOW_SEC": "0.5",
    "LAP_WS_MAX_RETRIES": "1000",
    "LAP_WS_BACKOFF_MIN_SEC": "0.1",
    "LAP_WS_BACKOFF_MAX_SEC": "0.5",
}


@dataclass
class Sizes:
    """What one process (or one after the other under the same name) took: by minute, the most of it."""

    memory_mb: dict[int, float] = field(default_factory=dict)
    handles: dict[int, int] = field(default_factory=dict)

    def note(self, minute: int, memory_mb: float, handles: int) -> None:
        """Take a look into account."""
        self.memory_mb[minute] = max(memory_mb, self.memory_mb.get(minute, 0.0))
        self.handles[minute] = max(handles, self.handles.get(minute, 0))

    def ends(self) -> tuple[float, float, int, int]:
        """The most of the first and of the last quarter, the first minute left out: memory in MB, then handles."""
        minutes = sorted(self.memory_mb)[1:] or [0]
        part = max(1, len(minutes) // 4)
        first, last = minutes[:part], minutes[-part:]
        return (
            max(self.memory_mb.get(minute, 0.0) for minute in first),
            max(self.memory_mb.get(minute, 0.0) for minute in last),
            max(self.handles.get(minute, 0) for minute in first),
            max(self.handles.get(minute, 0) for minute in last),
        )


@dataclass
class Soak:
    """The session under the rain."""

    desk: Desk
    session: Program
    draws: Draws
    sizes: dict[str, Sizes] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)

    def run(self, minutes: float) -> None:
        """Kill and measure for so long."""
        began_ms = monotonic_ms()
        next_kill_ms, next_line_ms = began_ms + KILL_EVERY_MS, began_ms + 60_000
        while (now_ms := monotonic_ms()) < began_ms + minutes * 60_000:
            assert self.session.popen.poll() is None, self.desk.show()
            self._measure(int((now_ms - began_ms) // 60_000))
            if now_ms >= next_kill_ms:
                next_kill_ms += KILL_EVERY_MS
                self._kill()
            if now_ms >= next_line_ms:
                next_line_ms += 60_000
                self._tell(now_ms - began_ms)
            pause(LOOK_EVERY_MS)

    def _kill(self) -> None:
        service = SERVICES[self.draws.below(len(SERVICES))]
        if kill_service(self.desk, service):
            self.kills[service] = self.kills.get(service, 0) + 1

    def _measure(self, minute: int) -> None:
        pids = {"supervisor": self.session.pid, **{service: self.desk.service_pid(service) for service in SERVICES}}
        for name, pid in pids.items():
            try:
                process = psutil.Process(pid)
                memory_mb, handles = process.memory_info().rss / 1e6, process.num_fds()
            except psutil.Error:
                continue  # killed a moment ago
            self.sizes.setdefault(name, Sizes()).note(minute, memory_mb, handles)

    def _tell(self, elapsed_ms: int) -> None:
        beat = self.desk.json("logs", "heartbeat.json") or {}
        counts = beat.get("counts", {})
        sizes = ", ".join(f"{name} {max(size.memory_mb.items())[1]:.0f}" for name, size in self.sizes.items())
        print(
            f"{elapsed_ms / 60_000:3.0f} min: {sum(self.kills.values())} kills, seq {counts.get('last_seq', 0):,}, "
            f"worked {counts.get('worked_seq', 0):,}, trades {counts.get('trades', 0)}; MB: {sizes}",
            flush=True,
        )


def candles(desk: Desk) -> Iterator[tuple[Candle, list[tuple[int, float, float]]]]:
    """Each recorded candle with the trades that were recorded in it."""
    trades: list[tuple[int, float, float]] = []
    for event in read_all(desk.run_dir):
        if isinstance(event, Trade):
            trades.append((event.ts_ms, event.price, event.size))
        elif isinstance(event, Candle):
            yield event, [row for row in trades if event.open_ms <= row[0] < event.close_ms]
            trades = [row for row in trades if row[0] >= event.close_ms]


def trades_lost(desk: Desk, market: Market) -> tuple[int, int, int]:
    """Count the trades made in complete candles, those of them that are not recorded as made, and incomplete candles."""
    made_count = wrong = incomplete = 0
    for candle, recorded in candles(desk):
        events = market.tape.events(candle.open_ms, candle.close_ms)
        made = [(event.ts_ms, event.price, event.size) for event in events if isinstance(event, Printed)]
        if not candle.complete:
            incomplete += 1
            wrong += max(0, len(recorded) - len(made))
            continue
        made_count += len(made)
        if recorded != made:
            wrong += max(1, abs(len(made) - len(recorded)))
    return made_count, wrong, incomplete


def told(soak: Soak, market: Market) -> int:
    """Print what was found; return 1 if it is not as it must be."""
    desk, summary = soak.desk, soak.desk.summary()
    check_books(desk)
    check_recording(desk)
    made, wrong, incomplete = trades_lost(desk, market)
    ticks = sum(isinstance(event, Quote | Trade) for event in read_all(desk.run_dir))
    kills = sum(soak.kills.values())
    print(f"{kills} kills ({soak.kills}), restarts {summary['restarts']} {summary['restarts_by_service']}")
    print(
        f"{made:,} trades of the exchange in complete candles: {wrong} lost or doubled; {incomplete} candles incomplete"
    )
    print(f"ticks recorded {ticks:,}, worked by the broker {summary['tick_count']:,}; trades {summary['trades']}")
    flat = True
    for name, size in soak.sizes.items():
        before_mb, after_mb, before, after = size.ends()
        flat &= after_mb - before_mb < MOST_GROWTH_MB and after - before <= MOST_GROWTH_HANDLES
        print(f"{name:<10} memory {before_mb:6.1f} MB, in the last quarter {after_mb:6.1f}; handles {before}, {after}")
    replayed = desk.lap_for(600, "replay", "latest", "--check")
    print(f"lap replay latest --check: exit code {replayed.returncode} {replayed.stderr.strip()}")
    held = not wrong and ticks == summary["tick_count"] and not replayed.returncode and summary["restarts"] == kills
    print("held" if held and flat else "NOT HELD")
    return 0 if held and flat else 1


def main() -> int:
    print(f"CHAOS_SEED={SEED}, {MINUTES:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as place:
        desk, port = Desk(Path(place)), own_ports()
        try:
            faults = [f"flood={RATE}/s"]
            exchange = desk.start(LAP, "exchange", "--port", str(port), "--fault", faults[0])
            eventually(lambda: "listening" in exchange.output(), 60, "the exchange listens")
            urls = {
                "LAP_BITUNIX_WS_URL": f"ws://127.0.0.1:{port}/public/",
                "LAP_BITUNIX_REST_URL": f"http://127.0.0.1:{port}",
            }
            session = desk.session(**{**SETTINGS, **urls, "LAP_BUS_PORT": str(own_ports())})
            desk.wait_running(60)
            soak = Soak(desk, session, Draws(SEED))
            soak.run(MINUTES)
            began_ms = boot_ms()
            assert desk.lap("kill").returncode == 0, desk.show()
            assert session.wait(60) == 0
            eventually(lambda: not session.family(), 10, "no process is left")
            print(f"from lap kill to all gone: {(boot_ms() - began_ms) / 1000:.1f} s", flush=True)
            return told(soak, Market(faults))
        finally:
            for program in desk.programs:
                program.end()


if __name__ == "__main__":
    sys.exit(main())
