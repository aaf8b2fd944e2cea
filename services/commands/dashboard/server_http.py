"""The dashboard's server: one page, a stream of what changes, and the kill switch. Loopback only.

Whoever asks must know the token that was printed at the start. The kill switch takes it in a header alone, which no
other site's page can send without being asked for permission, and refuses what says that it comes from elsewhere; a
name that is not the loopback's is refused too, so that no name can be bent to lead here.
"""

import contextlib
import json
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from services.clock import monotonic_ms
from services.commands.dashboard.page_html import page
from services.commands.top import Watch
from services.commands.top_view import paces
from services.report.build import read_run
from services.report.chart_data import chart_data
from services.report.sections_html import headline
from services.report.summary import summary
from services.session.state import Session, ask_to_stop, read_stop, remove_kill_file

HOST = "127.0.0.1"
LOOK_EVERY_SEC = 0.5
DRAW_EVERY_MS = 2_000
SPARE = 10
"""Drawing a long session takes its time: at most one part in so many is spent on it."""
LEAVE_AFTER_SEC = 3.0
_COMMON = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


class Dashboard:
    """One session's dashboard.

    Args:
        session: the running session.
        is_running: whether it still is.
        token: what who asks must know.
    """

    def __init__(self, session: Session, is_running: Callable[[Session], bool], token: str) -> None:
        self._session = session
        self._is_running = is_running
        self._token = token
        self._asked = False
        settings = session.settings
        self._title = f"{settings['symbol']} {settings['interval']} {settings['strategy']}"

    def app(self) -> Starlette:
        """The routes."""
        routes = [
            Route("/", self._page),
            Route("/events", self._events),
            Route("/kill", self._kill, methods=["POST"]),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        return Starlette(routes=routes, middleware=[hosts])

    async def wait_for_end(self) -> None:
        """Return when the session has gone, and who looks has had time to hear of it."""
        while await run_in_threadpool(self._is_running, self._session):  # noqa: ASYNC110 - it is told by files
            await anyio.sleep(LOOK_EVERY_SEC)
        if self._asked:  # the session's end may have come just before
            await self._take_back()
        await anyio.sleep(LEAVE_AFTER_SEC)

    async def _page(self, request: Request) -> Response:
        if not self._knows(request.query_params.get("token", "")):
            return _refused("the token is missing or wrong; open the address that 'lap dashboard' printed")
        text, policy = page(self._title)
        return HTMLResponse(text, headers={**_COMMON, "Content-Security-Policy": policy})

    async def _events(self, request: Request) -> Response:
        if not self._knows(request.query_params.get("token", "")):
            return _refused("the token is missing or wrong")
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=_COMMON)

    async def _kill(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _refused("it must come from the dashboard itself")
        if origin is not None and origin != f"http://{request.headers.get('host', '')}":
            return _refused("it must come from the dashboard itself")
        if not self._knows(request.headers.get("x-lap-token", "")):
            return _refused("the token is missing or wrong")
        if not await run_in_threadpool(self._is_running, self._session):
            return PlainTextResponse("the session has ended\n", status_code=409, headers=_COMMON)
        self._asked = True
        await run_in_threadpool(ask_to_stop, self._session, "lap dashboard")
        if not await run_in_threadpool(self._is_running, self._session):
            await self._take_back()
        return PlainTextResponse("the session stops\n", headers=_COMMON)

    async def _take_back(self) -> None:
        """Remove the kill file: the next session shall not find it."""
        with contextlib.suppress(OSError):
            await run_in_threadpool(remove_kill_file, self._session)

    async def _stream(self) -> AsyncIterator[str]:
        watch = Watch(self._session)
        drawn: tuple[Any, Any] | None = None
        next_draw_ms = 0
        while await run_in_threadpool(self._is_running, self._session):
            look = await run_in_threadpool(watch.look)
            seen = look.seen
            lines = [asdict(line) for line in look.events[-100:]]
            yield _event("look", {"seen": seen, "paces": paces(look), "lines": lines})
            state = (seen["candle_idx"], (seen["counts"] or {}).get("trades"))
            if state != drawn and monotonic_ms() >= next_draw_ms:
                drawn, began_ms = state, monotonic_ms()
                yield _event("run", await run_in_threadpool(self._draw))
                next_draw_ms = monotonic_ms() + max(DRAW_EVERY_MS, SPARE * (monotonic_ms() - began_ms))
            await anyio.sleep(LOOK_EVERY_SEC)
        stop = read_stop(self._session)
        yield _event("end", {"words": f"ended: {stop.reason.value if stop else 'unknown'}"})

    def _draw(self) -> dict[str, Any]:
        run = read_run(self._session.run_dir)
        figures = summary(run)
        return {"cards": headline(figures), "data": chart_data(run, figures)}

    def _knows(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())


def serve(session: Session, is_running: Callable[[Session], bool], port: int, opened: Callable[[str], None]) -> None:
    """Serve a session's dashboard until it ends, or until interrupted.

    Args:
        session: the running session.
        is_running: whether it still is.
        port: of the loopback interface; 0 takes a free one.
        opened: is told the address, token and all.

    Raises:
        OSError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    dashboard = Dashboard(session, is_running, token)
    with socket.socket() as listener:
        if sys.platform != "win32":  # there it would let two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        config = uvicorn.Config(
            dashboard.app(), log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        opened(f"http://{HOST}:{listener.getsockname()[1]}/?token={token}")
        anyio.run(_serve, uvicorn.Server(config), listener, dashboard)


async def _serve(server: uvicorn.Server, listener: socket.socket, dashboard: Dashboard) -> None:
    async def leave_with_the_session() -> None:
        await dashboard.wait_for_end()
        server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave_with_the_session)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _refused(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=403, headers=_COMMON)
