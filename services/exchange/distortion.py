"""Faults that change the market itself: a flash crash, a flood of trades. Pure.

They are functions of event time, so what was pushed, what a restarted exchange pushes, and the candles of REST agree.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

from services.exchange.faults import Fault, Faults
from services.exchange.instruments import Instrument
from services.exchange.market import Distortion, Event, Quote, Trade

_FALL = 0.2  # the part of a crash's length in which the price falls; in the rest it comes back


def distortion(faults: Faults, instrument: Instrument, start_ms: int, speed: float) -> Distortion | None:
    """Return the change these faults make to a stretch of events, None if they make none.

    `start_ms` is the market time at which the clock of the faults begins, `speed` market seconds in a second of it.
    """
    crashes, floods = faults.named("flash_crash"), faults.named("flood")
    if not crashes and not floods:
        return None

    def elapsed_s(ts_ms: int) -> float:
        return (ts_ms - start_ms) / 1000 / speed

    def distort(events: list[Event]) -> list[Event]:
        changed: list[Event] = []
        for event in events:
            now_s = elapsed_s(event.ts_ms)
            factor = 1.0
            for crash in crashes:
                factor *= _crash_factor(crash, now_s)
            fallen = event if factor == 1.0 else _scaled(event, factor, instrument)
            changed.append(fallen)
            changed += _more(fallen, [flood for flood in floods if not flood.per_second], now_s, instrument)
        return _with_rates(changed, [flood for flood in floods if flood.per_second], elapsed_s, speed, instrument)

    return distort


def _crash_factor(crash: Fault, now_s: float) -> float:
    if crash.start_s is None or not crash.covers(now_s) or crash.length_s == 0:
        return 1.0
    part = (now_s - crash.start_s) / crash.length_s
    depth = part / _FALL if part < _FALL else (1 - part) / (1 - _FALL)
    return 1 - crash.number / 100 * depth


def _scaled(event: Event, factor: float, instrument: Instrument) -> Event:
    scale = instrument.price_scale

    def grid(price: float, rounded: Callable[[float], int]) -> float:
        return max(1, rounded(price * factor * scale)) / scale

    if isinstance(event, Quote):
        # Both rounded down, the spread kept: a bid never passes its ask.
        bid = grid(event.bid, int)
        return event._replace(bid=bid, ask=round(bid + (event.ask - event.bid), instrument.price_decimals))
    return event._replace(price=grid(event.price, round))


def _with_rates(
    events: list[Event],
    floods: Sequence[Fault],
    elapsed_s: Callable[[int], float],
    speed: float,
    instrument: Instrument,
) -> list[Event]:
    """Return the events with a steady rate of small trades between them, second by second.

    Worked out within each whole second, from its own first trade on, so that it does not depend on how the tape is cut.
    """
    if not floods:
        return events
    mixed: list[Event] = []
    for second, group in groupby(events, key=lambda event: event.ts_ms // 1000):
        these = list(group)
        price = next((event.price for event in these if isinstance(event, Trade)), None)
        flood = next((flood for flood in floods if flood.covers(elapsed_s(second * 1000))), None)
        if price is not None and flood is not None:
            rate = flood.number / speed
            count = int((second + 1) * rate) - int(second * rate)  # less than one a second, too
            size = 1 / instrument.size_scale
            extra = [Trade(second * 1000 + index * 1000 // count, price, size, "buy") for index in range(count)]
            these = sorted([*these, *extra], key=lambda event: event.ts_ms)
        mixed += these
    return mixed


def _more(event: Event, floods: Sequence[Fault], now_s: float, instrument: Instrument) -> list[Trade]:
    flood = next((flood for flood in floods if flood.covers(now_s)), None)
    if flood is None or not isinstance(event, Trade):
        return []
    return [event._replace(size=1 / instrument.size_scale)] * int(flood.number)
