"""The generator, on a package small enough to read: what a StructureDefinition says becomes a table and schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.documents.fhir import definitions, differences, strict
from gateway.documents.fhir.table import Table

FHIR = Path(__file__).parents[4] / "schemas" / "fhir"
HL7 = "http://hl7.org/fhir/"


def _element(path: str, *types: str, min: int = 0, max: str = "1", **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"path": path, "min": min, "max": max, "type": [{"code": t} for t in types], **more}


def _structure(name: str, kind: str, *elements: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition", "type": name, "kind": kind, "abstract": False,
        "derivation": "specialization",
        "snapshot": {"element": [{"path": name, "min": 0, "max": "*"}, *elements]},
    }  # fmt: skip


def _required(name: str) -> dict[str, Any]:
    return {"strength": "required", "valueSet": f"{HL7}ValueSet/{name}|4.3.0"}


@pytest.fixture
def package(tmp_path: Path) -> definitions.Package:
    subject = {
        "code": "Reference",
        "targetProfile": [HL7 + "StructureDefinition/Visit", HL7 + "StructureDefinition/Citation"],
    }
    visit = _structure(
        "Visit", "resource",
        _element("Visit.status", "code", min=1, binding=_required("state")),
        _element("Visit.where", "code", binding=_required("world")),
        _element("Visit.gone", "string", max="0"),
        _element("Visit.when[x]", "date", "Span", "CodeableReference"),
        _element("Visit.subject", max="*") | {"type": [subject]},
        _element("Visit.part", "BackboneElement", max="2"),
        _element("Visit.part.name", "string", min=1, max="*"),
        _element("Visit.part.again", max="*", contentReference="#Visit.part"),
    )  # fmt: skip
    span = _structure("Span", "complex-type", _element("Span.id", "id"), _element("Span.days", "integer"))
    states = [{"code": "open", "concept": [{"code": "ajar"}]}, {"code": "shut"}]
    files = {
        "StructureDefinition-Visit": visit,
        "StructureDefinition-Span": span,
        "StructureDefinition-Reference": _structure("Reference", "complex-type", _element("Reference.display", "uri")),
        "ValueSet-state": {"url": HL7 + "ValueSet/state", "compose": {"include": [{"system": "urn:state"}]}},
        "ValueSet-world": {"url": HL7 + "ValueSet/world", "compose": {"include": [{"system": "urn:elsewhere"}]}},
        "CodeSystem-state": {"url": "urn:state", "content": "complete", "concept": states},
    }  # fmt: skip
    for name, document in files.items():
        (tmp_path / f"{name}.json").write_bytes(orjson.dumps(document))
    return definitions.Package(tmp_path)


def test_the_table_says_what_the_definitions_say(package: definitions.Package) -> None:
    types = definitions.table(package, ["Visit"])["types"]
    assert set(types) == {"Visit", "Visit.part", "Span", "Reference"}
    elements = types["Visit"]["elements"]
    assert elements["status"]["codes"] == ["open", "ajar", "shut"]
    assert "codes" not in elements["where"]
    assert "gone" not in elements
    assert elements["when[x]"]["types"] == ["date", "Span"]
    assert elements["subject"]["targets"] == ["Visit"]
    assert types["Visit.part"]["elements"]["again"] == {
        "min": 0, "max": "*", "types": ["BackboneElement"], "ref": "Visit.part",
    }  # fmt: skip
    assert types["Span"]["elements"]["id"]["types"] == ["string"]


def test_the_same_package_gives_the_same_bytes(package: definitions.Package) -> None:
    one, other = (orjson.dumps(definitions.table(package, ["Visit"])) for _ in range(2))
    assert one == other


def test_a_difference_is_named_with_both_sides() -> None:
    facts = {"min": 0, "max": "1", "types": ["string"]}
    found = differences.compare({"A.b": facts, "A.c": facts}, {"A.b": facts | {"max": "*"}, "A.d": facts})
    assert [(d["path"], d["what"], d["ours"], d["r4"]) for d in found] == [
        ("A.b", "max", "1", "*"),
        ("A.c", "element", True, False),
        ("A.d", "element", False, True),
    ]


def test_every_remaining_difference_has_a_reason_and_every_correction_is_in_the_table() -> None:
    document = orjson.loads((FHIR / "r4" / "differences.json").read_bytes())
    assert all(d["why"] for d in document["remaining"])
    assert [(d["path"], d["what"], d["r4"]) for d in document["corrected"]] == list(definitions.CORRECTIONS)
    ours = differences.flat(Table.load(FHIR / "r4" / "elements.json.gz"))
    for difference in document["remaining"]:
        if difference["what"] == "element":
            assert (difference["path"] in ours) is difference["ours"]
        else:
            assert ours[difference["path"]][difference["what"]] == difference["ours"]
    assert set(ours["Extension.value[x]"]["types"]) > {"Meta"}
    assert ours["Observation.subject"]["targets"] == ["Device", "Group", "Location", "Patient"]


def test_the_strict_schemas_are_those_of_the_table() -> None:
    table = Table.load(FHIR / "r4" / "elements.json.gz")
    for name, schema in strict.schemas(table).items():
        assert orjson.loads((FHIR / "r4" / "strict" / f"{name}.json").read_bytes()) == schema, name
    assert set(table.exchanged) == set(definitions.EXCHANGED)


def test_the_committed_schemas_are_small() -> None:
    assert sum(p.stat().st_size for p in (FHIR / "r4" / "strict").glob("*.json")) < 1_000_000
