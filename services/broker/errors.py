"""The errors of the broker's room.

BrokerError
    ImpossibleError    our own books or inputs contradict themselves: the process ends, its supervisor restarts it
    CarryOverError     the state kept by an earlier session does not fit this one
    JournalError       the journal can not be opened, read or written
"""


class BrokerError(Exception):
    """Base of everything this room raises."""


class ImpossibleError(BrokerError):
    """A thing that can not happen did: going on would make the trade list a lie."""


class CarryOverError(BrokerError):
    """What an earlier session kept does not fit this one, or can not be read. The text says which."""


class JournalError(BrokerError):
    """The journal is locked, full, of another version, or no journal at all. The text says which."""
