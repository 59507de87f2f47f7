"""`gateway partner …`: how the lines to partners stand, for the operator."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.assembly import assemble
from gateway.config import read_settings
from gateway.ports import LineRow, Unit

partners = typer.Typer(no_args_is_help=True, help="the lines to partners")
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]


@partners.command("list")
def partner_list(as_json: AsJson = False) -> None:
    """How the line to every partner stands, and how many messages wait."""
    with assemble(read_settings()) as gateway, gateway.store.unit() as unit:
        found = [line_of(unit, partner) for partner in sorted(gateway.world.know.profiles)]
    if as_json:
        _print_json(found)
        return
    table = Table("partner", "line", "why", "next probe", "waiting", box=None)
    for row in found:
        table.add_row(row["partner"], row["line"], row["why"] or "", row["probeDue"] or "", str(row["waiting"]))
    _screen().print(table)


def line_of(unit: Unit, partner: str) -> dict[str, Any]:
    """One partner's line in plain words."""
    known = {row.partner: row for row in unit.lines.all()}
    row = known.get(partner, LineRow(partner))
    return {
        "partner": partner,
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
