"""Our own profiles: compiled from StructureDefinitions, asked for by `meta.profile`, judged beside the base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.documents.fhir.profiles import OURS, compile_profiles
from gateway.documents.fhir.rules import FhirRules
from gateway.errors import DataFileInvalid

FHIR = Path(__file__).parents[4] / "schemas" / "fhir"
CONDITION = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000009"}


def test_the_compiled_profiles_are_those_of_the_definitions() -> None:
    compiled = compile_profiles(FHIR / "profiles", FHIR / "code-systems")
    assert compiled == orjson.loads((FHIR / "r4" / "profiles.json").read_bytes())
    assert set(compiled) == {OURS + n for n in ("referral-task", "referral-request", "outcome-observation")}


@pytest.mark.parametrize(
    ("kind", "spoil", "path", "code"),
    [
        ("Task", lambda r: r.pop("owner"), "owner", "missing-required"),
        ("Task", lambda r: r["identifier"][0].pop("value"), "identifier[0].value", "missing-required"),
        ("Task", lambda r: r.update(intent="plan"), "intent", "profile"),
        ("Task", lambda r: r["code"]["coding"][0].update(code="change"), "code", "profile"),
        ("Task", lambda r: r["businessStatus"]["coding"][0].update(code="lost"), "businessStatus", "bad-required-code"),
        ("Task", lambda r: r.update(encounter={"display": "x"}), "encounter", "profile"),
        ("Task", lambda r: r.update(focus=CONDITION), "focus", "wrong-reference-target"),
        ("ServiceRequest", lambda r: r["code"]["coding"][0].update(code="05"), "code", "bad-required-code"),
        ("ServiceRequest", lambda r: r.update(performer=r["performer"] * 2), "performer", "profile"),
        ("ServiceRequest", lambda r: r.update(doNotPerform=False), "doNotPerform", "profile"),
    ],
)
def test_what_a_profile_tightens_is_found(
    rules: FhirRules,
    message: dict[str, Any],
    entry: Callable[[str], dict[str, Any]],
    kind: str,
    spoil: Callable[[dict[str, Any]], Any],
    path: str,
    code: str,
) -> None:
    spoil(entry(kind))
    assert [(f.path.partition("resource.")[2], f.code) for f in rules.check(message)] == [(path, code)]
    del entry(kind)["meta"]
    assert rules.check(message) == ()


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (lambda r: r.pop("effectiveDateTime"), "effective[x]"),
        (lambda r: r.pop("valueCodeableConcept"), "value[x]"),
        (lambda r: r.update(valueString=r.pop("valueCodeableConcept")["coding"][1]["code"]), "valueString"),
        (lambda r: r["valueCodeableConcept"]["coding"].pop(), "valueCodeableConcept"),
        (lambda r: r["method"]["coding"][0].update(code="E9"), "method"),
        (lambda r: r["code"]["coding"][0].update(code="1-8"), "code"),
    ],
)
def test_an_outcome_needs_a_date_a_coded_outcome_and_evidence(
    rules: FhirRules, good: dict[str, Any], spoil: Callable[[dict[str, Any]], Any], path: str
) -> None:
    observation = orjson.loads(orjson.dumps(good["outcome-collection"]["entry"][1]["resource"]))
    assert rules.check(observation) == ()
    spoil(observation)
    assert {f.path for f in rules.check(observation)} == {f"Observation.{path}"}


def test_profiles_of_others_are_theirs_and_unknown_ones_of_ours_are_refused(
    rules: FhirRules, entry: Callable[[str], dict[str, Any]]
) -> None:
    patient = entry("Patient") | {
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]}
    }
    assert rules.check(patient) == ()
    patient["meta"]["profile"] = [OURS + "referral-task"]
    assert [f.path for f in rules.check(patient)] == ["Patient.meta.profile[0]"]


def test_a_definition_that_says_more_than_is_understood_is_refused(tmp_path: Path) -> None:
    element = {"path": "Task.status", "maxLength": 3}
    definition = {"url": OURS + "x", "type": "Task", "differential": {"element": [{"path": "Task"}, element]}}
    (tmp_path / "x.json").write_bytes(orjson.dumps(definition))
    with pytest.raises(DataFileInvalid, match=r"maxLength.*|Task\.status"):
        compile_profiles(tmp_path, FHIR / "code-systems")
