"""`gateway retention …`: how long records are kept (보존), their end (파기), and cases on hold."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from gateway.cli.here import gateway_here
from gateway.cli.screen import AsJson, console, print_json
from gateway.cli.words import By, CaseNo, code
from gateway.journey import destroy as ending

app = typer.Typer(no_args_is_help=True, help="how long records are kept, and their end")


@app.command()
def plan(as_json: AsJson = False) -> None:
    """What may be destroyed today, by class and law, and what is on hold. Changes nothing."""
    with gateway_here() as gateway:
        found = ending.plan(gateway.world)
    if as_json:
        rows = [one.records._asdict() | {"endedBefore": one.before, "due": one.due, "held": one.held} for one in found]
        print_json(rows)
        return
    table = Table("class", "kept for", "ended before", "due", "on hold", "law", box=None)
    for one in found:
        years = f"{one.records.years} years" if one.records.years else "always"
        law = "; ".join(one.records.law)
        table.add_row(one.records.id, years, str(one.before or "-"), str(one.due), str(one.held), law)
    console().print(table)


@app.command()
def run() -> None:
    """Destroy now what may be destroyed today; the engine does the same once a business day."""
    with gateway_here() as gateway:
        typer.echo(f"destroyed: {ending.destroy(gateway.world)}")


@app.command()
def hold(
    case_no: CaseNo,
    by: By,
    reason: Annotated[str, typer.Option(callback=code, help="a short code: lawsuit, audit, objection")],
) -> None:
    """Destroy nothing of a case until it is released."""
    with gateway_here() as gateway:
        ending.hold(gateway.world, case_no, reason, by=by)


@app.command()
def release(case_no: CaseNo, by: By) -> None:
    """Let the periods count again for a case on hold."""
    with gateway_here() as gateway:
        ending.release(gateway.world, case_no, by=by)
