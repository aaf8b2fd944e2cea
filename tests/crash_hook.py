"""Kills the service it is in, once, at a named point: the same file is the table of points and what carries them out.

A test copies it as `sitecustomize.py` into a directory on the services' PYTHONPATH, and says in `CRASH_ORDER` (JSON)
which points, for which side, from which event time on, and where the marks are. Every Python process of the session
reads it at its start; in a service that has a point, the named function is wrapped the moment its module is loaded.
A mark, made by O_EXCL before the kill, sees to it that each point kills once. Nothing of this is in the services.
"""

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

ORDER = "CRASH_ORDER"
SIDES = ("LONG", "SHORT", "FLAT")


@dataclass
class Scene:
    """What a process knows about where it is: the order, and the side on which the account stood.

    The broker works off as much at a time as there is, so what a commit left depends on the machine; what stood
    `before` the latest commit, which is where a question was asked at the latest, does not.
    """

    side: str
    from_ms: int
    marks: Path
    before: str = "FLAT"
    account: str = "FLAT"
    armed: list[str] = field(default_factory=list)


Make = Callable[[Any], Any]
"""From what a module holds to what it is to hold instead."""
Change = Callable[[ModuleType], None]
"""What is done to a module when it is loaded."""
Happens = Callable[[Scene, Sequence[Any]], bool]
"""Whether a call (its arguments, `self` among them) is of the kind that a point means."""


@dataclass(frozen=True)
class Point:
    """A place where a process dies.

    Attributes:
        process: of `services.<process>`.
        call: `module:Class.method` or `module:function`.
        happens: which calls count.
        moment: `before` or `after` the call, or `within` it (see `WITHIN`).
        nth: at which of them.
    """

    process: str
    call: str
    happens: Happens
    moment: str
    nth: int = 2


def kind(message: object) -> str:
    return type(message).__name__


def always(_: Scene, __: Sequence[Any]) -> bool:
    return True


def committed(word: str) -> Happens:
    """A commit with such a word in it, the account having stood on the side asked for."""
    return lambda scene, call: word in map(kind, call[1]) and scene.before == scene.side


def committed_entry(scene: Scene, call: Sequence[Any]) -> bool:
    return any(kind(said) == "Fill" and said.is_entry and said.side == scene.side for said in call[1])


def committed_maker(scene: Scene, call: Sequence[Any]) -> bool:
    """A limit order that rested and was reached."""
    return any(kind(said) == "Fill" and said.liquidity == "maker" and said.side == scene.side for said in call[1])


def committed_exit(scene: Scene, call: Sequence[Any]) -> bool:
    return any(kind(said) == "TradeClosed" and said.side == scene.side for said in call[1])


def committed_flat(scene: Scene, call: Sequence[Any]) -> bool:
    """A trade that a FLAT closed."""
    return any(
        kind(said) == "TradeClosed" and said.exit_reason == "FLAT" and said.side == scene.side for said in call[1]
    )


def committed_nothing(scene: Scene, call: Sequence[Any]) -> bool:
    """The checkpoint: only how far the stream is worked off."""
    return not call[1] and scene.before == scene.side


def committed_end(_: Scene, call: Sequence[Any]) -> bool:
    return "SessionClosed" in map(kind, call[1])


def said(word: str) -> Happens:
    """A message published, or sent to the peer, the account having stood on the side asked for."""
    return lambda scene, call: kind(call[-1]) == word and scene.before == scene.side


def published_entry(scene: Scene, call: Sequence[Any]) -> bool:
    return kind(call[-1]) == "Fill" and call[-1].is_entry and call[-1].side == scene.side


def published_trade(scene: Scene, call: Sequence[Any]) -> bool:
    return kind(call[-1]) == "TradeClosed" and call[-1].side == scene.side


def asked(scene: Scene, call: Sequence[Any]) -> bool:
    """A question, to the broker's peer or at the strategy, of the side asked for."""
    return any(kind(argument) == "Decide" and argument.account.side == scene.side for argument in call)


def said_anyhow(word: str) -> Happens:
    return lambda _, call: kind(call[-1]) == word


