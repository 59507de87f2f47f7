"""The stage of the larger benches: a throw-away home, a synthetic night, a gateway, three pretend partners.

Rules: everything is on 127.0.0.1 and under one temporary folder; settings are given, not read from the environment;
the embedded default: the gateway's own PostgreSQL with durable commits, one process, its threads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from ipaddress import ip_network
from pathlib import Path

from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import CompressedClock
from gateway.assembly.knowledge import know
from gateway.assembly.sandbox import make_night
from gateway.cases.caseload import Caseload, OnHand
from gateway.cli.partners import PretendPartners, free_port
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.journey.intake import take_in
from gateway.journey.screen import screen_cases
from gateway.journey.world import Knowledge

BASE = date(2026, 11, 23)
PARTNERS = ("KEIS", "KEAD", "TRN")
SEED = 1


@contextmanager
def home() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        yield Path(folder)


def settings(folder: Path) -> Settings:
    """The embedded default under a folder, whatever the environment says."""
    return Settings(home=folder, database_url=None, partner_urls={}, outbox_dir=None, public_url=None, port=0)


def knowledge(folder: Path) -> Knowledge:
    """Everything under schemas/ and mappings/, loaded once for several gateways."""
    return know(settings(folder), BASE)


def staffed(known: Knowledge, coordinators: int) -> Knowledge:
    """The same with so many Job Coordinators at every branch, none of whom carries a case yet."""
    return replace(known, caseloads=(Caseload("bench", BASE, OnHand(coordinators, carried=0), {}),))


def night(folder: Path, cases: int, seed: int = SEED) -> Path:
    """A synthetic night in a folder of its own."""
    folder.mkdir(parents=True)
    make_night(folder, cases, seed, BASE)
    return folder


@contextmanager
def alone(folder: Path, known: Knowledge) -> Iterator[Gateway]:
    """A gateway without partners: nothing can be sent."""
    with assemble(settings(folder), clock=CompressedClock(BASE), knowledge=known) as gateway:
        yield gateway


@contextmanager
def with_partners(folder: Path, known: Knowledge) -> Iterator[tuple[Gateway, PretendPartners]]:
    """A gateway with its door open and three partner processes that place every worker at once."""
    ports = {partner: free_port() for partner in PARTNERS}
    listening = listen("127.0.0.1", 0)
    door = f"http://127.0.0.1:{listening.getsockname()[1]}"
    urls = {p: f"http://127.0.0.1:{port}/messages" for p, port in ports.items()}
    loopback = (ip_network("127.0.0.0/8"),)
    here = {"public_url": door, "partner_urls": urls, "partner_networks": loopback}
    used = settings(folder).model_copy(update=here)
    pretend = PretendPartners(folder / "partners", ports, gateway=door, seed=SEED, base=BASE, slow_s=0.0, pace="bench")
    clock = CompressedClock(BASE)
    with assemble(used, clock=clock, knowledge=known) as gateway, pretend as partners, Door(gateway, listening):
        partners.start(gateway.jwks())
        for partner in PARTNERS:
            for jwk in partners.keys(partner):
                gateway.shelf.add(partner, jwk)
        yield gateway, partners


def taken_in(gateway: Gateway, folder: Path) -> int:
    """Take a night in and screen it; returns how many cases are stored. Raises when a file is refused."""
    refused = [t for t in take_in(gateway.world, folder) if t.verdict != "accepted"]
    if refused:
        raise RuntimeError(f"the night was not taken in: {refused[0].name} {refused[0].reason}")
    screen_cases(gateway.world)
    return counts(gateway)["cases"]


def counts(gateway: Gateway) -> dict[str, int]:
    """The gateway's own counters."""
    with gateway.store.unit() as unit:
        return dict(unit.counts())
