"""`lap`: the entry point. What supervises branches off here, before anything heavy is imported."""

import os
import sys
import threading
from pathlib import Path

from bus.ports import ALL_SERVICES
from services.streams import leave_output, prepare

SUPERVISED = (*ALL_SERVICES, "run")


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
    from services.commands.usage import command

    try:
        sys.exit(command())
    except SystemExit as ended:
        _leave_threads(ended.code)
        raise
    except OSError as error:  # a disk that is full, most likely under the output
        leave_output()
        sys.exit(f"lap: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _leave_threads(code: str | int | None) -> None:
    """Go, with this code, where a strategy's thread would keep the interpreter for as long as it runs."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if isinstance(code, int) and not all(thread.daemon for thread in others):
        leave_output()
        os._exit(code)


def _is_tool(words: list[str]) -> bool:
    """Whether it is `lap exchange` as a tool of its own; with `--source` it is a service of a session."""
    return words[0] == "exchange" and not any(word.startswith("--source") for word in words)
