"""What a session can run out of while it runs: handles, an output, a directory it may write; and a second kill file."""

import os
import resource
import shutil
import signal
import sys
from collections import Counter

import pytest
from processes import LAP, QUICK, Desk, eventually

pytestmark = pytest.mark.timeout(180)

TALKS = """
from services.strategy.built_in.sma_cross import SmaCross


class Talks(SmaCross):
    def on_candle(self, context, candle):
        for number in range(300):
            print(number, "a candle of which there is much to tell " * 10)
        return super().on_candle(context, candle)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
@pytest.mark.provokes("alert the report could not be started: ...")
def test_a_supervisor_without_handles_ends_in_order(desk: Desk) -> None:
    """It can start nothing any more: neither the service that crashed, nor the report."""
    program = desk.session()
    desk.wait_running()
    pid = desk.service_pid("strategy")
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (3, 4096))
    os.kill(pid, signal.SIGKILL)
    assert program.wait(40) == 6
    eventually(lambda: not program.family(), 10, "no process is left")
    assert "Traceback" not in program.output()
    assert desk.lap("report").returncode == 0
    assert desk.session(LAP_DURATION="0.1").wait(40) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
def test_services_without_handles_go_on_and_end_in_order(desk: Desk) -> None:
    """Nothing new can be opened by any of them: no heartbeat file, no alert file, not even the kill file."""
    program = desk.session()
    desk.wait_running()
    for service in ("feed", "strategy", "broker", "monitor"):
        resource.prlimit(desk.service_pid(service), resource.RLIMIT_NOFILE, (3, 4096))
    desk.wait_trades(len(desk.events("trade_closed")) + 1)
    assert desk.lap("kill").returncode == 0
    assert program.wait(20) == 0
    assert desk.summary()["stop_reason"] == "kill"
    assert "Traceback" not in program.output()


@pytest.mark.parametrize("redirection", [">/dev/full", "<&- >&- 2>&-"], ids=["full", "closed"])
def test_an_output_that_takes_nothing_from_the_start_stops_nothing(desk: Desk, redirection: str) -> None:
    program = desk.start("sh", "-c", f'exec "$0" run {redirection}', LAP, **{**QUICK, "LAP_DURATION": "0.05"})
    assert program.wait(40) == 0
    assert desk.summary()["stop_reason"] == "duration"
    assert "Traceback" not in program.output()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a POSIX thing")
@pytest.mark.parametrize("place", ["a terminal", "/dev/full"])
def test_an_output_that_takes_nothing_does_not_hold_up_a_strategy_that_prints(desk: Desk, place: str) -> None:
    """A terminal stands still after Ctrl-S, under a marked text, at the end of a line that is down."""
    (desk.directory / "talks.py").write_text(TALKS)
    ours, theirs = os.openpty()
    output = os.ttyname(theirs) if place == "a terminal" else place
    settings = {"LAP_STRATEGY": "talks:Talks", "LAP_HEARTBEAT_TIMEOUT_SEC": "3", "LAP_MAX_STRATEGY_ERRORS": "0"}
    try:
        program = desk.start("sh", "-c", f'exec "$0" run >{output} 2>&1', LAP, **{**QUICK, **settings})
        desk.wait_trades(2, 60)
        assert desk.lap("kill").returncode == 0
        assert program.wait(20) == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert (desk.summary()["stop_reason"], desk.summary()["restarts"]) == ("kill", 0)


def test_an_output_that_is_read_gets_every_line_that_a_strategy_prints(desk: Desk) -> None:
    (desk.directory / "talks.py").write_text(TALKS)
    program = desk.session(LAP_STRATEGY="talks:Talks", LAP_DURATION="0.05")
    assert program.wait(40) == 0
    numbers = Counter(line.partition(" ")[0] for line in program.output().splitlines() if "much to tell" in line)
    assert set(numbers) == {str(number) for number in range(300)}
    assert len(set(numbers.values())) == 1, "as often as there were candles"


def without_the_right_to_write_anywhere() -> list[str]:
    """Return what to start a session with so that modes of directories count for it; skip where that can not be."""
    words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if sys.platform != "linux" or (words and shutil.which(words[0]) is None):
        pytest.skip("root writes everywhere")
    return words


def test_a_state_directory_that_becomes_read_only_keeps_nobody_from_trading_or_stopping(desk: Desk) -> None:
    program = desk.start(*without_the_right_to_write_anywhere(), LAP, "run", **QUICK)
    desk.wait_running()
    state = desk.directory / ".lap"
    state.chmod(0o555)
    try:
        os.kill(desk.service_pid("strategy"), signal.SIGKILL)
        desk.wait_trades(len(desk.events("trade_closed")) + 1)
        assert desk.lap("kill").returncode == 0
        assert program.wait(30) == 0
    finally:
        state.chmod(0o700)
    eventually(lambda: not program.family(), 10, "no process is left")
    assert desk.summary()["stop_reason"] == "kill"
    assert "Traceback" not in program.output()
    assert desk.session(LAP_DURATION="0.05").wait(40) == 0


def test_a_second_kill_file_in_the_stop_is_taken_for_the_first(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    kill_file = desk.directory / "kill.txt"
    kill_file.write_text("the first\n")
    eventually(lambda: desk.json(".lap", "stop.json") is not None, 10, "the session stops")
    again = desk.directory / "again.txt"
    again.write_text("the second\n")
    again.replace(kill_file)
    assert program.wait(20) == 0
    assert not kill_file.exists()
    assert desk.json(".lap", "stop.json")["detail"] == "the first"
    assert desk.session(LAP_DURATION="0.05").wait(40) == 0


@pytest.mark.provokes("alert the kill file ... can not be removed (...): nothing starts before it is gone")
def test_a_kill_file_that_can_not_be_removed_stops_all_the_same_and_is_told(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    (desk.directory / "full").mkdir()
    (desk.directory / "full" / "something").touch()
    (desk.directory / "full").rename(desk.directory / "kill.txt")
    assert program.wait(20) == 0
    assert desk.summary()["stop_reason"] == "kill"
    assert desk.lap("run").returncode == 2
