"""All commands. Each does one thing through the assembly and prints for people, or as JSON with `--json`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import structlog
import typer
from rich.console import Console
from rich.table import Table

from gateway.assembly import Gateway, assemble, introduce, open_books, prepare
from gateway.cli import books, maps, operating, pretend, retention, running, serving, standing, supervisor, vault, work
from gateway.cli import demo as demo_run
from gateway.cli import log as log_commands
from gateway.cli.engines import EngineName
from gateway.config import Settings, read_settings
from gateway.errors import (
    DataFileInvalid,
    GatewayError,
    HandoverRefused,
    KeyRefused,
    MapRefused,
    NotFit,
    SchemaTooNew,
    SchemaTooOld,
    SettingsInvalid,
    StoreUnavailable,
    handover_refusal,
)
from gateway.journey.admit import Taken
from gateway.journey.intake import pick_up, take_in
from gateway.journey.rotate import rotate
from gateway.journey.world import Knowledge
from gateway.ports import Observer, Problem, Wake, nobody, place_of
from gateway.telemetry.logs import log_from
from gateway.telemetry.metrics import Metrics, Standing, served
from gateway.worker import app as engine
from gateway.worker.embedded import Runner
from gateway.worker.rounds import INTAKE, JOURNEY, RECONCILE
from gateway.worker.wake import BrokerWake

log = structlog.get_logger()
app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="COMWEL referral gateway", pretty_exceptions_enable=False
)
status = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="what is here, and how it stands")
keys = typer.Typer(no_args_is_help=True, help="public keys of partners, and our own")
app.add_typer(status, name="status")
app.add_typer(keys, name="key")
app.add_typer(operating.partners, name="partner")
app.add_typer(operating.dead, name="dead")
app.add_typer(operating.replays, name="replay")
app.add_typer(work.app, name="work")
app.add_typer(maps.app, name="map")
app.add_typer(retention.app, name="retention")
app.add_typer(log_commands.app, name="log")
app.add_typer(vault.app, name="vault")

ALONE = (JOURNEY, INTAKE)
MAY_HOLD_PASSWORDS = ("GATEWAY_DATABASE_URL", "GATEWAY_OWNER_URL", "GATEWAY_BROKER_URL", "GATEWAY_TRACES_URL")

NOT_AS_IT_SHOULD_BE = (SettingsInvalid, DataFileInvalid, MapRefused, NotFit, SchemaTooOld, SchemaTooNew)
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
Seed = Annotated[int, typer.Option(help="another seed, another night and other casework")]
SEED = 20261123
KeyOfficer = Annotated[str, typer.Option("--by", help="id of the officer; it is logged")]
OPERATOR = "operator"
MOMENT = "%Y-%m-%dT%H:%M%z"
AsLines = Annotated[bool, typer.Option("--ndjson", help="print one JSON object a line")]


def main() -> None:
    """Run the command line; turn our errors into a sentence and an exit code."""
    log_from(logging.WARNING)
    try:
        app()
    except GatewayError as error:
        typer.echo(str(error), err=True)
        sys.exit(exit_code(error))


def console() -> Console:
    """The screen; wide enough for our tables where there is none."""
    return Console(width=None if sys.stdout.isatty() else 140)


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


def act(words: Sequence[str], known: Knowledge | None) -> int:
    """Run a command in this process, forked for it, with knowledge that is loaded already; returns its exit code."""
    try:
        return app(list(words), obj=known, standalone_mode=False) or 0
    except GatewayError as error:
        typer.echo(str(error), err=True)
        return exit_code(error)


@contextmanager
def _gateway(observer: Observer | None = None, known: Knowledge | None = None) -> Iterator[Gateway]:
    settings = running.at_home(read_settings())
    with ExitStack() as stack:
        wake: Wake = nobody
        if settings.broker_url:
            wake = stack.enter_context(closing(BrokerWake(settings.broker_url, settings.partner_urls, observer)))
        yield stack.enter_context(assemble(settings, knowledge=known, wake=wake, observer=observer))


@contextmanager
def _watched(known: Knowledge | None = None, *, works: bool, woken: bool = False) -> Iterator[Gateway]:
    """A gateway that logs every act and serves its metrics. Who is not woken by a broker also reads them from SQL."""
    lines, now = log_from(logging.INFO), read_settings()
    shown: Mapping[str, Any] = {
        "log_lines_lost": lambda: lines.lost,
        "rounds": ("deliver", "log", "check", "witness", "stamp", RECONCILE, *ALONE, *(("wake",) if woken else ()))
        if works
        else (),
        "alone": ALONE if works else (),
        "tasks": ("wake", JOURNEY, RECONCILE) if woken else (),
    }
    with ExitStack() as stack:
        metrics = stack.enter_context(closing(_observer(now.traces_url, shown)))
        gateway = stack.enter_context(_gateway(metrics, known))
        if not woken:
            metrics.registry.register(Standing(gateway.figures))
        if now.metrics_port is not None:
            port = stack.enter_context(served(metrics.registry, now.metrics_host, now.metrics_port))
            log.info("metrics.opened", port=port)
        yield gateway


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
    report = demo_run.run(settings, cases=cases, night=night, seed=seed, engine=engine, quiet=as_json)
    if as_json:
        _print_json(report.as_dict())
    else:
        demo_run.show(report, console())
    raise typer.Exit(0 if report.complete else 1)


@app.command()
def intake(
    directory: Annotated[Path | None, typer.Argument(file_okay=False, help="folder of hand-over files")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in batch files (A1) and coordinators' entries (A6); without a folder, those in the drop folder, once."""
    with _gateway() as gateway:
        taken = take_in(gateway.world, directory) if directory else pick_up(gateway.world)
    if as_json:
        _print_json([_taken(t) for t in taken])
    else:
        show_intake(taken, console())
    raise typer.Exit(1 if any(t.verdict == "rejected" for t in taken) else 0)


