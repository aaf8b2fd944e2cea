"""What can be made to go wrong, and when. Pure.

A spec is `name[=value][@start[+length]]`, several separated by commas. Times count from the start of the market's clock
(a data file's begins with the first subscription); they read `20s`, `500ms`, `2m` or `1h`, a bare number is seconds.
A value may bear its unit (`delay=2s`, `garbage=1%`, `flood=5000/s`, `flash_crash=-8%`). Without `@start` a fault is on all the time; with it, from
then on, or for `length` seconds. Moments (`drop`, `half_open`, `forget`) happen at `start`; their length is how long they also
meet what is new: connections, subscriptions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import inf, isfinite


class FaultError(ValueError):
    """A spec that cannot be understood; the text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault takes: `default` is the value without `=` (None: there is none), `choices` the words allowed.

    Without choices and with a default the value is a number in `[least, most]`. `start_s` and `length_s` stand in
    for those of a spec that names none (None: on all the time, or without end). `always`: it takes no time.
    """

    about: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    least: float = 0.0
    most: float = inf
    moment: bool = False
    start_s: float | None = None
    length_s: float = inf
    numbers_too: bool = False
    always: bool = False
    unit: str = ""
    """What a bare number means: `s`, `ms`, `share` (every N-th; `1%` is every 100th), `%` or `rate` (`/s` allowed)."""


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


KINDS = {
    "mute": Kind("no market data is pushed; greeting, pongs and REST go on"),
    "drop": Kind(
        "cuts all WebSocket connections; with a length refuses new ones; =S: cuts each one S s after it opened",
        default="0",
        moment=True,
        unit="s",
    ),
    "half_open": Kind("connections stay open, but nothing is read or answered any more", moment=True),
    "forget": Kind(
        "connections lose their subscription to channel =CH and go on; with a length new ones to it are lost, too",
        default="trade",
        choices=("trade", "depth_book1", "price"),
        moment=True,
    ),
    "delay": Kind("every frame to the client is late by =MS milliseconds", default="250", unit="ms"),
    "no_greeting": Kind("no greeting frame"),
    "ack": Kind("each subscription is acknowledged"),
    "no_unsubscribe_reply": Kind("unsubscribing is not answered"),
    "pong": Kind(
        "=pong: the reply's op is pong; =none: no reply; =S: the reply is late by S seconds",
        default="pong",
        choices=("pong", "none"),
        numbers_too=True,
        unit="s",
    ),
    "idle_cut": Kind(
        "cuts a client that sent nothing for =S seconds (60 without this fault; 0: never)", default="25", unit="s"
    ),
    "protocol_ping": Kind(
        "a protocol ping as first frame is answered, not punished", default="answered", choices=("answered",)
    ),
    "rate_limit": Kind(
        "more than =N client messages a second cut the connection (5 without this fault; 0: off)", default="0"
    ),
    "garbage": Kind("a malformed frame after every =N good ones", default="10", least=1, unit="share"),
    "oversized": Kind("a frame of 2 MiB after every =N-th push", default="100", least=1, unit="share"),
    "gap": Kind("every =N-th push is lost", default="10", least=1, unit="share"),
    "duplicate": Kind("every =N-th push comes twice", default="10", least=1, unit="share"),
    "reorder": Kind("every =N-th push changes places with the next", default="10", least=1, unit="share"),
    "flood": Kind(
        "=N more trades with each trade; =N/s: N more trades a second", default="100", least=1, most=10_000, unit="rate"
    ),
    "flash_crash": Kind(
        "the price falls by =PCT percent and comes back within the length",
        default="10",
        most=90,
        start_s=10.0,
        length_s=10.0,
        unit="%",
    ),
    "nanoseconds": Kind("a trade's time text has nine decimals"),
    "kline": Kind(
        "candle pushes misbehave where one candle ends and the next begins",
        default="late",
        choices=("late", "duplicate", "no_last", "jump"),
    ),
    "http": Kind("REST answers with HTTP status =CODE", default="429", least=400, most=599),
    "code": Kind("REST answers with code =N in the envelope", default="10006", least=1),
    "handshake": Kind("a WebSocket handshake is answered with HTTP status =CODE", default="429", least=400, most=599),
    "tls_error": Kind("all is TLS (wss, https), with a certificate that nobody trusts", always=True),
    "symbol_status": Kind(
        "REST says of every symbol that it is =STATUS", default="STOP", choices=("STOP", "CANCEL_ONLY", "PREVIEW")
    ),
    "rest_delay": Kind("REST answers =MS milliseconds later", default="3000", unit="ms"),
    "empty": Kind("REST candles are an empty list"),
    "numeric": Kind("REST candles carry numbers, not strings"),
    "unswapped": Kind("REST candles have their two volumes under the right names"),
    "forming": Kind("REST candles begin with the running one"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One parsed spec. `value` is what stands after `=`, or the default, in the kind's own unit.

    `start_s` None: on all the time. `per_second`: the number is a rate. `moment`: it strikes once, at its start.
    """

    name: str
    value: str = ""
    start_s: float | None = None
    length_s: float = inf
    per_second: bool = False
    moment: bool = False

    @property
    def number(self) -> float:
        """The value as a number; 0 for none."""
        return float(self.value or 0)

    def covers(self, elapsed_s: float) -> bool:
        """Say whether the fault is on."""
        return self.start_s is None or self.start_s <= elapsed_s < self.start_s + self.length_s


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of an exchange."""

    faults: tuple[Fault, ...] = ()
    _named: dict[str, tuple[Fault, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for several times a push: of a name there are few, of all there may be hundreds.
        names = {fault.name for fault in self.faults}
        found = {name: tuple(fault for fault in self.faults if fault.name == name) for name in names}
        object.__setattr__(self, "_named", found)

    def active(self, name: str, elapsed_s: float) -> Fault | None:
        """Return the fault of that name that is on, None if none is. The last one given wins."""
        return next((fault for fault in reversed(self.named(name)) if fault.covers(elapsed_s)), None)

    def on(self, name: str, elapsed_s: float) -> bool:
        """Say whether a fault of that name is on."""
        return self.active(name, elapsed_s) is not None

    def number(self, name: str, elapsed_s: float, otherwise: float) -> float:
        """Return the active fault's number, or `otherwise`."""
        fault = self.active(name, elapsed_s)
        return otherwise if fault is None else fault.number

    def text(self, name: str, elapsed_s: float) -> str:
        """Return the active fault's value, or nothing."""
        fault = self.active(name, elapsed_s)
        return "" if fault is None else fault.value

    def struck(self, name: str, before_s: float, now_s: float) -> list[Fault]:
        """Return the moments of that name that lie in `(before_s, now_s]`."""
        return [
            fault
            for fault in self.named(name)
            if fault.moment and fault.start_s is not None and before_s < fault.start_s <= now_s
        ]

    def named(self, name: str) -> tuple[Fault, ...]:
        """Return all faults of a name."""
        return self._named.get(name, ())


