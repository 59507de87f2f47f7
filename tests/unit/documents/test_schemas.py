"""Schemas: findings name place, rule and remedy, and never what the document holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.documents import strict_json
from gateway.documents.schemas import Schemas
from gateway.errors import DataFileInvalid, DocumentInvalid

ID = "urn:test:schema:thing:1.0.0"
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": ID,
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "born": {"type": "string", "format": "date"},
        "sex": {"enum": ["male", "female"]},
        "list": {"type": "array", "items": {"$ref": "#/$defs/N"}},
    },
    "$defs": {"N": {"type": "integer", "maximum": 3}},
}


@pytest.fixture
def schemas(tmp_path: Path) -> Schemas:
    (tmp_path / "thing.json").write_bytes(strict_json.dumps(SCHEMA))
    (tmp_path / "layout.json").write_bytes(b'{"fields":[]}')
    return Schemas.load(tmp_path)


BAD = [
    ({}, "", "required", "name is missing"),
    ({"name": "x", "born": "19810229"}, "/born", "format", "is not a valid date"),
    ({"name": "x", "born": "1981-02-29"}, "/born", "format", "is not a valid date"),
    ({"name": "secret-name"}, "/name", "maxLength", "is longer than 5"),
    ({"name": "x", "sex": "secret"}, "/sex", "enum", "must be one of male, female"),
    ({"name": "x", "list": [1, "secret"]}, "/list/1", "type", "must be of type integer"),
    ({"name": "x", "list": [1, 7]}, "/list/1", "maximum", "is above 3"),
    ({"name": "x", "gendr": "secret"}, "", "additionalProperties", "holds names the schema does not know: gendr"),
]


@pytest.mark.parametrize(("document", "pointer", "rule", "sentence"), BAD)
def test_a_finding_says_where_what_and_never_the_value(
    schemas: Schemas, document: dict[str, Any], pointer: str, rule: str, sentence: str
) -> None:
    assert schemas.check(ID, document) == ((pointer, rule, sentence),)
    with pytest.raises(DocumentInvalid) as caught:
        schemas.require(ID, document)
    assert "secret" not in str(caught.value)


def test_a_good_document_has_no_findings(schemas: Schemas) -> None:
    good = {"name": "x", "born": "1980-02-29", "list": [1]}
    assert schemas.check(ID, good) == ()
    schemas.require(ID, good)  # raises nothing


def test_a_refusal_names_twenty_places_and_counts_the_rest(schemas: Schemas) -> None:
    with pytest.raises(DocumentInvalid, match=r"/list/19.*and 5 more"):
        schemas.require(ID, {"name": "x", "list": [9] * 25})


def test_files_that_are_no_schemas_are_passed_over(schemas: Schemas) -> None:
    assert schemas.ids() == (ID,)


def test_one_id_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(strict_json.dumps(SCHEMA))
    with pytest.raises(DataFileInvalid, match="already taken"):
        Schemas.load(tmp_path)


def test_a_broken_schema_is_refused_at_load() -> None:
    with pytest.raises(DataFileInvalid, match="urn:x"):
        Schemas({"urn:x": {"$id": "urn:x", "type": "nonsense"}})


@pytest.mark.parametrize("elsewhere", ["urn:elsewhere", "http://127.0.0.1:9/schema.json"])
def test_a_reference_out_of_the_root_is_refused_at_load_and_never_fetched(elsewhere: str) -> None:
    with pytest.raises(DataFileInvalid, match="not one of our schemas"):
        Schemas({"urn:x": {"$id": "urn:x", "$ref": elsewhere}})


def test_the_digest_does_not_depend_on_the_order_of_names() -> None:
    turned = dict(reversed(list(SCHEMA.items())))
    assert Schemas({ID: SCHEMA}).digest(ID) == Schemas({ID: turned}).digest(ID)


def test_an_unknown_schema_is_refused(schemas: Schemas) -> None:
    with pytest.raises(DataFileInvalid, match="urn:nobody"):
        schemas.raw("urn:nobody")


def test_the_real_schemas_load_and_are_found_by_their_ids() -> None:
    schemas = Schemas.load(Path(__file__).parents[3] / "schemas")
    assert "urn:comwel:schema:case:1.0.0" in schemas.ids()
    assert schemas.digest("urn:comwel:schema:case:1.0.0").startswith("sha256:")
