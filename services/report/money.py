"""Balances, the open position and the grid of prices, out of the broker's state as the journal keeps it. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bus.messages import Side
from services.report.run import OpenPosition


class Money:
    """Balances, the open position and the tick of the broker's last state."""

    def __init__(
        self,
        starting: Decimal | None = None,
        ending: Decimal | None = None,
        entry_fees_open: Decimal = Decimal(0),
        open_costs: Decimal = Decimal(0),
        position: OpenPosition | None = None,
        tick_size: Decimal | None = None,
    ) -> None:
        self.starting = starting
        self.ending = ending
        self.entry_fees_open = entry_fees_open
        self.open_costs = open_costs
        self.position = position
        self.tick_size = tick_size

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Money":
        """Take them out of the state.

        Raises:
            KeyError: it is no state of a broker.
        """
        held, market = state["position"], state.get("market")
        return cls(
            starting=Decimal(state["starting_balance"]),
            ending=Decimal(state["balance"]),
            entry_fees_open=Decimal(held["entry_fee"]) if held else Decimal(0),
            open_costs=Decimal(state["open_costs"]),
            position=_position(held, state["quote"]) if held else None,
            tick_size=Decimal(market["tick_size"]) if market else None,
        )


def _position(held: Mapping[str, Any], bid_ask: list[float] | None) -> OpenPosition:
    """The open position, marked at the side of the newest quote at which it could be left; unmarked without one."""
    side, qty, entry_price = Side(held["side"]), Decimal(held["qty"]), Decimal(held["entry_price"])
    mark = Decimal(str(bid_ask[0 if side is Side.LONG else 1])) if bid_ask else entry_price
    return OpenPosition(
        side=side,
        qty=qty,
        entry_price=entry_price,
        entry_ts=held["entry_ts"],
        unrealized=side.sign * (mark - entry_price) * qty,
    )
