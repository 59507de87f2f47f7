"""Lanes: what a request asks of the database is asked by few at once, so that nobody's asking takes all connections.

Rules: each lane has threads of its own; whoever finds too many before it is told to come back (503, `GW-BUSY`). Refuses
to let those wait who bring messages: they have a lane that nobody else is in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from gateway.errors import TooBusy

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Lane:
    """For one event loop: `at_once` are asked for, up to `most` are here, those that wait among them."""

    def __init__(self, name: str, at_once: int, most: int) -> None:
        self._threads, self._most, self._here = ThreadPoolExecutor(at_once, name), most, 0

    async def run(self, ask: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What `ask` says. Raises TooBusy, and what `ask` raises."""
        if self._here >= self._most:
            raise TooBusy
        self._here += 1
        try:
            asked = partial(copy_context().run, ask, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        finally:
            self._here -= 1