def _taken(taken: Taken) -> dict[str, Any]:
    return {
        "file": taken.name,
        "verdict": taken.verdict,
        "reason": taken.reason,
        "records": taken.records,
        "counts": dict(taken.counts),
        "quarantined": [
            {"record": p.record_no, "caseNo": p.case_no, "reason": p.reason, "field": p.field} for p in taken.problems
        ],
    }


def show_intake(taken: list[Taken], screen: Console) -> None:
    """One line a file, then the records that were put aside."""
    for one in taken:
        counts = ", ".join(f"{name} {n}" for name, n in sorted(one.counts.items()))
        screen.print(
            f"{one.name}: {one.verdict}{f' ({one.reason})' if one.reason else ''}, {one.records} records {counts}"
        )
        for p in one.problems:
            screen.print(f"  {_said(one.name, p)}", style="yellow")
    if not taken:
        screen.print("nothing is ready (a batch counts when its .done file is there)")


def _observer(traces_url: str | None, shown: Mapping[str, Any]) -> Metrics:
    if traces_url is None:
        return Metrics(**shown)
    from gateway.telemetry.traces import exported_to  # noqa: PLC0415 - a tenth of a second and 15 MB, for who wants it

    return exported_to(traces_url, **shown)


def _said(file: str, problem: Problem) -> str:
    """A record that was put aside, in words: where, what, and what to do."""
    known = handover_refusal(problem.reason) or HandoverRefused
    case = f" (case {problem.case_no})" if problem.case_no else ""
    return f"{known(place=place_of(problem, file))}{case}"


@app.command()
def run() -> None:
    """Screen, refer, deliver and track until stopped (Ctrl-C)."""
    with _watched(works=True) as gateway:
        stop = serving.told_to_stop()
        with Runner(gateway.world, observer=gateway.observer, stop=stop):
            stop.wait()


@app.command()
def serve(
    context: typer.Context,
    door_only: Annotated[bool, typer.Option("--door-only", help="only the door; workers do the rest")] = False,
) -> None:
    """Open the partners' door and do everything `run` does, until stopped (Ctrl-C)."""
    with _watched(context.obj, works=not door_only) as gateway:
        stop = serving.told_to_stop()
        with serving.Door(gateway), ExitStack() as rounds:
            if not door_only:
                rounds.enter_context(Runner(gateway.world, observer=gateway.observer, stop=stop))
            log.info("door.opened", port=gateway.settings.port)
            stop.wait()


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
    with _watched(context.obj, works=True, woken=True) as gateway:
        names = partners.split(",") if partners else list(gateway.world.channels)
        if unknown := set(names) - set(gateway.world.channels):
            raise SettingsInvalid(f"no address in GATEWAY_PARTNER_URLS for {', '.join(sorted(unknown))}")
        touch = alive.touch if alive else lambda: None
        broker, observer = _broker(gateway.settings), gateway.observer
        engine.work(broker, gateway.world, names, concurrency=concurrency, alive=touch, observer=observer)


@app.command()
def beat() -> None:
    """Tell the workers every second to look at the journey, until stopped (Ctrl-C). One is enough."""
    now = read_settings()
    engine.beat(_broker(now), now.partner_urls)


def _broker(now: Settings) -> str:
    if now.broker_url is None:
        raise SettingsInvalid("GATEWAY_BROKER_URL is not set; `gateway run` and `gateway serve` need no broker")
    return now.broker_url


@app.command()
def reconcile(
    partner: Annotated[str | None, typer.Option(help="with this partner; unset: with all")] = None,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Korean day; unset: yesterday")] = None,
    as_json: AsJson = False,
) -> None:
    """Exchange signed lists of a day's messages with partners and compare them. Exit 1 when the books differ."""
    with _gateway() as gateway:
        found = list(books.reconciled(gateway.world, partner, day.date() if day else None))
    if as_json:
        _print_json([books.plain(one) for one in found])
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


