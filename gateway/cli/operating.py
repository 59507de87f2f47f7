"""`gateway partner …`: how the lines to partners stand, and an officer's hand on them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.assembly import assemble
from gateway.config import read_settings
from gateway.journey.gate import Gate, Reason, turn
from gateway.ports import LineRow, Unit

partners = typer.Typer(no_args_is_help=True, help="the lines to partners")
By = Annotated[str, typer.Option(help="id of the officer who does it")]
Why = Annotated[Reason, typer.Option(help="why")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]


@partners.command("list")
def partner_list(as_json: AsJson = False) -> None:
    """How the line to every partner stands, and how many messages wait."""
    with assemble(read_settings()) as gateway, gateway.store.unit() as unit:
        found = [line_of(unit, partner) for partner in sorted(gateway.world.know.profiles)]
    if as_json:
        _print_json(found)
        return
    table = Table("partner", "gate", "by", "reason", "line", "why", "next probe", "waiting", box=None)
    for row in found:
        table.add_row(*(str(cell) if cell is not None else "" for cell in row.values()))
    _screen().print(table)


@partners.command()
def pause(partner: str, by: By, why: Why = Reason.PLANNED_WORK) -> None:
    """Send nothing to a partner until it is resumed; what it sends is taken in, everything else flows."""
    _turn(partner, Gate.PAUSED, by, why)


@partners.command()
def stop(partner: str, by: By, why: Why = Reason.INCIDENT) -> None:
    """Send nothing to a partner and take nothing from it (503), within seconds, until it is resumed."""
    _turn(partner, Gate.STOPPED, by, why)


@partners.command()
def resume(partner: str, by: By, why: Why = Reason.OVER) -> None:
    """Let messages flow again."""
    _turn(partner, Gate.OPEN, by, why)


def _turn(partner: str, gate: Gate, by: str, why: Reason) -> None:
    with assemble(read_settings()) as gateway:
        turn(gateway.world, partner.upper(), gate, by=by, reason=why)
        with gateway.store.unit() as unit:
            waiting = unit.outbox.waiting().get(partner.upper(), 0)
    typer.echo(f"{partner.upper()}: {gate}, {waiting} messages wait")


def line_of(unit: Unit, partner: str) -> dict[str, Any]:
    """One partner's line in plain words."""
    known = {row.partner: row for row in unit.lines.all()}
    row = known.get(partner, LineRow(partner))
    return {
        "partner": partner,
        "gate": row.gate,
        "by": row.gate_by,
        "reason": row.gate_reason,
        "line": row.breaker,
        "why": row.why,
        "probeDue": row.due_at.isoformat(timespec="seconds") if row.due_at else None,
        "waiting": unit.outbox.waiting().get(partner, 0),
    }


def _screen() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()
