"""The standard streams of `lap`: all there from the start, fit for any text, and left quietly at the end."""

import io
import os
import sys


def prepare() -> None:
    """Let a stream that was closed before we began lead nowhere, not into the first file that is opened.

    Also lets the output take any character.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what a console can not show it shows as a code


def utf8_for_children() -> dict[str, str]:
    """Return the environment for a child of which we read text: it writes UTF-8, whatever a console here may be."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"}


def leave_output() -> None:
    """Write out what is left, or let it go: the interpreter ends with 120 when it can not, whatever our code is."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
