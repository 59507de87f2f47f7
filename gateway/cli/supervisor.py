"""The supervisor behind `gateway up`: everything on one machine, each in its own process.

PostgreSQL and Valkey from their wheels, the migration, the partners' door, N workers, beat, and for a demo three
pretend partners and our own witness. It loads code and data once and forks (see `gateway.cli.child`); who dies is
started again. `home/up.json` says who runs; logs are in `home/logs`. Refuses to have a second thread while it forks,
and to tell anybody but the migration how the database is reached as its owner.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress

import orjson

from gateway import wholefile
from gateway.assembly.books import open_books
from gateway.assembly.clocks import clock_of
from gateway.assembly.knowledge import know
from gateway.assembly.sandbox import be_pretend_partner, be_witness, introduce
from gateway.cli import pretend
from gateway.cli.child import Child, Postgres, run_to_its_end
from gateway.cli.partners import free_port
from gateway.cli.running import DATABASE_AWAY, LOOK_S, answers, described, require_down, state_file
from gateway.config import Settings, become, environment_without
from gateway.errors import NotFit, StoreUnavailable
from gateway.journey.world import Knowledge
from gateway.store.embedded import embedded_postgres
from gateway.worker import broker
from gateway.worker.embedded import SPARE_S

READY_S = 60.0

Act = Callable[[Sequence[str], Knowledge | None], int]
"""Runs one of our commands with knowledge that is loaded already; returns its exit code."""


class Supervisor:
    """Starts the children in order and keeps them until SIGTERM. `sandbox` says what pretend partners are started."""

    def __init__(self, settings: Settings, workers: int, act: Act, sandbox: pretend.Sandbox | None = None) -> None:
        port = settings.port or free_port()
        url = f"http://{settings.host}:{port}"
        used = settings.model_copy(update={"home": settings.home.resolve(), "port": port})
        self._settings = pretend.witnessed(pretend.pretending(used, url)) if sandbox else used
        self._witness_port = free_port() if sandbox and not settings.witnesses else None
        self._sandbox, self._workers, self._act, self._url = sandbox, workers, act, url
        self._logs, self._file = used.home / "logs", state_file(used.home)
        self._stop = threading.Event()
        self._children: list[Child | Postgres] = []
        self._ready = self._unsaid = False
        self._stores: dict[str, str] = {}
        self._ends_s = used.attempt_timeout_s + 2 * SPARE_S
        self._on_a_server = bool(used.database_url)

    def run(self) -> None:
        """Everything up, watched, and down again. Raises SettingsInvalid when somebody runs in this home."""
        require_down(self._settings.home)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stop.set())
        self._logs.mkdir(parents=True, exist_ok=True)
        if self._sandbox:
            pretend.mark(self._settings, self._sandbox)
        self._write()  # from here on, not only when all are ready, `gateway down` finds us and nobody starts beside us
        try:
            if self._settings.owner_url:
                self._forget_the_owner()
            else:
                self._run()
        finally:
            self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        given = self._settings.database_url
        with nullcontext(given) if given else embedded_postgres(self._settings.home) as url:
            try:
                self._up(url)
                while not self._stop.wait(LOOK_S):
                    self._look()
            finally:
                self._down()

    def _forget_the_owner(self) -> None:
        """Migrate as the owner, then begin again without its address: a fork shows the environment we began with."""
        self._prepare(lambda: self._act(("migrate",), None))
        if not self._stop.is_set():
            self._file.unlink()  # or who begins again would find himself
            os.execve(sys.executable, sys.orig_argv, environment_without("owner_url"))  # noqa: S606 - no shell is meant

    def _up(self, database_url: str) -> None:
        # 1 the stores
        # 2 what everybody knows, loaded once
        # 3 the database migrated, keys made and exchanged
        # 4 everybody else, forked, unless we are to stop already
        # 5 wait until all of them are ready
        if not self._settings.database_url:  # 1
            self._children.append(Postgres(self._settings.home))
            self._stores["database_url"] = database_url  # embedded: an address without a password
        if not self._settings.broker_url:
            self._stores["broker_url"] = self._broker_url()
            self._begin(self._valkey())
        self._enter(database_url)
        known = know(self._settings, clock_of(self._settings).today())  # 2
        self._prepare(self._prepared)  # 3
        for child in self._crew(known):  # 4
            if self._stop.is_set():
                return
            self._begin(child)
        deadline = time.monotonic() + READY_S  # 5
        while not all(child.ready() for child in self._children):
            if self._stop.is_set():
                return
            if time.monotonic() > deadline:
                late = ", ".join(child.name for child in self._children if not child.ready())
                raise NotFit(f"not ready in {READY_S:.0f} s: {late}; see {self._logs}")
            self._stop.wait(LOOK_S / 2)
            self._look()
        self._ready = True
        self._write()

    def _enter(self, database_url: str) -> None:
        """From here on this process, and whoever it forks, has the settings of the engine."""
        update = {"database_url": database_url, "broker_url": self._broker_url()}
        self._settings = self._settings.model_copy(update=update)
        become(**{name: getattr(self._settings, name) for name in self._settings.model_fields_set | update.keys()})

    def _begin(self, child: Child) -> None:
        self._children.append(child)
        child.start(self._logs)
        self._write()

    def _prepare(self, act: Callable[[], int]) -> None:
        """In a process of its own: it opens connections, and what it loads nobody else needs."""
        code = run_to_its_end("prepare", act, self._logs)
        if code:
            ended = StoreUnavailable if code == DATABASE_AWAY else NotFit
            raise ended(f"preparing the database ended with {code}; see {self._logs / 'prepare.log'}")

    def _prepared(self) -> int:
        code = self._act(("migrate",), None)
        if code == 0 and self._sandbox:
            if self._witness_port:
                home, url = pretend.witness_home(self._settings.home), f"http://127.0.0.1:{self._witness_port}"
                pretend.introduce_witness(self._settings, home, url)
            with open_books(self._settings) as books:
                for partner in self._settings.partner_urls:
                    introduce(self._settings, books, partner, pretend.home_of(self._settings, partner))
        return code

    def _broker_url(self) -> str:
        return self._settings.broker_url or broker.broker_url(self._settings.home)

    # ── who runs ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _valkey(self) -> Child:
        socket, command = broker.socket_of(self._settings.home), broker.command(self._settings.home)
        socket.unlink(missing_ok=True)
        return Child("valkey", lambda: os.execv(command[0], command), socket.exists)  # noqa: S606 - no shell is meant

    def _crew(self, known: Knowledge) -> Iterator[Child]:
        yield self._own("door", known, ("serve", "--door-only"), lambda: answers(f"{self._url}/health/ready"))
        for number in range(1, self._workers + 1):
            alive = self._logs / f"worker-{number}.alive"
            alive.unlink(missing_ok=True)
            metrics = self._settings.metrics_port  # those of the n-th worker are on the n-th port after the door's
            own = {"metrics_port": metrics + number} if metrics else {}
            yield self._own(f"worker-{number}", known, ("worker", "--alive", str(alive)), alive.exists, **own)
        yield self._own("beat", known, ("beat",), lambda: True)
        if self._sandbox:
            yield from self._partners(self._sandbox)
        if self._witness_port:
            yield self._witness(self._witness_port)

    def _partners(self, sandbox: pretend.Sandbox) -> Iterator[Child]:
        for partner, url in self._settings.partner_urls.items():
            options = pretend.options(self._settings, partner, sandbox)
            yield self._partner(partner.lower(), options, f"{url.removesuffix(pretend.PATH)}/pretend/status")

    def _witness(self, port: int) -> Child:
        options = ("--home", str(pretend.witness_home(self._settings.home)), "--name", pretend.WITNESS)
        return Child(
            "witness",
            lambda: be_witness([*options, "--port", str(port)]),
            lambda: answers(f"http://127.0.0.1:{port}/vkey"),
        )

    def _own(
        self, name: str, known: Knowledge, words: Sequence[str], ready: Callable[[], bool], **settings: object
    ) -> Child:
        def act() -> int:
            become(**settings)
            return self._act(words, known)

        return Child(name, act, ready)

    def _partner(self, name: str, options: Sequence[str], status: str) -> Child:
        return Child(name, lambda: be_pretend_partner(options), lambda: answers(status))

    # ── while it runs ────────────────────────────────────────────────────────────────────────────────────────────────
    def _look(self) -> None:
        """Start again who died. That the home has no room to say so stops nobody: it is said at the next look."""
        again = [child.name for child in self._children if child.look(self._logs)]
        self._unsaid |= bool(again)
        with suppress(OSError):
            if self._unsaid:
                self._write()

    def _write(self) -> None:
        said = {
            "supervisor": described("supervisor", os.getpid()),
            "ready": self._ready,
            "ends_s": self._ends_s,
            "on_a_server": self._on_a_server,
            "url": self._url,
            **self._stores,
            "partners": self._settings.partner_urls if self._sandbox else {},
            "children": [described(child.name, child.pid) for child in self._children],
        }
        wholefile.write(self._file, orjson.dumps(said))
        self._unsaid = False

    def _down(self) -> None:
        """Everybody side by side, then the broker; PostgreSQL is the last."""
        own = [child for child in self._children if isinstance(child, Child)]
        crew = [threading.Thread(target=c.stop, args=[self._ends_s]) for c in own if c.name != "valkey"]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        for child in own:
            child.stop()
