"""Funding times and rates: every eight hours at 00, 08 and 16 UTC, the rate a function of seed and time. Pure."""

from hashlib import sha256

INTERVAL_MS = 8 * 3_600_000
INTERVAL_HOURS = 8
CAP_PCT = 0.3


def last_ms(now_ms: int) -> int:
    """Return the newest funding time up to now."""
    return now_ms // INTERVAL_MS * INTERVAL_MS


def rate_pct(seed: int, symbol: str, funding_ms: int) -> float:
    """Return the rate of a funding time in percent, from -0.01 to 0.02; positive: longs pay."""
    drawn = int.from_bytes(sha256(f"{seed}:{symbol}:funding:{funding_ms}".encode()).digest()[:4], "big")
    return round(drawn / 2**32 * 0.03 - 0.01, 6)
