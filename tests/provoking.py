"""What a session can come to, from the code itself, and how a test proves that it has brought one to it.

A test says so with `@pytest.mark.provokes("stop_reason kill", "rejection halted", ...)`; that it has, the `desk` fixture
checks on what the test's real processes left. `test_provoked.py` holds the two together.
"""

import ast
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
from processes import Desk

from bus.messages import RejectReason, StopReason
from services.supervision.restarts import State
from services.waiting import pause, read_json

SERVICES = Path(__file__).parents[1] / "services"
HARMLESS = {"Level.INFO", "Level.WARNING", "Level.ERROR", "m.Level.INFO", "m.Level.WARNING", "m.Level.ERROR"}
"""Levels, as the code writes them, whose notices are no alerts."""
WILD = "..."


def outcomes() -> set[str]:
    """Return everything that a session can come to and somebody should know."""
    return {
        *(f"stop_reason {reason}" for reason in StopReason),
        *(f"rejection {reason}" for reason in RejectReason),
        *(f"state {state}" for state in State),
        *(f"alert {text}" for text in alerts()),
    }


def alerts() -> set[str]:
    """Return the texts of all alerts in the code, `...` for what changes in them, and the names of critical notices."""
    found = set()
    for path in SERVICES.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                found |= {text for call in calls for text in _alerts_of(call, function)}
    return found


def _alerts_of(call: ast.Call, function: ast.FunctionDef) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "alert" and len(call.args) == 3:
        for text in map(_template, _values(call.args[2], function)):
            if text.strip(f"{WILD}: "):  # else it passes on what was said elsewhere
                yield text
    if name in {"notice", "tell", "_incident"} and "Level.CRITICAL" in ast.unparse(function):
        level, event = call.args[:2]
        if ast.unparse(level) not in HARMLESS and isinstance(event, ast.Constant):
            yield f"event {event.value!s}"


def _values(text: ast.expr, function: ast.FunctionDef) -> list[ast.expr]:
    """Return what a text is: itself, or what the function gives to the variable that it is."""
    if not isinstance(text, ast.Name):
        return [text]
    given = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    return [node.value for node in given if [ast.unparse(target) for target in node.targets] == [text.id]]


def _template(text: ast.expr) -> str:
    if isinstance(text, ast.Constant):
        return str(text.value)
    if isinstance(text, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else WILD for part in text.values)
    return WILD


class StateWatch:
    """Notes every state that a session's supervisors show, from now on; of what is over too soon the last heartbeat tells."""

    def __init__(self, desk: Desk) -> None:
        self.seen: set[str] = set()
        self._desk = desk
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        beat = self._desk.json("logs", "heartbeat.json") or {"services": {}}
        self.seen |= {service["state"] for service in beat["services"].values()}

    def _watch(self) -> None:
        while not self._over.is_set():
            for path in (self._desk.directory / ".lap").glob("*.json"):
                view = read_json(path)
                if isinstance(view, dict) and "state" in view:
                    self.seen.add(view["state"])
            pause(2)


def is_proved(desk: Desk, outcome: str) -> bool:
    """Whether what a test's sessions left shows that one of them came to it."""
    kind, _, what = outcome.partition(" ")
    match kind:
        case "stop_reason":
            return what in _stop_reasons(desk)
        case "rejection":
            return what in _rejections(desk)
        case "state":
            return what in desk.states
        case _:
            return _is_alerted(desk, what)


def _stop_reasons(desk: Desk) -> set[str]:
    ends = [read_json(path) for path in desk.directory.rglob("end.json")]
    return {end["reason"] for end in ends if isinstance(end, dict)}


def _rejections(desk: Desk) -> set[str]:
    found: set[str] = set()
    for path in desk.directory.rglob("journal.db"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
            found |= {reason for (reason,) in journal.execute("SELECT reason FROM rejections")}
    return found


def _is_alerted(desk: Desk, what: str) -> bool:
    """In `alert.txt`; in the output, where that can not be written; a notice by its name in the system log."""
    texts = [path.read_text("utf-8", "replace") for path in desk.directory.rglob("alert.txt") if path.is_file()]
    texts += [program.output() for program in desk.programs]
    if what.startswith("event "):
        logs = [line for path in desk.directory.rglob("system.jsonl*") for line in path.read_bytes().splitlines()]
        name = what.removeprefix("event ")
        said = [line["message"] for line in map(orjson.loads, logs) if line["event"] == name]
        return any(message in text for message in said for text in texts)
    pattern = ".+".join(map(re.escape, what.split(WILD)))
    return any(re.search(pattern, text) for text in texts)
