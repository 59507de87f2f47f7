"""Requests that come in time: whoever brings one byte a second is cut off, and keeps nobody else waiting.

Rules: a caller has so long for a whole request, headers and body together, counted from when it connects or from the
first byte behind the request before. One that is late is told 408 and let go (RFC 9110, 15.5.9). How long the answer
takes is not its affair. Refuses to wait for bytes that mean nothing: they begin no new count.

The server we use ends only connections that say nothing between two requests. A proxy before the door has limits of its
own (`gateway/proxy/nginx.conf`); these are for who comes without one, and for bodies, which a proxy counts from byte to
byte.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

READ_S = 10.0
LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class InTime(HttpToolsProtocol):
    """One connection of the door."""

    read_s = READ_S
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there, and has yet to say what it wants."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Some bytes, of this request or of the next."""
        self._begin()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins, perhaps in the same piece in which another one ended."""
        self._begin()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The request is here."""
        self._end()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has left."""
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        if self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.read_s, self._cut_off)

    def _end(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _cut_off(self) -> None:
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(LATE)
        self.transport.close()


def in_time(read_s: float) -> type[InTime]:
    """Connections whose callers have so long for a request."""
    return type("InTime", (InTime,), {"read_s": read_s})
