"""A socket that listens, opened before anything else is: a port that is taken is said in a sentence."""

from __future__ import annotations

import socket

from gateway.errors import SettingsInvalid

WAITING = 2048
"""Callers that may wait until they are let in."""


def listen(host: str, port: int, said: str) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. `said`: by which settings host and port are named.

    Raises SettingsInvalid. Named TCP, or asyncio leaves Nagle's algorithm on (40 ms a request).
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        why = getattr(error, "strerror", None) or "no such port"
        raise SettingsInvalid(f"{said}: port {port} cannot be opened ({why})") from None
    listening.listen(WAITING)
    return listening
