"""`gateway key …`: public keys of partners, and our own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.assembly.books import open_books
from gateway.assembly.sandbox import introduce
from gateway.cli import pretend, running
from gateway.cli.here import gateway_here, work_here
from gateway.cli.screen import print_json
from gateway.cli.words import By
from gateway.config import read_settings
from gateway.errors import KeyRefused, SettingsInvalid
from gateway.journey.rotate import rotate
from gateway.journey.signing import ABSENT, ANOTHER, NONE
from gateway.journey.world import US
from gateway.sealing.keys import gate_set

app = typer.Typer(no_args_is_help=True, help="public keys of partners, and our own")
Owner = Annotated[str, typer.Argument(help="whose: a partner, or `comwel` for us")]
OPERATOR = "operator"
MOMENT = "%Y-%m-%dT%H:%M%z"
NOTHING_SIGNS = (NONE, ABSENT, ANOTHER)
"""What these commands put in order: our key was revoked, has ended or is lost."""


@app.command("add")
def add(
    owner: Annotated[str, typer.Argument(help="the partner")],
    jwks: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="its public keys, a JWK set")],
    by: By = OPERATOR,
) -> None:
    """Register a partner's public keys from a JWK set file, through the key gate."""
    found = _jwks(jwks)
    with work_here() as gateway:
        if owner.upper() not in gateway.world.know.profiles:
            raise KeyRefused("no partner of ours has this name; keys of our own come by `gateway key rotate`")
        for jwk in found:
            gateway.shelf.add(owner, jwk, by=by)
            typer.echo(f"{owner.lower()}: key {jwk['kid']} is registered")


@app.command("revoke")
def revoke(
    owner: Owner,
    kid: Annotated[str, typer.Argument(help="id of the key, as `gateway key list` shows it")],
    by: By = OPERATOR,
) -> None:
    """Believe nothing any more that is signed with a key from now on, whatever date it bears."""
    with work_here(mending=NOTHING_SIGNS) as gateway:
        gateway.shelf.revoke(owner, kid, by=by)
        typer.echo(f"{owner.lower()}: key {kid} is revoked")


@app.command("rotate")
def rotate_ours(
    by: By = OPERATOR,
    begins: Annotated[
        datetime | None,
        typer.Option("--from", formats=[MOMENT], help="it signs from then on, 2026-12-01T09:00+0900; unset: in a day"),
    ] = None,
) -> None:
    """Let a new key of ours sign from a moment on; partners are shown it before, and the old one after."""
    with work_here(mending=NOTHING_SIGNS) as gateway:
        found = rotate(gateway.world, begins, by=by)
    typer.echo(f"comwel: key {found.kid} is shown to partners now, and signs from {found.signs_from.isoformat()}")
    if found.before and found.ends:
        typer.echo(f"comwel: key {found.before} is valid until {found.ends.isoformat()}")
    typer.echo(f"bring keys/{found.kid}.pem into the home of every other machine before it signs")


@app.command("introduce")
def introduce_partners(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="where each of them has a folder")],
    witness: Annotated[Path | None, typer.Option(file_okay=False, help="folder of a witness of our own")] = None,
    witness_url: Annotated[str | None, typer.Option(help="its address; GATEWAY_WITNESSES is written")] = None,
) -> None:
    """Exchange keys with pretend partners that will keep theirs in this folder, one folder each. For a sandbox."""
    if (witness is None) != (witness_url is None):
        raise typer.BadParameter("--witness and --witness-url go together")
    settings = running.at_home(read_settings())
    pretend.refuse_a_demos(settings)
    if witness and witness_url:
        pretend.introduce_witness(settings, witness, witness_url)
        typer.echo("witness: keys are exchanged")
    with open_books(settings) as books:
        if not (settings.partner_urls or witness):
            raise SettingsInvalid(
                "GATEWAY_PARTNER_URLS: no partner has an address, there is nobody to exchange keys with"
            )
        for partner in settings.partner_urls:
            introduce(settings, books, partner, folder / partner.lower())
            typer.echo(f"{partner}: keys are exchanged")


@app.command("list")
def list_public(owner: Owner) -> None:
    """The public keys of an owner (`comwel` is us), as a JWK set."""
    with gateway_here(mending=NOTHING_SIGNS) as gateway:
        found = gateway.shelf.jwks(owner)
        known = owner.lower() == US or owner.upper() in gateway.world.know.profiles
    if not (known or found["keys"]):  # those of a former partner are shown
        raise typer.BadParameter("no such partner")
    print_json(found)


def _jwks(path: Path) -> list[dict[str, Any]]:
    """The keys of a file, all of them fit. Raises KeyRefused."""
    try:
        found = orjson.loads(path.read_bytes())
    except ValueError:
        raise KeyRefused("not a JWK set") from None
    gate_set(found)
    return list(found["keys"])
