"""The way to the exchange's WebSocket: straight, or through the proxy that the environment names; TLS verified.

Shell: it looks at the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, on Windows and macOS the system's own
settings), as `urllib` does for REST. Frames are bounded here too, for the library would take any length.
"""

from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from websocket import (
    ABNF,
    WebSocket,
    WebSocketPayloadException,
    WebSocketTimeoutException,
    continuous_frame,
    create_connection,
    frame_buffer,
)

from services.clock import monotonic_ms
from services.feed.trust_file import trusting

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""A proxy has no business between us and the simulated exchange."""
MOST_BYTES: Final = 1024 * 1024
"""A message longer than this ends the connection; the largest that we subscribe to has less than a tenth of it."""
STALL_MS: Final = 5_000
"""A message that has begun must be whole within this: one that drips in for ever would keep us from all else."""


def open_websocket(url: str, timeout_s: float) -> WebSocket:
    """Connect, or say why not.

    Raises:
        WebSocketException: the handshake or the proxy failed, or we were sent elsewhere (a hotel's login page).
        OSError: no connection, or no TLS (`ssl.SSLError`): a certificate that is not trusted is refused.
    """
    return create_connection(
        url,
        timeout=timeout_s,
        class_=_BoundedWebSocket,
        skip_utf8_validation=True,
        suppress_origin=True,
        redirect_limit=0,
        sslopt={"context": trusting()},
        **route_options(url),
    )


def proxy_for(url: str) -> str:
    """Return the proxy that stands between us and an URL, empty for none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK or proxy_bypass(host):
        return ""
    return getproxies().get("https" if parts.scheme in {"wss", "https"} else "http", "")


def route_options(url: str) -> dict[str, Any]:
    """Return the proxy of an URL as the library takes it; it would go its own ways if it were told nothing."""
    proxy = proxy_for(url)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if not parts.hostname:
        return {"http_proxy_host": "none", "http_proxy_port": 1, "http_no_proxy": ["*"]}
    return {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "http_proxy_auth": (unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
        "http_no_proxy": ["-"],
        "proxy_type": parts.scheme if parts.scheme.startswith("socks") else "http",
    }


class _BoundedBuffer(frame_buffer):
    """Refuses a frame by its announced length, before any of it is read."""

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MOST_BYTES:
            raise WebSocketPayloadException(f"oversized frame of {self.length} bytes")


class _BoundedParts(continuous_frame):
    """Refuses a message whose parts add up to too much."""

    def add(self, frame: ABNF) -> None:
        super().add(frame)
        if self.cont_data is not None and len(self.cont_data[1]) > MOST_BYTES:
            raise WebSocketPayloadException("oversized message in parts")


class _BoundedWebSocket(WebSocket):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.frame_buffer = _BoundedBuffer(self._recv, True)
        self.cont_frame = _BoundedParts(False, True)
        self._began_ms = 0

    def recv_frame(self) -> ABNF:
        if not self.cont_frame.recving_frames:
            self._began_ms = monotonic_ms()
        return super().recv_frame()  # type: ignore[no-any-return, no-untyped-call]  # the library's own gap

    def _recv(self, bufsize: int) -> bytes:
        if monotonic_ms() - self._began_ms > STALL_MS:
            raise WebSocketTimeoutException("a message that does not end")
        return super()._recv(bufsize)  # type: ignore[no-any-return, no-untyped-call]  # the library's own gap
