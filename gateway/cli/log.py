"""`gateway log …`: what auditors do with the exchange log. gateway/exchange_log/README.md says what it proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway import wholefile
from gateway.assembly.books import open_books
from gateway.cli import words
from gateway.cli.here import gateway_here
from gateway.cli.running import at_home
from gateway.cli.screen import AsJson, print_json, print_lines
from gateway.cli.words import By, Purpose
from gateway.config import read_settings
from gateway.errors import NoteInvalid, Place
from gateway.exchange_log.findings import Check
from gateway.journey import complete, review
from gateway.journey.account import account
from gateway.journey.evidence import evidence
from gateway.journey.provenance import provenance
from gateway.korea import KST
from gateway.ports import ActsAsked
from gateway.store.exchange_log import ExchangeLog

app = typer.Typer(no_args_is_help=True, help="the exchange log: verify, prove, compare, export; evidence; acts as FHIR")
NOBODY_BELIEVED = "GATEWAY_STAMPS_ROOT names nobody to believe"
DAY = "%Y-%m-%d"
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a checkpoint that somebody kept")]
Since = Annotated[datetime | None, typer.Option(formats=[DAY], callback=words.day, help="from this Korean day on")]
Until = Annotated[datetime | None, typer.Option(formats=[DAY], callback=words.day, help="to this Korean day, included")]


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check the whole log, as far as this machine can: leaves, tree, signatures, stamps, acts. Exit 1 with findings."""
    with _log() as log:
        kept, checks = log.stamps_kept(), log.checks
        found, heads = list(log.findings()), log.heads()
    held = kept - sum(one.check is Check.STAMP for one in found) if Check.STAMP in checks else None
    if as_json:
        logs = [{"log": h.folder, "origin": h.origin, "size": h.size, "root": h.root.hex()} for h in heads]
        said = {"logs": logs, "stamps": {"kept": kept, "verified": held}, "checks": checks}
        print_json(said | {"findings": [f._asdict() for f in found]})
    else:
        for head in heads:
            typer.echo(f"{head.origin}: {head.size} leaves, root {head.root.hex()}")
        for finding in found:
            typer.echo(str(finding))
        if held is not None:
            typer.echo(f"{held} of {kept} time stamps are verified")
        elif kept:
            typer.echo(f"{kept} time stamps are kept and were not verified: {NOBODY_BELIEVED}")
        typer.echo(f"{len(checks)} checks, {len(found)} findings")
    raise typer.Exit(1 if found else 0)


@app.command()
def prove(
    act: Annotated[str, typer.Argument(help="id of a message, or of an act as its leaf names it")],
    to: Annotated[Path, typer.Option(file_okay=False, help="folder for the proofs")] = Path("proofs"),
    as_json: AsJson = False,
) -> None:
    """Write a proof for each leaf of a message or act (C2SP tlog-proof), beside the leaf. Exit 1 when there is none."""
    with _log() as log:
        proven = log.prove(act)
    if proven:
        to.mkdir(parents=True, exist_ok=True)
    for one in proven:
        (to / f"{one.leaf.id}.json").write_bytes(one.raw)
        (to / f"{one.leaf.id}.tlog-proof").write_text(one.proof, encoding="utf-8")
    if as_json:
        print_json([{"leaf": orjson.Fragment(p.raw), "log": p.log, "entry": p.entry, "proof": p.proof} for p in proven])
    for one in proven if not as_json else ():
        typer.echo(f"{one.leaf.act} {one.leaf.at.isoformat()}: {one.log}, entry {one.entry}, {one.leaf.id}.tlog-proof")
    if not proven:
        typer.echo("no leaf in the tree; a new one takes a second", err=True)
    raise typer.Exit(0 if proven else 1)


@app.command()
def compare(
    checkpoint: File,
    vkey: Annotated[str | None, typer.Option(help="the key you were given; unset: the one in our database")] = None,
    as_json: AsJson = False,
) -> None:
    """Does the log still begin with a checkpoint that you kept? Exit 1 when it does not."""
    with _log() as log:
        found = log.compare(_text(checkpoint), vkey)
    if as_json:
        print_json(found._asdict())
    else:
        typer.echo(f"{found.origin}: the first {found.kept} of {found.size} leaves are those of your checkpoint")


@app.command()
def keys(as_json: AsJson = False) -> None:
    """The public key of every log, a line each, and of the next year's: what auditors and witnesses are given."""
    with _log() as log:
        found = log.keys()
    print_json(found) if as_json else typer.echo("\n".join(found))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="where to write them; made if it is not there")],
    entries: Annotated[bool, typer.Option("--entries", help="the leaves too; for auditors only")] = False,
    as_json: AsJson = False,
) -> None:
    """Write every log as static files: checkpoint, tiles, key, policy. Any C2SP tlog-tiles reader takes them."""
    with _log() as log:
        written = log.export(folder, entries=entries)
    if as_json:
        print_json([{"log": head.folder, "size": head.size} for head in written])
    for head in written if not as_json else ():
        typer.echo(f"{folder / head.folder}: {head.size} leaves")


