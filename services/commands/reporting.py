"""`lap report`: a run's report made again, and an exit code."""

import webbrowser
from pathlib import Path

import typer

from services.commands.progress import busy
from services.file_names import END
from services.replay.seal_file import changed_since_sealed
from services.report.build import LostJournalError, remake_report

FAILED = 1


def report_command(run_dir: Path, *, is_running: bool, opens: bool, quiet: bool) -> int:
    """Make a run's report; return the exit code: 0, or 1 (it can not be made, or the run is not as its session left it).

    Args:
        run_dir: the run's directory.
        is_running: its session still goes on.
        opens: show the page in the browser.
        quiet: without a sign of progress.
    """
    try:
        with busy(f"making the report of {run_dir.name}", quiet=quiet):
            altered = changed_since_sealed(run_dir)
            page = remake_report(run_dir, is_running=is_running, altered=altered)
            if is_running and (run_dir / END).exists():  # it ended meanwhile, and its own report may be under ours
                page = remake_report(run_dir, altered=altered)
    except LostJournalError as error:
        typer.echo(str(error), err=True)
        return FAILED
    except OSError as error:
        typer.echo(f"{error.filename} can not be written: {error.strerror}", err=True)
        return FAILED
    typer.echo(str(page))
    if altered:
        typer.echo(f"{altered}; the report says so", err=True)
    if opens:
        webbrowser.open(page.as_uri())
    return FAILED if altered else 0
