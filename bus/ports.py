"""The services of a session and the names of its ports. Light: supervisors know them, and no message.

A service's publisher is at the port of its name; `feed_rpc` and `broker_rpc` are the two request sockets, `exchange_api` is
where the simulated exchange speaks Bitunix's protocol.
"""

from typing import Final

SERVICES: Final = ("feed", "strategy", "broker", "monitor")
"""The services of every session, in the order in which they are shown."""
EXCHANGE: Final = "exchange"
"""The simulated exchange: a service of sessions whose source it is."""
ALL_SERVICES: Final = (*SERVICES, EXCHANGE)

PORTS: Final = ("feed", "feed_rpc", "strategy", "broker", "broker_rpc", "monitor", "exchange", "exchange_api")
"""The names of a session's ports, in the order in which they are given out."""
