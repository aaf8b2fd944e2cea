"""Who may come in: the answering end of ZeroMQ's authentication protocol (ZAP 1.0, https://rfc.zeromq.org/spec/27/).

libzmq asks about each handshake at a socket of the context, in a thread of ours, so that a busy loop keeps nobody waiting.
pyzmq has such an authenticator, too; it brings asyncio into each of the session's processes.
"""

from threading import Thread
from typing import Final

import zmq
from zmq.utils import z85

ENDPOINT: Final = "inproc://zeromq.zap.01"
VERSION: Final = b"1.0"


class Doorkeeper:
    """Lets in whoever owns one CURVE key pair, until its context ends.

    Args:
        context: whose sockets are watched; one doorkeeper each.
        domain: of the sockets; no other is let in anywhere.
        public: the one key, Z85 text.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", domain: str, public: bytes) -> None:
        self._domain = domain.encode()
        self._key = z85.decode(public)
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(ENDPOINT)
        # From here on the socket is the thread's. The end of the context ends both.
        self._thread = Thread(target=self._answer_all, name="doorkeeper", daemon=True)
        self._thread.start()

    def _answer_all(self) -> None:
        try:
            while True:
                self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
        except zmq.ContextTerminated:
            self._socket.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Return version, request, status, text, the user's name and what is known of him (nothing)."""
        match request:
            case [version, number, domain, _, _, mechanism, *credentials]:
                wanted = (VERSION, self._domain, b"CURVE", [self._key])
                is_ours = (version, domain, mechanism, credentials) == wanted
            case _:
                number, is_ours = b"", False
        status, text = (b"200", b"OK") if is_ours else (b"400", b"not of this session")
        return [VERSION, number, status, text, b"", b""]
