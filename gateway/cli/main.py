"""All commands. Each does one thing through the assembly and prints for people, or as JSON with `--json`."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from rich.markup import escape
from rich.table import Table

from gateway.assembly import prepare
from gateway.cli import (
    books,
    handovers,
    keys,
    maps,
    operating,
    pretend,
    report,
    retention,
    running,
    serving,
    status,
    supervisor,
    vault,
    words,
    work,
)
from gateway.cli import demo as demo_run
from gateway.cli import log as log_commands
from gateway.cli.engines import EngineName
from gateway.cli.here import gateway_here, watched, work_here
from gateway.cli.screen import AsJson, console, print_json
from gateway.config import Settings, doubts, read_settings
from gateway.errors import (
    DataFileInvalid,
    FileUnusable,
    GatewayError,
    MapRefused,
    NotFit,
    Place,
    SchemaTooNew,
    SchemaTooOld,
    SettingsInvalid,
    StoreUnavailable,
)
from gateway.journey.intake import pick_up, take_in
from gateway.journey.world import Knowledge
from gateway.telemetry.logs import log_from
from gateway.worker import app as tasks
from gateway.worker.embedded import Runner

log = structlog.get_logger()
app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="COMWEL referral gateway", pretty_exceptions_enable=False
)
app.add_typer(status.app, name="status")
app.add_typer(keys.app, name="key")
app.add_typer(operating.partners, name="partner")
app.add_typer(operating.dead, name="dead")
app.add_typer(operating.replays, name="replay")
app.add_typer(work.app, name="work")
app.add_typer(maps.app, name="map")
app.add_typer(retention.app, name="retention")
app.add_typer(log_commands.app, name="log")
app.add_typer(vault.app, name="vault")

MAY_HOLD_PASSWORDS = ("GATEWAY_DATABASE_URL", "GATEWAY_OWNER_URL", "GATEWAY_BROKER_URL", "GATEWAY_TRACES_URL")

NOT_AS_IT_SHOULD_BE = (
    SettingsInvalid, DataFileInvalid, FileUnusable, MapRefused, NotFit, SchemaTooOld, SchemaTooNew
)  # fmt: skip
Seed = Annotated[int, typer.Option(help="another seed, another night and other casework")]
SEED = 20261123


def main() -> None:
    """Run the command line; turn our errors into a sentence and an exit code."""
    log_from(logging.WARNING)
    try:
        app()
    except GatewayError as error:
        _end(error)
    except OSError as error:
        if error.filename is None:
            raise
        _end(FileUnusable(error.strerror or "", place=Place(str(error.filename))))


def _end(error: GatewayError) -> NoReturn:
    typer.echo(str(error), err=True)
    sys.exit(exit_code(error))


def exit_code(error: GatewayError) -> int:
    """The exit code of an error that ends a command."""
    if isinstance(error, StoreUnavailable):
        return 3
    return 4 if isinstance(error, NOT_AS_IT_SHOULD_BE) else 1


class Phase(StrEnum):
    """Which steps of the schema to run; see `gateway.store.migrate`."""

    PRE = "pre"
    POST = "post"
    BOTH = "both"


def act(command: Sequence[str], known: Knowledge | None) -> int:
    """Run a command in this process, forked for it, with knowledge that is loaded already; returns its exit code."""
    try:
        return app(list(command), obj=known, standalone_mode=False) or 0
    except GatewayError as error:
        typer.echo(str(error), err=True)
        return exit_code(error)


@app.command()
def demo(
    cases: Annotated[int, typer.Option(min=1, max=50_000, help="how many cases to make")] = 300,
    night: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="take this folder's night instead")
    ] = None,
    seed: Seed = SEED,
    engine: Annotated[EngineName, typer.Option(help="every process of `gateway up`, or one")] = EngineName.FULL,
    as_json: AsJson = False,
) -> None:
    """Run a night of cases through the closed loop, with three pretend partners over real HTTP."""
    settings = read_settings()
    found = demo_run.run(settings, cases=cases, night=night, seed=seed, engine=engine, quiet=as_json)
    if as_json:
        print_json(found.as_dict())
    else:
        report.show(found, console())
    raise typer.Exit(0 if found.complete else 1)


@app.command()
def intake(
    directory: Annotated[
        Path | None, typer.Argument(exists=True, file_okay=False, help="folder of hand-over files")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in batch files (A1) and coordinators' entries (A6); without a folder, those in the drop folder, once."""
    with work_here() as gateway, handovers.in_turn(gateway.store):
        taken = take_in(gateway.world, directory) if directory else pick_up(gateway.world)
    if as_json:
        print_json([handovers.plain(t) for t in taken])
    else:
        handovers.show(taken, console())
    raise typer.Exit(1 if any(t.verdict == "rejected" for t in taken) else 0)


@app.command()
def run() -> None:
    """Screen, refer, deliver and track until stopped (Ctrl-C)."""
    with watched(works=True) as gateway:
        stop = serving.told_to_stop()
        with Runner(gateway.world, observer=gateway.observer, stop=stop):
            stop.wait()


