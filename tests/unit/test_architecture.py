"""The house: who may import whom, what is pure, and that every part has its place.

A file of a room is pure unless its name says otherwise: a technology at its end (`journal_sqlite.py`), or one of the few
names listed here with their reason. Pure means: told everything, touches nothing.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("feed", "strategy", "broker", "monitor", "exchange", "report", "sweep")
TECHNOLOGIES = ("_sqlite", "_file", "_ws", "_rest", "_rlimit", "_html", "_http", "_dask", "_optuna")
SHELLS = {
    "process": "the composition root",
    "__main__": "the entry",
    "loading": "imports a strategy by name",
    "finishing": "opens a journal, for the broker and for whoever closes after it",
    "play": "loads a strategy by name, for one run of a sweep",
    "pool_own": "a thread that plays",
    "scheduler": "hands a sweep's jobs to workers, and waits for them",
    "build": "reads a run's directory, writes its report",
    "source_bitunix": "holds the socket and the REST worker",
    "source_replay": "reads data files and recordings",
}
UNTOUCHED = frozenset(
    [
        "asyncio",
        "concurrent",
        "dask",
        "distributed",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "optuna",
        "os",
        "pathlib",
        "psutil",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "websocket",
        "websockets",
        "zmq",
    ]
)
"""What a pure file does not import: clocks, sockets, files, processes, randomness."""
SHARED_SHELLS = frozenset(
    {"services.clock", "services.runner", "services.session.state", "services.waiting", "services.link"}
)
ALLOWED = {
    ("exchange", "rest", "urllib"),  # parsing a query string touches nothing
    ("feed", "bitunix_rows", "urllib"),  # nor does writing one
    ("exchange", "config", "pathlib"),  # paths as values
    ("report", "trades_csv", "io"),  # a text that the csv module writes into
    ("sweep", "table", "io"),  # the same
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def is_pure(path: Path) -> bool:
    return path.stem not in SHELLS and not path.stem.endswith(TECHNOLOGIES)


PURE = [path for room in ROOMS for path in files(ROOT / "services" / room) if is_pure(path)]


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_named_by_a_noun_touches_nothing(path: Path) -> None:
    room = path.parent.name
    touched = {name for name in imports(path) if name.partition(".")[0] in UNTOUCHED or name in SHARED_SHELLS}
    assert {name for name in touched if (room, path.stem, name.partition(".")[0]) not in ALLOWED} == set()


@pytest.mark.parametrize("name", SHELLS)
def test_every_exception_is_still_there(name: str) -> None:
    assert any((ROOT / "services" / room / f"{name}.py").exists() for room in ROOMS)


@pytest.mark.parametrize("path", files(ROOT / "bus") + files(ROOT / "services"), ids=lambda path: path.name)
def test_a_module_has_a_sign_on_its_door(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", files(ROOT / "bus") + files(ROOT / "services"), ids=lambda path: path.name)
def test_a_module_stays_small_enough_to_read(path: Path) -> None:
    limit = 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


def test_catch_alls_are_around_the_loop_and_around_a_strategys_code_alone() -> None:
    catchers = [
        path.name
        for path in files(ROOT / "services") + files(ROOT / "bus")
        if "except Exception" in path.read_text("utf-8")
    ]
    assert sorted(catchers) == ["guard.py", "runner.py"]


def test_what_supervises_imports_nothing_heavy() -> None:
    """Four of them run beside a browser: no zmq, no settings library, no log library, no message."""
    code = "import sys, services.supervision.launch; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    heavy = {
        "bus.messages",
        "zmq",
        "pydantic",
        "typer",
        "logging",
        "orjson",
        "websocket",
        "websockets",
        "sqlite3",
        "asyncio",
    }
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize("service", ["feed", "strategy", "broker", "monitor", "exchange", "report", "closing"])
def test_only_a_replay_imports_numpy(service: str) -> None:
    """It costs 20 MB and a tenth of a second in each of the processes that run beside each other."""
    module = f"services.{service}" if service in {"closing", "report"} else f"services.{service}.process"
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert "numpy" not in done.stdout.split()


@pytest.mark.parametrize("service", ["feed", "strategy", "broker", "monitor"])
def test_no_service_imports_asyncio(service: str) -> None:
    """With what comes with it, it costs 5 MB and some 40 ms in each of the four that run beside each other."""
    code = f"import sys, services.{service}.process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert {"asyncio", "multiprocessing", "ssl"} & set(done.stdout.split()) == set()


def test_nothing_happens_at_import() -> None:
    """Importing everything starts no thread, opens no file that stays open, writes nothing."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files(ROOT / "bus") + files(ROOT / "services")
        if path.stem not in {"__main__", "__init__"}
    ]
    code = (
        f"import sys, threading\nfor name in {modules!r}:\n    __import__(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
