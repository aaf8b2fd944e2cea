"""The one home of the machine's clocks. Cores are told the time; shells ask here."""

import sys
import time

if sys.platform == "win32":
    import ctypes

    def monotonic_ms() -> int:
        """Milliseconds of a clock that never steps and stands still while the machine sleeps.

        Python's own goes on there. `QueryUnbiasedInterruptTime` counts units of 100 ns and "does not include time the
        system spends in sleep or hibernation" (Microsoft's documentation of realtimeapiset.h).
        """
        units = ctypes.c_ulonglong()
        ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(units))
        return units.value // 10_000

else:

    def monotonic_ms() -> int:
        """Milliseconds of a clock that never steps and stands still while the machine sleeps."""
        return time.monotonic_ns() // 1_000_000


def monotonic_ns() -> int:
    """Nanoseconds of a clock that never steps, for latencies."""
    return time.monotonic_ns()


def boot_ms() -> int:
    """Milliseconds of a clock that never steps and goes on while the machine sleeps.

    The same in all processes of a machine. Linux: CLOCK_BOOTTIME. macOS: CLOCK_MONOTONIC counts sleep there, Python's
    own monotonic clock does not. Windows: the monotonic clock counts sleep.
    """
    kind = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    if kind is None:
        return time.monotonic_ns() // 1_000_000
    return time.clock_gettime_ns(kind) // 1_000_000


def wall_ms() -> int:
    """Milliseconds since the Unix epoch, UTC, of a clock that may step: for people, never for rules."""
    return time.time_ns() // 1_000_000


def iso(unix_ms: int) -> str:
    """Return a wall time as ISO 8601 in UTC with milliseconds."""
    seconds, ms = divmod(unix_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"
