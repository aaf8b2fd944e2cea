"""How much memory somebody else's code may take: a wall of the process it runs in, by the operating system (Linux).

Where it is hit, Python raises `MemoryError` in the code that asked for more: a strategy's fault like any other.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HELD = "VmData:"
"""Data of this process as `RLIMIT_DATA` counts it, in KiB, in `/proc/self/status` (proc_pid_status(5))."""


def build_memory_wall(megabytes: int) -> Callable[[], None]:
    """Let this process take at most so much more data than it holds now; return what takes the wall down.

    Args:
        megabytes: MiB, beside the program itself, its market and whatever else is there already.
    """
    if sys.platform != "linux":
        return lambda: None
    import resource  # noqa: PLC0415 - exists there alone

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = min(limit for limit in (_held_bytes() + megabytes * 1024 * 1024, soft, hard) if limit >= 0)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def memory_wall(megabytes: int) -> Iterator[None]:
    """The same for a block."""
    take_down = build_memory_wall(megabytes)
    try:
        yield
    finally:
        take_down()


def _held_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition(_HELD)[2].split(maxsplit=1)[0]) * 1024
