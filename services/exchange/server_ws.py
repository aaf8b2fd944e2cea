"""The exchange's door: WebSocket and REST on one loopback port, opened and closed. A shell."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from websockets.asyncio.server import serve as listen

from services.exchange.client_ws import Connection
from services.exchange.config import ExchangeConfig, ExchangeError
from services.exchange.exchange_ws import WS_PATH, Exchange

HOST = "127.0.0.1"
UNTRUSTED = Path(__file__).with_name("untrusted.pem")
_CLOSE_S = 2.0
_MESSAGE_BYTES = 64 * 1024


async def serve(
    config: ExchangeConfig, stop: asyncio.Event, on_turn: Callable[[], None], say: Callable[[str], None]
) -> None:
    """Keep an exchange open until `stop` is set, which is noticed within a tenth of a second.

    `on_turn` is called from the event loop about ten times a second: the beat of a supervised one. `say` gets lines
    for a person: the URLs once it listens, cut connections, the end of the data.

    Raises:
        ExchangeError: A data file cannot be used, or the port is taken; the text is one sentence.
    """
    exchange = Exchange(config, say)
    tls = _untrusted() if config.faults.named("tls_error") else None
    try:
        server = await listen(
            exchange.talk,
            HOST,
            config.port,
            process_request=exchange.meet,
            create_connection=Connection,
            compression=None,
            ping_interval=None,
            open_timeout=60,
            close_timeout=1,
            max_size=_MESSAGE_BYTES,
            ssl=tls,
            logger=_silent_logger(),
        )
    except OSError as error:
        raise ExchangeError(f"cannot listen on port {config.port}: {error.strerror or error}") from None
    port = next(iter(server.sockets)).getsockname()[1]
    end = "" if tls is None else "s"
    say(f"listening: ws{end}://{HOST}:{port}{WS_PATH} http{end}://{HOST}:{port}")
    try:
        await exchange.run(stop, on_turn)
    finally:
        server.close()
        try:
            await asyncio.wait_for(server.wait_closed(), _CLOSE_S)
        except TimeoutError:
            # Somebody was told of the end and does not hang up.
            exchange.cut_all()
            await server.wait_closed()


def _untrusted() -> ssl.SSLContext:
    """Return what serves TLS with a certificate that no client should take."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    return context


def _silent_logger() -> logging.Logger:
    """Return a logger for the library: clients that come and go wrongly are this exchange's daily bread."""
    logger = logging.getLogger("services.exchange.websockets")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