def said_ended(_: Scene, call: Sequence[Any]) -> bool:
    return kind(call[-1]) == "FeedStatus" and call[-1].state == "ended"


def flushed(scene: Scene, call: Sequence[Any]) -> bool:
    """A burst of the stream from the time asked for on."""
    return bool(call[1][-1].ts_ms >= scene.from_ms)


def flushed_candle(scene: Scene, call: Sequence[Any]) -> bool:
    """A burst in which a candle closes, with the tick that closed it."""
    return flushed(scene, call) and "Candle" in map(kind, call[1][:-1])


def published_event(scene: Scene, call: Sequence[Any]) -> bool:
    return kind(call[1]) == "Burst" and call[1].events[-1].ts_ms >= scene.from_ms


def published_candle(scene: Scene, call: Sequence[Any]) -> bool:
    """A closed candle, with the tick that closed it."""
    return published_event(scene, call) and "Candle" in map(kind, call[1].events)


def answered_with_an_order(scene: Scene, call: Sequence[Any]) -> bool:
    return kind(call[-1]) == "Decision" and len(call[-1].signals) > 0 and scene.before == scene.side


def told_of_the_head(_: Scene, call: Sequence[Any]) -> bool:
    return kind(call[1]) == "StreamInfo"


def recalled(_: Scene, call: Sequence[Any]) -> bool:
    """Earlier questions told to a strategy that begins again."""
    return any(kind(argument) == "Recall" and argument.questions for argument in call)


def restored(_: Scene, call: Sequence[Any]) -> bool:
    """A broker that begins again, from a journal that says something."""
    return call[1].load() is not None


def written(name: str) -> Happens:
    return lambda _, call: call[0].name == name


COMMIT = "services.broker.journal_sqlite:Journal.record"
OPEN_JOURNAL = "services.broker.journal_sqlite:Journal._prepare"
NOTE = "services.broker.journal_sqlite:Journal.set_meta"
PUBLISH = "bus.sockets:Publisher.send"
SERVE = "bus.sockets:Server.send"
ASK = "bus.sockets:Client.send"
FLUSH = "services.feed.recording_file:Recording.append"
HEAD = "services.feed.recording_file:Recording.begin"
DECIDE = "services.strategy.core:StrategyCore.handle"
OPEN = "services.broker.finishing:open_core"
FINISH = "services.broker.finishing:finish_journal"
REPORT = "services.report.build:build_report"
WRITE = "services.waiting:write_atomic"
SEAL = "services.replay.seal_file:seal_run"
PACK = "services.feed.packed_file:pack"
DONE = "services.session.state:mark_done"

AROUND = ("before", "after")
ALL_OF_IT = ("before", "within", "after")

