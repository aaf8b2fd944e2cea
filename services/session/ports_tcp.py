"""The session's TCP ports on the loopback interface: free ones, or those that `bus_port` names."""

import secrets
import socket
import sys
from collections.abc import Mapping
from typing import Any

from bus.ports import PORTS

_LOW, _HIGH = 20_000, 32_000
"""Free ports are taken from below the range of outgoing connections, so that nobody's client sits on one."""


class PortsTakenError(Exception):
    """A port that the settings name can not be had; one sentence."""


def free_ports(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the session's ports by name; the one of the metrics must be free as well.

    Raises:
        PortsTakenError: one that is wanted is not free, or wanted twice.
    """
    metrics = settings["metrics_port"]
    if metrics is not None and not is_free(int(metrics)):
        raise PortsTakenError(f"metrics_port {metrics} is taken by another program")
    first = int(settings["bus_port"])
    if not first:
        return dict(zip(PORTS, _free_block(metrics), strict=True))
    wanted = list(range(first, first + len(PORTS)))
    needs = f"bus_port {first} needs ports {wanted[0]} to {wanted[-1]}"
    if metrics in wanted:
        raise PortsTakenError(f"{needs}, and metrics_port {metrics} is one of them")
    taken = [port for port in wanted if not is_free(port)]
    if taken:
        raise PortsTakenError(f"{needs}, but {taken[0]} is taken")
    return dict(zip(PORTS, wanted, strict=True))


def _free_block(metrics: int | None) -> list[int]:
    while True:
        # A block: sessions that start at the same instant then meet in none of their ports, or once in a lifetime.
        start = _LOW + secrets.randbelow((_HIGH - _LOW) // len(PORTS)) * len(PORTS)
        ports = list(range(start, start + len(PORTS)))
        if metrics not in ports and all(map(is_free, ports)):
            return ports


def is_free(port: int) -> bool:
    """Whether a port on the loopback interface could be taken now."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # as libzmq and asyncio bind there: connections that have just ended hold nobody up
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
