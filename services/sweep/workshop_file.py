"""Where runs are made: a sweep's files on this machine, its market in memory, parsed once for all runs."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bus.messages import StrategyFailed
from services.clock import monotonic_ns
from services.feed.config import FeedConfig
from services.feed.core import FeedRules
from services.feed.source import SourceError
from services.replay.columnar.columns import columns_of
from services.replay.script import SHAPING, ReplayError, Script, read_script, script_of_files
from services.sweep.bundle_file import CODE, Bundle, program_digest
from services.sweep.errors import SweepError
from services.sweep.figures import measured
from services.sweep.folds import Window
from services.sweep.play import play
from services.sweep.tape import Tape, cut

MOST_WHOLE = 4
"""Markets kept in memory: the data under so many different settings that shape the stream."""
_MOST_PARTS = 2
"""Windows kept in memory: together as long as so many whole markets."""


class Workshop:
    """Plays runs of one sweep. One at a time: a strategy's module belongs to one sweep at a time.

    Args:
        bundle: the sweep's files.
        directory: a directory of its own, where they are unpacked.

    Raises:
        OSError: the directory can not be written.
    """

    _lock = threading.Lock()

    def __init__(self, bundle: Bundle, directory: Path) -> None:
        self._is_same_program = program_digest() == bundle.program
        self._paths = bundle.unpack(directory)
        self._is_run = bundle.is_run
        self._code = directory / CODE
        self._modules = {Path(name).parts[0].removesuffix(".py") for name in bundle.code}
        self._wholes: dict[object, tuple[Script, Tape]] = {}
        self._parts: dict[object, tuple[Script, Tape]] = {}

    def perform(self, settings: Mapping[str, Any], window: Window | None) -> dict[str, Any]:
        """Play one run; return its outcome as `figures.measured` does, the strategy's `failure` and the `seconds` it took.

        Args:
            settings: of the run, resolved.
            window: what is played of the market; None: all.

        Raises:
            ReplayError: the strategy or the settings do not fit.
            SweepError: the data can not be used, or this is another program than the sweep's.
        """
        with self._lock:
            if not self._is_same_program:
                raise SweepError("a worker runs another version of laptop-agents than this one")
            self._bring_in_code()
            script, tape = self._tape(settings, window)
            started_ns = monotonic_ns()
            played = replace(script, settings=settings, info=tape.info, events=iter(tape.events))
            run, failures = play(played, self._code)
            outcome = measured(run)
            told = f"the strategy failed {len(failures):,} x, first: {failures[0].detail}" if failures else ""
            return {**outcome, "failure": told, "seconds": (monotonic_ns() - started_ns) / 1e9}

    def span(self, settings: Mapping[str, Any]) -> Window:
        """Return from when to when the market goes on after its history, in whole candles.

        Raises:
            SweepError: the data can not be used.
        """
        return self._tape(settings, None)[1].span

    def _tape(self, settings: Mapping[str, Any], window: Window | None) -> tuple[Script, Tape]:
        shape = () if self._is_run else tuple(settings[name] for name in SHAPING)
        if shape not in self._wholes:
            made = self._whole(settings)
            while len(self._wholes) >= MOST_WHOLE:
                del self._wholes[next(iter(self._wholes))]
            self._wholes[shape] = made
        script, whole = self._wholes[shape]
        if window is None:
            return script, whole
        key = (shape, window)
        if key not in self._parts:
            config = FeedConfig.from_settings(settings)
            part = cut(whole, window, FeedRules(config.half_spread_bps, config.max_quote_age_ms))
            most = _MOST_PARTS * len(whole.events) - len(part.events)
            while self._parts and sum(len(kept.events) for _, kept in self._parts.values()) > most:
                del self._parts[next(iter(self._parts))]
            self._parts[key] = replace(script, columns=columns_of(part.info, part.events)), part
        return self._parts[key]

    def _whole(self, settings: Mapping[str, Any]) -> tuple[Script, Tape]:
        try:
            if self._is_run:
                recorded = read_script(self._paths, {}, self._code)
                # where the strategy failed then is no fact of other parameters
                facts = [fact for fact in recorded.facts if not isinstance(fact, StrategyFailed)]
                script = replace(recorded, facts=facts, answers={})
            else:
                here = {**settings, "replay_file": [str(path) for path in self._paths]}
                script = script_of_files(self._paths, here, {}, self._code)
            return script, Tape(script.info, list(script.events))
        except (ReplayError, SourceError) as error:
            raise SweepError(str(error)) from None

    def _bring_in_code(self) -> None:
        """Let the strategy's modules come from here, whatever an earlier sweep in this process imported."""
        path = str(self._code)
        if path in sys.path[:1]:
            return
        sys.path[:] = [path, *(entry for entry in sys.path if entry != path)]
        for name in [name for name in sys.modules if name.partition(".")[0] in self._modules]:
            del sys.modules[name]
