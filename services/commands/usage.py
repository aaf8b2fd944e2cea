"""Runs the command line of the light commands: what it says of wrong words is one line."""

import sys
from typing import Any

import typer

from services.commands.app import app

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What all wrong words on a command line are; typer gives out this one of its kinds."""


def command() -> int:
    """Run the command on the command line and return its code."""
    try:
        return app(standalone_mode=False) or 0
    except _UsageError as error:
        wrong: Any = error
        text = wrong.format_message()
        # Of some of its words typer tells not where they were said.
        name = [word for word in sys.argv[1:2] if not word.startswith("-")]
        path = wrong.ctx.command_path if wrong.ctx else " ".join(["lap", *name])
        is_help = "\n" in text  # there were no words at all
        sys.stderr.write(
            f"{text}\n" if is_help else f"{path}: {text.rstrip('.')}; '{path} --help' tells what it takes\n"
        )
        return 2