def parse_faults(specs: Iterable[str]) -> Faults:
    """Return the faults of some specs, each possibly several separated by commas.

    Raises:
        FaultError: A spec is not understood; the text says which, and what would be.
    """
    parts = (part.strip() for spec in specs for part in spec.split(","))
    return Faults(tuple(_parse(part) for part in parts))


def describe() -> str:
    """Return one line for each fault, for people."""
    rows = []
    for name, kind in KINDS.items():
        default = f"={kind.default}" if kind.default is not None and kind.default != "0" else ""
        rows.append(f"{name + default:24} {kind.about}")
    return "\n".join(rows)


def _parse(spec: str) -> Fault:
    if not spec:
        raise FaultError("a fault is empty: name one, such as mute@20s+10s; --fault help lists them")
    head, at, window = spec.partition("@")
    name, equals, value = head.partition("=")
    kind = KINDS.get(name)
    if kind is None:
        nearest = get_close_matches(name.lower(), KINDS, n=1, cutoff=0.0)
        raise FaultError(f"unknown fault {name!r}: the nearest known one is {nearest[0]!r}")
    value = _in_kinds_unit(kind, value) if equals else kind.default or ""
    per_second = kind.unit == "rate" and value.endswith("/s")
    value = value.removesuffix("/s") if per_second else value
    if equals:
        _check(spec, kind, value)
    # A moment with a number (`drop=5`: after five seconds of each connection) is none: it is on for a time.
    is_moment = kind.moment and (value in kind.choices or not float(value or 0))
    start_s, length_s = kind.start_s, 0.0 if is_moment else kind.length_s
    if at and kind.always:
        raise FaultError(f"fault {spec!r} is on from the start: it takes no time")
    if at:
        start, plus, length = window.partition("+")
        start_s = _seconds(spec, start)
        if plus:
            length_s = _seconds(spec, length)
    return Fault(name, value, start_s, length_s, per_second, is_moment)


def _in_kinds_unit(kind: Kind, value: str) -> str:
    """Return a value with a unit as the bare number of the kind; any other as it is."""
    if kind.unit in {"s", "ms"}:
        seconds = _time(value)
        if seconds is None or _number(value) is not None:
            return value
        return f"{seconds / _SECONDS[kind.unit]:g}"
    if kind.unit == "%" and value.endswith("%"):
        return value.removesuffix("%").removeprefix("-")
    share = _number(value.removesuffix("%")) if kind.unit == "share" and value.endswith("%") else None
    return f"{max(1, round(100 / share))}" if share is not None and 0 < share <= 100 else value


def _check(spec: str, kind: Kind, value: str) -> None:
    if kind.default is None:
        raise FaultError(f"fault {spec!r} takes no value")
    if value in kind.choices:
        return
    if kind.choices and not kind.numbers_too:
        raise FaultError(f"fault {spec!r}: the value must be one of {', '.join(kind.choices)}")
    number = _number(value)
    if number is None or not kind.least <= number <= kind.most:
        words = f"{', '.join(kind.choices)} or " if kind.choices else ""
        limit = f"from {kind.least:g} to {kind.most:g}" if isfinite(kind.most) else f"of at least {kind.least:g}"
        raise FaultError(f"fault {spec!r}: the value must be {words}a number {limit}")


def _seconds(spec: str, text: str) -> float:
    seconds = _time(text)
    if seconds is None or seconds < 0:
        raise FaultError(f"fault {spec!r}: after @ come times, as in @10s or @10s+5s")
    return seconds


def _time(text: str) -> float | None:
    """Return a time in seconds: `20s`, `500ms`, `2m`, `1h`, or a bare number of seconds."""
    digits = text.rstrip("hms")
    number = _number(digits)
    factor = _SECONDS.get(text[len(digits) :] or "s")
    return None if number is None or factor is None else number * factor


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
