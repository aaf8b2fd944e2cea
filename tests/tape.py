"""A made-up market on disk: quotes and trades of some minutes, the same bytes wherever and whenever they are written.

The price swings in waves of several lengths, so that second candles cross often, stops and targets are both hit, and a
position is held about half of the time. No generator, no clock: every number is a function of its place.
"""

import hashlib
import math
from pathlib import Path

START_MS = 1_750_000_000_000
"""A full second, far from midnight UTC."""
TICKS_A_SECOND = 5
"""Quotes; after every second one comes a trade."""
PRICE = 60_000.0


def write_tape(directory: Path, seconds: int) -> str:
    """Write `quotes.csv` and `trades.csv`; return what `replay_file` has to say.

    Args:
        directory: where to.
        seconds: of market time; some eight ticks each.
    """
    quotes = ["ts_ms,bid,ask,bid_size,ask_size"]
    trades = ["ts_ms,price,size,side"]
    for number in range(seconds * TICKS_A_SECOND):
        ts_ms = START_MS + number * 1000 // TICKS_A_SECOND + _share(number, "late") // 10
        bid_tenths = _price_tenths(number)
        ask_tenths = bid_tenths + 1 + _share(number, "spread") % 20
        quotes.append(f"{ts_ms},{bid_tenths / 10:.1f},{ask_tenths / 10:.1f},{1 + number % 7},{1 + number % 5}")
        if number % 2:
            side = "buy" if _share(number, "side") % 2 else "sell"
            price = ask_tenths if side == "buy" else bid_tenths
            trades.append(f"{ts_ms},{price / 10:.1f},0.{1 + number % 9},{side}")
    for name, lines in (("quotes", quotes), ("prints", trades)):
        (directory / f"{name}.csv").write_text("\n".join([*lines, ""]), encoding="ascii")
    return "quotes.csv:prints.csv"


def _price_tenths(number: int) -> int:
    second = number / TICKS_A_SECOND
    wave = 90 * math.sin(second / 3.7) + 140 * math.sin(second / 11.3) + 260 * math.sin(second / 41.0)
    noise = _share(number, "noise") / 1000 * 40 - 20
    return round((PRICE + wave + noise) * 10)


def _share(number: int, what: str) -> int:
    """A number from 0 to 999 that belongs to a place."""
    return int.from_bytes(hashlib.sha256(f"{what}:{number}".encode()).digest()[:4], "big") % 1000
