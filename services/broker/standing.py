"""Where the account stands between two happenings: what it is worth then depends on the quote alone. Pure."""

from decimal import Decimal
from typing import NamedTuple

from bus.messages import Account, Side
from services.broker.decimals import ZERO
from services.broker.position import Position
from services.broker.prices import TwoSided


def equity_of(balance: Decimal, position: Position | None, quote: TwoSided | None) -> Decimal:
    """Return balance and unrealized profit at `quote`, in quote currency; in the 50-digit context."""
    return balance if position is None or quote is None else balance + position.unrealized(quote)


class Standing(NamedTuple):
    """The account but for the quote.

    Attributes:
        balance: In quote currency.
        position: The open one, None without. Of what changes while it is open an account shows nothing.
        trades: Closed so far.
        halted: Entries are halted, or the session has ended.
    """

    balance: Decimal
    position: Position | None
    trades: int
    halted: bool

    def account(self, quote: TwoSided | None) -> Account:
        """Return the account as a strategy may know it when `quote` is the newest one; in the 50-digit context."""
        held, balance = self.position, self.balance
        if held is None:
            empty = (balance, balance, ZERO, Side.FLAT, ZERO, ZERO, ZERO, ZERO, 0)
            return Account(*empty, trades=self.trades, halted=self.halted)
        equity = equity_of(balance, held, quote)
        return Account(
            balance=balance,
            equity=equity,
            unrealized=equity - balance,
            side=held.side,
            qty=held.qty,
            entry_price=held.entry_price,
            sl=held.sl,
            tp=held.tp,
            entry_ts=held.entry_ts,
            trades=self.trades,
            halted=self.halted,
        )
