"""`gateway partner …`, `gateway dead …`, `gateway replay …`: lines to partners, and what went no further on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.cli.here import gateway_here
from gateway.cli.screen import AsJson, console, print_json
from gateway.cli.words import By
from gateway.documents.strict_json import reread
from gateway.journey import look, replay
from gateway.journey.gate import Gate, Reason, turn
from gateway.ports import AttemptRow, DeadRow, LineRow, Unit

partners = typer.Typer(no_args_is_help=True, help="the lines to partners")
dead = typer.Typer(no_args_is_help=True, help="messages that go on only by an officer")
replays = typer.Typer(no_args_is_help=True, help="sending dead messages again, with a second pair of eyes")
HEADINGS = ("partner", "gate", "by", "reason", "line", "why", "slow until", "next probe", "waiting")
Partner = Annotated[str, typer.Argument(help="id of the partner, like KEIS")]
Why = Annotated[Reason, typer.Option(help="why")]


@partners.command("list")
def partner_list(as_json: AsJson = False) -> None:
    """How the line to every partner stands, and how many messages wait."""
    with gateway_here() as gateway, gateway.store.unit() as unit:
        found = lines_of(unit, sorted(gateway.world.know.profiles))
    if as_json:
        print_json(found)
        return
    table = Table(*HEADINGS, box=None)
    for row in found:
        table.add_row(*(str(cell) if cell is not None else "" for cell in row.values()))
    console().print(table)


@partners.command()
def pause(partner: Partner, by: By, why: Why = Reason.PLANNED_WORK) -> None:
    """Send nothing to a partner until it is resumed; what it sends is taken in, everything else flows."""
    _turn(partner, Gate.PAUSED, by, why)


@partners.command()
def stop(partner: Partner, by: By, why: Why = Reason.INCIDENT) -> None:
    """Send nothing to a partner and take nothing from it (503), within seconds, until it is resumed."""
    _turn(partner, Gate.STOPPED, by, why)


@partners.command()
def resume(partner: Partner, by: By, why: Why = Reason.OVER) -> None:
    """Let messages flow again."""
    _turn(partner, Gate.OPEN, by, why)


def _turn(partner: str, gate: Gate, by: str, why: Reason) -> None:
    with gateway_here() as gateway:
        turn(gateway.world, partner.upper(), gate, by=by, reason=why)
        with gateway.store.unit() as unit:
            waiting = unit.outbox.waiting().get(partner.upper(), 0)
    typer.echo(f"{partner.upper()}: {gate}, {waiting} messages wait")


def lines_of(unit: Unit, partners: Sequence[str]) -> list[dict[str, Any]]:
    """These partners' lines in plain words; a row has a value for each of `HEADINGS`."""
    known, waiting = {row.partner: row for row in unit.lines.all()}, unit.outbox.waiting()
    return [_line_of(known.get(partner, LineRow(partner)), waiting.get(partner, 0)) for partner in partners]


def _line_of(row: LineRow, waiting: int) -> dict[str, Any]:
    return {
        "partner": row.partner,
        "gate": row.gate,
        "by": row.gate_by,
        "reason": row.gate_reason,
        "line": row.breaker,
        "why": row.why,
        "slowUntil": row.slow_until.isoformat(timespec="seconds") if row.slow_until else None,
        "probeDue": row.due_at.isoformat(timespec="seconds") if row.due_at else None,
        "waiting": waiting,
    }


@dead.command("list")
def dead_list(
    by: By,
    partner: Annotated[str | None, typer.Option(help="of this partner only")] = None,
    as_json: AsJson = False,
) -> None:
    """A line a message that was given up, or that the partner rejected: which, about what, why. Looking is an act."""
    with gateway_here() as gateway:
        found = look.dead(gateway.world, partner.upper() if partner else None, by=by)
        known = partner is None or partner.upper() in gateway.world.know.profiles
    if not (known or found):  # of a former partner what is dead is listed
        raise typer.BadParameter("no such partner")
    _show_dead(found, as_json=as_json)


@dead.command("show")
def dead_show(mid: Annotated[str, typer.Argument(help="id of the message")], by: By, as_json: AsJson = False) -> None:
    """One such message with every attempt. Looking is an act."""
    with gateway_here() as gateway:
        found = look.dead_message(gateway.world, mid, by=by)
    if found is None:
        raise typer.BadParameter("no such message is dead")
    row, attempts = found
    if as_json:
        print_json(_plain_dead(row) | {"tries": [plain_attempt(a) for a in attempts]})
        return
    _show_dead([row], as_json=False)
    table = Table("began", "ended", "phase", "status", "result", "why", box=None)
    for a in attempts:
        table.add_row(*map(_cell, (a.began_at, a.ended_at, a.phase, a.http_status, a.result, a.error_class)))
    console().print(table)


@replays.command("plan")
def replay_plan(
    partner: Partner,
    by: By,
    reason: Annotated[str | None, typer.Option(help="only what died of this: E-POISON, unreachable, rejected")] = None,
    mid: Annotated[str | None, typer.Option(help="only this message")] = None,
    as_json: AsJson = False,
) -> None:
    """Plan to send a partner's dead messages again: how many, about whom. Nothing is sent yet."""
    with gateway_here() as gateway:
        row, found = replay.plan(gateway.world, partner.upper(), by=by, reason=reason, mid=mid)
    if as_json:
        print_json({"plan": row.replay_id, "messages": [_plain_dead(r) for r in found]})
        return
    _show_dead(found, as_json=False)
    cases, overtaken = len({r.case_no for r in found}), sum(r.overtaken for r in found)
    typer.echo(f"{len(found)} messages about {cases} cases, {overtaken} of them overtaken by later ones; ids and bytes")
    typer.echo(f"stay the same. A second officer sends them: gateway replay execute {row.replay_id} --by …")


@replays.command("execute")
def replay_execute(plan: Annotated[str, typer.Argument(help="id of the plan")], by: By) -> None:
    """Send the messages of a plan again, as a second officer; a few become due every second."""
    with gateway_here() as gateway:
        ready = replay.execute(gateway.world, plan, by=by)
    typer.echo(f"{ready} messages are due again")


def _show_dead(found: Sequence[DeadRow], *, as_json: bool) -> None:
    if as_json:
        print_json([_plain_dead(row) for row in found])
        return
    if not found:
        typer.echo("nothing is dead")
        return
    table = Table(
        "partner", "message", "type", "case", "leg", "seq", "state", "why", "tries", "first", "overtaken", box=None
    )
    for row in found:
        table.add_row(*(_cell(value) for name, value in row._asdict().items() if name != "body_sha256"))
    console().print(table)


def _plain_dead(row: DeadRow) -> dict[str, Any]:
    return row._asdict() | {"body_sha256": row.body_sha256.hex()}


def plain_attempt(row: AttemptRow) -> dict[str, Any]:
    """A try for `--json`; what is kept of its head is JSON itself."""
    return row._asdict() | {"head": reread(row.head) if row.head else None}


def _cell(value: object) -> str:
    if value is None or value is False:
        return ""
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
