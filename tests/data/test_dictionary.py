"""The field dictionary and the schema of the case record say the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

SCHEMAS = Path(__file__).parents[2] / "schemas"
CASE: dict[str, Any] = json.loads((SCHEMAS / "comwel" / "case" / "1.0.0.json").read_text("utf-8"))  # noqa: TID251
with (SCHEMAS / "comwel" / "dictionary.csv").open(encoding="utf-8", newline="") as _rows:
    ROWS = {row["name"]: row for row in csv.DictReader(_rows)}
FORMS = {
    "-",
    "in",
    "Y",
    "C1",
    "C2",
    "flag",
    "date",
    "period",
    "no,until",
    "Y(text)",
    "Y(code)",
    "Y(name,tel)",
    "summary C1",
}

# one a case at any time, but not known, or not to be told, at first
SET_LATER = {"referralStatus"}


def test_both_name_the_same_fields() -> None:
    assert ROWS.keys() == CASE["properties"].keys()
    assert CASE["additionalProperties"] is False


@pytest.mark.parametrize("name", ROWS)
def test_a_field_has_one_class_and_one_korean_name(name: str) -> None:
    field = CASE["properties"][name]
    assert (field["x-gw-class"], field["title"]) == (ROWS[name]["class"], field["title"])
    assert ROWS[name]["korean"].startswith(field["title"])


@pytest.mark.parametrize("name", ROWS)
def test_a_field_has_one_cardinality(name: str) -> None:
    field, (least, most) = CASE["properties"][name], ROWS[name]["cardinality"].split("..")
    assert (field.get("type") == "array") is (most != "1")
    assert (name in CASE["required"]) is (least == "1" and name not in SET_LATER)
    if field.get("type") == "array":
        assert field.get("minItems", 0) == int(least)
        # a list without bound in the dictionary may have one in the schema, never the other way round
        assert most == "*" or field.get("maxItems") == int(most)


@pytest.mark.parametrize("partner", ["KEIS", "KEAD", "TRN"])
def test_every_permission_is_a_word_we_know(partner: str) -> None:
    assert {row[partner] for row in ROWS.values()} <= FORMS


@pytest.mark.rule("R-06")
@pytest.mark.parametrize("partner", ["KEIS", "KEAD", "TRN"])
def test_no_partner_ever_sees_case_keys_diagnoses_or_memo(partner: str) -> None:
    for name in ("caseNo", "personKey", "matchToken", "diagnoses", "memo", "counselling", "addrText"):
        assert ROWS[name][partner] == "-"


@pytest.mark.rule("R-01")
def test_no_field_can_be_meant_for_a_resident_registration_number() -> None:
    assert not [n for n in ROWS if "rrn" in n.lower() or "jumin" in n.lower() or "resident" in n.lower()]
