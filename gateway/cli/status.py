"""`gateway status …`: what is here, and how it stands; cases and exchanges, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from gateway.cli import running, standing
from gateway.cli.here import gateway_here
from gateway.cli.screen import AsJson, AsLines, console, print_json, print_lines
from gateway.cli.words import ByIfAny
from gateway.config import Settings, read_settings
from gateway.errors import SettingsInvalid
from gateway.journey import look

app = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="what is here, and how it stands")


@app.callback()
def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """Who runs since when, whether it is ready, what waits for each partner, and how many of what there is."""
    if context.invoked_subcommand:
        return
    found = standing.look(_at_home(read_settings()))
    if as_json:
        print_json(found.as_dict())
    else:
        standing.show(found, console(), standing.utc_now())
    raise typer.Exit(0 if found.counts is not None else 3 if found.fits else 4)


def _at_home(settings: Settings) -> Settings:
    """Who only looks at who runs needs no database for it."""
    try:
        return running.at_home(settings)
    except SettingsInvalid as incomplete:
        typer.echo(str(incomplete), err=True)
        return settings


@app.command("cases")
def cases(by: ByIfAny = None, ndjson: AsLines = False, as_json: AsJson = False) -> None:
    """A line a case: record verdict with reason, screening, legs. Looking is kept as an act."""
    with gateway_here() as gateway:
        _show(look.cases(gateway.world, by=by), ndjson=ndjson, as_json=as_json)


@app.command("exchanges")
def exchanges(by: ByIfAny = None, ndjson: AsLines = False, as_json: AsJson = False) -> None:
    """A line a message, out or in. Looking is kept as an act."""
    with gateway_here() as gateway:
        _show(look.exchanges(gateway.world, by=by), ndjson=ndjson, as_json=as_json)


def _show(rows: Sequence[Mapping[str, Any]], *, ndjson: bool, as_json: bool) -> None:
    """A line a row, unless one document is asked for."""
    if as_json and not ndjson:
        print_json(rows)
    else:
        print_lines(rows)
