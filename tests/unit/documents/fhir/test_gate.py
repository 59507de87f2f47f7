"""The gate: one compiled schema for every type, found by the name of the type."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.documents.fhir.gate import Gate, lean
from gateway.errors import DataFileInvalid

ID = "https://gateway.example/test/"
NOTE = {
    "$id": ID + "Note",
    "type": "object",
    "properties": {"resourceType": {"const": "Note"}, "at": {"$ref": "datatypes#/$defs/day"}},
}
DATATYPES = {"$id": ID + "datatypes", "$defs": {"day": {"type": "string", "pattern": "^[0-9-]+$"}}}
SCHEMAS: dict[str, dict[str, Any]] = {"Note": NOTE, "datatypes": DATATYPES}


def test_a_resource_meets_the_schema_of_its_type() -> None:
    gate = Gate(SCHEMAS)
    assert gate.types == {"Note"}
    assert gate.accepts({"resourceType": "Note", "at": "2026-11-23"})
    assert not gate.accepts({"resourceType": "Note", "at": "today"})


def test_one_that_is_not_accepted_spoils_the_stroke() -> None:
    good, bad = ({"resourceType": "Note", "at": at} for at in ("2026-11-23", "today"))
    assert Gate(SCHEMAS).accepts(good, good)
    assert not Gate(SCHEMAS).accepts(good, bad)


def test_a_complaint_names_place_and_rule_below_the_resource() -> None:
    assert Gate(SCHEMAS).complaint({"resourceType": "Note", "at": "today"}) == (["at"], "pattern")


def test_schemas_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(DataFileInvalid, match="schemas/fhir/r4/strict"):
        Gate({"Note": NOTE, "datatypes": {"$id": ID + "datatypes"}})


def test_lean_schemas_lose_only_what_the_second_pass_decides() -> None:
    schema = {"allOf": [{}], "if": {}, "then": {}, "properties": {"a": {"allOf": [], "enum": ["x"]}}, "required": ["a"]}
    assert lean(schema) == {"properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
