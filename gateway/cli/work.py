"""`gateway work …`: what people have to look at."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from gateway.cli import words
from gateway.cli.here import gateway_here
from gateway.cli.screen import AsJson, console, print_json
from gateway.cli.words import By
from gateway.journey import work

app = typer.Typer(no_args_is_help=True, help="what people have to look at")


@app.command("list")
def list_open(
    by: By,
    kind: Annotated[str | None, typer.Option(callback=words.kind, help="of this kind only, e.g. not-placed")] = None,
    as_json: AsJson = False,
) -> None:
    """What is open, oldest first: its number, why, and about whom. Looking is kept as an act."""
    with gateway_here() as gateway:
        found = work.look(gateway.world, by=by, kind=kind)
    if len(found) == work.MOST:
        typer.echo(f"these are the oldest {work.MOST}; name a --kind to see others", err=True)
    if as_json:
        rows = [{"number": number, **item._asdict()} for number, item in found]
        print_json(rows)
        return
    table = Table("number", "kind", "why", "case", "leg", "partner", "message", "since", box=None)
    for number, item in found:
        table.add_row(str(number), *(str(cell or "") for cell in item[:-2]), f"{item.at:%Y-%m-%d %H:%M}")
    console(160).print(table if found else "nothing is open")


@app.command()
def done(
    number: Annotated[int, typer.Argument(help="its number in the list")],
    by: By,
    reason: Annotated[
        work.Settled | None, typer.Option(help="why books will differ for good; for books-differ only")
    ] = None,
) -> None:
    """Say that an item is done; who said so is kept, and why books that differ will not agree."""
    with gateway_here() as gateway:
        item = work.done(gateway.world, number, by=by, reason=reason)
    typer.echo(f"{number}: {item.kind} is done")
