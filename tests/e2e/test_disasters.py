"""What a laptop does to a session: full disks, closed lids, closed terminals, hung watchers, clocks that jump."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import jumping_clock
import psutil
import pytest
from crashing import own_ports
from processes import LAP, QUICK, Desk, environment, eventually, python_path

from services.replay.script import read_script

pytestmark = pytest.mark.timeout(180)

QUICK_BEATS = {"LAP_HEARTBEAT_INTERVAL_SEC": "0.2", "LAP_HEARTBEAT_TIMEOUT_SEC": "1"}


def stop_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process.pid, number)


def facts(desk: Desk) -> list[str]:
    """Names of the journalled wall-clock facts."""
    script = read_script([desk.run_dir], {}, desk.directory)
    return [type(fact).__name__ for fact in script.facts]


EAGER = """
from services.strategy.interface import Side, Strategy


class Eager(Strategy):
    warmup = 0

    def on_candle(self, context, candle):
        return (context.market(Side.LONG if candle.open_ms // 1000 % 2 else Side.SHORT),)
"""
"""A signal for every candle."""


def asked(desk: Desk, question: str, *values: object) -> int:
    """Ask the journal for a number, also that of a running session."""
    with contextlib.closing(sqlite3.connect(f"file:{desk.run_dir / 'journal.db'}?mode=ro", uri=True)) as journal:
        return int(journal.execute(question, values).fetchone()[0])


def fill_up(path: Path) -> None:
    """Write until the disk takes no more."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as fill:
        while fill.write(b"\0" * 4_096):
            continue


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk of one's own can be mounted here (root on Linux alone)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_ends_the_session_and_loses_no_book(small_disk: Path) -> None:
    desk = Desk(small_disk)
    program = desk.session()
    try:
        desk.wait_running()
        desk.wait_trades(1)
        fill_up(small_disk / "fill")
        assert program.wait(60) == 6
        eventually(lambda: not program.family(), 5, "no process is left")
        (small_disk / "fill").unlink()
        made = desk.lap("report")
        assert made.returncode == 0, made.stderr
        assert len(desk.trades()) >= 1
        again = desk.session(LAP_DURATION="0.1")
        assert again.wait(60) == 0
    finally:
        for started in desk.programs:
            started.end()


SLEEP_SEC = float(os.environ.get("SLEEP_SEC", "7"))
"""How long the lid is closed. `make suspend` says 30."""


def market_ts(desk: Desk) -> int:
    return int((desk.json("logs", "heartbeat.json") or {}).get("market_ts") or 0)


@pytest.mark.timeout(int(SLEEP_SEC) + 240)
def test_a_lid_that_closes_is_a_gap_and_no_crash_and_no_burst(desk: Desk) -> None:
    """The whole session stands still for several heartbeat time-outs while the market goes on."""
    (desk.directory / "eager.py").write_text(EAGER)
    port = own_ports()
    exchange = desk.start(LAP, "exchange", "--port", str(port))
    eventually(lambda: "listening" in exchange.output(), 30, "the exchange listens")
    program = desk.session(
        **QUICK_BEATS,
        LAP_SOURCE="bitunix",
        LAP_DURATION="inf",
        LAP_BITUNIX_WS_URL=f"ws://127.0.0.1:{port}/public/",
        LAP_BITUNIX_REST_URL=f"http://127.0.0.1:{port}",
        LAP_WS_BACKOFF_MIN_SEC="0.1",
        LAP_STRATEGY="eager:Eager",
        LAP_STRATEGY_PARAMS="",
        LAP_RISK_PCT="0.01",
    )
    desk.wait_running()
    desk.wait_trades(1)
    eventually(lambda: market_ts(desk) > 0, 30, "the heartbeat knows the market's time")
    pids = {service: desk.service_pid(service) for service in ("feed", "strategy", "broker", "monitor")}
    family = program.family()
    stop_all(family, signal.SIGSTOP)
    before = market_ts(desk)
    quiet = [sys.executable, "-c", f"import select; select.select([], [], [], {SLEEP_SEC})"]
    subprocess.run(quiet, check=True)
    stop_all(family, signal.SIGCONT)
    eventually(lambda: market_ts(desk) > before + SLEEP_SEC * 1000, 30, "the market is found again")
    after = market_ts(desk)
    desk.wait_trades(len(desk.events("trade_closed")) + 1)
    assert {service: desk.service_pid(service) for service in pids} == pids
    assert desk.lap("kill").returncode == 0
    assert program.wait(20) == 0
    assert (desk.summary()["restarts"], desk.summary()["stop_reason"]) == (0, "kill")
    assert any("slept" in event["message"] for event in desk.events("feed_reconnecting"))
    assert desk.events("data_gap")
    asleep = (before + 2_000, before + int(SLEEP_SEC * 1000) - 2_000)
    assert asked(desk, "SELECT count(*) FROM orders WHERE ts_ms BETWEEN ? AND ?", *asleep) == 0
    assert asked(desk, "SELECT count(*) FROM orders WHERE ts_ms > ?", after) > 0
    assert desk.lap("replay", "latest", "--check").returncode == 0


def test_a_closed_terminal_is_an_orderly_end(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    os.killpg(program.pid, signal.SIGHUP)
    assert program.wait(15) == 8
    assert desk.summary()["stop_reason"] == "orphaned"
    eventually(lambda: not program.family(), 5, "no process is left")


def test_under_nohup_a_closed_terminal_is_nothing(desk: Desk) -> None:
    program = desk.start("nohup", LAP, "run", **{**QUICK, "LAP_DURATION": "0.2"})
    desk.wait_running()
    os.killpg(program.pid, signal.SIGHUP)
    assert program.wait(60) == 0
    assert desk.summary()["stop_reason"] == "duration"


def test_an_output_that_nobody_reads_any_more_is_an_orderly_end(desk: Desk) -> None:
    with subprocess.Popen(
        [LAP, "run"],
        cwd=desk.directory,
        env=environment(QUICK),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        try:
            desk.wait_running()
            assert program.stdout is not None
            program.stdout.close()
            assert program.wait(20) == 8
        finally:
            program.kill()
    assert desk.summary()["stop_reason"] == "orphaned"


@pytest.mark.parametrize("output", ["<&- >&- 2>&-", "> /dev/full"])
def test_a_session_needs_nobody_to_talk_to(desk: Desk, output: str) -> None:
    if "/dev/full" in output and not Path("/dev/full").exists():
        pytest.skip("there is no such device on this system")
    program = desk.start("sh", "-c", f'exec "$0" run {output}', LAP, **{**QUICK, "LAP_DURATION": "0.03"})
    assert program.wait(60) == 0, program.output()
    assert desk.summary()["stop_reason"] == "duration"
    assert not (desk.directory / "logs" / "alert.txt").exists()


def test_a_console_of_few_letters_is_no_obstacle(desk: Desk) -> None:
    program = desk.session(LAP_DURATION="0.03", LAP_SYMBOL="größe", PYTHONIOENCODING="ascii")
    assert program.wait(60) == 0, program.output()
    assert "GR\\xd6SSE from mock" in program.output()
    assert "ended: duration" in program.output()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device on this system")
def test_an_output_that_takes_nothing_is_told_in_one_line(desk: Desk) -> None:
    command = [LAP, "check"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=desk.directory, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "lap: No space left on device\n")


def test_ctrl_c_again_and_again_from_the_start_is_as_good_as_once(desk: Desk) -> None:
    """It meets services that are only just beginning, and the report."""
    program = desk.session()
    eventually(lambda: desk.service_pid("feed") != 0, 20, "services begin")

    def pressed() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGINT)
        return program.popen.poll() is not None

    eventually(pressed, 20, "it ends")
    assert program.wait(1) == 0
    assert desk.summary()["stop_reason"] == "signal"
    assert "Traceback" not in program.output()
    eventually(lambda: not program.family(), 5, "no process is left")


def test_the_kill_file_works_while_the_monitor_is_hung(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    os.kill(desk.service_pid("monitor"), signal.SIGSTOP)
    (desk.directory / "kill.txt").write_text("now\n")
    assert program.wait(15) == 0
    summary = desk.summary()
    assert (summary["stop_reason"], summary["stop_detail"]) == ("kill", "now")
    assert not (desk.directory / "kill.txt").exists()
    eventually(lambda: not program.family(), 5, "no process is left")


def test_the_countdown_survives_a_restart_of_the_monitor(desk: Desk) -> None:
    program = desk.session(LAP_DURATION="0.2")
    desk.wait_running()
    os.kill(desk.service_pid("monitor"), signal.SIGKILL)
    assert program.wait(25) == 0
    assert desk.summary()["stop_reason"] == "duration"


@pytest.mark.provokes("rejection halted", "alert event entries_halted")
def test_without_its_monitor_the_session_enters_nothing_until_it_is_back(desk: Desk) -> None:
    """Under honcho the monitor's supervisor can be stopped with it, so that nobody starts it again."""
    (desk.directory / "eager.py").write_text(EAGER)
    program = desk.honcho(**QUICK_BEATS, LAP_STRATEGY="eager:Eager", LAP_STRATEGY_PARAMS="", LAP_RISK_PCT="0.1")
    desk.wait_running()
    watchers = [
        psutil.Process(desk.service_pid("monitor")),
        psutil.Process(desk.json(".lap", "monitor.json")["supervisor"]["pid"]),
    ]
    stop_all(watchers[::-1], signal.SIGSTOP)
    halted = "SELECT count(*) FROM rejections WHERE reason = 'halted'"
    eventually(lambda: asked(desk, halted) > 0, 40, "entries are halted")
    stop_all(watchers, signal.SIGCONT)
    eventually(lambda: len(desk.events("entries_halted")) > 1, 30, "entries are allowed again")
    desk.wait_running()
    assert desk.lap("kill").returncode == 0
    program.wait(15)
    assert facts(desk) == ["EntriesHalted", "EntriesHalted", "SessionClosed"]
    assert desk.lap("replay", "latest", "--check").returncode == 0


def test_a_log_directory_that_vanishes_stops_nothing(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    for path in (desk.directory / "logs").iterdir():
        path.unlink()
    (desk.directory / "logs").rmdir()
    os.kill(desk.service_pid("strategy"), signal.SIGKILL)
    eventually((desk.directory / "logs" / "alert.txt").exists, 20, "the alert is written all the same")
    eventually(lambda: desk.json("logs", "heartbeat.json") is not None, 20, "the heartbeat is written again")
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    assert desk.summary()["stop_reason"] == "kill"


def test_a_state_directory_that_vanishes_keeps_nobody_from_stopping(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    shutil.rmtree(desk.directory / ".lap")
    os.kill(program.pid, signal.SIGINT)
    assert program.wait(20) == 0
    assert desk.summary()["stop_reason"] == "signal"
    eventually(lambda: not program.family(), 5, "no process is left")


class _Inbox(BaseHTTPRequestHandler):
    """Somebody's web hook, which is overloaded at first."""

    refused: ClassVar[list[str]] = []
    arrived: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        letter = self.rfile.read(int(self.headers["Content-Length"])).decode()
        (self.arrived if self.refused else self.refused).append(letter)
        self.send_response(200 if self.arrived else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.provokes("alert alerts can not be sent to no. ... of the ... alert_urls; it is tried again")
def test_alerts_reach_people(desk: Desk) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Inbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            # the second is nobody's, the third of no known kind
            urls = {"LAP_ALERT_URLS": f"json://secret@127.0.0.1:{server.server_port}/,json://127.0.0.1:9/,foo://a"}
            program = desk.session(**urls, LAP_MAX_RESTARTS="1")
            desk.wait_running()
            first = desk.service_pid("strategy")
            os.kill(first, signal.SIGKILL)
            alerts = desk.directory / "logs" / "alert.txt"
            eventually(
                lambda: alerts.exists() and "can not be sent to no. 1, 2, 3" in alerts.read_text(), 30, "that is told"
            )
            eventually(lambda: desk.service_pid("strategy") != first, 30, "the strategy is back")
            os.kill(desk.service_pid("strategy"), signal.SIGKILL)
            assert program.wait(30) == 6
        finally:
            server.shutdown()
    told = " ".join(_Inbox.arrived)
    lines = (desk.directory / "logs" / "alert.txt").read_text().splitlines()
    assert any("strategy crashed" in line for line in lines)
    assert [told.count(json.dumps(line)[1:-1]) for line in lines] == [1] * len(lines), (
        "what was refused comes again, once"
    )
    assert "alerts were not sent to 2 of the 3 alert_urls" in program.output()
    for path in [*(desk.directory / "logs").iterdir(), *desk.run_dir.iterdir()]:
        assert b"secret@" not in path.read_bytes(), path
    shown = [program.output(), desk.lap("check", **urls).stdout, desk.lap("logs", **urls).stdout]
    assert not any("secret@" in text for text in shown)
    assert "json://..." in shown[1]
    for name in ("session.json", "bus.key"):
        assert (desk.directory / ".lap" / name).stat().st_mode & 0o077 == 0


class _Open(_Inbox):
    """One that takes everything."""

    refused: ClassVar[list[str]] = [""]
    arrived: ClassVar[list[str]] = []


def test_a_crash_that_left_nobody_to_tell_of_it_is_told_by_the_next_session(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    for process in program.family():
        process.suspend()
    for process in program.family():
        process.kill()
    program.wait(10)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"json://127.0.0.1:{server.server_port}/"
            again = desk.session(LAP_DURATION="0.1", LAP_ALERT_URLS=url)
            assert again.wait(60) == 0, again.output()
        finally:
            server.shutdown()
    assert "the session ends: internal_error: it crashed" in " ".join(_Open.arrived)


def clock_of_its_own(desk: Desk) -> tuple[list[str], Path]:
    """Return what to start a session with so that it sees another boot time than we, and the file that holds it.

    The kernel tells the boot's wall time, which moves when the clock is set. Where that can not be faked (root on Linux
    alone can) the session sees the jump in its own clock only.
    """
    stat = desk.directory / "stat"
    words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/stat && exec "$@"', str(stat)]
    try:
        stat.write_bytes(Path("/proc/stat").read_bytes())
        subprocess.run([*words, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [], stat
    return words, stat


def set_clock(desk: Desk, stat: Path, seconds: int) -> None:
    (desk.directory / "jump").write_text(str(seconds))
    if stat.exists():
        text = stat.read_text()
        booted_at = int(text.partition("btime ")[2].split()[0])
        stat.write_text(text.replace(f"btime {booted_at}", f"btime {booted_at + seconds}"))


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["forward", "back"])
def test_a_wall_clock_that_jumps_by_an_hour_changes_nothing(desk: Desk, seconds: int) -> None:
    hook = desk.directory / "hook"
    hook.mkdir()
    shutil.copyfile(Path(jumping_clock.__file__), hook / "sitecustomize.py")
    words, stat = clock_of_its_own(desk)
    clock = {"PYTHONPATH": python_path(hook), jumping_clock.FILE: str(desk.directory / "jump")}
    program = desk.start(*words, LAP, "run", **{**QUICK, **clock, "LAP_DURATION": "0.25"})
    desk.wait_running()
    before = desk.json("logs", "heartbeat.json")["unix_ts"]
    set_clock(desk, stat, seconds)
    eventually(lambda: abs(desk.json("logs", "heartbeat.json")["unix_ts"] - before) > 3000, 10, "the clock has jumped")
    pid = desk.service_pid("strategy")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: desk.service_pid("strategy") not in {0, pid}, 15, "what comes new is of the same session")
    seen = subprocess.run([*words, LAP, "status"], cwd=desk.directory, env=environment(clock), check=False)
    assert seen.returncode == 0
    assert program.wait(40) == 0
    summary = desk.summary()
    assert (summary["stop_reason"], summary["restarts"]) == ("duration", 1)
    assert desk.lap("replay", "latest", "--check").returncode == 0


def test_a_directory_that_can_not_be_written_is_refused(desk: Desk) -> None:
    (desk.directory / "lap.toml").write_text('runs_dir = "/proc/nowhere"\n')
    done = desk.lap("run", LAP_SOURCE="mock")
    assert done.returncode == 2
    assert "/proc/nowhere" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
