"""Questions to Bitunix's public REST, each in a thread of its own with a deadline; answers are delivered.

What is asked and what an answer means is `bitunix_rows`'; here are the connections, the time-outs and the second try.
"""

import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import NamedTuple, TypeAlias
from urllib.request import Request

from services.clock import iso, monotonic_ms
from services.feed.bitunix_rows import PAGE, kline_path, pairs_path, parse_klines, parse_pair, parse_symbols, unlisted
from services.feed.config import HISTORY_CANDLES, Instrument
from services.feed.facts import RawCandle, Refusal
from services.feed.reconciling import Span
from services.feed.route_rest import opener_to

# The default of Python's own client is refused by the exchange's front.
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) laptop-agents"
START_MS = 8_000
"""How long a stream's head waits for REST."""
ANSWER_MS = 7_000
"""How long REST is asked for it: what it said last is known in time."""
BRIDGE_MS = 4_500
"""Less than the ticks are held for."""
REQUEST_S = 3.0
AGAIN_S = 0.7
MOST_BYTES = 4 * 1024 * 1024
MOST_PAGES = 20


class PairAnswer(NamedTuple):
    """What the exchange says of the symbol's grids, or why it does not."""

    pair: Instrument | Refusal


class HistoryAnswer(NamedTuple):
    """Closed candles from before the session, oldest first, or why there are none."""

    candles: list[RawCandle] | Refusal


class LookAnswer(NamedTuple):
    """The exchange's own candles of a span that was published already; none when REST did not answer."""

    candles: list[RawCandle]


class BridgeAnswer(NamedTuple):
    """Closed candles from the time of a loss, oldest first; none when REST did not answer in time."""

    candles: list[RawCandle]
    detail: str = ""


RestNews: TypeAlias = PairAnswer | HistoryAnswer | BridgeAnswer | LookAnswer


class _Refused(Exception):  # noqa: N818 - carries a refusal out
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


