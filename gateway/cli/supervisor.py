"""`gateway up` and `gateway down`: everything on one machine, each in its own process.

PostgreSQL and Valkey from their wheels, the migration, the partners' door, N workers and beat. A child that dies is
started again, each time in a row a little later. `home/up.json` says who runs; logs are in `home/logs`.
Refuses to run twice in one home, and to stop a process that it did not start: a pid counts only together with the
moment its process began.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson

from gateway.assembly import prepare
from gateway.cli.partners import free_port
from gateway.config import Settings, environment
from gateway.errors import SettingsInvalid, StoreUnavailable
from gateway.store.embedded import embedded_postgres
from gateway.worker import broker

READY_S = 60.0
STOP_S = 40.0
LOOK_S = 0.1
DATABASE_AWAY = 3
"""The exit code that says so."""
BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
STEADY_S = 30.0
"""A child that lived this long begins its backoff anew."""


def began(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None when there is no such process (or only its remains)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


@dataclass(slots=True)
class Child:
    """One process and how to start it. `ready` says whether it does its work."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    not_before: float = 0.0
    started_at: float = field(default_factory=time.monotonic)

    def start(self, logs: Path) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only the supervisor."""
        with (logs / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.started_at = time.monotonic()

    def look(self, logs: Path) -> bool:
        """Start it again if it died and its time has come; True when a new process runs."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return False
            self.failures = 1 if now - self.started_at > STEADY_S else self.failures + 1
            self.not_before = now + min(LONGEST_BACKOFF_S, BACKOFF_S * 2 ** (self.failures - 1))
            self.process = None
        if now < self.not_before:
            return False
        self.start(logs)
        return True

    def stop(self) -> None:
        """Ask it to end, wait, insist."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S / 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Starts the children in order and keeps them until SIGTERM."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings, self._workers = settings, workers
        self._logs, self._file = settings.home / "logs", state_file(settings.home)
        self._stop = threading.Event()
        self._children: list[Child] = []
        self._url = ""

    def run(self) -> None:
        """Everything up, watched, and down again."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stop.set())
        self._logs.mkdir(parents=True, exist_ok=True)
        given = self._settings.database_url
        with nullcontext(given) if given else embedded_postgres(self._settings.home) as url:
            try:
                self._up(url)
                while not self._stop.wait(LOOK_S):
                    if any(child.look(self._logs) for child in self._children):
                        self._write(ready=True)
            finally:
                self._down()

    def _up(self, database_url: str) -> None:
        home = self._settings.home.resolve()
        port = self._settings.port or free_port()
        env = environment(home=home, database_url=database_url, broker_url=self._broker_url(), port=port)
        own = [] if self._settings.broker_url else [self._valkey(env)]
        for child in own:
            self._begin(child)
        prepare(self._settings.model_copy(update={"database_url": database_url}))
        url = f"http://{self._settings.host}:{port}"
        for child in [self._door(env, url), *self._crew(env, home), Child("beat", gateway("beat"), env, lambda: True)]:
            self._begin(child)
        deadline = time.monotonic() + READY_S
        while not self._stop.is_set() and not all(child.ready() for child in self._children):
            if time.monotonic() > deadline:
                late = ", ".join(child.name for child in self._children if not child.ready())
                raise SettingsInvalid(f"not ready in {READY_S:.0f} s: {late}; see {self._logs}")
            self._stop.wait(LOOK_S)
            for child in self._children:
                child.look(self._logs)
        self._write(ready=True, url=url)

    def _begin(self, child: Child) -> None:
        self._children.append(child)
        child.start(self._logs)
        self._write(ready=False)
        while child.name == "valkey" and not child.ready() and not self._stop.wait(LOOK_S):
            child.look(self._logs)

    def _broker_url(self) -> str:
        return self._settings.broker_url or broker.broker_url(self._settings.home)

    def _valkey(self, env: dict[str, str]) -> Child:
        home = self._settings.home
        socket = broker.socket_of(home)
        socket.unlink(missing_ok=True)
        return Child("valkey", broker.command(home), env, socket.exists)

    def _door(self, env: dict[str, str], url: str) -> Child:
        return Child("door", gateway("serve", "--door-only"), env, lambda: answers(f"{url}/health/ready"))

    def _crew(self, env: dict[str, str], home: Path) -> Iterator[Child]:
        for number in range(1, self._workers + 1):
            alive = home / "logs" / f"worker-{number}.alive"
            alive.unlink(missing_ok=True)
            own = env | self._metrics_port(number)
            yield Child(f"worker-{number}", gateway("worker", "--alive", str(alive)), own, alive.exists)

    def _metrics_port(self, number: int) -> dict[str, str]:
        """Metrics of the n-th worker are on the n-th port after the door's."""
        first = self._settings.metrics_port
        return {"GATEWAY_METRICS_PORT": str(first + number)} if first else {}

    def _write(self, *, ready: bool, url: str = "") -> None:
        self._url = url or self._url
        children = [described(c.name, c.process.pid) for c in self._children if c.process]
        children.append(described("postgres", _postmaster(self._settings.home)))
        said = {"supervisor": described("supervisor", os.getpid()), "ready": ready, "url": self._url}
        temporary = self._file.with_suffix(".tmp")
        temporary.write_bytes(orjson.dumps(said | {"children": children}))
        temporary.replace(self._file)

    def _down(self) -> None:
        """Beat, workers and the door side by side, then the broker; PostgreSQL is the last."""
        crew = [threading.Thread(target=c.stop) for c in self._children if c.name != "valkey"]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        for child in self._children:
            child.stop()
        self._file.unlink(missing_ok=True)


