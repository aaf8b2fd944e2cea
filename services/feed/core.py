"""The feed's core: raw facts in, numbered market events out. Pure.

Whatever comes in, what goes out obeys the rules of the market stream: `seq` is 1, 2, 3 ...; `ts_ms` never goes back
(up to a second late is published with the newest time, later is dropped, both are counted); closed candles come
before the tick that closes them, funding in its place between; a trade without a fresh quote brings its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bus.messages import Candle, Funding, MarketEvent, Quote, StreamInfo, Trade
from services.feed.candle_source import CandleAggregator
from services.feed.candles import Bar, CandleBuilder
from services.feed.facts import Backfill, DataLost, Fact, RawCandle, RawFunding, RawQuote, RawTrade, Recorded
from services.feed.funding import Due, FundingSchedule
from services.feed.gaps import Gap
from services.feed.guards import refuse_quote, refuse_trade
from services.feed.synthetic import SyntheticSpread

LATE_MS: Final = 1_000
"""An event older than the newest by more than this is dropped."""
MAX_EMPTY_BUCKETS: Final = 500_000
"""A tick that leaps over more candles than this (almost six days of seconds) is refused: its time is no time."""


@dataclass(frozen=True, slots=True)
class FeedRules:
    """The settings that shape the stream: half spread in 1/10,000, quote age in ms of event time."""

    half_spread_bps: Decimal = Decimal("0.5")
    max_quote_age_ms: float = 10_000.0


class FeedCore:
    """Turns facts into the market stream of one symbol.

    Args:
        info: the head of the stream; its history is what the first candle follows.
        rules: the settings that shape the stream.
        source_interval_ms: for a source of candles: its interval.

    Attributes:
        interval_ms: the length of a candle.
        last_seq: the newest event's number, 0 before the first.
        last_ts_ms: the newest event's time.
        price: the newest price seen: of a trade, else the middle of a quote.
        ticks: quotes and trades published, synthetic ones too.
        candles: candles published.
        refused: what was not published, by name.
        shifted: events that were published with the newest time instead of their own.
    """

    def __init__(self, info: StreamInfo, rules: FeedRules, source_interval_ms: int | None = None) -> None:
        previous = info.history[-1] if info.history else None
        self._symbol = info.symbol
        self.interval_ms = info.interval_ms
        self._builder = CandleBuilder(info.interval_ms, previous)
        self._aggregator = CandleAggregator(source_interval_ms or info.interval_ms, info.interval_ms, previous)
        self._funding = FundingSchedule()
        self._spread = SyntheticSpread(rules.half_spread_bps, info.tick_size)
        self._max_quote_age_ms = rules.max_quote_age_ms
        self._quote_ms: int | None = None
        self._made_ms: int | None = None
        kinds = _TICK_FACTS if info.has_ticks else _CANDLE_FACTS
        self._takes: dict[type, Callable[[Any], list[MarketEvent]]] = {
            kind: getattr(self, name) for kind, name in kinds.items()
        }
        self.last_seq = 0
        self.last_ts_ms = 0
        self.price = 0.0
        self.ticks = 0
        self.candles = 0
        self.shifted = 0
        self.refused: Counter[str] = Counter()

    def take_gaps(self) -> list[Gap]:
        """Return the losses of data that have ended since this was last asked."""
        gaps, self._builder.gaps = self._builder.gaps, []
        return gaps

    def take(self, fact: Fact) -> list[MarketEvent]:
        """Return what is to be published because of a fact, in order."""
        take = self._takes.get(type(fact))
        if take is None:
            return self.refuse("unexpected_kind")
        return take(fact)

    def refuse(self, name: str, count: int = 1) -> list[MarketEvent]:
        """Count something that is not published; return nothing."""
        self.refused[name] += count
        return []

    def restore(self, events: Iterable[MarketEvent], *, ticks: int = 0, candles: int = 0) -> None:
        """Stand again where a recording ends.

        Args:
            events: the recording's end, in order: at least everything from the last candle on, and the newest quote.
                Events between these that would change nothing may be left out.
            ticks: quotes and trades in the whole recording.
            candles: candles in the whole recording.
        """
        for event in events:
            self._follow(event)
        self.ticks, self.candles = ticks, candles
        if self.last_seq:
            self._funding.begin(self.last_ts_ms)

    def _follow(self, event: MarketEvent) -> None:
        self.last_seq, self.last_ts_ms = event.seq, event.ts_ms
        self._made_ms = None
        match event:
            case Quote():
                self.price = (event.bid + event.ask) / 2
                self._quote_ms = None if event.synthetic else event.ts_ms
                # The trade of a synthetic quote that stands last has not been published: it needs no second one.
                self._made_ms = event.ts_ms if event.synthetic else None
            case Trade():
                self.price = event.price
                self._builder.trade(event.ts_ms, event.price, event.size)
            case Candle():
                self.price = event.close
                self._builder.follow(event)
                self._aggregator = CandleAggregator(self._aggregator.source_ms, self.interval_ms, event)
            case Funding():
                pass

    def _on_quote(self, fact: RawQuote) -> list[MarketEvent]:
        refused = refuse_quote(fact)
        if refused is not None:
            return self.refuse(refused)
        way = self._make_way(fact.ts_ms)
        if way is None:
            return []
        ts_ms, events = way
        self._number(events, Quote(self.last_seq + 1, ts_ms, fact.bid, fact.ask, fact.bid_size, fact.ask_size))
        self._quote_ms = ts_ms
        self._made_ms = None
        self.price = (fact.bid + fact.ask) / 2
        self.ticks += 1
        return events

    def _on_trade(self, fact: RawTrade) -> list[MarketEvent]:
        refused = refuse_trade(fact)
        if refused is not None:
            return self.refuse(refused)
        way = self._make_way(fact.ts_ms)
        if way is None:
            return []
        ts_ms, events = way
        if self._quote_ms is None or ts_ms - self._quote_ms > self._max_quote_age_ms:
            self._make_quote(events, ts_ms, fact.price)
        self._made_ms = None
        self._number(events, Trade(self.last_seq + 1, ts_ms, fact.price, fact.size, fact.aggressor))
        self._builder.trade(ts_ms, fact.price, fact.size)
        self.price = fact.price
        self.ticks += 1
        return events

    def _make_quote(self, events: list[MarketEvent], ts_ms: int, price: float) -> None:
        if self._made_ms == ts_ms:
            return
        sides = self._spread.around(price)
        if sides is None:
            self.refuse("no_synthetic_quote")
            return
        self._number(events, Quote(self.last_seq + 1, ts_ms, *sides, 0.0, 0.0, synthetic=True))
        self._quote_ms = None
        self.ticks += 1

    def _on_funding(self, fact: RawFunding) -> list[MarketEvent]:
        if self.last_seq:
            self._funding.begin(self.last_ts_ms)
        refused = self._funding.hear(fact)
        return [] if refused is None else self.refuse(refused)

    def _on_candle(self, fact: RawCandle) -> list[MarketEvent]:
        bars = self._aggregator.take(fact)
        if isinstance(bars, str):
            return self.refuse(bars)
        events: list[MarketEvent] = []
        for bar in bars:
            self._close(events, bar)
            self.price = bar.close
        return events

    def _on_loss(self, _fact: DataLost) -> list[MarketEvent]:
        self._builder.lose()
        return []

    def _on_backfill(self, fact: Backfill) -> list[MarketEvent]:
        bad = self._builder.fetched(fact.candles)
        return self.refuse("bad_backfill", bad) if bad else []

    def _on_recorded(self, fact: Recorded) -> list[MarketEvent]:
        event = fact.event
        if event.seq != self.last_seq + 1 or event.ts_ms < self.last_ts_ms:
            return self.refuse("out_of_order")
        self._follow(event)
        if isinstance(event, Candle):
            self.candles += 1
        elif not isinstance(event, Funding):
            self.ticks += 1
        return [event]

    def _make_way(self, ts_ms: int) -> tuple[int, list[MarketEvent]] | None:
        """Return the time of a tick that came with `ts_ms`, and the events before it; None when it is refused."""
        late_ms = self.last_ts_ms - ts_ms
        if late_ms > LATE_MS:
            self.refuse("late")
            return None
        if late_ms > 0:
            self.shifted += 1
            ts_ms = self.last_ts_ms
        if ts_ms < self._builder.due_ms and ts_ms < self._funding.due_ms and self.last_seq:
            return ts_ms, []
        if self._builder.empty_buckets(ts_ms) > MAX_EMPTY_BUCKETS:
            self.refuse("leap")
            return None
        return ts_ms, self._events_before(ts_ms)

    def _events_before(self, ts_ms: int) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        if self.last_seq == 0:
            self._funding.begin(ts_ms)
        dues = self._funding.crossed(ts_ms) if ts_ms >= self._funding.due_ms else []
        if ts_ms >= self._builder.due_ms:
            for bar in self._builder.close_before(ts_ms):
                while dues and dues[0].ts_ms < bar.open_ms + self.interval_ms:
                    self._fund(events, dues.pop(0))
                self._close(events, bar)
        for due in dues:
            self._fund(events, due)
        return events

    def _close(self, events: list[MarketEvent], bar: Bar) -> None:
        ts_ms = max(bar.open_ms + self.interval_ms, self.last_ts_ms)
        self._number(events, Candle(self.last_seq + 1, ts_ms, self._symbol, self.interval_ms, *bar))
        self.candles += 1

    def _fund(self, events: list[MarketEvent], due: Due) -> None:
        ts_ms = max(due.ts_ms, self.last_ts_ms)
        self._number(events, Funding(self.last_seq + 1, ts_ms, self._symbol, due.rate, due.mark))

    def _number(self, events: list[MarketEvent], event: MarketEvent) -> None:
        events.append(event)
        self.last_seq, self.last_ts_ms = event.seq, event.ts_ms


_TICK_FACTS: Final = {
    RawQuote: "_on_quote",
    RawTrade: "_on_trade",
    RawFunding: "_on_funding",
    DataLost: "_on_loss",
    Backfill: "_on_backfill",
    Recorded: "_on_recorded",
}
_CANDLE_FACTS: Final = {RawCandle: "_on_candle", Recorded: "_on_recorded"}