@app.command()
def events(
    by: By,
    purpose: Purpose = "audit",
    case: Annotated[str | None, typer.Option(callback=words.code, help="acts on this case")] = None,
    partner: Annotated[str | None, typer.Option(callback=words.partner, help="acts with this partner")] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Acts by case, partner and period as FHIR AuditEvents (IHE BALP), one JSON object a line."""
    asked = _asked(case, partner, since, until)
    with gateway_here() as gateway:
        print_lines(account(gateway.world, asked, by=by, purpose=purpose))


@app.command("provenance")
def provenances(
    by: By,
    purpose: Purpose = "audit",
    case: Annotated[str | None, typer.Option(callback=words.code, help="messages about this case")] = None,
    partner: Annotated[str | None, typer.Option(callback=words.partner, help="messages with this partner")] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """From what each message was made, by what and by whom, as FHIR Provenance, one JSON object a line."""
    asked = _asked(case, partner, since, until)
    with gateway_here() as gateway:
        print_lines(provenance(gateway.world, asked, by=by, purpose=purpose))


def _asked(case: str | None, partner: str | None, since: datetime | None, until: datetime | None) -> ActsAsked:
    words.in_order(since, until)
    end = until and until.replace(tzinfo=KST) + timedelta(days=1)
    return ActsAsked(case, partner, since and since.replace(tzinfo=KST), end)


@app.command()
def completeness(
    partner: Annotated[str, typer.Option(callback=words.partner, help="between us and this partner")],
    since: Annotated[datetime, typer.Option("--from", formats=[DAY], callback=words.day, help="first Korean day")],
    until: Annotated[datetime, typer.Option("--to", formats=[DAY], callback=words.day, help="last Korean day")],
    by: By,
    purpose: Purpose = "audit",
    as_json: AsJson = False,
) -> None:
    """Is anything missing between us and a partner? A signed report; exit 1 when something is, or is not known."""
    with gateway_here() as gateway:
        found = complete.report(
            gateway.world, gateway.log.stretch, partner, since.date(), until.date(), by=by, purpose=purpose
        )
    if as_json:
        print_json({"report": found.said, "jws": found.jws})
        raise typer.Exit(0 if found.complete else 1)
    said = found.said
    typer.echo(f"{said['partner']} from {said['from']} to {said['to']}: {said['log']['leaves']} acts in the log")
    for direction in ("out", "in"):
        typer.echo(f"ours, {direction}: " + ", ".join(f"{state} {n}" for state, n in said["ours"][direction].items()))
    typer.echo("theirs: " + ", ".join(f"{name} {n}" for name, n in said["theirs"].items()))
    for sentence in said["missing"]:
        typer.echo(f"missing: {sentence}")
    typer.echo("nothing is missing" if found.complete else f"{len(said['missing'])} things do not add up")
    typer.echo(found.jws)
    raise typer.Exit(0 if found.complete else 1)


@app.command("review")
def monthly_review(
    month: Annotated[str, typer.Option(help="a month in Korea: 2026-11")],
    by: By,
    sign: Annotated[bool, typer.Option("--sign", help="sign the month off")] = False,
    as_json: AsJson = False,
) -> None:
    """Who read how often and what for in a month, and what is unusual: counts alone. With --sign it is signed off."""
    with gateway_here() as gateway:
        act = review.sign_off if sign else review.look
        found = act(gateway.world, month, by=by)
    if as_json:
        print_json(found._asdict() | {"reads": [row._asdict() for row in found.reads]})
        return
    for row in found.reads:
        typer.echo(f"{row.actor}: {row.act} for {row.purpose}, {row.reads} times, {row.cases} cases")
    for sentence in found.unusual:
        typer.echo(f"unusual: {sentence}")
    typer.echo(f"{month} is signed off by {found.signed_by}" if found.signed_by else f"{month} is not signed off")


@app.command()
def bundle(
    by: By,
    purpose: Purpose,
    exchange: Annotated[str | None, typer.Option(callback=words.message, metavar="MID", help="one message")] = None,
    case: Annotated[str | None, typer.Option(callback=words.code, help="everything about one case")] = None,
    period: Annotated[str | None, typer.Option(help="Korean days, both included", metavar="FROM..TO")] = None,
    partner: Annotated[
        str | None, typer.Option(callback=words.partner, help="of it, what is with this partner")
    ] = None,
    content: Annotated[bool, typer.Option("--content", help="with the messages themselves; it is logged")] = False,
    to: Annotated[Path, typer.Option(file_okay=False, help="folder for the bundle")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Evidence for somebody else: acts, messages, keys and proofs in one ZIP that is checked without us."""
    if sum(asked is not None for asked in (exchange, case, period)) != 1:
        raise typer.BadParameter("name an exchange, a case or a period, and only one of them")
    since, until = _period(period) if period else (None, None)
    asked = ActsAsked(case, partner, since, until, exchange)
    with gateway_here() as gateway:
        made = evidence(gateway.world, gateway.log, asked, by=by, purpose=purpose, content=content)
    path = to / f"RX-{sha256(made).hexdigest()[:16]}.zip"
    wholefile.write(path, made)
    print_json({"file": str(path), "bytes": len(made)}) if as_json else typer.echo(f"{path}: {len(made)} bytes")


def _period(text: str) -> tuple[datetime, datetime]:
    first, gap, last = text.partition("..")
    try:
        days = [datetime.strptime(day, DAY).replace(tzinfo=KST) for day in (first, last if gap else first)]
    except ValueError:
        raise typer.BadParameter("a period is like 2026-11-01..2026-11-30") from None
    for one in days:
        words.day(one)
    words.in_order(*days)
    return days[0], days[1] + timedelta(days=1)


@app.command()
def reopen(checkpoint: File, as_json: AsJson = False) -> None:
    """After a restore: open the next log; its first leaf quotes this last known checkpoint of the old one."""
    with _log() as log:
        name = log.open_next(_text(checkpoint))
    print_json({"origin": name}) if as_json else typer.echo(f"{name} is open")


def _text(file: Path) -> str:
    """What somebody kept of a log. Raises NoteInvalid for what is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NoteInvalid("not UTF-8", place=Place(file.name)) from None


@contextmanager
def _log() -> Iterator[ExchangeLog]:
    with open_books(at_home(read_settings())) as books:
        yield books.log