_TABLE: tuple[tuple[str, str, str, Happens, Sequence[str], int], ...] = (
    # process, name, call, which calls count, moments, at which of them
    ("feed", "head", HEAD, always, ALL_OF_IT, 1),
    ("feed", "flush", FLUSH, flushed, ALL_OF_IT, 1),
    ("feed", "flush of a candle", FLUSH, flushed_candle, ALL_OF_IT, 1),
    ("feed", "publish", PUBLISH, published_event, AROUND, 1),
    ("feed", "publish of a candle", PUBLISH, published_candle, AROUND, 1),
    ("feed", "answer with the head", SERVE, said_anyhow("StreamInfo"), AROUND, 1),
    ("feed", "answer with events", SERVE, said_anyhow("EventsPage"), AROUND, 1),
    ("feed", "publish of the end", PUBLISH, said_ended, AROUND, 1),
    ("strategy", "taking of the head", DECIDE, told_of_the_head, AROUND, 1),
    ("strategy", "hello", ASK, said_anyhow("StrategyHello"), AROUND, 1),
    ("strategy", "decision", DECIDE, asked, AROUND, 20),
    ("strategy", "answer", ASK, said("Decision"), AROUND, 20),
    ("strategy", "answer with an order", ASK, answered_with_an_order, AROUND, 2),
    ("strategy", "recall", DECIDE, recalled, AROUND, 1),
    ("broker", "opening of the journal", OPEN_JOURNAL, always, AROUND, 1),
    ("broker", "commit of the head", NOTE, always, ALL_OF_IT, 1),
    ("broker", "commit of a question", COMMIT, committed("Decide"), ALL_OF_IT, 2),
    ("broker", "commit of an answer", COMMIT, committed("DecisionTaken"), ALL_OF_IT, 2),
    ("broker", "commit of an order", COMMIT, committed("OrderAccepted"), ALL_OF_IT, 2),
    ("broker", "commit of a refusal", COMMIT, committed("OrderRejected"), ALL_OF_IT, 1),
    ("broker", "commit of an entry", COMMIT, committed_entry, ALL_OF_IT, 2),
    ("broker", "commit of an exit", COMMIT, committed_exit, ALL_OF_IT, 2),
    ("broker", "commit of a resting order", COMMIT, committed("OrderResting"), ALL_OF_IT, 2),
    ("broker", "commit of a cancelled order", COMMIT, committed("OrderCancelled"), ALL_OF_IT, 1),
    ("broker", "commit of a maker's entry", COMMIT, committed_maker, ALL_OF_IT, 1),
    ("broker", "commit of a FLAT", COMMIT, committed_flat, ALL_OF_IT, 1),
    ("broker", "commit of the end", COMMIT, committed_end, ALL_OF_IT, 1),
    ("broker", "checkpoint", COMMIT, committed_nothing, ALL_OF_IT, 2),
    ("broker", "publish of an order", PUBLISH, said("OrderAccepted"), AROUND, 2),
    ("broker", "publish of a refusal", PUBLISH, said("OrderRejected"), AROUND, 1),
    ("broker", "publish of an entry", PUBLISH, published_entry, AROUND, 2),
    ("broker", "publish of a trade", PUBLISH, published_trade, AROUND, 2),
    ("broker", "publish of the end", PUBLISH, said_anyhow("SessionClosed"), AROUND, 1),
    ("broker", "question", SERVE, asked, AROUND, 2),
    ("broker", "recall", SERVE, recalled, AROUND, 1),
    ("broker", "restart", OPEN, restored, AROUND, 1),
    ("closing", "books", FINISH, always, AROUND, 1),
    ("closing", "report", REPORT, always, AROUND, 1),
    ("closing", "write of trades.csv", WRITE, written("trades.csv"), AROUND, 1),
    ("closing", "write of summary.json", WRITE, written("summary.json"), AROUND, 1),
    ("closing", "seal", SEAL, always, AROUND, 1),
    ("closing", "packing", PACK, always, ALL_OF_IT, 1),
    ("closing", "done", DONE, always, AROUND, 1),
)

POINTS: Mapping[str, Point] = {
    f"{process}, {moment} the {name}": Point(process, call, happens, moment, nth)
    for process, name, call, happens, moments, nth in _TABLE
    for moment in moments
}
"""Every point by its name: `broker, within the commit of an entry`."""


def die(name: str, scene: Scene) -> None:
    """End this process as `kill -9` does, unless this point has done so before."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(scene.marks / name, os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGKILL)


def look(scene: Scene, arguments: Sequence[Any]) -> None:
    """Learn the account's side from what passes by: a commit, or a question."""
    if kind(arguments[1]) == "Decide":
        scene.before = scene.account = arguments[1].account.side
    elif isinstance(arguments[-1], dict):
        position = arguments[-1]["position"]
        scene.before, scene.account = scene.account, position["side"] if position else "FLAT"


def wrapped(function: Callable[..., Any], name: str, point: Point, scene: Scene) -> Callable[..., Any]:
    """Return the function with death in it."""
    seen = [0]

    def call(*arguments: Any, **more: Any) -> Any:
        if not point.happens(scene, arguments):
            return function(*arguments, **more)
        seen[0] += 1
        if seen[0] != point.nth:
            return function(*arguments, **more)
        if point.moment == "before":
            die(name, scene)
        if point.moment == "within":
            scene.armed.append(name)
        result = function(*arguments, **more)
        if point.moment == "after":
            die(name, scene)
        return result

    return call


def watched(function: Callable[..., Any], scene: Scene) -> Callable[..., Any]:
    """Return the function looked at."""

    def call(*arguments: Any, **more: Any) -> Any:
        look(scene, arguments)
        return function(*arguments, **more)

    return call


