"""A headless Chromium for tests, spoken to by its own protocol: what a page shows, says on its console, and fetches.

Nothing is installed for it: tests that need it are skipped where there is no Chromium or Chrome.
"""

import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import websocket
from processes import FACTOR, eventually

from services.waiting import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--disable-dev-shm-usage"),
)
TIMEOUT_SEC = 20.0 * FACTOR


def chromium() -> str | None:
    """The browser's program; None when the machine has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(chromium() is None, reason="there is no Chromium or Chrome here")


class Page:
    """One page of the browser.

    Attributes:
        complaints: errors of the browser, errors and warnings of the page on its console, and exceptions. What the
            browser only advises (it differs from one to the next) is none.
        requests: every address that was asked for.
    """

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._loaded = False
        target = self._call("Target.createTarget", {"url": "about:blank"}, at_browser=True)["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True}, at_browser=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Be a screen of some size, with the reader's liking of dark pages."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self._call("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self._loaded = False
        self._call("Page.navigate", {"url": url})
        while not self._loaded:
            self._hear(json.loads(self._socket.recv()))

    def tell(self, expression: str) -> Any:
        """What an expression comes to in the page; a promise is waited for."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True, "userGesture": True}
        found = self._call("Runtime.evaluate", asked)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 10) -> None:
        """Wait until an expression holds."""
        eventually(lambda: bool(self.tell(expression)), seconds, expression)

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does."""
        self.tell(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        x, y = self.tell(
            f"(() => {{const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]})()"
        )
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the mouse at a point."""
        button = "none" if kind == "mouseMoved" else "left"
        self._call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": button, "clickCount": 1})

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """Write a picture of what is seen, or of the whole page."""
        found = self._call(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole, **self._clip(whole)}
        )
        path.write_bytes(base64.b64decode(found["data"]))

    def _clip(self, whole: bool) -> Mapping[str, Any]:
        if not whole:
            return {}
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _call(self, method: str, params: Mapping[str, Any] | None = None, *, at_browser: bool = False) -> Any:
        number = next(self._ids)
        asked = {"id": number, "method": method, "params": params or {}}
        self._socket.send(json.dumps(asked if at_browser else {**asked, "sessionId": self._session}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("id") == number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]
            self._hear(said)

    def _hear(self, said: Mapping[str, Any]) -> None:
        params = said.get("params", {})
        match said.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(str(params["entry"]))


@contextmanager
def browser(directory: Path) -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block.

    Args:
        directory: An empty one, for its files.
    """
    program = chromium()
    assert program is not None, "the caller has looked"
    place = directory / "profile"
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={place}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = place / "DevToolsActivePort"
        assert wait_until(lambda: found.exists() and found.read_text().count("\n") == 1, int(TIMEOUT_SEC * 1000)), (
            "none came up"
        )
        port, path = found.read_text().splitlines()
        with closing(websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=TIMEOUT_SEC)) as socket:
            yield Page(socket)
            with suppress(OSError, websocket.WebSocketException):
                socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait(5)
