"""Our CodeSystems say what the rest of the gateway says: schemas, lifecycle, errors; and identifiers are registered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import errors
from gateway.referrals.states import Business
from tests.documents import objects

ROOT = Path(__file__).resolve().parents[2]
FHIR = ROOT / "schemas" / "fhir"
CASE = orjson.loads((ROOT / "schemas" / "comwel" / "case" / "1.0.0.json").read_bytes())["properties"]
OUTCOME = orjson.loads((ROOT / "schemas" / "comwel" / "outcome" / "1.0.0.json").read_bytes())["properties"]
IDENTIFIERS = orjson.loads((FHIR / "identifiers.json").read_bytes())
SYSTEMS = {p.stem: orjson.loads(p.read_bytes()) for p in sorted((FHIR / "code-systems").glob("*.json"))}
CODES = {name: {c["code"] for c in system["concept"]} for name, system in SYSTEMS.items()}
OURS = "https://gateway.example/fhir/CodeSystem/"
SID = "https://gateway.example/fhir/sid/"
# Systems of others, or too large to ship: industries, occupations, diagnoses.
NOT_SHIPPED = {"industry-sj", "ksic-11", "keco", "ksco-8", "kcd-9"}


DOCUMENTS = {
    str(p.relative_to(ROOT)): orjson.loads(p.read_bytes())
    for p in sorted([*FHIR.glob("good/*.json"), *(ROOT / "mappings").glob("**/golden/*.json")])
}


@pytest.mark.parametrize(
    ("name", "enum"),
    [
        ("case-stage", CASE["caseStage"]["enum"]),
        ("worker-type", CASE["workerType"]["enum"]),
        ("accident-category", CASE["accidentCategory"]["enum"]),
        ("occurrence-type", CASE["occurrenceType"]["enum"]),
        ("impairment-part", CASE["bodyPart"]["items"]["enum"]),
        ("disability-registration", CASE["disabReg"]["enum"]),
        ("disability-type", CASE["disabType"]["enum"]),
        ("disability-degree", CASE["disabDegree"]["enum"]),
        ("disability-grade", ["00", *CASE["grade"]["enum"], "99"]),
        ("education", CASE["education"]["enum"]),
        ("track", CASE["track"]["enum"]),
        ("rtw-outcome", OUTCOME["outcomeCode"]["enum"]),
        ("evidence-level", OUTCOME["evidence"]["enum"]),
        ("leg-business-status", [b.value for b in Business]),
    ],
)
def test_a_code_system_holds_exactly_the_codes_that_are_used(name: str, enum: list[str]) -> None:
    assert CODES[name] == set(enum)


def _issues(of: type[errors.GatewayError]) -> Iterator[tuple[str, str]]:
    for each in of.__subclasses__():
        if "code" in vars(each):
            yield each.code, each.sentence
        yield from _issues(each)


def test_gateway_issue_holds_every_code_of_the_tree_of_errors() -> None:
    assert {code for code, _ in _issues(errors.GatewayError)} <= CODES["gateway-issue"]


def test_every_concept_has_an_english_designation_and_the_count_is_right() -> None:
    assert len(SYSTEMS) == 24
    for name, system in SYSTEMS.items():
        assert system["count"] == len(system["concept"]), name
        assert system["language"] == "ko"
        for concept in system["concept"]:
            assert [d["language"] for d in concept["designation"]] == ["en"], (name, concept["code"])


def of_systems(name: str, beginning: str) -> list[tuple[str, dict[str, Any]]]:
    """What a document says in systems that begin like this: the system without the beginning, and the object."""
    said = ((str(each.get("system", "")), each) for each in objects(DOCUMENTS[name]))
    return [(system.removeprefix(beginning), each) for system, each in said if system.startswith(beginning)]


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_every_code_of_ours_in_a_document_exists(name: str) -> None:
    for system, coding in of_systems(name, OURS):
        assert system in NOT_SHIPPED or coding["code"] in CODES[system], (system, coding["code"])


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_every_identifier_of_ours_in_a_document_is_registered_and_has_its_form(name: str) -> None:
    known = {i["system"]: i for i in IDENTIFIERS["identifiers"]}
    for system, identifier in of_systems(name, SID):
        pattern = known[SID + system].get("pattern", "")
        assert re.search(pattern, str(identifier.get("value", ""))), (system, identifier)


@pytest.mark.parametrize("beginning", [OURS, SID])
def test_documents_hold_codes_and_identifiers_of_ours(beginning: str) -> None:
    assert sum(len(of_systems(name, beginning)) for name in DOCUMENTS) > 90


@pytest.mark.rule("R-01")
def test_no_identifier_system_can_hold_a_resident_registration_number() -> None:
    patterns = [identifier["pattern"] for identifier in IDENTIFIERS["identifiers"] if "pattern" in identifier]
    assert len(patterns) == 11
    for pattern in patterns:
        assert not re.search(pattern, "900101-1234567")
        assert not re.search(pattern, "9001011234567")
