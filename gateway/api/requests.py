"""Every request at the partners' door: it gets an id, and everything logged on its behalf carries it.

The id is ours, for a partner's header could hold anything; the answer names it, so that both sides can speak of the
same request. Refuses to log addresses, paths, headers and bodies.
"""

from __future__ import annotations

import secrets
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from gateway.ports import Observer, Reached, nothing
from gateway.telemetry.logs import where

HEADER = "X-Request-Id"
log = structlog.get_logger()


class Requests:
    """ASGI around the door."""

    def __init__(self, app: ASGIApp, observer: Observer, reached: Reached = nothing) -> None:
        self._app, self._observer, self._reached = app, observer, reached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. What was refused or broke is one line; what went well is said by the verb."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, began, status = secrets.token_hex(16), time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception as error:  # noqa: BLE001 - the application has answered 500 already
                log.error("request.broken", error=type(error).__name__, at=where(error))  # noqa: TRY400
            self._reached("request.answered")
            route, seconds = _route(scope), time.perf_counter() - began
            self._observer.answered(route, status, seconds)
            if status >= 400:
                log.warning("request.refused", route=route, status=status, seconds=round(seconds, 4))


def _route(scope: Scope) -> str:
    """The name of the way that was taken; `unknown` where there is none."""
    return getattr(scope.get("endpoint"), "__name__", "unknown")
