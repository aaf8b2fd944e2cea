"""NautilusTrader: trade ticks, minute bars of its own making, the crossing as bracket orders; `BacktestEngine.run`."""

import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import Bar, BarType, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import TradeId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from trial import FAST, SLOW, tell

STOP, TARGET = 0.003, 0.0045
INSTRUMENT = TestInstrumentProvider.ethusdt_perp_binance()  # the grid of the file: 0.01 and 0.001
BARS = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-INTERNAL")


class Cross(Strategy):
    """One position at a time, with a stop and a target."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig())
        self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
        self.before = 0.0

    def on_start(self) -> None:
        """Ask for bars."""
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        """Enter on a crossing."""
        if not self.slow.initialized:
            return
        difference, before = self.fast.value - self.slow.value, self.before
        self.before = difference
        if difference * before >= 0.0 or not self.portfolio.is_flat(INSTRUMENT.id):
            return
        sign, price = (1 if difference > 0.0 else -1), float(bar.close)
        orders = self.order_factory.bracket(
            instrument_id=INSTRUMENT.id,
            order_side=OrderSide.BUY if sign > 0 else OrderSide.SELL,
            quantity=Quantity(10.0, 3),
            sl_trigger_price=Price(price * (1 - sign * STOP), 2),
            tp_price=Price(price * (1 + sign * TARGET), 2),
        )
        self.submit_order_list(orders)


def main() -> None:
    trades = np.load(sys.argv[1])
    ticks = []
    newest = np.maximum.accumulate(trades["ts_ms"])
    for place, (price, size, is_buy) in enumerate(zip(trades["price"], trades["size"], trades["is_buy"], strict=True)):
        side = AggressorSide.BUYER if is_buy else AggressorSide.SELLER
        at_ns = int(newest[place]) * 1_000_000
        ticks.append(
            TradeTick(INSTRUMENT.id, Price(price, 2), Quantity(size, 3), side, TradeId(str(place)), at_ns, at_ns)
        )

    def make() -> Callable[[], int]:
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
        engine.add_venue(
            venue=Venue("BINANCE"),
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=[Money(1_000_000, USDT)],
            default_leverage=Decimal(10),
        )
        engine.add_instrument(INSTRUMENT)
        engine.add_data(ticks)
        engine.add_strategy(Cross())

        def work() -> int:
            engine.run()
            return len(engine.cache.positions()) + len(engine.cache.position_snapshots())

        return work

    tell(make, version("nautilus_trader"))


main()
