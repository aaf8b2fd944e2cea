"""What the feed refuses to believe, by name. Pure.

Refused: a number that is not finite or beyond all markets, a price or a trade's size not above 0, a quote's size below 0, a bid above the
ask, a side that is neither buy nor sell, a time that is no time. An event that is late, and by how much, is `core`'s.
"""

from math import isfinite
from typing import Final

from services.feed.facts import RawCandle, RawQuote, RawTrade
from services.numbers import END_MS

MOST: Final = 1e12
"""Prices and sizes of a source stay below it, so that sums over a candle stay below the bus's own limit."""


def refuse_time(ts_ms: int) -> str | None:
    """Return why `ts_ms` is no time, None when it is one."""
    return None if type(ts_ms) is int and 0 <= ts_ms < END_MS else "bad_time"


def refuse_quote(fact: RawQuote) -> str | None:
    """Return why a quote is not believed, None when it is."""
    ts_ms, bid, ask, bid_size, ask_size = fact
    if 0.0 < bid <= ask < MOST and 0.0 <= bid_size < MOST and 0.0 <= ask_size < MOST:
        return None if type(ts_ms) is int and 0 <= ts_ms < END_MS else "bad_time"
    if not all(map(isfinite, (bid, ask, bid_size, ask_size))):
        return "not_finite"
    if max(bid, ask, bid_size, ask_size) >= MOST:
        return "absurd"
    if bid <= 0.0 or ask <= 0.0:
        return "price_not_positive"
    return "crossed" if bid > ask else "negative_size"


def refuse_trade(fact: RawTrade) -> str | None:
    """Return why a trade is not believed, None when it is."""
    ts_ms, price, size, aggressor = fact
    if 0.0 < price < MOST and 0.0 < size < MOST and aggressor in {"buy", "sell"}:
        return None if type(ts_ms) is int and 0 <= ts_ms < END_MS else "bad_time"
    if not (isfinite(price) and isfinite(size)):
        return "not_finite"
    if max(price, size) >= MOST:
        return "absurd"
    if price <= 0.0:
        return "price_not_positive"
    return "size_not_positive" if size <= 0.0 else "unknown_side"


def refuse_candle(fact: RawCandle, interval_ms: int) -> str | None:
    """Return why a candle of a source of that interval is not believed, None when it is."""
    open_ms, *prices, volume = fact
    if refuse_time(open_ms) is not None:
        return "bad_time"
    if open_ms % interval_ms:
        return "misaligned"
    if not (all(map(isfinite, prices)) and isfinite(volume)):
        return "not_finite"
    if max(*prices, volume) >= MOST:
        return "absurd"
    if min(prices) <= 0.0:
        return "price_not_positive"
    if fact.high < fact.low:
        return "high_below_low"
    return "negative_volume" if volume < 0.0 else None
