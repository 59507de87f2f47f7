"""The crew of a round: processes that are replaced when they are killed, and a count of who was killed where."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

import orjson

from tests.faults.place import Place

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.actors", "tests.faults.matrix", "pydantic.v1.dataclasses"])
"""What actors are, what the program they belong to is (each of them imports it), and what a door is built with."""

Order = Callable[[], tuple[Any, ...]]
"""Makes the arguments of a process anew for every life of it."""


@dataclass
class Post:
    """One place in the crew: what is done there, and who does it now."""

    act: Callable[..., None]
    order: Order
    process: BaseProcess


@dataclass
class Crew:
    """Who works at a place. `deaths` are the moments when somebody was found killed, in seconds since 1970.

    `fell` says who ended otherwise.
    """

    place: Place
    posts: dict[str, Post] = field(default_factory=dict)
    deaths: list[float] = field(default_factory=list)
    fell: list[str] = field(default_factory=list)

    def hire(self, name: str, act: Callable[..., None], order: Order = tuple) -> None:
        """Start a process; it is replaced whenever it ends."""
        self.posts[name] = Post(act, order, self._start(act, order))

    def _start(self, act: Callable[..., None], order: Order) -> BaseProcess:
        process = _FORKS.Process(target=act, args=(self.place, *order()), daemon=True)
        process.start()
        return process

    def tend(self) -> None:
        """Replace who has ended."""
        for name, post in self.posts.items():
            code = post.process.exitcode
            if code is None:
                continue
            if code == -signal.SIGKILL:
                self.deaths.append(time.time())
            else:
                self.fell.append(f"{name} ended with {code}; see {self.place.said}")
            post.process.close()
            post.process = self._start(post.act, post.order)

    def until(self, what: str, fulfilled: Callable[[], bool], patience_s: float) -> float:
        """Tend the crew until something is so; returns after how many seconds, fails with what was waited for."""
        began = time.monotonic()
        while not fulfilled():
            self.tend()
            assert not self.fell, self.fell
            assert time.monotonic() - began < patience_s, f"waited {patience_s} s in vain: {what}; {self.place.home}"
            time.sleep(0.02)
        return time.monotonic() - began

    def pid(self, name: str) -> int:
        pid = self.posts[name].process.pid
        assert pid is not None
        return pid

    def kill(self, name: str) -> None:
        """kill -9, from outside."""
        os.kill(self.pid(name), signal.SIGKILL)
        self.posts[name].process.join()

    def dismiss(self, *names: str) -> None:
        """End processes for good, at once."""
        for name in names or list(self.posts):
            post = self.posts.pop(name)
            post.process.kill()
            post.process.join()
            post.process.close()

    def hits(self) -> Counter[str]:
        """How often each failpoint was hit, as the killed said themselves before they died."""
        if not self.place.said.exists():
            return Counter()
        lines = (line for line in self.place.said.read_bytes().splitlines() if b'"failpoint.hit"' in line)
        return Counter(orjson.loads(line)["subject"] for line in lines)


@contextmanager
def crew_at(place: Place) -> Iterator[Crew]:
    """A crew that is gone afterwards."""
    crew = Crew(place)
    try:
        yield crew
    finally:
        crew.dismiss()
