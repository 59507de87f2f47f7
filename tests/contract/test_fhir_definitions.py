"""Our element table against definitions of R4 4.0.1 by other people, element by element; our schemas in two engines.

The npm package `fhir`, one of the JavaScript judges, carries the R4 definitions in a form of its own: names, types,
cardinalities. (Targets of references and bindings were compared once with R4 StructureDefinitions: see
`schemas/fhir/r4/differences.json`.) Two things are known and passed over: an element's `id`, which R4 calls a string,
and `Extension.url`, likewise.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from gateway.documents.fhir.strict import BASE, DATATYPES
from gateway.documents.fhir.table import Table
from tests.documents import resources

ROOT = Path(__file__).resolve().parents[2]
FHIR = ROOT / "schemas" / "fhir"
JUDGES = Path(__file__).parent / "javascript"
TABLE = Table.load(FHIR / "r4" / "elements.json.gz")


@pytest.fixture(scope="module")
def r4() -> dict[str, Any]:
    """The R4 definitions of the npm package, installed by `make test`, or here."""
    if not (JUDGES / "node_modules").exists():
        npm = Path(sys.executable).with_name("npm")
        subprocess.run([npm, "ci", "--prefix", JUDGES, "--silent", "--no-audit", "--ignore-scripts"], check=True)
    types: dict[str, Any] = orjson.loads((JUDGES / "node_modules" / "fhir" / "profiles" / "types.json").read_bytes())
    return types


def _theirs(owner: str, properties: list[dict[str, Any]]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Owner, name, and (type, list?, required?) of each element; backbone elements by their path."""
    for each in properties:
        name, kind = each["_name"], each["_type"].removeprefix("#")
        if name.startswith("_"):
            continue
        if kind in ("BackboneElement", "Element"):
            kind = f"{owner}.{name}"
            yield from _theirs(kind, each["_properties"])
        yield owner, name, (kind, each["_multiple"], bool(each.get("_required")))


def _ours(owner: str) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    for path in TABLE.types:
        if path.partition(".")[0] == owner:
            for name, element in TABLE.spellings(path).items():
                yield path, name, (element.kind, element.many, element.min > 0)


@pytest.mark.parametrize("owner", [owner for owner in TABLE.types if "." not in owner])
def test_every_element_is_that_of_r4(r4: dict[str, Any], owner: str) -> None:
    ours = {(o, n): facts for o, n, facts in _ours(owner)}
    theirs = {(o, n): facts for o, n, facts in _theirs(owner, r4[owner]["_properties"])}
    # a backbone element's own id, extension and modifierExtension are understood there
    assert set(theirs) - set(ours) == set()
    assert {n for _, n in set(ours) - set(theirs)} <= {"id", "extension", "modifierExtension"}
    for (path, name), (kind, many, required) in theirs.items():
        our_kind, our_many, our_required = ours[path, name]
        assert our_many == many, (path, name)
        assert our_required == required or name not in TABLE.types[path]["elements"], (path, name)
        assert our_kind == kind or name == "id" or (path, name) == ("Extension", "url"), (path, name)


def test_two_engines_read_the_strict_schemas_alike() -> None:
    schemas = [orjson.loads(p.read_bytes()) for p in sorted((FHIR / "r4" / "strict").glob("*.json"))]
    rust = jsonschema_rs.Registry([(s["$id"], s) for s in schemas])
    python: Registry[Any] = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in schemas)
    both = {
        s["$id"].removeprefix(BASE): (
            jsonschema_rs.Draft202012Validator(s, registry=rust),
            Draft202012Validator(s, registry=python),
        )
        for s in schemas
        if s["$id"] != BASE + DATATYPES
    }
    examples = [orjson.loads(p.read_bytes()) for p in sorted([*FHIR.glob("good/*.json"), *FHIR.glob("bad/*/*.json")])]
    verdicts = set()
    for resource in (r for example in examples for r in resources(example) if str(r["resourceType"]) in both):
        quick, slow = both[resource["resourceType"]]
        verdicts.add(quick.is_valid(resource))
        assert quick.is_valid(resource) == slow.is_valid(resource), resource
    assert verdicts == {True, False}
