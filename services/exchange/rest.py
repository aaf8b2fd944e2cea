"""Bitunix's public REST, as a function from path and query to an answer, with the oddities of the original. Pure.

Candles come newest first, as strings, without the running one, at most 200, `endTime` exclusive, and with the names of
the two volumes swapped; in `tickers` they are not. An unknown interval is an empty list, not an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.exchange import funding
from services.exchange.board import Board
from services.exchange.candles import INTERVALS, Bar, open_of, shifted
from services.exchange.instruments import Instrument
from services.exchange.protocol import decimal_text

PREFIX = "/api/v1/futures/market/"
MAX_ROWS = 200
_DEFAULT_ROWS = 100
_DEPTHS = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 200, "": 200}

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON envelope."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RestHabits:
    """What sources disagree about, and what can go wrong. `status` and `code` 0, `symbol_status` empty: none forced."""

    status: int = 0
    code: int = 0
    empty: bool = False
    numeric: bool = False
    unswapped: bool = False
    forming: bool = False
    symbol_status: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """What REST answers from: the listed contracts, and the way to a listed symbol's board."""

    listed: Mapping[str, Instrument]
    board: Callable[[str], Board]


class _ApiError(Exception):
    """A refusal: code and message of the envelope."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def answer(path: str, query: Query, desk: Desk, habits: RestHabits) -> Answer:
    """Answer a GET of `path` (without its query)."""
    if habits.status:
        return Answer(habits.status, _envelope(habits.status, "forced by a fault", None))
    if habits.code:
        return Answer(200, _envelope(habits.code, "forced by a fault", None))
    handler = _HANDLERS.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
    if handler is None:
        return Answer(404, _envelope(404, "Not Found", None))
    try:
        return Answer(200, _envelope(0, "Success", handler(query, desk, habits)))
    except _ApiError as refusal:
        return Answer(200, _envelope(refusal.code, refusal.message, None))


def _envelope(code: int, message: str, data: object) -> dict[str, Any]:
    return {"code": code, "data": data, "msg": message}


def _kline(query: Query, desk: Desk, habits: RestHabits) -> object:
    board = _one_board(query, desk)
    if query.get("type", "LAST_PRICE") not in {"LAST_PRICE", "MARK_PRICE"}:
        raise _ApiError(10002, "Parameter error: type")
    limit, start_ms, end_ms = _limit(query), _whole(query, "startTime"), _whole(query, "endTime")
    interval_ms = INTERVALS.get(_required(query, "interval"))
    if interval_ms is None or habits.empty:
        return []
    bars = _window(board, interval_ms, limit, end_ms, forming=habits.forming)
    return [_kline_row(bar, habits) for bar in reversed(bars) if start_ms is None or bar.open_ms >= start_ms]


def _window(board: Board, interval_ms: int, limit: int, end_ms: int | None, *, forming: bool) -> list[Bar]:
    """Return the bars of the `limit` slots before `end_ms`, oldest first; slots of the future stay empty."""
    running_ms = open_of(interval_ms, board.now_ms)
    until_ms = shifted(interval_ms, running_ms, 1) if forming else running_ms
    end = until_ms if end_ms is None else open_of(interval_ms, max(end_ms, 0))
    bars = board.chart.bars(interval_ms, shifted(interval_ms, end, -limit), min(end, until_ms))
    if end_ms is not None and end_ms != end and bars:
        # Not aligned: the original loses the candle that opens just before, and gives the neighbour its open.
        lost = board.chart.bars(interval_ms, end, min(end + 1, until_ms))
        if lost:
            bars[-1].open = lost[0].open
    return bars


def _kline_row(bar: Bar, habits: RestHabits) -> dict[str, Any]:
    base, quote = round(bar.volume, 8), round(bar.turnover, 5)
    if not habits.unswapped:
        base, quote = quote, base
    numbers = {
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "quoteVol": quote,
        "baseVol": base,
    }
    if habits.numeric:
        return {**numbers, "time": bar.open_ms}
    return {**{name: decimal_text(number) for name, number in numbers.items()}, "time": str(bar.open_ms)}


def _tickers(query: Query, desk: Desk, _: RestHabits) -> object:
    rows = []
    for contract in _asked(query, desk):
        board = desk.board(contract.symbol)
        ticker, mark = board.ticker(), board.mark()
        if ticker is None or mark is None:
            continue
        last, day = decimal_text(ticker.last), ticker.day
        rows.append(
            {
                "symbol": contract.symbol,
                "markPrice": decimal_text(mark),
                "lastPrice": last,
                "open": decimal_text(day.open),
                "last": last,
                "quoteVol": decimal_text(round(day.turnover, 5)),
                "baseVol": decimal_text(round(day.volume, 8)),
                "high": decimal_text(day.high),
                "low": decimal_text(day.low),
            }
        )
    return rows


def _trading_pairs(query: Query, desk: Desk, habits: RestHabits) -> object:
    return [
        {
            "symbol": contract.symbol,
            "base": contract.base,
            "quote": contract.quote,
            "minTradeVolume": f"{1 / contract.size_scale:.{contract.size_decimals}f}",
            "minBuyPriceOffset": "-0.95",
            "maxSellPriceOffset": "100",
            "maxLimitOrderVolume": "1000000",
            "maxMarketOrderVolume": "500000",
            "basePrecision": contract.size_decimals,
            "quotePrecision": contract.price_decimals,
            "maxLeverage": 200,
            "minLeverage": 1,
            "defaultLeverage": 20,
            "defaultMarginMode": "2",
            "priceProtectScope": "0.02",
            "symbolStatus": habits.symbol_status or "OPEN",
            "isApiSupported": True,
            "maxFundingRate": str(funding.CAP_PCT),
            "minFundingRate": str(-funding.CAP_PCT),
        }
        for contract in _asked(query, desk)
    ]


def _funding_rate(query: Query, desk: Desk, _: RestHabits) -> object:
    return _funding_row(_one_board(query, desk))


def _funding_batch(query: Query, desk: Desk, _: RestHabits) -> object:
    rows = [_funding_row(desk.board(contract.symbol)) for contract in _asked(query, desk)]
    return [row for row in rows if row is not None]


def _funding_row(board: Board) -> dict[str, Any] | None:
    mark, index, ticker = board.mark(), board.index(), board.ticker()
    if mark is None or index is None:
        return None
    last_ms = funding.last_ms(board.now_ms)
    return {
        "symbol": board.instrument.symbol,
        "markPrice": decimal_text(mark),
        "lastPrice": decimal_text(mark if ticker is None else ticker.last),
        "indexPrice": decimal_text(index),
        "fundingRate": decimal_text(board.rate_pct(last_ms)),
        "fundingInterval": funding.INTERVAL_HOURS,
        "nextFundingTime": str(last_ms + funding.INTERVAL_MS),
        "maxFundingRate": str(funding.CAP_PCT),
        "minFundingRate": str(-funding.CAP_PCT),
    }


def _funding_history(query: Query, desk: Desk, _: RestHabits) -> object:
    board, limit = _one_board(query, desk), _limit(query)
    # The original's own documents misspell the parameter.
    start_ms = _whole(query, "starTime") if "starTime" in query else _whole(query, "startTime")
    end_ms = _whole(query, "endTime")
    newest_ms = funding.last_ms(board.now_ms if end_ms is None else min(end_ms, board.now_ms))
    oldest_ms = max(board.tape.listed_ms, start_ms or 0)
    times = range(newest_ms, oldest_ms - 1, -funding.INTERVAL_MS)[:limit]
    symbol = board.instrument.symbol
    return [
        {
            "symbol": symbol,
            "fundingRate": decimal_text(round(board.rate_pct(time) / 100, 8)),
            "fundingTime": str(time),
        }
        for time in times
    ]


def _depth(query: Query, desk: Desk, _: RestHabits) -> object:
    board = _one_board(query, desk)
    depth = _DEPTHS.get(query.get("limit", ""))
    if depth is None:
        raise _ApiError(10008, "Parameter value is not allowed: limit")
    bids, asks = board.levels(depth)
    return {"asks": _level_rows(asks), "bids": _level_rows(bids)}


def _level_rows(levels: Sequence[tuple[float, float]]) -> list[list[str]]:
    return [[decimal_text(price), decimal_text(size)] for price, size in levels]


def _one_board(query: Query, desk: Desk) -> Board:
    symbol = _required(query, "symbol").upper()
    if symbol not in desk.listed:
        raise _ApiError(20015, "this Futures is not allowed to trade.")
    return desk.board(symbol)


def _asked(query: Query, desk: Desk) -> list[Instrument]:
    symbols = [symbol for symbol in query.get("symbols", "").upper().split(",") if symbol]
    return [desk.listed[symbol] for symbol in symbols or desk.listed if symbol in desk.listed]


def _required(query: Query, name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise _ApiError(1, "Network Error")
    return value


def _whole(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    # Thirteen digits last until the year 2286, and keep the calendar out of years it does not have.
    if not text.isascii() or not text.isdigit() or len(text) > 13:
        raise _ApiError(10002, f"Parameter error: {name}")
    return int(text)


def _limit(query: Query) -> int:
    limit = _whole(query, "limit")
    if limit == 0:
        raise _ApiError(10002, "Parameter error: limit")
    return _DEFAULT_ROWS if limit is None else min(limit, MAX_ROWS)


_HANDLERS: dict[str, Callable[[Query, Desk, RestHabits], object]] = {
    "kline": _kline,
    "tickers": _tickers,
    "trading_pairs": _trading_pairs,
    "funding_rate": _funding_rate,
    "funding_rate/batch": _funding_batch,
    "get_funding_rate_history": _funding_history,
    "depth": _depth,
}
