"""What surrounds a session: strangers and garbage on its sockets, what it listens on, an installation from the wheel."""

import os
import subprocess
import sys
import venv
from functools import partial
from pathlib import Path

import psutil
import pytest
from bus_peer import TOO_LARGE, Listener, Peer, bus_ports, is_asked
from crashing import own_ports
from processes import FACTOR, Desk, environment, eventually
from strangers import DRESSES, Stranger, is_turned_away

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


def counts(desk: Desk, service: str) -> bool:
    return any(line["service"] == service for line in desk.events("malformed_frames"))


def test_garbage_on_every_bus_socket_changes_nothing_but_a_counter(desk: Desk) -> None:
    program = desk.session()
    desk.wait_running()
    before = {service: desk.service_pid(service) for service in ("feed", "strategy", "broker", "monitor")}
    with Peer(desk) as peer:
        for name in peer.names:
            peer.throw(name, GARBAGE)
            peer.throw(name, [TOO_LARGE] * 3)
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


def strangers_get_nothing(desk: Desk) -> None:
    """Every kind of stranger at every socket of the bus is turned away; whoever has the key is not."""
    keys = load_keys(desk.directory / ".lap")
    stranger = Stranger()
    try:
        came = {
            (name, dress): stranger.come_to(port, asks=is_asked(name), dress=DRESSES[dress], server_key=keys.public)
            for name, port in bus_ports(desk).items()
            for dress in DRESSES
        }
        assert len(came) == 7 * 4
        for who, (client, events) in came.items():
            assert is_turned_away(client, events, int(10_000 * FACTOR)), who
    finally:
        stranger.close()
    listener = Listener(desk)
    try:
        eventually(lambda: listener.heard > 10, 10, "a peer hears the session")
    finally:
        listener.close()
    assert desk.events("malformed_frames") == []


def test_a_session_listens_on_loopback_alone_and_to_no_stranger(desk: Desk) -> None:
    metrics_port = own_ports()
    program = desk.session("--source", "demo", LAP_METRICS_PORT=str(metrics_port))
    desk.wait_running()
    listening = [
        connection.laddr
        for process in program.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    ports = desk.json(".lap", "session.json")["ports"]
    assert {address.port for address in listening} == {*ports.values(), metrics_port}
    assert {address.ip for address in listening} == {"127.0.0.1"}
    strangers_get_nothing(desk)
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