@app.command()
def serve(
    context: typer.Context,
    door_only: Annotated[bool, typer.Option("--door-only", help="only the door; workers do the rest")] = False,
) -> None:
    """Open the partners' door and do everything `run` does, until stopped (Ctrl-C)."""
    with watched(context.obj, works=not door_only) as gateway:
        stop, broken = serving.told_to_stop(), threading.Event()

        def fell() -> None:
            broken.set()
            stop.set()

        with ExitStack() as rounds:
            if not door_only:
                rounds.enter_context(Runner(gateway.world, observer=gateway.observer, stop=stop))
            with serving.Door(gateway, fell=fell):  # it closes first: rounds may need longer to end
                log.info("door.opened", port=gateway.settings.port)
                stop.wait()
    if broken.is_set():
        raise typer.Exit(1)  # whoever watches over the processes starts another


@app.command()
def migrate(
    phase: Annotated[
        Phase, typer.Option(help="pre: before the new release starts; post: when the old one is gone")
    ] = Phase.BOTH,
) -> None:
    """Bring the database up to date and make our keys, once, before many processes start."""
    prepare(read_settings(), (Phase.PRE, Phase.POST) if phase is Phase.BOTH else (phase,))


@app.command()
def worker(
    context: typer.Context,
    partners: Annotated[str | None, typer.Option(help="deliver to these only: KEIS,KEAD")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="tasks at once")] = 8,
    alive: Annotated[Path | None, typer.Option(help="touch this file at every look, at least once a round")] = None,
) -> None:
    """Be one of several workers that a broker wakes, until stopped; without the broker it looks every second."""
    with watched(context.obj, works=True, woken=True) as gateway:
        names = [name.strip().upper() for name in partners.split(",")] if partners else list(gateway.world.channels)
        if unknown := set(names) - set(gateway.world.channels):
            raise SettingsInvalid(f"no address in GATEWAY_PARTNER_URLS for {', '.join(sorted(unknown))}")
        touch = alive.touch if alive else lambda: None
        broker, observer = _broker(gateway.settings), gateway.observer
        tasks.work(broker, gateway.world, names, concurrency=concurrency, alive=touch, observer=observer)


@app.command()
def beat() -> None:
    """Tell the workers every second to look at the journey, until stopped (Ctrl-C). One is enough."""
    now = read_settings()
    tasks.beat(_broker(now), now.partner_urls)


def _broker(now: Settings) -> str:
    if now.broker_url is None:
        raise SettingsInvalid("GATEWAY_BROKER_URL is not set; `gateway run` and `gateway serve` need no broker")
    return now.broker_url


@app.command()
def reconcile(
    partner: Annotated[str | None, typer.Option(help="with this partner; unset: with all")] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], callback=words.day, help="Korean day; unset: yesterday")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exchange signed lists of a day's messages with partners and compare them. Exit 1 when the books differ."""
    with gateway_here() as gateway:
        found = list(books.reconciled(gateway.world, partner, day.date() if day else None))
    if as_json:
        print_json([books.plain(one) for one in found])
    for one in found if not as_json else ():
        typer.echo(books.sentence(one))
        for d in one.differences:
            typer.echo(f"  {d.mid} {d.direction}-{d.what}")
    raise typer.Exit(0 if all(one.agreed for one in found) else 1)


@app.command()
def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="how many worker processes")] = 2,
    foreground: Annotated[bool, typer.Option("--foreground", help="stay, until stopped (Ctrl-C)")] = False,
    sandbox: Annotated[bool, typer.Option("--pretend", help="with three pretend partners, in a demo's home")] = False,
    seed: Seed = SEED,
) -> None:
    """Start everything on this machine: PostgreSQL, Valkey, the partners' door, workers and beat."""
    now = read_settings()
    if not sandbox:
        pretend.refuse_a_demos(now)
    if foreground:
        acting = pretend.sandbox(now.home, seed) if sandbox else None
        supervisor.Supervisor(now, workers, act, acting).run()
        return
    state = running.up(now, "--workers", str(workers), *(["--pretend", "--seed", str(seed)] if sandbox else []))
    for one in state["children"]:
        typer.echo(f"{one['name']:<10} {one['pid']}")
    typer.echo(f"the partners' door is open on {state['url']}; logs are in {now.home / 'logs'}")


@app.command()
def down() -> None:
    """Stop what `gateway up` started in this home, and nothing else."""
    orphans = running.down(read_settings().home)
    if orphans:
        typer.echo(f"the supervisor was gone; stopped without it: {', '.join(orphans)}", err=True)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Every setting, its value, and what it is for; what is doubtful in them, on the error stream."""
    now = read_settings()
    for doubt in doubts(now):
        typer.echo(f"{doubt.name}: {doubt.sentence}", err=True)
    rows = {
        name: (_shown(name, value), field.description or "")
        for name, value, field in (
            (f"GATEWAY_{n.upper()}", getattr(now, n), f) for n, f in Settings.model_fields.items()
        )
    }
    if as_json:
        print_json({name: value for name, (value, _) in rows.items()})
        return
    table = Table("setting", "value", "what for", box=None)
    for name, (value, what) in rows.items():
        table.add_row(name, escape(value), escape(what))
    console().print(table)


def _shown(name: str, value: object) -> str:
    """A setting without the password that may stand in an address."""
    return "***" if name in MAY_HOLD_PASSWORDS and value else re.sub(r"(?<=://)[^/\s@]+@", "***@", str(value))
