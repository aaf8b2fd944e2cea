"""`lap replay`: from words on the command line to a replay with a progress bar, and an exit code."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import typer

from services.feed.recording_file import replayable
from services.replay.run import Outcome, Progress, replay
from services.replay.script import ReplayError, Script, read_script
from services.replay.seal_file import changed_since_sealed
from services.report.words import many
from services.session.runs import find_run
from services.settings import SettingsError, check_each

REFUSED = 2
DIFFERENT = 1


def replay_command(what: Sequence[str], out: Path | None, words: Sequence[str], *, check: bool, quiet: bool) -> int:
    """Replay what the command line names; return the exit code: 0, 1 (it differs), 2 (it can not be done)."""
    try:
        overrides = dict(pair_of(word) for word in words)
        paths = paths_of(what, overrides)
        if check and (changed := _changed(paths)):
            typer.echo(changed, err=True)
            return DIFFERENT
        script = read_script(paths, overrides, Path.cwd())
        place = out or _default_out(script)
        # Absolute: the strategy may change to another directory.
        outcome = _with_bar(script, place.absolute(), check=check, quiet=quiet)
    except ReplayError as error:
        typer.echo(str(error), err=True)
        return REFUSED
    except OSError as error:
        typer.echo(f"{error.filename} can not be written: {error.strerror}", err=True)
        return REFUSED
    refused = f", {many(outcome.refused, 'row')} refused" if outcome.refused else ""
    ended = f", ended by {outcome.ended_by}" if outcome.ended_by else ""
    typer.echo(f"{outcome.events} events replayed{refused}{ended}; report: {place / outcome.page.name}")
    if outcome.failures:
        first = outcome.failures[0]
        typer.echo(
            f"the strategy failed {len(outcome.failures)} x, and was answered for with nothing; first:", err=True
        )
        typer.echo(first.trace.rstrip() or first.detail, err=True)
    if outcome.invalid:
        signals = many(len(outcome.invalid), "signal")
        typer.echo(f"{signals} could not be an order; the first: {outcome.invalid[0]}", err=True)
    if outcome.difference:
        typer.echo(outcome.difference, err=True)
        return DIFFERENT
    if check:
        typer.echo("trades.csv is the same, byte for byte")
    return 0


def pair_of(word: str) -> tuple[str, str]:
    """Read `--set NAME=VALUE`.

    Raises:
        ReplayError: it is not of that form.
    """
    name, equals, value = word.partition("=")
    if not equals:
        raise ReplayError(f"--set takes NAME=VALUE, was {word!r}")
    return name.strip(), value


def paths_of(what: Sequence[str], options: Mapping[str, str]) -> list[Path]:
    """Return the run or the files that the command line names, with settings as options.

    Raises:
        ReplayError: a setting of the working directory is wrong.
    """
    try:
        check_each({}, Path.cwd(), os.environ)
    except SettingsError as error:
        raise ReplayError(str(error)) from None
    if len(what) == 1 and (run := find_run(what[0], options)) is not None:
        return [run]
    return [Path(word) for word in what]


def _changed(paths: Sequence[Path]) -> str:
    """Return what of a run is not as it was sealed; looked at first, for a changed run may not even read."""
    if len(paths) != 1 or not replayable(paths[0]):
        return ""
    try:
        return changed_since_sealed(paths[0] if paths[0].is_dir() else paths[0].parent)
    except OSError as error:
        raise ReplayError(f"{error.filename} can not be read: {error.strerror}") from None


def _default_out(script: Script) -> Path:
    if script.run_dir is not None:
        return script.run_dir / "replay"
    return Path.cwd() / str(script.settings["runs_dir"]) / f"replay-{script.name}"


def _with_bar(script: Script, out: Path, *, check: bool, quiet: bool) -> Outcome:
    cwd = Path.cwd()
    if quiet or not sys.stderr.isatty() or not script.last_ts_ms:
        return replay(script, out, cwd, _silent, check=check)
    with typer.progressbar(length=1_000, label="replay", file=sys.stderr) as bar:
        return replay(script, out, cwd, _bar_progress(bar.update, script.last_ts_ms), check=check)


def _silent(_: int) -> None:
    """Nobody looks."""


def _bar_progress(update: Callable[[int], None], last_ts_ms: int) -> Progress:
    first_ms: list[int] = []
    shown = [0]

    def progress(ts_ms: int) -> None:
        first_ms.append(ts_ms) if not first_ms else None
        share = (ts_ms - first_ms[0]) * 1_000 // max(1, last_ts_ms - first_ms[0])
        update(share - shown[0])
        shown[0] = share

    return progress
