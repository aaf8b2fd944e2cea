"""Real processes for tests: started in a directory of their own, every wait bounded, every child ended by pid.

A session's output goes to a file and is shown when a test fails. All waits are multiples of one unit that
`LAP_TEST_TIMEOUT_FACTOR` stretches on a slow machine.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from services.waiting import wait_until

FACTOR = float(os.environ.get("LAP_TEST_TIMEOUT_FACTOR", "1"))
BIN = Path(sys.executable).parent
MARK = "STARTED_BY_TEST"
LAP = str(BIN / "lap")
HONCHO = str(BIN / "honcho")
PROCFILE = Path(__file__).parent.parent / "Procfile"

QUICK = {
    "LAP_SOURCE": "mock",
    "LAP_INTERVAL": "1s",
    "LAP_SEED": "7",
    "LAP_DURATION": "5",
    "LAP_STRATEGY_PARAMS": "fast=2,slow=5",
    "LAP_MIN_TRADE_INTERVAL_SEC": "1",
    "LAP_STOP_BPS": "8",
    "LAP_MAX_CONSECUTIVE_LOSSES": "1000",
}
"""Settings of a lively session: second candles, mock data, something to see within seconds."""


def eventually(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a fact; fail with its name when it does not come."""
    assert wait_until(holds, int(seconds * 1000 * FACTOR)), f"did not come within {seconds * FACTOR:g} s: {what}"


_numbers = count(1)
"""Programs of one moment have outputs of their own."""


class Program:
    """A program that the test started, in a process session of its own."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.cwd = cwd
        self.log = cwd / f"output-{next(_numbers)}-{Path(words[0]).name}.txt"
        self._mark = str(self.log)
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                list(words),
                cwd=cwd,
                env=environment({**(env or {}), MARK: self._mark}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait(self, seconds: float) -> int:
        """Wait for its end; return its exit code."""
        try:
            return self.popen.wait(seconds * FACTOR)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds * FACTOR:g} s\n{self.output()}") from None

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def family(self) -> list[psutil.Process]:
        """The program and all that it started, also what it left behind.

        They inherit a mark in their environment: honcho gives each of its processes a process session of its own.
        """
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (OSError, psutil.Error):
                continue
        return found

    def end(self) -> None:
        """Kill what is left, by pid."""
        for process in self.family():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.popen.wait(10)


class Desk:
    """A working directory in which a test runs `lap` and honcho as a person would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs: list[Program] = []
        self.states: set[str] = set()
        """States of services that a test has seen shown, where it looked."""

    def start(self, *words: str, **env: str) -> Program:
        """Start a program in the background."""
        program = Program(words, self.directory, env)
        self.programs.append(program)
        return program

    def lap(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `lap` to its end."""
        return self.lap_for(30, *words, **env)

    def lap_for(self, seconds: float, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `lap` to its end, which may take so long."""
        return subprocess.run(
            [LAP, *words],
            cwd=self.directory,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds * FACTOR,
            check=False,
        )

    def session(self, *words: str, **env: str) -> Program:
        """Start `lap run` with quick settings."""
        return self.start(LAP, "run", *words, **{**QUICK, **env})

    def honcho(self, **env: str) -> Program:
        """Start honcho with the project's own Procfile and quick settings."""
        (self.directory / "Procfile").write_bytes(PROCFILE.read_bytes())
        return self.start(HONCHO, "start", **{**QUICK, **env})

    @property
    def run_dir(self) -> Path:
        return (self.directory / "runs" / "latest").resolve()

    def json(self, *parts: str) -> Any:
        """Read a JSON file; None when it is not there."""
        try:
            return json.loads(self.directory.joinpath(*parts).read_bytes())
        except (OSError, ValueError):
            return None

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run_dir / "summary.json").read_bytes())
        return found

    def trades(self) -> list[str]:
        return (self.run_dir / "trades.csv").read_text().splitlines()[1:]

    def service_pid(self, service: str) -> int:
        view = self.json(".lap", f"{service}.json") or {}
        return int(view.get("pid") or 0)

    def wait_running(self, seconds: float = 20) -> None:
        """Wait until every service beats and a price is known."""

        def beating() -> bool:
            beat = self.json("logs", "heartbeat.json") or {}
            services = beat.get("services", {})
            states = [service["state"] for service in services.values()]
            return len(states) >= 4 and set(states) == {"RUNNING"} and bool(beat.get("price"))

        eventually(beating, seconds, "all services run")

    def wait_trades(self, count: int, seconds: float = 40) -> None:
        """Wait until the system log tells of so many closed trades."""
        eventually(lambda: len(self.events("trade_closed")) >= count, seconds, f"{count} trades")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Events of a name in the system log."""
        path = self.directory / "logs" / "system.jsonl"
        if not path.exists():
            return []
        lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
        return [line for line in lines if line["event"] == name]

    def show(self) -> str:
        """Everything that helps to understand a failure."""
        texts = [f"--- {program.log.name}\n{program.output()}" for program in self.programs]
        for path in sorted((self.directory / "logs").glob("*")):
            tail = path.read_text(encoding="utf-8", errors="replace")[-3000:]
            texts.append(f"--- {path.name}\n{tail}")
        return "\n".join(texts)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The test's environment with `lap` on the path, without what would make programs other than a user's.

    That is: settings of the machine's, pytest's options, and streams without a buffer.
    """
    strange = ("LAP_", "PYTEST_", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}", **env}


def python_path(first: Path) -> str:
    """A PYTHONPATH on which a directory comes before what is there: for a `sitecustomize.py` in it."""
    return os.pathsep.join([str(first), *filter(None, [os.environ.get("PYTHONPATH")])])


@contextmanager
def desk_in(directory: Path) -> Iterator[Desk]:
    """A desk in a directory, made if need be, whose programs are ended with the block, whatever happens in it."""
    directory.mkdir(parents=True, exist_ok=True)
    desk = Desk(directory)
    try:
        yield desk
    finally:
        for program in desk.programs:
            program.end()
