"""The symbols the exchange lists, and their grids. Pure."""

from dataclasses import dataclass, replace

QUOTES = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A perpetual contract.

    `anchor` is the price its walk is drawn to, in quote currency; the tick is `10 ** -price_decimals`, the lot (and
    the smallest order) `10 ** -size_decimals` in base coin.
    """

    symbol: str
    base: str
    quote: str
    anchor: float
    price_decimals: int
    size_decimals: int

    @property
    def tick(self) -> float:
        """The price grid, in quote currency."""
        return 1 / self.price_scale

    @property
    def price_scale(self) -> int:
        """Ticks in one unit of quote currency."""
        return int(10**self.price_decimals)

    @property
    def size_scale(self) -> int:
        """Lots in one base coin."""
        return int(10**self.size_decimals)

    def on_grid(self, price_decimals: int, size_decimals: int) -> "Instrument":
        """Return the same contract with other grids, for data that is finer or coarser."""
        return replace(self, price_decimals=price_decimals, size_decimals=size_decimals)


WELL_KNOWN = {
    row.symbol: row
    for row in (
        Instrument("BTCUSDT", "BTC", "USDT", 60_000.0, 1, 4),
        Instrument("ETHUSDT", "ETH", "USDT", 3_000.0, 2, 3),
        Instrument("SOLUSDT", "SOL", "USDT", 150.0, 3, 1),
        Instrument("XRPUSDT", "XRP", "USDT", 2.0, 4, 1),
        Instrument("DOGEUSDT", "DOGE", "USDT", 0.2, 5, 0),
        Instrument("LTCUSDT", "LTC", "USDT", 80.0, 2, 2),
    )
}


def instrument(symbol: str) -> Instrument:
    """Return the contract of an upper-case symbol; one that is not well known gets a plain one around 100."""
    known = WELL_KNOWN.get(symbol)
    if known is not None:
        return known
    quote = next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "USDT")
    return Instrument(symbol, symbol.removesuffix(quote), quote, 100.0, 2, 2)
