"""The ledger: what the account holds, and the identity that proves it."""

from dataclasses import dataclass
from decimal import Decimal

from services.broker.decimals import ZERO
from services.broker.errors import ImpossibleError

# Fifty digits round at most here; anything bigger is a booking that was forgotten or made twice.
_ROUNDING = Decimal("1e-25")


@dataclass(slots=True)
class Ledger:
    """Balance in quote currency, `closed_pnl` of all trades, `open_costs`: entry fee and funding of the open one."""

    starting_balance: Decimal
    balance: Decimal
    closed_pnl: Decimal = ZERO
    open_costs: Decimal = ZERO

    def book_cost(self, amount: Decimal) -> None:
        """Pay an entry fee or funding of the open trade (negative: received)."""
        self.balance -= amount
        self.open_costs += amount

    def book_close(self, profit: Decimal, exit_fee: Decimal, pnl: Decimal) -> None:
        """Close the open trade: price profit and exit fee now; `pnl` is net of everything it ever cost."""
        self.balance += profit - exit_fee
        self.closed_pnl += pnl
        self.open_costs = ZERO

    def check(self) -> None:
        """Prove that `balance = starting_balance + sum(pnl) - costs of the open trade`.

        Raises:
            ImpossibleError: It is not.
        """
        expected = self.starting_balance + self.closed_pnl - self.open_costs
        if abs(self.balance - expected) > _ROUNDING:
            raise ImpossibleError(f"the balance must be {expected}, was {self.balance}")
