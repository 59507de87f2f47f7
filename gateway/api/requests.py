"""Every request at the partners' door: it gets an id, it is measured, and a line says what became of it.

The id is ours, for a partner's header could hold anything; the answer names it, so that both sides can speak of the
same request. Its line joins it with the message it brought, as far as the sender says which, with the reason of a
refusal, and with what is wrong in our own house; messages that come together share what the verb says about them. A
caller who leaves in the middle of its body has broken nothing of ours: its line says 499. Refuses to log addresses,
paths, headers and bodies, and requests that ask for nothing worth a line.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from gateway.ports import Observer, Reached, nothing
from gateway.sealing.claims import UUID
from gateway.telemetry.logs import where

HEADER = "X-Request-Id"
LEFT = 499
"""What is written down where a caller had gone before its body was there; nobody is sent it (nginx's number)."""
log = structlog.get_logger()


class Requests:
    """ASGI around the door."""

    def __init__(self, app: ASGIApp, observer: Observer, reached: Reached = nothing) -> None:
        self._app, self._observer, self._reached = app, observer, reached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, and one line if it brought a message or was not answered well."""
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

        headers = dict(scope["headers"])
        with bound_contextvars(request_id=request_id), self._observer.working("request", _because(headers)):
            try:
                await self._app(scope, receive, answer)
            except ClientDisconnect:
                status = LEFT
            except Exception as error:  # noqa: BLE001 - the application has answered 500 already
                log.error("request.broken", error=type(error).__name__, at=where(error))  # noqa: TRY400
            self._reached("request.answered")
            route, seconds, mid = _route(scope), time.perf_counter() - began, _mid(headers)
            self._observer.answered(route, status, seconds, mid)
            if mid or status >= 400:
                noted = scope.get("state", {})
                ids = {"mid": mid, "code": noted.get("code"), "subject": noted.get("subject")}
                said = {name: value for name, value in ids.items() if value}
                log.info("request.answered", route=route, status=status, seconds=round(seconds, 4), **said)


def _because(headers: Mapping[bytes, bytes]) -> Mapping[str, str]:
    """What the request says about the trace it belongs to."""
    found = headers.get(b"traceparent")
    return {"traceparent": found.decode("latin-1")} if found else {}


def _mid(headers: Mapping[bytes, bytes]) -> str | None:
    """The message that the request brings, as its sender says."""
    found = headers.get(b"idempotency-key", b"").decode("latin-1")
    return found if UUID(found) else None


def _route(scope: Scope) -> str:
    """The name of the way that was taken; `unknown` where there is none."""
    return getattr(scope.get("endpoint"), "__name__", "unknown")