@status.callback()
def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """Who runs since when, whether it is ready, what waits for each partner, and how many of what there is."""
    if context.invoked_subcommand:
        return
    found = standing.look(running.at_home(read_settings()))
    if as_json:
        _print_json(found.as_dict())
    else:
        standing.show(found, console(), standing.utc_now())
    raise typer.Exit(0 if found.counts is not None else 3)


@status.command("cases")
def status_cases(ndjson: AsLines = False, as_json: AsJson = False) -> None:
    """A line a case: record verdict with reason, screening, legs."""
    with _gateway() as gateway:
        with gateway.store.unit() as unit:
            rows = list(unit.cases.report())
        _print_rows(rows, ndjson=ndjson, as_json=as_json)


@status.command("exchanges")
def status_exchanges(ndjson: AsLines = False, as_json: AsJson = False) -> None:
    """A line a message, out or in."""
    with _gateway() as gateway:
        with gateway.store.unit() as unit:
            rows = list(unit.outbox.report())
        _print_rows(rows, ndjson=ndjson, as_json=as_json)


@keys.command("add")
def key_add(
    owner: str, jwks: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], by: KeyOfficer = OPERATOR
) -> None:
    """Register a partner's public keys from a JWK set file, through the key gate."""
    with _gateway() as gateway:
        for jwk in _jwks(jwks):
            gateway.shelf.add(owner, jwk, by=by)
            typer.echo(f"{owner.lower()}: key {jwk['kid']} is registered")


@keys.command("revoke")
def key_revoke(owner: str, kid: str, by: KeyOfficer = OPERATOR) -> None:
    """Believe nothing any more that is signed with a key from now on, whatever date it bears."""
    with _gateway() as gateway:
        gateway.shelf.revoke(owner, kid, by=by)
        typer.echo(f"{owner.lower()}: key {kid} is revoked")


@keys.command("rotate")
def key_rotate(
    by: KeyOfficer = OPERATOR,
    begins: Annotated[
        datetime | None,
        typer.Option("--from", formats=[MOMENT], help="it signs from then on, 2026-12-01T09:00+0900; unset: in a day"),
    ] = None,
) -> None:
    """Let a new key of ours sign from a moment on; partners are shown it before, and the old one after."""
    with _gateway() as gateway:
        found = rotate(gateway.world, begins, by=by)
    typer.echo(f"comwel: key {found.kid} is shown to partners now, and signs from {found.signs_from.isoformat()}")
    if found.before and found.ends:
        typer.echo(f"comwel: key {found.before} is valid until {found.ends.isoformat()}")
    typer.echo(f"bring keys/{found.kid}.pem into the home of every other machine before it signs")


@keys.command("introduce")
def key_introduce(
    folder: Annotated[Path, typer.Argument(file_okay=False)],
    witness: Annotated[Path | None, typer.Option(file_okay=False, help="folder of a witness of our own")] = None,
    witness_url: Annotated[str | None, typer.Option(help="its address; GATEWAY_WITNESSES is written")] = None,
) -> None:
    """Exchange keys with pretend partners that will keep theirs in this folder, one folder each. For a sandbox."""
    settings = read_settings()
    if witness and witness_url:
        pretend.introduce_witness(settings, witness, witness_url)
        typer.echo("witness: keys are exchanged")
    with open_books(settings) as books:
        for partner in settings.partner_urls:
            introduce(settings, books, partner, folder / partner.lower())
            typer.echo(f"{partner}: keys are exchanged")


@keys.command("list")
def key_list(owner: str) -> None:
    """The public keys of an owner (`comwel` is us), as a JWK set."""
    with _gateway() as gateway:
        _print_json(gateway.shelf.jwks(owner))


def _jwks(path: Path) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(path.read_bytes())["keys"]
    except (ValueError, KeyError, TypeError):
        raise KeyRefused("not a JWK set") from None
    return list(found)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Every setting, its value, and what it is for."""
    now = read_settings()
    rows = {
        name: ("***" if name in MAY_HOLD_PASSWORDS and value else value, field.description or "")
        for name, value, field in (
            (f"GATEWAY_{n.upper()}", getattr(now, n), f) for n, f in Settings.model_fields.items()
        )
    }
    if as_json:
        _print_json({name: str(value) for name, (value, _) in rows.items()})
        return
    table = Table("setting", "value", "what for", box=None)
    for name, (value, what) in rows.items():
        table.add_row(name, str(value), what)
    console().print(table)


def _print_rows(rows: Sequence[Mapping[str, Any]], *, ndjson: bool, as_json: bool) -> None:
    if as_json and not ndjson:
        _print_json(rows)
        return
    out = sys.stdout.buffer
    for row in rows:
        out.write(orjson.dumps(dict(row), default=_plain) + b"\n")
    out.flush()


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
