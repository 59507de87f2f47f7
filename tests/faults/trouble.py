"""What can happen to the database while everybody works, as somebody outside does it. Only to a server of our own.

    stop        stopped at once, as by a power cut, and started again after a while
    freeze      all its processes stand still, and go on later
    read_only   new transactions may not write, as on a standby, or when an operator has switched it so
    full        its disk has no room left for a while; a server that ends itself over it is started again

Refuses to touch a server that it was not given the home of.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from gateway.errors import StoreUnavailable
from gateway.store.embedded import postmaster, revive
from tests.faults.ground import Ground

START_S = 60.0
PIECE = 1 << 16
GOES_ON_S, LOOKS_EVERY_S = 1.0, 0.1
"""So long all goes on before the next thing happens, and so often somebody looks whether it does."""


@dataclass
class Trouble:
    """Things that happen one after the other, in a thread of their own. A context manager; it waits for `begin`.

    The next one happens `every_s` seconds after the one before; where `goes_on` is given, a second after it says that
    all goes on since that moment (seconds since 1970), and no later. `spans` are their beginnings and ends, by the
    clock on the wall. Raises what went wrong.
    """

    acts: Sequence[Callable[[], None]]
    every_s: float = 1.0
    goes_on: Callable[[float], bool] = lambda _: False
    spans: list[tuple[float, float]] = field(default_factory=list)

    def __enter__(self) -> Trouble:
        self._stop, self._side = threading.Event(), ThreadPoolExecutor(1)
        self._running: Future[None] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._side.shutdown()

    def begin(self) -> None:
        """Let it happen from now on."""
        self._running = self._running or self._side.submit(self._run)

    @property
    def over(self) -> bool:
        """All of it has happened. Raises what kept it from happening."""
        if self._running is None or not self._running.done():
            return False
        self._running.result()
        return True

    def _run(self) -> None:
        for act in self.acts:
            began = time.time()
            act()
            self.spans.append((began, time.time()))
            if self._rested(time.time()):
                return

    def _rested(self, since: float) -> bool:
        """Wait for the next one; whether there shall be none."""
        while (left := since + self.every_s - time.time()) > 0:
            if self.goes_on(since):
                return self._stop.wait(min(GOES_ON_S, left))
            if self._stop.wait(min(LOOKS_EVERY_S, left)):
                return True
        return False


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of our own: where to reach it, and the home it was made in."""

    url: str
    home: Path

    def stop(self, away_s: float) -> None:
        """An immediate stop: everybody is thrown out, nothing is written any more; then it recovers from its log."""
        self.end()
        time.sleep(away_s)
        self.start()

    def end(self) -> None:
        """End it at once, and for now."""
        pid = postmaster(self.home)
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)

    def start(self) -> None:
        """Start it again, if it does not run."""
        deadline = time.monotonic() + START_S
        while not postmaster(self.home):
            with suppress(StoreUnavailable):
                revive(self.home)
            assert time.monotonic() < deadline, "the server does not start again"

    def freeze(self, seconds: float) -> None:
        """Let every process of the server stand still for so long."""
        stopped = list(self._processes())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            for pid in reversed(stopped):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self) -> Iterator[int]:
        """The server itself first, so that it starts nobody new, then whom it has started."""
        server = postmaster(self.home)
        yield server
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                if int(stat.read_text().rpartition(")")[2].split()[1]) == server:
                    yield int(stat.parent.name)

    def read_only(self, seconds: float) -> None:
        """Refuse new transactions that write for so long."""
        with self.set("default_transaction_read_only", "on"):
            time.sleep(seconds)

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """A setting of the whole server while the block lasts."""
        self._run(f"alter system set {name} = {value}")
        try:
            yield
        finally:
            self._run(f"alter system reset {name}")

    def _run(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("set default_transaction_read_only = off")
            connection.execute(sql)
            connection.execute("select pg_reload_conf()")

    def full(self, seconds: float) -> None:
        """Fill the disk that the home is on to the last byte, and keep it so for so long."""
        ballast = self.home / "ballast"
        deadline = time.monotonic() + seconds
        with ballast.open("wb", buffering=0) as file:
            while time.monotonic() < deadline:
                with suppress(OSError):  # there is no room: that is what it is for; what is freed is taken again
                    while file.write(bytes(PIECE)) == PIECE:
                        pass
                time.sleep(0.05)
        ballast.unlink()
        self.start()


def server_of(ground: Ground) -> Server:
    """The server that a ground is on, where it is one of our own."""
    assert ground.home is not None
    return Server(ground.server, ground.home)
