"""Sizing: how much an entry may hold, and where its stop and target stand."""

from decimal import Decimal

from bus.messages import Signal, StreamInfo
from services.broker.config import BrokerConfig
from services.broker.decimals import BPS, HUNDRED, ZERO, decimal_of, exactly
from services.broker.prices import round_nearest


@exactly
def quantity(
    config: BrokerConfig, market: StreamInfo, signal: Signal, price: Decimal, balance: Decimal, volume: float | None
) -> Decimal:
    """Return the size of an entry at `price`, rounded down to the lot; 0 where nothing can be bought.

    Args:
        config: Risk, leverage and liquidity limits.
        market: Lot size.
        signal: Its `stop_bps` sets the distance.
        price: The fill price, in quote currency.
        balance: Before this entry's fee.
        volume: Of the last closed candle, None before the first one.
    """
    distance = price * decimal_of(signal.stop_bps) / BPS
    if distance <= 0:
        return ZERO
    size = min(balance * config.risk_pct / HUNDRED / distance, balance * config.max_leverage / price)
    if config.max_fill_pct_of_volume and volume is not None:
        size = min(size, decimal_of(volume) * config.max_fill_pct_of_volume / HUNDRED)
    return max(ZERO, size // market.lot_size * market.lot_size)


@exactly
def stop_and_target(market: StreamInfo, signal: Signal, price: Decimal) -> tuple[Decimal, Decimal]:
    """Return `(sl, tp)` of an entry at `price`: each at least one tick away, on the nearest tick, ties to even."""
    distance = price * decimal_of(signal.stop_bps) / BPS
    reward = decimal_of(signal.tp_r) * distance
    sign, tick = signal.side.sign, market.tick_size
    return (
        round_nearest(price - sign * max(distance, tick), tick),
        round_nearest(price + sign * max(reward, tick), tick),
    )