# ── from outside ─────────────────────────────────────────────────────────────────────────────────────────────────────
def gateway(*words: str) -> list[str]:
    """A command of ours, run by this interpreter."""
    return [sys.executable, "-m", "gateway", *words]


def state_file(home: Path) -> Path:
    """Who runs in this home."""
    return home / "up.json"


def described(name: str, pid: int) -> dict[str, Any]:
    """A process as the state file names it."""
    return {"name": name, "pid": pid, "began": began(pid)}


def read_state(home: Path) -> dict[str, Any] | None:
    """What the state file says, None when nothing is up."""
    with suppress(FileNotFoundError):
        found: dict[str, Any] = orjson.loads(state_file(home).read_bytes())
        return found
    return None


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    with suppress(httpx2.HTTPError):
        return httpx2.get(url, timeout=2.0, trust_env=False).status_code == 200
    return False


def up(settings: Settings, workers: int) -> dict[str, Any]:
    """Start a supervisor that outlives this command; returns what the state file says once all is ready."""
    if read_state(settings.home):
        raise SettingsInvalid("GATEWAY_HOME is up already; `gateway down` first")
    (settings.home / "logs").mkdir(parents=True, exist_ok=True)
    command = gateway("up", "--foreground", "--workers", str(workers))
    with (settings.home / "logs" / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    while process.poll() is None:
        state = read_state(settings.home)
        if state and state["ready"]:
            return state
        time.sleep(LOOK_S)
    ended = StoreUnavailable if process.returncode == DATABASE_AWAY else SettingsInvalid
    raise ended(f"the supervisor ended; see {settings.home / 'logs' / 'supervisor.log'}")


def down(home: Path) -> list[str]:
    """Stop what `up` started here, and nothing else; returns the names of what had to be stopped without it."""
    state = read_state(home)
    if state is None:
        return []
    end([state["supervisor"]], signal.SIGTERM)
    orphans = [one for one in (read_state(home) or state)["children"] if alive(one)]
    end([one for one in orphans if one["name"] not in ("valkey", "postgres")], signal.SIGTERM)
    end([one for one in orphans if one["name"] in ("valkey", "postgres")], signal.SIGINT)
    state_file(home).unlink(missing_ok=True)
    return [one["name"] for one in orphans]


def alive(one: dict[str, Any]) -> bool:
    """Whether this very process still runs."""
    return one["began"] is not None and began(one["pid"]) == one["began"]


def end(processes: list[dict[str, Any]], how: signal.Signals) -> None:
    """Send a signal to those that still run and wait until they have gone; after `STOP_S` they are killed."""
    for one in filter(alive, processes):
        with suppress(ProcessLookupError):
            os.kill(one["pid"], how)
    deadline = time.monotonic() + STOP_S
    while any(map(alive, processes)):
        if time.monotonic() > deadline:
            for one in filter(alive, processes):
                os.kill(one["pid"], signal.SIGKILL)
        time.sleep(LOOK_S)


def _postmaster(home: Path) -> int:
    """The pid of the embedded PostgreSQL; 0 when there is none."""
    with suppress(FileNotFoundError, ValueError):
        return int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    return 0
