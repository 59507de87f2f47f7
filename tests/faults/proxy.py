"""A TCP proxy that does to a connection what networks do, with the names of Toxiproxy's toxics.

    latency      every piece comes so much later
    down         nobody is let in, and who is inside is cut off
    bandwidth    so many bytes a second
    slow_close   the end of a stream is passed on so much later
    timeout      nothing is passed on, and the connection is closed after so long (0: never)
    reset_peer   the connection is reset after so long
    slicer       pieces of so many bytes, with a pause between them
    limit_data   the connection is closed after so many bytes

A toxic works on one direction: `up` towards the server, `down` towards the client. Toxics of a direction work one
after the other, in the order they were added, on all connections from now on; or every connection that reaches the
server meets the next set of them, whatever the clock says. Refuses to look at what it carries.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PIECE = 65_536
NAMES = frozenset({"latency", "down", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"})


class Toxic(NamedTuple):
    """One thing that is wrong with a direction: seconds, bytes, or bytes a second, as its name needs."""

    name: str
    direction: str = "up"
    seconds: float = 0.0
    size: int = 0


class Cut(Exception):
    """The connection ends here; `reset` as if the machine had lost it."""

    def __init__(self, *, reset: bool = False) -> None:
        self.reset = reset


Pieces = AsyncIterator[bytes]


async def _latency(pieces: Pieces, toxic: Toxic) -> Pieces:
    async for piece in pieces:
        await asyncio.sleep(toxic.seconds)
        yield piece


async def _bandwidth(pieces: Pieces, toxic: Toxic) -> Pieces:
    step = max(1, toxic.size // 20)
    async for piece in pieces:
        for at in range(0, len(piece), step):
            part = piece[at : at + step]
            await asyncio.sleep(len(part) / toxic.size)
            yield part


async def _slow_close(pieces: Pieces, toxic: Toxic) -> Pieces:
    async for piece in pieces:
        yield piece
    await asyncio.sleep(toxic.seconds)


async def _timeout(pieces: Pieces, toxic: Toxic) -> Pieces:
    await asyncio.sleep(toxic.seconds or float("inf"))
    async for _ in pieces:
        raise Cut
    yield b""


async def _reset_peer(pieces: Pieces, toxic: Toxic) -> Pieces:
    async for _ in pieces:
        await asyncio.sleep(toxic.seconds)
        raise Cut(reset=True)
    yield b""


async def _slicer(pieces: Pieces, toxic: Toxic) -> Pieces:
    async for piece in pieces:
        for at in range(0, len(piece), toxic.size):
            yield piece[at : at + toxic.size]
            await asyncio.sleep(toxic.seconds)


async def _limit_data(pieces: Pieces, toxic: Toxic) -> Pieces:
    left = toxic.size
    async for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            raise Cut


_WORK: dict[str, Callable[[Pieces, Toxic], Pieces]] = {
    "latency": _latency,
    "bandwidth": _bandwidth,
    "slow_close": _slow_close,
    "timeout": _timeout,
    "reset_peer": _reset_peer,
    "slicer": _slicer,
    "limit_data": _limit_data,
}


@dataclass
class Proxy:
    """Between a free port of its own and a server's. A context manager; its loop runs in a thread."""

    server_port: int
    server_host: str = "127.0.0.1"
    toxics: tuple[Toxic, ...] = ()
    weather: Iterator[tuple[Toxic, ...]] | None = None
    connections: int = 0  # that reached the server, and so met the weather
    cut: int = 0
    port: int = 0
    _inside: set[asyncio.StreamWriter] = field(default_factory=set)

    def __enter__(self) -> Proxy:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._let_in, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(10)

    def be(self, *toxics: Toxic) -> None:
        """From now on these are wrong, and nothing else."""
        assert {toxic.name for toxic in toxics} <= NAMES
        self.toxics, self.weather = toxics, None
        if _down(toxics):
            self._do(self._cut_off())

    def vary(self, weather: Sequence[tuple[Toxic, ...]]) -> None:
        """From now on every connection meets the next of these sets, over and over."""
        assert {toxic.name for toxics in weather for toxic in toxics} <= NAMES
        self.toxics, self.weather = (), itertools.cycle(weather)

    def reset_all(self) -> int:
        """Reset everybody who is inside now; how many connections these were."""
        inside = len(self._inside) // 2
        self._do(self._cut_off(reset=True))
        return inside

    async def _cut_off(self, *, reset: bool = False) -> None:
        for writer in list(self._inside):
            _close(writer, reset=reset)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _down(self.toxics):
            _close(writer, reset=True)
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(self.server_host, self.server_port)
        except OSError:
            _close(writer, reset=True)
            return
        self.connections += 1
        both = (writer, there_writer)
        self._inside.update(both)
        toxics = next(self.weather) if self.weather else self.toxics
        if _down(toxics):
            await self._cut_off()
        up = asyncio.ensure_future(_carry("up", toxics, reader, there_writer))
        down = asyncio.ensure_future(_carry("down", toxics, there_reader, writer))
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the proxy ends
                await asyncio.gather(up, down)
        except (Cut, OSError) as end:
            self.cut += 1
            for side in both:
                _close(side, reset=getattr(end, "reset", True))
        finally:
            up.cancel()
            down.cancel()
            self._inside.difference_update(both)
            for side in both:
                _close(side)


def _down(toxics: Sequence[Toxic]) -> bool:
    return any(toxic.name == "down" for toxic in toxics)


async def _carry(
    direction: str, toxics: Sequence[Toxic], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    pieces = _read(reader)
    for toxic in toxics:
        if toxic.direction == direction and toxic.name in _WORK:
            pieces = _WORK[toxic.name](pieces, toxic)
    async for piece in pieces:
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _read(reader: asyncio.StreamReader) -> Pieces:
    while piece := await reader.read(PIECE):
        yield piece


def _close(writer: asyncio.StreamWriter, *, reset: bool = False) -> None:
    found = writer.get_extra_info("socket")
    if reset and found is not None and not writer.is_closing():
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()
