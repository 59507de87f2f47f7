"""The gateway of this home, opened for one command; watched, when the command stays.

Rules: who visits a home that is up uses what runs there (`gateway.cli.running.at_home`). Refuses real work in a home
that the next demo empties: files, keys and processes that stay. Looking around is welcome there.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import structlog
import typer

from gateway.assembly import Gateway, assemble
from gateway.cli import pretend, running
from gateway.config import doubts, read_settings
from gateway.errors import GatewayError, SameIdOtherBytes
from gateway.exchange_log.leaf import TAKES
from gateway.journey.world import Knowledge
from gateway.ports import Observer, Wake, nobody
from gateway.store.embedded import require_made
from gateway.telemetry.logs import log_from
from gateway.telemetry.metrics import Metrics, Standing, codes, served
from gateway.worker.rounds import INTAKE, JOURNEY, RECONCILE
from gateway.worker.wake import BrokerWake

log = structlog.get_logger()
ALONE = (JOURNEY, INTAKE)
"""Rounds that one process does at a time."""


@contextmanager
def gateway_here(
    observer: Observer | None = None,
    known: Knowledge | None = None,
    *,
    mending: Collection[str] = (),
    begins: bool = False,
) -> Iterator[Gateway]:
    """Opened with the database of what is up here, or with its own, and with hints to whoever delivers.

    What a command did is put into the log before it leaves: at a home that is not up nobody else would do it in time.
    A log that has stopped, or cannot be reached any more, is said and fails no command: what was done is done, and its
    leaf waits.
    `begins`: work may begin here, in a database that is made for it; who comes in the middle of it finds one.
    Raises StoreUnavailable where there is none, and what `gateway.assembly.assemble` raises.
    """
    settings = running.at_home(read_settings())
    if not (begins or settings.database_url):
        require_made(settings.home)
    with ExitStack() as stack:
        wake: Wake = nobody
        if settings.broker_url:
            wake = stack.enter_context(closing(BrokerWake(settings.broker_url, settings.partner_urls, observer)))
        opened = assemble(settings, knowledge=known, wake=wake, observer=observer, mending=mending)
        gateway = stack.enter_context(opened)
        yield gateway
        if observer is None:  # who stays has rounds of its own
            _put_into_the_log(gateway)


def _put_into_the_log(gateway: Gateway) -> None:
    try:
        for _ in range(2):  # where there is no log yet, the first round opens one
            gateway.world.log_rounds["log"]()
    except (GatewayError, OSError) as error:
        typer.echo(f"what was done is done, and its leaf waits: {error}", err=True)


@contextmanager
def work_here(*, mending: Collection[str] = ()) -> Iterator[Gateway]:
    """The same for real work. Raises SettingsInvalid in a demo's home as well."""
    pretend.refuse_a_demos(read_settings())
    with gateway_here(mending=mending, begins=True) as gateway:
        yield gateway


@contextmanager
def watched(known: Knowledge | None = None, *, works: bool, woken: bool = False) -> Iterator[Gateway]:
    """A gateway that logs every act and serves its metrics. Who is not woken by a broker also reads them from SQL.

    What is doubtful in its settings is logged first.

    Raises SettingsInvalid in a home that the next demo empties.
    """
    now = read_settings()
    pretend.refuse_a_demos(now)
    lines = log_from(logging.INFO)
    for doubt in doubts(now):
        log.warning("setting.doubtful", subject=doubt.name.lower(), code=doubt.code)
    rounds = ("deliver", "log", "check", "witness", "stamp", RECONCILE, *ALONE, *(("wake",) if woken else ()))
    shown: Mapping[str, Any] = {
        "log_lines_lost": lambda: lines.lost,
        "rounds": rounds if works else (),
        "alone": ALONE if works else (),
        "tasks": ("wake", JOURNEY, RECONCILE) if woken else (),
        "refusals": () if woken else _knocks(),
    }
    with ExitStack() as stack:
        metrics = stack.enter_context(closing(_observer(now.traces_url, shown)))
        gateway = stack.enter_context(gateway_here(metrics, known, begins=True))
        if not woken:
            metrics.registry.register(Standing(gateway.figures))
        if now.metrics_port is not None:
            port = stack.enter_context(served(metrics.registry, now.metrics_host, now.metrics_port))
            log.info("metrics.opened", port=port)
        yield gateway


def _knocks() -> Sequence[tuple[str, str]]:
    """How a door refuses whose origin is not proven, and who uses the id of another message."""
    unproven = ((TAKES, code) for code in sorted(codes()) if code.startswith("SEAL-"))
    return (*unproven, ("message.repeated", SameIdOtherBytes.code))


def _observer(traces_url: str | None, shown: Mapping[str, Any]) -> Metrics:
    if traces_url is None:
        return Metrics(**shown)
    from gateway.telemetry.traces import exported_to  # noqa: PLC0415 - a tenth of a second and 15 MB, for who wants it

    return exported_to(traces_url, **shown)
