"""Where a reference may lead, by the kind of Bundle it stands in."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.documents.fhir.references import full_url_fits
from gateway.documents.fhir.rules import FhirRules

BASE = "https://kead.example/fhir"
WORKER = "urn:uuid:00000000-0000-4000-8000-000000000001"


def _bundle(kind: str, subject: dict[str, Any], *, method: str = "") -> dict[str, Any]:
    more: dict[str, Any] = {"request": {"method": method, "url": "x"}} if method else {}
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
    entries: list[dict[str, Any]] = [
        {"fullUrl": WORKER, "resource": {"resourceType": "Patient", "id": "w", "active": True}},
        {"resource": observation},
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": [e | more for e in entries]}


@pytest.mark.parametrize(
    ("kind", "method", "reference", "code"),
    [
        ("collection", "", WORKER, ""),
        ("collection", "", "Patient/w", ""),
        ("collection", "", "Patient/w/_history/2", ""),
        ("collection", "", f"{BASE}/Patient/9", ""),
        ("collection", "", "Patient/9", "dangling-reference"),
        ("collection", "", "urn:uuid:00000000-0000-4000-8000-000000000009", "dangling-reference"),
        ("collection", "", "urn:oid:1.2.3", "dangling-reference"),
        ("collection", "", "#w", "dangling-reference"),
        ("collection", "", "Patient?identifier=1", "dangling-reference"),
        ("collection", "", f"{BASE}/Task/9", "wrong-reference-target"),
        ("collection", "", "Task/9", "wrong-reference-target"),
        ("collection", "", "Worker/9", "wrong-reference-target"),
        ("collection", "", "the worker", "bad-form"),
        ("searchset", "", "Patient/9", ""),
        ("searchset", "", "urn:uuid:00000000-0000-4000-8000-000000000009", "dangling-reference"),
        ("transaction", "POST", "Patient/9", ""),
        ("transaction", "POST", "Patient?identifier=1", ""),
        ("batch", "POST", "Patient/9", ""),
    ],
)
def test_a_reference_leads_to_an_entry_outside_or_nowhere(
    rules: FhirRules, kind: str, method: str, reference: str, code: str
) -> None:
    found = rules.check(_bundle(kind, {"reference": reference}, method=method))
    assert [f.code for f in found] == ([code] if code else [])


def test_a_reference_by_identifier_leads_nowhere_in_particular_and_is_fine(rules: FhirRules) -> None:
    assert (
        rules.check(_bundle("collection", {"identifier": {"system": "urn:x", "value": "1"}, "type": "Patient"})) == ()
    )


def test_its_declared_type_must_be_a_target(rules: FhirRules) -> None:
    found = rules.check(_bundle("collection", {"reference": WORKER, "type": "Practitioner"}))
    assert [f.code for f in found] == ["wrong-reference-target"]


@pytest.mark.parametrize(
    ("url", "resource", "expected"),
    [
        (WORKER, {"resourceType": "Patient", "id": "anything"}, True),
        (f"{BASE}/Patient/1", {"resourceType": "Patient", "id": "1"}, True),
        (f"{BASE}/Patient/1", {"resourceType": "Patient"}, True),
        (f"{BASE}/Patient/1", {"resourceType": "Patient", "id": "2"}, False),
        (f"{BASE}/Patient/1", {"resourceType": "Task", "id": "1"}, False),
        (f"{BASE}/Patient/1/_history/2", {"resourceType": "Patient", "id": "1"}, False),
        ("Patient/1", {"resourceType": "Patient", "id": "1"}, False),
        ("ftp://x/Patient/1", {"resourceType": "Patient"}, False),
    ],
)
def test_a_full_url_agrees_with_type_and_id(url: str, resource: dict[str, Any], expected: bool) -> None:
    assert full_url_fits(url, resource) is expected
