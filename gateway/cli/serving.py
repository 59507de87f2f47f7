"""Running the partners' door in a thread of this process, and being told to stop by a signal."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable

import structlog
import uvicorn

from gateway import listening
from gateway.api.app import build_app
from gateway.assembly import Gateway
from gateway.cli.in_time import READ_S, in_time
from gateway.errors import NotFit, StoreUnavailable
from gateway.journey.prove import keep_unproven
from gateway.telemetry.logs import where

log = structlog.get_logger()

START_S = 10.0
LOOK_S = 5.0
ANSWER_S = 10
"""When the door closes, a request that is being read or answered has this long; nobody is let in any more."""


class Door:
    """The API on a real socket. A context manager; a caller has `read_s` for a whole request.

    `fell` is called when it ends although nobody closed it: then the process is no use, and had better be replaced.
    """

    def __init__(
        self,
        gateway: Gateway,
        opened: socket.socket | None = None,
        *,
        read_s: float = READ_S,
        fell: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = opened or listen(gateway.settings.host, gateway.settings.port)
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
        self._thread, self._fell = threading.Thread(target=self._serve, name="door", daemon=True), fell
        self._world, self._closing = gateway.world, threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="unproven", daemon=True)

    def __enter__(self) -> Door:
        self._thread.start()
        self._keeper.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.__exit__()
                raise NotFit("the partners' door does not open")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._closing.set()
        self._keeper.join()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is over
            log.error("door.broken", error=type(error).__name__, at=where(error))  # noqa: TRY400 - a trace may quote
        finally:
            if not self._server.should_exit:
                self._fell()

    def _keep(self) -> None:
        """Look whether acts of what was turned away are due; in the end keep them all, or what would they wait for?"""
        closing = False
        while not closing:
            closing = self._closing.wait(LOOK_S)
            try:
                keep_unproven(self._world, everything=closing)
            except StoreUnavailable:
                continue  # at the next look
            except Exception as error:  # noqa: BLE001 - the next look must come
                log.error("unproven.broken", error=type(error).__name__, at=where(error))  # noqa: TRY400


def listen(host: str, port: int) -> socket.socket:
    """The socket of the door; see `gateway.listening`."""
    return listening.listen(host, port, "GATEWAY_HOST, GATEWAY_PORT")


def told_to_stop() -> threading.Event:
    """From here on SIGINT and SIGTERM end nothing by themselves; they set this event."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
