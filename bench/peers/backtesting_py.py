"""backtesting.py: the crossing with stop and target on candles; `Backtest.run`, which makes its statistics too."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import backtesting
import numpy as np
import pandas as pd
from backtesting.lib import crossover
from trial import FAST, SLOW, tell

STOP, TARGET = 0.003, 0.0045


def sma(values: Any, period: int) -> Any:
    return pd.Series(values).rolling(period).mean()


class Cross(backtesting.Strategy):
    """Market orders on the next open, one position at a time."""

    def init(self) -> None:
        """Work the averages out."""
        self.fast = self.I(sma, self.data.Close, FAST)
        self.slow = self.I(sma, self.data.Close, SLOW)

    def next(self) -> None:
        """Enter on a crossing."""
        if self.position:
            return
        price = self.data.Close[-1]
        if crossover(self.fast, self.slow):
            self.buy(size=10, sl=price * (1 - STOP), tp=price * (1 + TARGET))
        elif crossover(self.slow, self.fast):
            self.sell(size=10, sl=price * (1 + STOP), tp=price * (1 - TARGET))


def main() -> None:
    warnings.simplefilter("ignore")
    candles = np.load(sys.argv[1])
    index = pd.to_datetime(candles["ts_ms"], unit="ms")
    frame = pd.DataFrame(
        {name.capitalize(): candles[name] for name in ("open", "high", "low", "close", "volume")}, index
    )

    def make() -> Callable[[], int]:
        test = backtesting.Backtest(frame, Cross, cash=1_000_000, commission=0.0006)
        return lambda: int(test.run()["# Trades"])

    backtesting.backtesting._tqdm = lambda rows, **_: rows  # noqa: SLF001 - there is no other way to have no progress bar
    tell(make, backtesting.__version__)


main()
