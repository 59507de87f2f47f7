"""Every invariant in the table can fail, and belongs to a type that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.documents.fhir.invariants import INVARIANTS, Invariant
from gateway.documents.fhir.rules import FhirRules

Q = {"system": "http://unitsofmeasure.org"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


# key: (an object that keeps the rule, one that breaks it)
PAIRS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bdl-1": ({"type": "searchset", "total": 1}, {"type": "message", "total": 1}),
    "bdl-2": ({"type": "searchset", "entry": [{"search": {}}]}, {"type": "collection", "entry": [{"search": {}}]}),
    "bdl-3": ({"type": "batch", "entry": [{"request": {}}]}, {"type": "batch", "entry": [{}]}),
    "bdl-4": ({"type": "collection", "entry": [{}]}, {"type": "collection", "entry": [{"response": {}}]}),
    "bdl-7": (
        {"type": "collection", "entry": [{"fullUrl": "a"}, {"fullUrl": "b"}]},
        {"type": "collection", "entry": [{"fullUrl": "a"}, {"fullUrl": "a"}]},
    ),
    "bdl-9": ({"type": "message"}, {"type": "document", "identifier": {"value": "1"}}),
    "bdl-10": ({"type": "document", "timestamp": "x"}, {"type": "document"}),
    "bdl-11": ({"type": "message"}, {"type": "document", "entry": [{"resource": {"resourceType": "Task"}}]}),
    "bdl-12": ({"type": "message", "entry": [{"resource": {"resourceType": "MessageHeader"}}]}, {"type": "message"}),
    "bdl-5": ({"resource": {}}, {"fullUrl": "x"}),
    "bdl-8": ({"fullUrl": "https://x/Task/1"}, {"fullUrl": "https://x/Task/1/_history/1"}),
    "pat-1": ({"name": {}}, {"gender": "male"}),
    "org-1": ({"name": "x"}, {"active": True}),
    "org-2": ({"address": [{"use": "work"}]}, {"address": [{"use": "home"}]}),
    "org-3": ({"name": "x"}, {"telecom": [{"use": "home"}]}),
    "ppc-1": ({"policyRule": {}}, {}),
    "prr-1": ({"orderDetail": [], "code": {}}, {"orderDetail": []}),
    "inv-1": ({"authoredOn": "2026", "lastModified": "2026-01"}, {"authoredOn": "2026", "lastModified": "2025"}),
    "Parameters.parameter inv-1": (
        {"name": "a", "_valueString": {}},
        {"name": "a", "valueString": "x", "resource": {"resourceType": "Patient"}},
    ),
    "CarePlan.activity.detail sqty-1": ({"quantity": {"value": 1}}, {"quantity": {"value": 1, "comparator": "<"}}),
    "SampledData sqty-1": ({"origin": {"value": 1}}, {"origin": {"value": 1, "comparator": ">="}}),
    "sqty-1": ({"low": {"value": 1}, "high": {}}, {"low": {}, "high": {"value": 1, "comparator": "<"}}),
    "obs-6": ({"dataAbsentReason": {}}, {"dataAbsentReason": {}, "valueString": "x"}),
    "obs-7": (
        {"code": _coded("s", "a"), "valueString": "x", "component": [{"code": _coded("s", "b")}]},
        {"code": _coded("s", "a"), "valueString": "x", "component": [{"code": _coded("s", "a")}]},
    ),
    "obs-3": ({"text": "x"}, {"age": {}}),
    "cpl-3": ({"detail": {}}, {"detail": {}, "reference": {}}),
    "con-1": ({"summary": {}}, {"type": {}}),
    "con-2": ({"code": []}, {}),
    "con-4": (
        {"abatementDateTime": "2026", "clinicalStatus": _coded(CLINICAL, "resolved")},
        {"abatementDateTime": "2026", "clinicalStatus": _coded(CLINICAL, "active")},
    ),
    "con-5": (
        {"verificationStatus": _coded(VERIFICATION, "entered-in-error")},
        {"verificationStatus": _coded(VERIFICATION, "entered-in-error"), "clinicalStatus": {}},
    ),
    "sev-1": ({"name": "x"}, {"name": "x", "query": "y"}),
    "ras-1": ({"probabilityRange": {"low": Q | {"code": "%"}}}, {"probabilityRange": {"low": Q | {"code": "mo"}}}),
    "ras-2": ({"probabilityDecimal": 100}, {"probabilityDecimal": 100.5}),
    "gol-1": ({"detailString": "x", "measure": {}}, {"detailString": "x"}),
    "inverted-period": ({"start": "2026", "end": "2026"}, {"start": "2027", "end": "2026"}),
    "rng-2": ({"low": {"value": 1}, "high": {"value": 1}}, {"low": {"value": 2}, "high": {"value": 1}}),
    "rat-1": ({"numerator": {}, "denominator": {}}, {"numerator": {}}),
    "att-1": ({"data": "x", "contentType": "y"}, {"data": "x"}),
    "cpt-2": ({"value": "x", "system": "phone"}, {"value": "x"}),
    "qty-3": ({"code": "mo", "system": "x"}, {"code": "mo"}),
    "age-1": (Q | {"value": 1, "code": "a"}, Q | {"value": 0, "code": "a"}),
    "drt-1": (Q | {"value": 1, "code": "h"}, {"value": 1}),
    "cnt-3": (Q | {"value": 2, "code": "1"}, Q | {"value": 2.5, "code": "1"}),
    "dis-1": (Q | {"value": 2, "code": "m"}, {"value": 2}),
    "tim-1": ({"duration": 1, "durationUnit": "h"}, {"duration": 1}),
    "tim-2": ({"period": 1, "periodUnit": "d"}, {"period": 1}),
    "tim-4": ({"duration": 0}, {"duration": -1}),
    "tim-5": ({"period": 0}, {"period": -1}),
    "tim-6": ({"periodMax": 2, "period": 1}, {"periodMax": 2}),
    "tim-7": ({"durationMax": 2, "duration": 1}, {"durationMax": 2}),
    "tim-8": ({"countMax": 2, "count": 1}, {"countMax": 2}),
    "tim-9": ({"offset": 30, "when": ["AC"]}, {"offset": 30, "when": ["C"]}),
    "tim-10": ({"when": ["AC"]}, {"when": ["AC"], "timeOfDay": ["09:00:00"]}),
    "trd-1": ({"data": []}, {"data": [], "timingDate": "2026"}),
    "trd-2": ({"condition": {}, "data": []}, {"condition": {}}),
    "trd-3": ({"type": "named-event", "name": "x"}, {"type": "periodic"}),
    "drq-1": ({"path": "x"}, {"path": "x", "searchParam": "y"}),
    "drq-2": ({"searchParam": "x"}, {}),
    "exp-1": ({"expression": "x"}, {"language": "text/cql"}),
    "txt-1": ({"div": "<div>x</div>"}, {"div": "<div onclick='x()'>x</div>"}),
    "txt-2": ({"div": "<div><img src='x'/></div>"}, {"div": "<div> <p/> </div>"}),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda i: i.code)
def test_an_invariant_passes_what_keeps_it_and_finds_what_breaks_it(invariant: Any) -> None:
    kept, broken = PAIRS[key(invariant)]
    assert invariant.holds(kept) is True
    assert invariant.holds(broken) is False


def test_every_pair_and_every_type_is_known(rules: FhirRules) -> None:
    assert {key(i) for i in INVARIANTS} == set(PAIRS)
    assert {i.owner for i in INVARIANTS} <= set(rules.elements.types)


def key(invariant: Invariant) -> str:
    """Where two types have rules of one name, the pair that names the type."""
    named = f"{invariant.owner} {invariant.code}"
    return named if named in PAIRS else invariant.code


@pytest.mark.parametrize("held", [{}, {"valueString": "x", "part": []}, {"resource": {}, "part": []}])
def test_a_parameter_holds_one_thing(held: dict[str, Any]) -> None:
    rule = next(i for i in INVARIANTS if i.owner == "Parameters.parameter")
    assert not rule.holds({"name": "a", **held})
    assert rule.holds({"name": "a", "part": []})


def test_a_component_without_a_code_has_the_code_of_nothing() -> None:
    rule = next(i for i in INVARIANTS if i.code == "obs-7")
    said = {"coding": [{"display": "x"}]}
    assert rule.holds({"code": said, "valueString": "x", "component": [{"code": said}]})


def test_two_versions_of_one_resource_may_stand_in_a_history() -> None:
    rule = next(i for i in INVARIANTS if i.code == "bdl-7")
    twice = [{"fullUrl": "a", "resource": {"meta": {"versionId": v}}} for v in ("1", "2")]
    assert rule.holds({"type": "collection", "entry": twice})
    assert rule.holds({"type": "history", "entry": [{"fullUrl": "a"}, {"fullUrl": "a"}]})
