"""One process under the supervisor: forked from it, watched, started again when it dies.

Rules: a child is forked from a supervisor that has loaded code and data already and has a single thread, so all of
them share those pages, and a new one is there at once. A child that dies is started again, each time in a row a little
later. Refuses to count a death against a child that had lived for long.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

from gateway.errors import StoreUnavailable
from gateway.store.embedded import postmaster, revive

BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 30.0
STEADY_S = 30.0
"""A child that lived this long begins its backoff anew."""
STOP_S = 30.0
"""Longer than any round, unless an attempt at a partner may take longer than it may by default."""

_FORK = multiprocessing.get_context("fork")


@dataclass(slots=True)
class Backoff:
    """When to start again what died."""

    failures: int = 0
    not_before: float = 0.0
    started_at: float = field(default_factory=time.monotonic)

    def died(self) -> None:
        """Wait a little longer than the last time, unless it had lived for long."""
        now = time.monotonic()
        self.failures = 1 if now - self.started_at > STEADY_S else self.failures + 1
        self.not_before = now + min(LONGEST_BACKOFF_S, BACKOFF_S * 2 ** (self.failures - 1))

    def over(self) -> bool:
        """Whether its time has come."""
        return time.monotonic() >= self.not_before


@dataclass(slots=True)
class Child:
    """One process and what it does. `ready` says whether it does its work."""

    name: str
    act: Callable[[], int]
    ready: Callable[[], bool]
    process: ForkProcess | None = None
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def pid(self) -> int:
        """Its process, 0 when there is none at the moment."""
        return self.process.pid or 0 if self.process else 0

    def start(self, logs: Path) -> None:
        """Fork it. Raises OSError when the machine has no room for another process."""
        self.backoff.started_at = time.monotonic()
        process = _forked(self.name, self.act, logs)
        process.start()
        self.process = process

    def look(self, logs: Path) -> bool:
        """Start it again if it died and its time has come, and there is room for it; True when a new process runs."""
        if self.process is not None:
            if self.process.exitcode is None:
                return False
            self.backoff.died()
            self.process = None
        if not self.backoff.over():
            return False
        try:
            self.start(logs)
        except OSError:
            self.backoff.died()
            return False
        return True

    def stop(self, at_least_s: float = 0.0) -> None:
        """Ask it to end, wait, insist; `at_least_s`: what it is in the middle of may take so long."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.join(max(STOP_S, at_least_s))
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def run_to_its_end(name: str, act: Callable[[], int], logs: Path) -> int:
    """Do something in a process of its own, once; returns its exit code."""
    process = _forked(name, act, logs)
    process.start()
    process.join()
    return process.exitcode or 0


def _forked(name: str, act: Callable[[], int], logs: Path) -> ForkProcess:
    return _FORK.Process(target=_live, args=(act, logs / f"{name}.log"), name=name)


def _live(act: Callable[[], int], log: Path) -> None:
    """Be the child: a session of its own, so that Ctrl-C reaches only the supervisor, and a log of its own."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with log.open("ab") as said, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    try:
        code = act()
    except Exception:  # noqa: BLE001 - the process ends here; what it may say is for the hook to decide
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.exit(code)


@dataclass(slots=True)
class Postgres:
    """The embedded PostgreSQL, started by its wheel; here it is only watched and started again."""

    home: Path
    name: str = "postgres"
    backoff: Backoff = field(default_factory=Backoff)
    known: int = 0

    @property
    def pid(self) -> int:
        """The postmaster, 0 when there is none."""
        return postmaster(self.home)

    def ready(self) -> bool:
        """Whether it runs."""
        return bool(self.pid)

    def look(self, _logs: Path) -> bool:
        """Start it again if it died; True when a new server runs."""
        if not self.pid and self.backoff.over():
            self.backoff.died()
            try:
                revive(self.home)
            except StoreUnavailable:
                return False  # its last backends still hold the memory: at the next look
            self.backoff.started_at = time.monotonic()
        found, self.known = self.known != self.pid, self.pid
        return found and bool(self.pid)