class BitunixRest:
    """Asks for a symbol and an interval.

    Args:
        base_url: `http://` or `https://`, without a path.
        symbol: upper case.
        interval_ms: one of `bitunix_rows.INTERVAL_NAMES`, where candles are asked for.
        deliver: takes the answers, called from other threads.
    """

    def __init__(self, base_url: str, symbol: str, interval_ms: int, deliver: Callable[[RestNews], object]) -> None:
        self._base_url = base_url.rstrip("/")
        self._symbol = symbol
        self._interval_ms = interval_ms
        self._deliver = deliver
        self._stop = threading.Event()
        self._opener = opener_to(base_url)

    def ask_pair(self) -> None:
        """Ask for the symbol's grids."""
        self._ask(self._pair)

    def ask_history(self, first_ms: int | None) -> None:
        """Ask for the candles before the session.

        Args:
            first_ms: the exchange's time now; None when it is not known: the newest candle may still be forming then.
        """
        self._ask(lambda: self._history(first_ms))

    def ask_bridge(self, first_ms: int, since_ms: int) -> None:
        """Ask for the candles closed before `first_ms`, from the one that was open at `since_ms`."""
        self._ask(lambda: self._bridge(first_ms, since_ms))

    def ask_look(self, span: Span) -> None:
        """Ask once for candles that are closed and published, to compare them; at most a page."""
        self._ask(lambda: self._look(span))

    def close(self) -> None:
        """Answer nothing any more; threads that wait end at once, one in a request with its time-out."""
        self._stop.set()

    def _ask(self, question: Callable[[], RestNews]) -> None:
        def work() -> None:
            news = question()
            if not self._stop.is_set():
                self._deliver(news)

        threading.Thread(target=work, name="bitunix-rest", daemon=True).start()

    def _pair(self) -> RestNews:
        deadline_ms = monotonic_ms() + ANSWER_MS
        refusal = Refusal("no_answer")
        while self._may_try(deadline_ms):
            try:
                said = parse_pair(self._get(pairs_path(self._symbol), deadline_ms), self._symbol)
            except _Refused as refused:
                said = refused.refusal
            if isinstance(said, Instrument) or said.name == "not_traded":
                return PairAnswer(said)
            if said.name == "unknown_symbol":
                return PairAnswer(self._with_nearest(said, deadline_ms))
            refusal = said
            self._stop.wait(AGAIN_S)
        return PairAnswer(refusal)

    def _with_nearest(self, unknown: Refusal, deadline_ms: int) -> Refusal:
        """Return the refusal with the names of listed symbols like it, where the exchange tells them."""
        try:
            listed = parse_symbols(self._get(pairs_path(""), deadline_ms))
        except _Refused:
            return unknown
        return unknown if isinstance(listed, Refusal) else unlisted(self._symbol, listed)

    def _history(self, first_ms: int | None) -> RestNews:
        deadline_ms = monotonic_ms() + ANSWER_MS
        end_ms = None if first_ms is None else self._bucket(first_ms)
        refusal = Refusal("no_answer")
        while self._may_try(deadline_ms):
            try:
                rows = self._pages(end_ms, deadline_ms, lambda rows: len(rows) > HISTORY_CANDLES)
                return HistoryAnswer(_closed(rows, end_ms)[-HISTORY_CANDLES:])
            except _Refused as refused:
                refusal = refused.refusal
            self._stop.wait(AGAIN_S)
        return HistoryAnswer(refusal)

    def _bridge(self, first_ms: int, since_ms: int) -> RestNews:
        deadline_ms = monotonic_ms() + BRIDGE_MS
        end_ms, since_ms = self._bucket(first_ms), self._bucket(since_ms)
        candles: list[RawCandle] = []
        detail = ""
        while self._may_try(deadline_ms):
            try:
                rows = self._pages(end_ms, deadline_ms, lambda rows: rows[0].open_ms <= since_ms)
                candles = [row for row in _closed(rows, end_ms) if row.open_ms >= since_ms]
                is_whole = not candles or candles[0].open_ms == since_ms
                detail = "" if is_whole else f"there are those from {iso(candles[0].open_ms)} on"
            except _Refused as refused:
                detail = f"{refused.refusal.name} {refused.refusal.detail}".strip()
            # The candle that closed a moment ago may not be there yet.
            if end_ms <= since_ms or (candles and candles[-1].open_ms >= end_ms - self._interval_ms):
                break
            self._stop.wait(AGAIN_S)
        return BridgeAnswer(candles, detail)

    def _look(self, span: Span) -> RestNews:
        try:
            rows = self._pages(
                span.last_ms + self._interval_ms,
                monotonic_ms() + BRIDGE_MS,
                lambda rows: rows[0].open_ms <= span.first_ms,
            )
        except _Refused:
            return LookAnswer([])
        return LookAnswer([row for row in rows if span.first_ms <= row.open_ms <= span.last_ms])

    def _pages(
        self, end_ms: int | None, deadline_ms: int, is_enough: Callable[[list[RawCandle]], bool]
    ) -> list[RawCandle]:
        """Page backwards, each page up to the oldest open of the one before it; at least one answer, or refused."""
        rows: list[RawCandle] = []
        for page in range(MOST_PAGES):
            if page and monotonic_ms() >= deadline_ms:
                break
            path = kline_path(self._symbol, self._interval_ms, rows[0].open_ms if rows else end_ms)
            try:
                older = self._page(path, deadline_ms)
            except _Refused:
                if rows:
                    break
                raise
            fresh = [row for row in older if not rows or row.open_ms < rows[0].open_ms]
            rows = fresh + rows
            if not fresh or is_enough(rows) or len(older) < PAGE // 2:
                break
        return rows

    def _page(self, path: str, deadline_ms: int) -> list[RawCandle]:
        rows = parse_klines(self._get(path, deadline_ms), self._interval_ms)
        if isinstance(rows, Refusal):
            raise _Refused(rows)
        return rows

    def _may_try(self, deadline_ms: int) -> bool:
        return not self._stop.is_set() and monotonic_ms() < deadline_ms

    def _bucket(self, ts_ms: int) -> int:
        return ts_ms // self._interval_ms * self._interval_ms

    def _get(self, path: str, deadline_ms: int) -> bytes:
        # The settings have seen to it that the URL is http or https.
        request = Request(self._base_url + path, headers={"User-Agent": USER_AGENT, "Accept": "application/json"})  # noqa: S310
        timeout_s = max(0.2, min(REQUEST_S, (deadline_ms - monotonic_ms()) / 1000))
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                parts, size = [], 0
                while part := response.read1(65_536):
                    parts.append(part)
                    size += len(part)
                    if size > MOST_BYTES or monotonic_ms() > deadline_ms:
                        raise _Refused(Refusal("no_answer", "the answer does not end"))
                return b"".join(parts)
        except (OSError, HTTPException, ValueError) as error:
            raise _Refused(Refusal("no_answer", (str(error) or type(error).__name__)[:200])) from None


def _closed(rows: list[RawCandle], end_ms: int | None) -> list[RawCandle]:
    """Leave out the candle that may still be forming."""
    return rows[:-1] if end_ms is None else [row for row in rows if row.open_ms < end_ms]
