"""Where somebody else's code is called: a strategy's faults stay its own, and what it returns is checked.

The one `except Exception` around a strategy's code is here. An exception is an outcome like any other: the question is
answered with nothing, and what was raised is told.
"""

import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any, Final, Generic, TypeVar

from bus.messages import Entry, Side, Signal
from services.strategy.interface import Answer, Context

MOST_SIGNALS: Final = 100
"""So many signals one decision may give: a generator without an end is a mistake."""
MOST_TEXT: Final = 500
MOST_TRACE: Final = 4_000
_SIDES: Final = frozenset(Side)
_ENTRIES: Final = frozenset(Entry)

T = TypeVar("T")
E = TypeVar("E")


class WrongAnswerError(Exception):
    """A strategy returned what is no answer; one sentence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a strategy's code raised: in one line, and with its traceback."""

    detail: str
    trace: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of a call: a result or, with a fault, none."""

    result: T | None
    fault: Fault | None = None


def attempt(call: Callable[[], T]) -> Outcome[T]:
    """Call a strategy's code; whatever it raises is a fault of its own, an attempt to exit too."""
    try:
        return Outcome(call())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code: told, and answered for
        return Outcome(None, _fault_of(error))


def decide(method: Callable[[Context, E], Answer], context: Context, event: E) -> Outcome[tuple[Signal, ...]]:
    """Ask a strategy's method about a candle or a tick, and check what it returns."""
    return attempt(lambda: signals_of(method(context, event), context))


def signals_of(answer: object, context: Context) -> tuple[Signal, ...]:
    """Return a strategy's answer as signals, checked and made anew: nobody else holds them.

    One that can not be carried as it is gets a `fault`: the broker refuses it alone.

    Raises:
        WrongAnswerError: it is no answer, or a signal is for another symbol or time.
    """
    if answer is None:
        return ()
    if isinstance(answer, Signal):
        return (_checked(answer, context),)
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise WrongAnswerError(f"return a signal, several, or None; returned {_shown(answer)}")
    signals = list(islice(answer, MOST_SIGNALS + 1))
    if len(signals) > MOST_SIGNALS:
        raise WrongAnswerError(f"more than {MOST_SIGNALS} signals in one decision")
    return tuple(_checked(signal, context) for signal in signals)


def _checked(signal: object, context: Context) -> Signal:
    if not isinstance(signal, Signal):
        raise WrongAnswerError(f"return a signal, several, or None; there was {_shown(signal)} among them")
    if signal.symbol != context.symbol:
        raise WrongAnswerError(f"the signal is for {signal.symbol!r}, the session is {context.symbol}")
    if signal.ts_ms != context.ts_ms:
        when = "in the past" if signal.ts_ms < context.ts_ms else "in the future"
        raise WrongAnswerError(f"the signal's ts_ms {signal.ts_ms} is {when}: the decision's is {context.ts_ms}")
    reason = _plain(signal.reason, MOST_TEXT)
    if fault := _fault_in(signal):
        side = Side(signal.side) if signal.side in _SIDES else Side.FLAT
        return Signal(signal.symbol, side, signal.ts_ms, 0.0, 0.0, reason=reason, fault=fault)
    return Signal(
        signal.symbol,
        Side(signal.side),
        signal.ts_ms,
        signal.stop_bps,
        signal.tp_r,
        Entry(signal.entry),
        signal.limit_price,
        reason,
    )


def _fault_in(signal: Signal) -> str:
    """Return why a signal can not be carried as it is; empty when it can."""
    if signal.side not in _SIDES:
        return f"side must be LONG, SHORT or FLAT, was {_shown(signal.side)}"
    if signal.entry not in _ENTRIES:
        return f"entry must be market or limit, was {_shown(signal.entry)}"
    numbers = {"stop_bps": signal.stop_bps, "tp_r": signal.tp_r, "limit_price": signal.limit_price}
    strange = next((name for name, number in numbers.items() if not isfinite(number)), "")
    return f"{strange} must be a finite number, was {numbers[strange]}" if strange else ""


def _fault_of(error: BaseException) -> Fault:
    told = traceback.TracebackException.from_exception(error, compact=True)
    told.stack[:] = [frame for frame in told.stack if frame.filename != __file__]
    words = str(error) if isinstance(error, WrongAnswerError) else list(told.format_exception_only())[-1].strip()
    place = _place_of(error, [frame.filename for frame in told.stack], [frame.lineno for frame in told.stack])
    where = f" ({_base(place[0])}, line {place[1]})" if place else ""
    words = " ".join(words.splitlines())
    return Fault(_plain(f"{words}{where}", MOST_TEXT), _plain("".join(told.format()), MOST_TRACE))


def _place_of(error: BaseException, files: Sequence[str], lines: Sequence[int | None]) -> tuple[str, int | None] | None:
    """Return file and line of an error in the author's own code, as near as it can be told."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    places = [place for place in zip(files, lines, strict=True) if not _is_ours_or_python_s(place[0])]
    own = [place for place in places if "site-packages" not in place[0]]
    found = own or places
    return found[-1] if found else None


def _is_ours_or_python_s(file: str) -> bool:
    library = _folder(traceback.__file__)
    return file.startswith("<frozen") or _folder(file) in [_folder(__file__), library, [*library, "importlib"]]


def _base(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _folder(path: str) -> list[str]:
    return re.split(r"[/\\]", path)[:-1]


def _shown(thing: Any) -> str:
    return f"{_plain(repr(thing), 80)} ({type(thing).__name__})"


def _plain(text: str, most: int) -> str:
    """Return at most so much of a text's end, as UTF-8 can carry it."""
    cut = text if len(text) <= most else f"...{text[-most:]}"
    return cut.encode("utf-8", "replace").decode()
