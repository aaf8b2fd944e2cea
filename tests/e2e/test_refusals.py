"""What can not work is refused at once: code 2 and one sentence, from every command; nothing running is touched."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from crashing import own_ports
from processes import LAP, Desk, eventually

pytestmark = pytest.mark.timeout(120)

BAD = [
    ({"LAP_STOP_BPS": "-3"}, "stop_bps must be greater than 0, got -3 (from LAP_STOP_BPS)"),
    ({"LAP_RISK_PCT": "150"}, "risk_pct"),
    ({"LAP_DURATION": "0"}, "duration must be greater than 0"),
    ({"LAP_SYMBOL": ""}, "symbol must not be empty"),
    ({"LAP_STOPBPS": "1"}, "LAP_STOP_BPS"),
    ({"LAP_STRATEGY": "nonsense"}, "nonsense"),
]


def only_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(("env", "says"), BAD, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_setting_is_refused_in_one_line(desk: Desk, command: str, env: dict[str, str], says: str) -> None:
    done = desk.lap(command, **env)
    assert done.returncode == 2, done.stdout
    if command == "run" or "STRATEGY" not in str(env):
        assert says in only_line(done.stderr)
    assert "Traceback" not in done.stderr
    assert not (desk.directory / "runs").exists() or command == "check"


@pytest.mark.parametrize(
    "words", [["feed"], ["kill"], ["status"], ["top"], ["dashboard"], ["report"], ["logs"], ["strategies"],
              ["exchange"], ["new", "strategy", "mine"], ["replay", "nothing.csv"], ["sweep", "nothing.csv", "--grid", "tp_r=1,2"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_every_command_refuses_a_bad_setting(desk: Desk, words: list[str]) -> None:
    env, says = BAD[0]
    done = desk.lap(*words, **env)
    assert (done.returncode, only_line(done.stderr)) == (2, says)
    assert not list(desk.directory.glob("*.py"))


def test_what_two_settings_must_be_to_each_other_is_judged_where_both_are_known(desk: Desk) -> None:
    (desk.directory / "lap.toml").write_text("latency_min_ms = 600\n")
    program = desk.session("--set", "latency_max_ms=1000")
    desk.wait_running()
    assert desk.lap("status").returncode == 0
    assert desk.lap("kill").returncode == 0
    assert program.wait(30) == 0
    assert desk.lap("report").returncode == 0
    assert desk.lap("replay", "latest", "--set", "latency_min_ms=700").returncode == 0
    assert desk.lap("check").returncode == 2


def test_a_running_session_is_stopped_whatever_the_settings_have_become(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    (desk.directory / "lap.toml").write_text("stop_bps = -3\n")
    assert desk.lap("status").returncode == 2
    assert desk.lap("kill").returncode == 0
    assert program.wait(30) == 0


@pytest.mark.parametrize(("env", "says"), BAD[:2], ids=lambda value: str(value)[:20])
def test_honcho_ends_with_2_on_a_bad_setting(desk: Desk, env: dict[str, str], says: str) -> None:
    program = desk.honcho(**env)
    assert program.wait(30) == 2
    assert says in program.output()
    assert "Traceback" not in program.output()
    eventually(lambda: not program.family(), 5, "no process is left")


def test_a_strategy_that_ends_whoever_loads_it_is_refused(desk: Desk) -> None:
    (desk.directory / "ender.py").write_text("import os\nprint('bye')\nos._exit(0)\n")
    done = desk.lap("run", LAP_STRATEGY="ender:Any")
    assert done.returncode == 2
    assert "could not be resolved" in only_line(done.stderr)


def test_a_strategy_may_print_whatever_the_console_can_not_show(desk: Desk) -> None:
    """As on Windows, where what goes into a pipe is not UTF-8 without further ado."""
    (desk.directory / "says.py").write_text(
        'print("é →")\nfrom services.strategy.built_in.sma_cross import SmaCross as Says\n', "utf-8"
    )
    program = desk.session("--duration", "0.02", LAP_STRATEGY="says:Says", PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert program.wait(30) == 0
    assert desk.lap("check", LAP_STRATEGY="says:Says", PYTHONIOENCODING="cp1252", PYTHONUTF8="0").returncode == 0


def test_a_strategy_that_waits_while_it_is_imported_can_be_stopped(desk: Desk) -> None:
    (desk.directory / "waits.py").write_text(
        "import pathlib, threading\npathlib.Path('imported').touch()\nthreading.Event().wait()\n"
    )
    program = desk.session(LAP_STRATEGY="waits:Any")
    eventually((desk.directory / "imported").exists, 20, "the strategy is imported")
    os.kill(program.pid, signal.SIGTERM)
    assert program.wait(10) == 0
    assert not program.family()
    assert not (desk.directory / "runs").exists()


def test_a_broken_settings_file_is_refused_with_its_line(desk: Desk) -> None:
    (desk.directory / "lap.toml").write_text('symbol = "BTCUSDT"\nstop_bps = = 3\n')
    for command in ("run", "check"):
        done = desk.lap(command)
        assert done.returncode == 2
        line = only_line(done.stderr)
        assert "lap.toml" in line
        assert "2" in line


def test_a_kill_file_refuses_the_start_and_says_how_to_clear_it(desk: Desk) -> None:
    (desk.directory / "kill.txt").write_text("wait for me\n")
    done = desk.lap("run")
    assert done.returncode == 2
    assert "delete it" in only_line(done.stderr)
    assert desk.lap("check").returncode == 2
    program = desk.honcho()
    assert program.wait(30) == 2
    assert (desk.directory / "kill.txt").read_text() == "wait for me\n"


def test_nobody_is_told_to_delete_a_directory_that_holds_something(desk: Desk) -> None:
    (desk.directory / "logs").mkdir()
    (desk.directory / "logs" / "mine.txt").touch()
    done = desk.lap("run", LAP_SOURCE="mock", LAP_KILL_FILE="logs")
    assert done.returncode == 2
    assert only_line(done.stderr).startswith("kill_file must name a file, but ")


def test_a_second_session_is_refused_and_the_first_goes_on(desk: Desk) -> None:
    first = desk.session()
    desk.wait_running()
    for second in (desk.start(LAP, "run", LAP_SOURCE="mock"), desk.honcho()):
        assert second.wait(30) == 2
        assert str(first.pid) in second.output()
        assert "lap kill" in second.output()
    assert desk.lap("check").returncode == 2
    assert desk.lap("status").returncode == 0
    assert desk.lap("kill").returncode == 0
    assert first.wait(10) == 0
    assert desk.summary()["stop_reason"] == "kill"


def test_two_started_at_the_same_moment_make_one_session(desk: Desk) -> None:
    both = [desk.session(), desk.session()]
    eventually(lambda: any(program.popen.poll() is not None for program in both), 30, "one is refused")
    refused, running = sorted(both, key=lambda program: program.popen.poll() is None)
    assert refused.wait(1) == 2
    desk.wait_running()
    assert desk.lap("kill").returncode == 0
    assert running.wait(10) == 0


def test_a_spelling_of_the_symbol_is_understood(desk: Desk) -> None:
    program = desk.session(LAP_SYMBOL="btc/usdt", LAP_DURATION="0.15")
    assert program.wait(60) == 0, program.output()
    assert desk.summary()["symbol"] == "BTCUSDT"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--set", "nonsense"],
        ["run", "--nonsense"],
        ["run", "--sourc", "mock"],
        ["feed", "--seed"],
        ["run", "--set", "stop_bp=1"],
    ],
)
def test_words_that_no_session_takes_are_refused_in_one_line(desk: Desk, words: list[str]) -> None:
    done = desk.lap(*words, LAP_SOURCE="mock")
    assert done.returncode == 2
    assert only_line(done.stderr)
    assert not (desk.directory / "runs").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["--nonsense"],
        ["replay"],
        ["kill", "--timeout", "-3"],
        ["logs", "--servce", "feed"],
        ["replay", "c.csv", "--out"],
        ["status", "--json=3"],
        ["--version=3"],
        ["new", "strategy"],
    ],
)
def test_words_that_no_command_takes_are_refused_in_one_line(desk: Desk, words: list[str]) -> None:
    done = desk.lap(*words)
    assert done.returncode == 2
    assert only_line(done.stderr)
    assert not done.stdout


def test_without_a_word_the_commands_are_listed(desk: Desk) -> None:
    done = desk.lap()
    assert done.returncode == 2
    assert "dashboard" in done.stderr


def test_a_directory_that_is_none_is_refused(desk: Desk) -> None:
    (desk.directory / "logs").write_text("a file\n")
    done = desk.lap("run", LAP_SOURCE="mock")
    assert done.returncode == 2
    assert "logs" in only_line(done.stderr)
    assert not (desk.directory / "runs").exists(), "no run is left that never was"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a directory into which not even root can write")
def test_a_log_directory_that_takes_no_file_is_refused(desk: Desk) -> None:
    done = desk.lap("run", LAP_SOURCE="mock", LAP_LOG_DIR="/proc/self")
    assert done.returncode == 2
    assert only_line(done.stderr).startswith("the log directory /proc/self is not writable: ")
    assert not (desk.directory / "runs").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_directory_whose_name_is_no_text_is_refused(desk: Desk) -> None:
    desk.directory /= os.fsdecode(b"caf\xe9")
    desk.directory.mkdir()
    done = desk.lap("run", LAP_SOURCE="mock")
    assert done.returncode == 2
    assert "is no UTF-8" in only_line(done.stderr)


def test_taken_ports_are_refused(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        port = min(port, 65_000)
        done = desk.lap("run", "--set", f"bus_port={port}", LAP_SOURCE="mock")
        metrics = desk.lap("run", "--set", f"metrics_port={port}", LAP_SOURCE="mock")
    both = desk.lap("run", "--set", "bus_port=30000", "--set", "metrics_port=30003", LAP_SOURCE="mock")
    assert (done.returncode, metrics.returncode, both.returncode) == (2, 2, 2)
    assert "metrics_port 30003 is one of them" in only_line(both.stderr)
    assert f"bus_port {port} needs" in only_line(done.stderr)
    assert only_line(metrics.stderr) == f"metrics_port {port} is taken by another program"
    assert not list(desk.directory.glob("runs/*")), "no run is left that never was"


def test_a_refused_start_leaves_what_the_session_before_left(desk: Desk) -> None:
    assert desk.lap("run", LAP_SOURCE="mock", LAP_DURATION="0.02").returncode == 0
    before = desk.json(".lap", "session.json"), sorted(desk.directory.glob("runs/*"))
    (desk.directory / "runs" / "latest").unlink()
    (desk.directory / "runs" / "latest").mkdir()
    done = desk.lap("run", LAP_SOURCE="mock")
    assert done.returncode == 2
    assert "latest is a directory" in only_line(done.stderr)
    assert (desk.json(".lap", "session.json"), sorted(desk.directory.glob("runs/*"))) == before


def test_sessions_follow_each_other_on_the_same_ports(desk: Desk) -> None:
    ports = str(own_ports())
    for _ in range(2):
        done = desk.lap("run", LAP_SOURCE="mock", LAP_DURATION="0.05", LAP_BUS_PORT=ports)
        assert done.returncode == 0, done.stderr


def test_a_position_that_does_not_fit_is_refused_before_a_session_begins(desk: Desk) -> None:
    (desk.directory / ".lap").mkdir()
    kept = desk.directory / ".lap" / "carry.json"
    kept.write_text("[]")
    done, checked = desk.lap("run"), desk.lap("check")
    assert (done.returncode, checked.returncode) == (2, 2)
    assert "delete carry.json" in only_line(done.stderr)
    assert "NO  what was kept fits" in checked.stdout
    assert (kept.read_text(), (desk.directory / "runs").exists()) == ("[]", False)


def test_what_a_crashed_session_had_taken_over_is_no_reason_to_refuse_the_next(desk: Desk) -> None:
    """It is closed first, and with it goes what the one before had left."""
    (desk.directory / "steady.py").write_text(
        "from services.strategy.interface import Side, Strategy\n\n\n"
        "class Long(Strategy):\n"
        "    def on_candle(self, context, candle):\n"
        "        return context.market(Side.LONG)\n"
    )
    env = {"LAP_STRATEGY": "steady:Long", "LAP_STRATEGY_PARAMS": "{}", "LAP_STOP_BPS": "5000"}
    first = desk.session("--set", "on_stop=keep", **env)
    desk.wait_running()
    eventually(lambda: bool(desk.json("logs", "heartbeat.json")["position"]), 40, "a position")
    assert desk.lap("kill").returncode == 0
    assert first.wait(30) == 0
    kept = desk.directory / ".lap" / "carry.json"
    assert kept.exists()
    run_id = desk.json(".lap", "session.json")["run_id"]
    second = desk.session(**env)
    eventually(lambda: desk.json("logs", "heartbeat.json")["run_id"] != run_id, 20, "the second session")
    eventually(lambda: bool(desk.events("order_rejected")), 40, "a price for what was taken over")
    second.end()
    assert desk.lap("check").returncode == 0
    third = desk.session("--duration", "0.05", LAP_SYMBOL="ETHUSDT")
    assert third.wait(60) == 0
    assert not kept.exists()


def test_a_working_directory_that_is_gone_is_told(desk: Desk) -> None:
    gone = desk.directory / "gone"
    gone.mkdir()
    words = ["sh", "-c", f"cd '{gone}' && rmdir '{gone}' && exec '{LAP}' run --source mock"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "the working directory is gone; change to one that is there\n")
