"""The errors of the bus.

BusError
    MalformedFrameError    bytes from outside that are no message; count it, drop it
    InvalidMessageError    a message that cannot exist (a field of a wrong type or range)
"""


class BusError(Exception):
    """Base of everything the bus raises."""


class MalformedFrameError(BusError):
    """Bytes that are no message of ours. The receiver counts and drops them."""


class InvalidMessageError(BusError, ValueError):
    """A message with a field of a wrong type or out of its range. Such a message never exists."""
