"""The project's randomness: functions of a seed and a name, of nothing else.

Restarts, history and other draws can not change one.
"""

from hashlib import sha256


def number(seed: int, name: str, k: int) -> int:
    """Return the `k`-th draw of a name, 0 to 2**64 - 1."""
    return int.from_bytes(sha256(f"{seed}:{name}:{k}".encode()).digest()[:8], "big")


def fraction(seed: int, name: str, k: int) -> float:
    """Return the same draw as a double in [0, 1)."""
    return (number(seed, name, k) >> 11) / 2**53
