"""vectorbt: the crossing with stop and target on candles; indicators, the portfolio and its return, compiled before."""

import sys
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from trial import FAST, SLOW, tell

warnings.simplefilter("ignore")
import vectorbt as vbt  # noqa: E402 - it warns while it is imported

STOP, TARGET = 0.003, 0.0045


def main() -> None:
    candles = np.load(sys.argv[1])
    first, high, low, close = (pd.Series(candles[name]) for name in ("open", "high", "low", "close"))

    def work() -> int:
        fast, slow = vbt.MA.run(close, FAST), vbt.MA.run(close, SLOW)
        portfolio = vbt.Portfolio.from_signals(
            close,
            entries=fast.ma_crossed_above(slow).vbt.fshift(1),
            short_entries=fast.ma_crossed_below(slow).vbt.fshift(1),
            open=first,
            high=high,
            low=low,
            price=first,
            size=10.0,
            sl_stop=STOP,
            tp_stop=TARGET,
            fees=0.0006,
            init_cash=1_000_000.0,
            upon_opposite_entry="ignore",
            freq="1min",
        )
        portfolio.total_return()
        return int(portfolio.trades.count())

    def make() -> Callable[[], int]:
        return work

    tell(make, vbt.__version__)


main()
