"""`gateway map …`: what analysts do with their files: check, test, explain, lineage, diff."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gateway.cli.here import gateway_here
from gateway.cli.screen import AsJson, console, print_json
from gateway.cli.words import ByIfAny, Purpose
from gateway.config import Settings, read_settings
from gateway.documents import gwmap
from gateway.documents.gwmap import Catalogue, Explained, Severity
from gateway.documents.strict_json import loads
from gateway.errors import SettingsInvalid
from gateway.journey.explain import explain as explain_message

app = typer.Typer(no_args_is_help=True, help="the analysts' files: check, test, explain, lineage, diff")
WIDE = 180
"""Columns of a screen that is none: what is longest is the place of a rule."""
Pin = Annotated[str, typer.Argument(help="id|version of a map, e.g. kead-referral-out|1.0.0")]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="one map file; unset: all")] = None,
    as_json: AsJson = False,
) -> None:
    """Check maps statically (S1 to S13). Exit 1 when something keeps a map from becoming active."""
    now = _with_maps(read_settings())
    found = gwmap.check_file(file, now.mappings, now.schemas) if file else gwmap.check(now.mappings, now.schemas)
    if as_json:
        print_json(
            [{"code": f.code, "severity": f.severity, "file": f.file, "line": f.line, "text": f.text} for f in found]
        )
    for finding in found if not as_json else ():
        typer.echo(f"{finding.code} {finding}")
    errors = [f for f in found if f.severity is Severity.ERROR]
    typer.echo(f"{len(errors)} errors, {len(found) - len(errors)} notes", err=True)
    raise typer.Exit(1 if errors else 0)


@app.command("test")
def run_tests(
    pin: Annotated[str | None, typer.Argument(help="id|version; unset: all")] = None, as_json: AsJson = False
) -> None:
    """Run the tests that stand beside the maps."""
    catalogue = _catalogue(_with_maps(read_settings()))
    results = [(p, r) for p in ([pin] if pin else catalogue.pins()) for r in gwmap.run_tests(catalogue, p)]
    if not results:
        raise typer.BadParameter("no test stands beside it, nothing was tried")
    if as_json:
        print_json([{"map": p, "test": r.name, "passed": r.passed, "failures": r.failures} for p, r in results])
    for name, result in results if not as_json else ():
        typer.echo(f"{name}  {result}")
    failed = sum(not r.passed for _, r in results)
    typer.echo(f"{len(results) - failed} passed, {failed} failed", err=True)
    raise typer.Exit(1 if failed else 0)


@app.command()
def lineage(
    pin: Pin,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV instead of text")] = False,
    as_json: AsJson = False,
) -> None:
    """Where every target element comes from, without data. For both directions: sort by either column."""
    rows = [
        {"target": one.target, "sources": " ".join(one.sources), "guards": " ".join(one.guards),
         "tables": " ".join(one.tables), "rule": one.rule, "at": one.at, "expr": one.expr}
        for one in _catalogue(read_settings()).get(pin).lineage()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, rows[0].keys() if rows else ["target"])
        writer.writeheader()
        writer.writerows(rows)
    else:
        table = Table("target", "from", "code tables", "rule", "at", box=None)
        for row in rows:
            table.add_row(row["target"], row["sources"] or "constant", row["tables"], row["rule"], row["at"])
        console(WIDE).print(table)


@app.command()
def diff(old: Pin, new: Pin, as_json: AsJson = False) -> None:
    """Compare two versions of a map: which version number the change needs. Exit 1 when it has too small a one."""
    catalogue = _catalogue(read_settings())
    found = gwmap.diff(catalogue.get(old), catalogue.get(new))
    if as_json:
        print_json(
            {
                "needed": found.needed,
                "declared": found.declared,
                "ok": found.ok,
                "changes": [str(c) for c in found.changes],
            }
        )
    else:
        typer.echo(str(found))
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def explain(
    mid: Annotated[
        str | None, typer.Argument(help="id of a message that left (see `gateway status exchanges`)")
    ] = None,
    pin: Annotated[str | None, typer.Option("--map", help="instead of a message: a map, with --source")] = None,
    source: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="a JSON record for --map")] = None,
    param: Annotated[list[str] | None, typer.Option(help="name=value for --map")] = None,
    by: ByIfAny = None,
    purpose: Purpose = "audit",
    as_json: AsJson = False,
) -> None:
    """Why a message says what it says: per field the source, the rule and the code table; values are masked."""
    if pin and source and not mid:
        explained = _catalogue(read_settings()).get(pin).explain(loads(source.read_bytes()), _params(param or ()))
        _show(explained, as_json=as_json)
        return
    if not mid or pin or source or param:
        raise typer.BadParameter("name a message, or --map with --source and --param, and not both")
    with gateway_here() as gateway:
        found = explain_message(gateway.world, mid, by=by, purpose=purpose)
    _show(found.explained, as_json=as_json)
    same = (
        "the same bytes come out again"
        if found.same_bytes
        else "OTHER bytes come out: the map or the record is not what it was"
    )
    map_said = "the map is the one that was used" if found.same_map else "the map has changed since"
    typer.echo(f"{found.message.map_pin}: {map_said}; {same}", err=True)
    raise typer.Exit(0 if found.same_bytes else 1)


def _params(given: Sequence[str]) -> dict[str, str]:
    if any("=" not in one for one in given):
        raise typer.BadParameter("--param is like name=value")
    return dict(one.split("=", 1) for one in given)


def _show(explained: tuple[Explained, ...], *, as_json: bool) -> None:
    if as_json:
        print_json([
            {"target": e.target, "status": e.status, "rule": e.rule, "at": e.at, "expr": e.expr, "via": e.via,
             "tables": e.tables, "sources": {s.path: s.value for s in e.sources}}
            for e in explained
        ])  # fmt: skip
        return
    table = Table("target", "status", "source", "code table", "rule", "at", box=None)
    for e in explained:
        sources = ", ".join(f"{s.path}={s.value}" for s in e.sources)
        table.add_row(
            e.target, e.status, sources or "constant", " ".join(t.rsplit("/", 1)[-1] for t in e.tables), e.rule, e.at
        )
    console(WIDE).print(table)


def _with_maps(now: Settings) -> Settings:
    """Raises SettingsInvalid where there is no map: nothing would be checked, and all of it be in order."""
    if not any(now.mappings.rglob("map.yaml")):
        raise SettingsInvalid("GATEWAY_MAPPINGS: no map is there")
    return now


def _catalogue(now: Settings) -> Catalogue:
    return Catalogue.load(now.mappings, now.schemas)
