"""Quiet stretches: what the broker said while nothing happened, made up only when somebody wants to read it. Pure.

Every closed candle is a question, answered with "nothing" nearly always: two messages each, thousands of times the
same but for the account's mark. They are the same messages that the event-by-event path says.
"""

from collections.abc import Iterable, Iterator
from decimal import localcontext
from typing import NamedTuple, Protocol, TypeAlias

from bus.messages import Candle, Decide, DecisionTaken, Message
from services.broker.decimals import EXACT
from services.broker.prices import TwoSided
from services.broker.standing import Standing


class Questions(Protocol):
    """The questions of a stream, by their place, counted from 0."""

    def candles(self, place: int) -> tuple[Candle, ...]:
        """Return the candles that were closed since the question before, oldest first."""

    def asked_after(self, place: int) -> int:
        """Return the number of the last event before the question."""

    def quote(self, place: int) -> TwoSided | None:
        """Return the newest quote when it is asked, None when there is none yet in this stream."""


class Quiet(NamedTuple):
    """A run of questions from `begin` up to, not including, `end` while the account stood still.

    Attributes:
        questions: of the stream.
        begin: the first question.
        end: the first one behind the run.
        standing: the account but for the quote.
        before: the newest quote before the run: of an earlier session, when the stream has none yet.
        is_answered: the last question got signals; the broker itself said that it took them.
    """

    questions: Questions
    begin: int
    end: int
    standing: Standing
    before: TwoSided | None
    is_answered: bool = False

    def messages(self) -> Iterator[Message]:
        """Yield what was said."""
        for place in range(self.begin, self.end):
            candles = self.questions.candles(place)
            quote = self.questions.quote(place) or self.before
            with localcontext(EXACT):
                account = self.standing.account(quote)
            open_ms = candles[-1].open_ms
            yield Decide(open_ms, candles, account)
            if place < self.end - 1 or not self.is_answered:
                yield DecisionTaken(self.questions.asked_after(place), open_ms, (), late=False)


Said: TypeAlias = Message | Quiet


def spelled_out(said: Iterable[Said]) -> Iterator[Message]:
    """Yield what was said, quiet stretches in full."""
    for one in said:
        if isinstance(one, Quiet):
            yield from one.messages()
        else:
            yield one
