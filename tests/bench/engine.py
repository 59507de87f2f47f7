"""The site of the engine's benches: a database with a filled outbox, and processes that come and go.

Rules: everything is under one temporary home and on 127.0.0.1; the gateway's own processes get their settings as an
operator would set them; a process that was started here ends here.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg

from gateway.assembly import assemble, prepare
from gateway.assembly.books import open_books
from gateway.assembly.sandbox import introduce
from gateway.cli.partners import free_port
from gateway.config import Settings, environment
from gateway.journey.refer import refer
from gateway.store.embedded import embedded_postgres
from gateway.worker import broker
from tests.bench import stage

COORDINATORS = 100_000  # nobody waits for a seat
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Site:
    """What is there. `takers` is the folder of the partners' keys."""

    settings: Settings
    database: str
    takers: Path

    def ask(self, sql: str, *values: object) -> Any:
        """The first row of a statement, run as the owner of the database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            found = connection.execute(sql, values)
            return found.fetchone() if found.description else None

    @property
    def told(self) -> dict[str, str]:
        """The environment of a process of the gateway."""
        return environment(**{name: getattr(self.settings, name) for name in self.settings.model_fields_set})


@contextmanager
def founded(home: Path) -> Iterator[Site]:
    """A site without a case, whose partners know us and are known."""
    with embedded_postgres(home) as database:
        base, door = f"http://127.0.0.1:{free_port()}", free_port()
        settings = stage.settings(home).model_copy(
            update={
                "database_url": database,
                "broker_url": broker.broker_url(home),
                "port": door,
                "public_url": f"http://127.0.0.1:{door}",
                "partner_urls": {partner: f"{base}/{partner}" for partner in stage.PARTNERS},
                "partner_networks": (ip_network("127.0.0.0/8"),),
            }
        )
        prepare(settings)
        site = Site(settings, database, home / "takers")
        with open_books(settings) as books:
            for partner in stage.PARTNERS:
                introduce(settings, books, partner, site.takers / partner)
        yield site


@contextmanager
def filled(home: Path, cases: int) -> Iterator[Site]:
    """A site whose outbox holds the referrals of so many cases, none of which may leave yet."""
    with founded(home) as site:
        known = stage.staffed(stage.knowledge(home), COORDINATORS)
        with assemble(site.settings, knowledge=known) as gateway:
            stage.taken_in(gateway, stage.night(home / "night", cases))
            while refer(gateway.world):
                pass
        site.ask("update delivery set next_at = 'infinity'")
        site.ask("vacuum analyze")
        yield site


@contextmanager
def takers(site: Site, delay_s: float = 0.0) -> Iterator[int]:
    """The three partners of a site (`taker.py`), and the port they listen at."""
    port = next(iter(site.settings.partner_urls.values())).rpartition(":")[2].partition("/")[0]
    taker = ("-m", "tests.bench.taker", "--home", str(site.takers), "--port", port, "--delay", str(delay_s))
    with process(sys.executable, *taker):
        yield int(port)


@contextmanager
def process(*command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Iterator[None]:
    """A process for as long as the block lasts."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, cwd=cwd, stdout=silent, stderr=silent) as running:
        try:
            yield
        finally:
            running.terminate()


def until(fulfilled: Callable[[], bool], what: str) -> None:
    """Wait for something. Raises RuntimeError when it does not come."""
    latest = time.monotonic() + PATIENCE_S
    while not fulfilled():
        if time.monotonic() > latest:
            raise RuntimeError(f"waited {PATIENCE_S:.0f} s in vain: {what}")
        time.sleep(0.05)
