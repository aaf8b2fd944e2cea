"""hftbacktest at its quickest: trade events alone, looked at each minute by a compiled strategy that crosses averages.

Without depth none of its orders is ever filled, so it does less than the others.
"""

import sys
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit
from trial import FAST, SLOW, tell

MINUTE_NS = 60_000_000_000


@njit
def cross(hbt, fast, slow, step_ns):  # noqa: ANN001, ANN201
    closes = np.zeros(slow)
    seen, before, orders = 0, 0.0, 0
    while hbt.elapse(step_ns) == 0:
        trades = hbt.last_trades(0)
        if len(trades):
            closes[seen % slow] = trades[len(trades) - 1].px
            hbt.clear_last_trades(0)
        else:
            closes[seen % slow] = closes[(seen - 1) % slow]
        seen += 1
        if seen < slow:
            continue
        short = 0.0
        for back in range(fast):
            short += closes[(seen - 1 - back) % slow]
        difference = short / fast - closes.mean()
        if difference * before < 0.0:
            orders += 1
            price = closes[(seen - 1) % slow]
            if difference > 0.0:
                hbt.submit_buy_order(0, orders, price, 1.0, GTC, LIMIT, False)
            else:
                hbt.submit_sell_order(0, orders, price, 1.0, GTC, LIMIT, False)
            hbt.clear_inactive_orders(0)
        before = difference
    return orders


def main() -> None:
    trades = np.load(sys.argv[1])
    events = np.zeros(trades.size, event_dtype)
    side = np.where(trades["is_buy"], BUY_EVENT, SELL_EVENT)
    events["ev"] = EXCH_EVENT | LOCAL_EVENT | TRADE_EVENT | side
    events["exch_ts"] = events["local_ts"] = np.maximum.accumulate(trades["ts_ms"]) * 1_000_000
    events["px"], events["qty"] = trades["price"], trades["size"]

    def make() -> Callable[[], int]:
        asset = (
            BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(50_000_000, 50_000_000)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0002, 0.0006)
            .tick_size(0.01)
            .lot_size(0.001)
            .last_trades_capacity(10_000)
        )
        hbt = HashMapMarketDepthBacktest([asset])
        return lambda: int(cross(hbt, FAST, SLOW, MINUTE_NS))

    tell(make, version("hftbacktest"))


main()
