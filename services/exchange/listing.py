"""Which contracts are listed, and what market stands behind each: a walk of its own, or the data files' one tape.

A shell only in that data files are read here, once, when the exchange opens.
"""

from services.exchange.board import Board
from services.exchange.config import WALK_START_MS, ExchangeConfig
from services.exchange.distortion import distortion
from services.exchange.instruments import WELL_KNOWN, Instrument, instrument
from services.exchange.market import Recorded, Tape, Walk
from services.exchange.tape_file import read_data_files


class Listing:
    """The contracts of an exchange. With data files only the symbol they are served as."""

    def __init__(self, config: ExchangeConfig) -> None:
        """Read the data files, if any.

        Raises:
            ExchangeError: They cannot be used.
        """
        self._config = config
        own = instrument(config.symbol)
        self._recorded = None
        if config.data:
            files = read_data_files(config.data)
            own = own.on_grid(files.price_decimals, files.size_decimals)
            change = distortion(config.faults, own, files.events[0].ts_ms, config.speed)
            self._recorded = Recorded(files.events if change is None else change(files.events))
            self.contracts = {own.symbol: own}
        else:
            self.contracts = {own.symbol: own, **WELL_KNOWN}

    @property
    def start_ms(self) -> int:
        """The market time at which events begin."""
        return WALK_START_MS if self._recorded is None else self._recorded.start_ms

    @property
    def end_ms(self) -> int | None:
        """The market time of the last event, None for a market without end."""
        return None if self._recorded is None else self._recorded.end_ms

    def open_board(self, symbol: str) -> Board:
        """Return a fresh board of a listed symbol."""
        contract = self.contracts[symbol]
        return Board(contract, self._tape(contract), self._config.seed)

    def _tape(self, contract: Instrument) -> Tape:
        if self._recorded is not None:
            return self._recorded
        config = self._config
        change = distortion(config.faults, contract, WALK_START_MS, config.speed)
        return Walk(config.seed, contract, WALK_START_MS, change)