WATCHED: Mapping[str, str] = {"broker": COMMIT, "strategy": DECIDE}
"""Where a process sees the account."""


def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function done twice."""

    def call(*arguments: Any) -> None:
        function(*arguments)
        function(*arguments)

    return call


def in_the_transaction(function: Callable[..., Any], scene: Scene) -> Callable[..., Any]:
    """`within` a commit: everything is written, nothing is committed."""

    @contextlib.contextmanager
    def transaction(*arguments: Any) -> Iterator[None]:
        with function(*arguments):
            yield
            for name in scene.armed:
                die(name, scene)

    return transaction


def torn(function: Callable[..., Any], scene: Scene) -> Callable[..., Any]:
    """`within` a flush: half of the bytes (or, for a candle, all of it and nothing of its tick) are in the file."""

    def write(recording: Any, data: bytes) -> None:
        for name in scene.armed:
            part = len(data) // 2
            if name.endswith("of a candle"):
                part = data.index(b"\n", data.index(b"candle|")) + 1
            os.write(recording._out.fileno(), data[:part])
            die(name, scene)
        function(recording, data)

    return write


def between_two_files(function: Callable[..., Any], scene: Scene) -> Callable[..., Any]:
    """`within` the packing: the packed recording is there, the plain one still."""

    def call(*arguments: Any) -> Any:
        for name in scene.armed:
            die(name, scene)
        return function(*arguments)

    return call


WITHIN: Mapping[str, tuple[str, Callable[..., Any]]] = {
    COMMIT: ("services.broker.journal_sqlite:Journal._transaction", in_the_transaction),
    NOTE: ("services.broker.journal_sqlite:Journal._transaction", in_the_transaction),
    FLUSH: ("services.feed.recording_file:Recording._write", torn),
    HEAD: ("services.feed.recording_file:Recording._write", torn),
    PACK: ("services.feed.packed_file:suppress", between_two_files),
}
"""What a call that is died within goes through, and how."""


class Finder(importlib.abc.MetaPathFinder):
    """Wraps what a module of the services holds the moment it is loaded, before anybody can import it from there."""

    def __init__(self, changes: Mapping[str, Sequence[Change]]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._changes:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            for change in self._changes[fullname]:
                change(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def change(call: str, make: Make) -> Change:
    """Return what replaces `module:Class.method` (or a function, a constant) by what `make` makes of it."""
    *owners, last = call.partition(":")[2].split(".")

    def apply(module: ModuleType) -> None:
        owner: Any = getattr(module, owners[0]) if owners else module
        setattr(owner, last, make(getattr(owner, last)))

    return apply


def install(order: Mapping[str, Any], process: str) -> None:
    """Prepare the deaths that are meant for this process and have not happened yet."""
    scene = Scene(order["side"], order["from_ms"], Path(order["marks"]))
    changes: dict[str, list[Change]] = {}

    def plan(call: str, make: Make) -> None:
        changes.setdefault(call.partition(":")[0], []).append(change(call, make))

    for name in order["points"]:
        point = POINTS[name]
        if point.process != process or (scene.marks / name).exists():
            continue
        plan(point.call, partial(wrapped, name=name, point=point, scene=scene))
        if point.moment == "within":
            inner, how = WITHIN[point.call]
            plan(inner, partial(how, scene=scene))
    if process in WATCHED:
        plan(WATCHED[process], partial(watched, scene=scene))
    for constant, value in order["constants"].items():
        plan(constant, lambda _, value=value: value)  # type: ignore[misc]
    for call in order["doubled"]:
        plan(call, doubled)
    sys.meta_path.insert(0, Finder(changes))


def service_of(words: Sequence[str]) -> str:
    """Return the service that a command line starts, or an empty text."""
    found = [word.partition(".")[2] for word in words if word.startswith("services.")]
    return found[0] if found else ""


if __name__ == "sitecustomize" and os.environ.get(ORDER) and service_of(sys.orig_argv):
    install(json.loads(os.environ[ORDER]), service_of(sys.orig_argv))
