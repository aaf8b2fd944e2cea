"""A wall clock that jumps when a file says so: copied as `sitecustomize.py`, read by every Python process of a session.

`JUMP_FILE` names the file; in it are the seconds by which the wall clock is off. Clocks that never step go on.
"""

import os
import time
from pathlib import Path

FILE = "JUMP_FILE"
_real_ns = time.time_ns


def off_ns() -> int:
    """By how much the clock is off, in ns."""
    try:
        return int(Path(os.environ[FILE]).read_text(encoding="ascii")) * 10**9
    except (OSError, ValueError, KeyError):
        return 0


def time_ns() -> int:
    return _real_ns() + off_ns()


if FILE in os.environ and __name__ == "sitecustomize":
    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9  # noqa: TID251 - the clock itself is what is tested
