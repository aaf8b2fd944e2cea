"""`lap`: the entry point. What supervises branches off here, before anything heavy is imported."""

import sys
from pathlib import Path

from services.streams import leave_output, prepare

SUPERVISED = ("feed", "strategy", "broker", "monitor", "exchange", "run")


def app() -> None:
    """Run the command on the command line and exit with its code."""
    prepare()
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.stderr.write("the working directory is gone; change to one that is there\n")
        sys.exit(2)
    if sys.argv[1:2] and sys.argv[1] in SUPERVISED and not _is_tool(sys.argv[1:]):
        from services import signals

        signals.catch()
        from services.supervision.launch import main

        code = main(sys.argv[1], sys.argv[2:])
        leave_output()
        sys.exit(code)
    from services.commands.app import app as commands

    try:
        commands()
    except OSError as error:  # a disk that is full, most likely under the output
        leave_output()
        sys.exit(f"lap: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _is_tool(words: list[str]) -> bool:
    """Whether it is `lap exchange` as a tool of its own; with `--source` it is a service of a session."""
    return words[0] == "exchange" and not any(word.startswith("--source") for word in words)
