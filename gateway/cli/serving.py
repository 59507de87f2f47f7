"""Running the partners' door in a thread of this process, and being told to stop by a signal."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress

import uvicorn

from gateway.api.app import build_app
from gateway.assembly import Gateway
from gateway.cli.in_time import READ_S, in_time
from gateway.errors import SettingsInvalid, StoreUnavailable
from gateway.journey.prove import keep_unproven

START_S = 10.0
LOOK_S = 5.0
ANSWER_S = 10
"""When the door closes, a request that is being read or answered has this long; nobody is let in any more."""


class Door:
    """The API on a real socket. A context manager; a caller has `read_s` for a whole request."""

    def __init__(self, gateway: Gateway, listening: socket.socket | None = None, *, read_s: float = READ_S) -> None:
        self._socket = listening or listen(gateway.settings.host, gateway.settings.port)
        config = uvicorn.Config(
            build_app(gateway),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            backlog=2048,
            http=in_time(read_s),
            timeout_graceful_shutdown=ANSWER_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._world, self._closing = gateway.world, threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="unproven", daemon=True)

    def __enter__(self) -> Door:
        self._thread.start()
        self._keeper.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise SettingsInvalid("the partners' door does not open")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._closing.set()
        self._keeper.join()

    def _keep(self) -> None:
        """Look whether acts of what was turned away are due; in the end keep them all, or what would they wait for?"""
        closing = False
        while not closing:
            closing = self._closing.wait(LOOK_S)
            with suppress(StoreUnavailable):  # at the next look
                keep_unproven(self._world, everything=closing)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Named TCP, or asyncio leaves Nagle's algorithm on (40 ms)."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsInvalid(f"GATEWAY_HOST, GATEWAY_PORT: port {port} cannot be opened ({error.strerror})") from None
    listening.listen(2048)
    return listening


def told_to_stop() -> threading.Event:
    """From here on SIGINT and SIGTERM end nothing by themselves; they set this event."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
