"""`gateway vault …`: another secret in place of the one that the keys of cases are wrapped with."""

from __future__ import annotations

import typer

from gateway.assembly.books import next_secret, open_books, replace_secret
from gateway.cli import pretend, running
from gateway.cli.words import By
from gateway.config import Settings, read_settings

app = typer.Typer(no_args_is_help=True, help="the secret that the keys of cases are wrapped with")


@app.command("prepare")
def prepare() -> None:
    """Make the secret that will take its place, a file of this machine; bring it to every other one before `rewrap`."""
    settings = _settings()
    with open_books(settings) as books:
        typer.echo(f"{next_secret(settings, books).name} is in the folder of keys, and not in force yet")


@app.command("rewrap")
def rewrap(by: By = "operator") -> None:
    """Put the prepared secret in force and wrap every key of a case with it, while the work goes on."""
    with open_books(_settings()) as books:
        typer.echo(f"wrapped anew: {replace_secret(books, by)}")


def _settings() -> Settings:
    """Raises SettingsInvalid in a demo's home."""
    settings = read_settings()
    pretend.refuse_a_demos(settings)
    return running.at_home(settings)
