"""What surrounds a session: strangers and garbage on its sockets, what it listens on, an installation from the wheel."""

import os
import subprocess
import sys
import venv
from functools import partial
from pathlib import Path

import psutil
import pytest
import zmq
from processes import FACTOR, Desk, environment, eventually

from services.session.keys_file import load_keys

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
GARBAGE = [
    os.urandom(300),
    b"quote|1|1|feed|1|1|[1,2,3.0",
    b'decision|1|1|strategy|1|1|["0",[]]',
    b"quote|1|1|feed|1|1|[1,2,NaN,1.0,1.0,1.0,false]",
    b'trade|1|1|feed|1|1|[1,2,-5.0,1.0,"buy"]',
    b"\x00" * 1_000_000,
]


def throw_garbage(desk: Desk) -> None:
    """Send garbage, with the session's own key, to every socket it has bound."""
    session = desk.json(".lap", "session.json")
    keys = load_keys(desk.directory / ".lap")
    context = zmq.Context()
    sockets = []
    for name, port in session["ports"].items():
        if name.startswith("exchange"):
            continue
        socket = context.socket(zmq.DEALER if name.endswith("rpc") else zmq.XSUB)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = keys.public
        socket.setsockopt(zmq.LINGER, 5_000)
        socket.connect(f"tcp://127.0.0.1:{port}")
        sockets.append(socket)
        for frame in GARBAGE:
            socket.send(frame if name.endswith("rpc") else b"\x07" + frame)
    for socket in sockets:
        socket.close()
    context.term()


def counts(desk: Desk, service: str) -> bool:
    return any(line["service"] == service for line in desk.events("malformed_frames"))


def test_garbage_on_every_bus_socket_changes_nothing_but_a_counter(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    before = {service: desk.service_pid(service) for service in ("feed", "strategy", "broker", "monitor")}
    throw_garbage(desk)
    for service in before:
        eventually(
            partial(counts, desk, service),
            15,
            f"{service} counts what was no message",
        )
    desk.wait_trades(1)
    assert {service: desk.service_pid(service) for service in before} == before
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    assert desk.summary()["restarts"] == 0


def test_a_session_listens_on_loopback_alone(desk: Desk) -> None:
    program = desk.session("--source", "demo")
    desk.wait_running()
    listening = [
        connection.laddr
        for process in program.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 7
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0


def test_secrets_are_private_and_in_no_log(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    assert desk.lap("kill").returncode == 0
    assert program.wait(10) == 0
    keys = load_keys(desk.directory / ".lap")
    for path in desk.directory.rglob("*"):
        if path.is_file() and path.name != "bus.key":
            assert keys.secret not in path.read_bytes(), path


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=120 * FACTOR, env=environment({}))


def test_the_wheel_runs_a_session_in_an_empty_directory(desk: Desk) -> None:
    """Built, installed into an empty virtual environment elsewhere, run where nothing of the project lies.

    The dependencies are lent by the environment of the tests, so that no package index is needed.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels = desk.directory / "wheels"
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    (wheel,) = wheels.glob("*.whl")
    place = desk.directory / "venv"
    venv.create(place, with_pip=False)
    (site,) = place.glob("lib/python*/site-packages") if os.name == "posix" else place.glob("Lib/site-packages")
    python = place / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    run(*pip, "--python", str(python), "install", "--quiet", "--no-deps", str(wheel))
    lent = next(Path(path) for path in sys.path if (Path(path) / "orjson").is_dir())
    (site / "lent.pth").write_text(f"{lent}\n")
    empty = desk.directory / "empty"
    empty.mkdir()
    there = Desk(empty)
    try:
        program = there.start(str(python.parent / "lap"), "run", "--source", "demo", "--duration", "0.3")
        assert program.wait(90) == 0, program.output()
        assert there.summary()["stop_reason"] == "duration"
        assert there.summary()["tick_count"] > 0
    finally:
        for started in there.programs:
            started.end()
