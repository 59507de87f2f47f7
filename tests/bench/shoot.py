"""An HTTP client that costs little: requests made beforehand, sent over kept-alive bare sockets.

Rules: with a pace it is an open loop: a request is late when its answer is late, whatever came before it. Refuses
nothing: a status is reported, and the bench judges it.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

LINES = 16


class Shot(NamedTuple):
    """What came of one request: its status, and the seconds from when it was due to its last byte."""

    status: int
    seconds: float


def shoot(port: int, requests: Sequence[bytes], per_s: float | None = None) -> list[Shot]:
    """Send all of them over 16 connections; at a pace, or each as soon as a connection is free."""
    return asyncio.run(_shoot(port, requests, per_s))


async def _shoot(port: int, requests: Sequence[bytes], per_s: float | None) -> list[Shot]:
    began = time.perf_counter() + 0.05
    due = [began + n / per_s if per_s else 0.0 for n in range(len(requests))]
    work = iter(zip(requests, due, strict=True))
    found: list[Shot] = []

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request, at in work:
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            since = at or time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            found.append(Shot(int(head[9:12]), time.perf_counter() - since))
        writer.close()

    await asyncio.gather(*(line() for _ in range(LINES)))
    return found


def written(method_path: str, host: str, head: Mapping[str, str], body: bytes) -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method_path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def p99(shots: Sequence[Shot]) -> float:
    """The wait that one of a hundred exceeds."""
    return statistics.quantiles((shot.seconds for shot in shots), n=100)[98]
