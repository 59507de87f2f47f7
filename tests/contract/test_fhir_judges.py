"""Second opinions on our FHIR checks, by other people's code.

`fhir.resources` (R4B models) parses what we call good. The pure Python `jsonschema` and the JavaScript `ajv` read the
same strict schemas and must agree with us on form; the npm package `fhir`, a validator of its own, must not object to
anything that leaves.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from gateway.documents.fhir.rules import FhirRules
from tests.documents import resources

ROOT = Path(__file__).resolve().parents[2]
FHIR = ROOT / "schemas" / "fhir"
JUDGES = Path(__file__).parent / "javascript"
BASE = "https://gateway.example/fhir/r4/strict/"


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(path.read_bytes())
    return document


GOOD = {p.stem: _read(p) for p in sorted((FHIR / "good").glob("*.json"))}
OURS = {
    f"{p.parents[2].name}/{p.stem}": _read(p)
    for map_id in ("case-to-fhir", "outcome-to-fhir", "partners/trn/referral-out", "partners/trn/cancel-out")
    for p in sorted((ROOT / "mappings" / map_id).glob("*/golden/*.json"))
}
BAD = {f"{p.parent.name}/{p.stem}": _read(p) for p in sorted((FHIR / "bad").glob("*/*.json"))}
SCHEMAS = [_read(p) for p in sorted((FHIR / "r4" / "strict").glob("*.json"))]
KNOWN = {schema["$id"].removeprefix(BASE) for schema in SCHEMAS}


@pytest.fixture(scope="module")
def rules() -> FhirRules:
    return FhirRules.load(FHIR)


@pytest.fixture(scope="module")
def javascript() -> Any:
    """resources → verdicts of the two JavaScript judges. The judges are installed by `make test`, or here."""
    node = Path(sys.executable).parent / "node"
    if not (JUDGES / "node_modules").exists():
        npm: list[str | Path] = [
            node.with_name("npm"),
            "ci",
            "--prefix",
            JUDGES,
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ]
        subprocess.run(npm, check=True)

    def judge(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked = orjson.dumps({"schemas": SCHEMAS, "resources": resources})
        answered = subprocess.run([node, JUDGES / "judge.mjs"], input=asked, capture_output=True, check=True)
        verdicts: list[dict[str, Any]] = orjson.loads(answered.stdout)
        return verdicts

    return judge


@pytest.mark.parametrize("name", [*GOOD, *OURS])
def test_our_own_checks_find_nothing_in_good_documents_and_fhir_resources_parses_them(
    rules: FhirRules, name: str
) -> None:
    document = (GOOD | OURS)[name]
    assert rules.check(document) == ()
    model: Any = get_fhir_model_class(document["resourceType"])
    assert model.model_validate(document).get_resource_type() == document["resourceType"]


def test_what_other_readers_of_the_schemas_refuse_we_refuse_and_what_they_accept_is_of_good_form(
    rules: FhirRules, javascript: Any
) -> None:
    documents = [GOOD, OURS, BAD]
    found = [r for docs in documents for d in docs.values() for r in resources(d) if r["resourceType"] in KNOWN]
    assert len(found) > 150
    registry: Registry[Any] = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in SCHEMAS)
    checks = {
        s["$id"].removeprefix(BASE): Draft202012Validator(
            s, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for s in SCHEMAS
    }
    python = [checks[r["resourceType"]].is_valid(r) for r in found]
    assert [verdict["ajv"] for verdict in javascript(found)] == python
    assert all(rules.gate.accepts(r) for r, accepted in zip(found, python, strict=True) if accepted)
    refused = [r for r, accepted in zip(found, python, strict=True) if not accepted]
    assert len(refused) > 20
    assert all(rules.check(r) for r in refused)


def test_a_javascript_validator_objects_to_nothing_that_leaves(javascript: Any) -> None:
    documents = GOOD | OURS
    verdicts = dict(zip(documents, javascript(list(documents.values())), strict=True))
    assert {name: v["fhir"] for name, v in verdicts.items() if v["fhir"]} == {}
    spoilt = [{"resourceType": "Patient", "gender": "martian", "nosuch": 1}]
    assert all(v["fhir"] for v in javascript(spoilt))
