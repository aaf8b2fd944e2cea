"""The watch over candles of a source that has nothing finer. Pure."""

import numpy as np

from bus.messages import Candle, MarketEvent
from services.broker.config import BrokerConfig
from services.broker.passage import DeskView, Passage
from services.broker.prices import BidAsk, TwoSided
from services.replay.columnar.columns import Columns, Ints, place_from
from services.replay.columnar.spread import Spread
from services.replay.columnar.watch import first_after, first_outside


class CandleWatch:
    """Over candles of a source that has nothing finer; each is a question of its own."""

    def __init__(self, columns: Columns, config: BrokerConfig) -> None:
        candles = columns.candles
        self._columns = columns
        self._stops = np.array([funding.seq for funding in columns.fundings], np.int64)
        self._close_ms = candles.open_ms + candles.interval_ms
        # The close is judged, too, and a source may have it outside its own range.
        spread = Spread(config.half_spread_bps, columns.info.tick_size)
        self._low = spread.around(np.minimum(candles.low, candles.close))
        self._high = spread.around(np.maximum(candles.high, candles.close))
        self._quotes = spread.around(candles.close)

    @property
    def questions(self) -> int:
        """How many questions the stream has."""
        return self._columns.candles.seq.size

    def last_candles(self) -> Ints:
        """Return, for each question, the place of the candle asked about among all candles."""
        return np.arange(self.questions)

    def open_ms(self, place: int) -> int:
        """Return when a question's candle opened, which names the question."""
        return int(self._columns.candles.open_ms[place])

    def candles(self, place: int) -> tuple[Candle, ...]:
        """Return a question's candles."""
        return (self._columns.candles.event(place),)

    def asked_after(self, place: int) -> int:
        """Return the number of the last event before a question."""
        return int(self._columns.candles.seq[place])

    def quote(self, place: int) -> TwoSided | None:
        """Return the newest quote when a question is asked: the one around the candle's close."""
        bids, asks = self._quotes
        return BidAsk(bids.item(place), asks.item(place))

    def questions_until(self, seq: int) -> int:
        """Return how many questions begin at or before event `seq`; that is the place of the first one behind it."""
        return place_from(self._columns.candles.seq, seq + 1)

    def begin(self, place: int) -> int:
        """Return the first event that has to be worked off one by one for a question to be asked."""
        return int(self._columns.candles.seq[place])

    def until(self, seq: int, view: DeskView) -> int:
        """Return the first event behind `seq` that may matter."""
        seqs = self._columns.candles.seq
        begin, end, until = place_from(seqs, seq + 1), seqs.size, self._columns.count + 1
        stop = int(self._stops.searchsorted(seq, "right")) if self._stops.size else 0
        if stop < self._stops.size:
            until = int(self._stops[stop])
            end = place_from(seqs, until)
        if begin < end and self._close_ms.item(begin) > view.wake_ms:
            return min(until, seqs.item(begin))
        band = view.band
        if view.bars_left is not None:
            end = min(end, begin + max(0, view.bars_left - 1))
        end = min(end, first_after(self._close_ms, begin, band.wake_ms + 1))
        bounds = [
            (self._low[0], True, band.bid_low),
            (self._high[0], False, band.bid_high),
            (self._low[1], True, band.ask_low),
            (self._high[1], False, band.ask_high),
        ]
        place = first_outside(bounds, begin, end)
        return min(until, seqs.item(place)) if place < seqs.size else until

    def before(self, seq: int) -> int:
        """Return the last event up to `seq` after which no question is open."""
        return seq

    def is_whole(self, seq: int) -> bool:
        """Tell whether no candle waits for its question after event `seq`."""
        return True

    def event(self, seq: int) -> MarketEvent:
        """Return the event of a number."""
        return self._columns.event(seq)

    def passage(self, seq: int, until: int) -> Passage:
        """Return what is left of the events behind `seq` and before `until`."""
        candles = self._columns.candles
        begin, end = place_from(candles.seq, seq + 1), place_from(candles.seq, until)
        close = candles.close.item(end - 1)
        return Passage(
            seq=until - 1,
            ts_ms=self._close_ms.item(end - 1),
            ticks=0,
            candles=end - begin,
            quote=self.quote(end - 1),
            price=close,
            close=close,
            volume=candles.volume.item(end - 1),
        )
