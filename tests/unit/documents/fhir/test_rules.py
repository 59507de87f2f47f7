"""The ten kinds of defect that no ready validator finds all of: ten of ten found, no false alarm."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.fhir.rules import FhirRules
from gateway.errors import DataFileInvalid, DocumentInvalid

Spoil = Callable[[dict[str, Any]], None]
ORGANIZATION = "urn:uuid:00000000-0000-4000-8000-000000000006"


def _set(*path: Any) -> Spoil:
    *steps, name, value = path

    def spoil(resource: dict[str, Any]) -> None:
        at: Any = resource
        for step in steps:
            at = at[step]
        at[name] = value

    return spoil


def _drop(name: str) -> Spoil:
    return lambda resource: resource.pop(name)


DEFECTS: tuple[tuple[str, str, Spoil, str], ...] = (
    # code                     in               how                                                       where
    ("missing-required",       "Task",          _drop("status"),                                          "Task.status"),
    ("bad-required-code",      "Patient",       _set("gender", "martian"),                                "Patient.gender"),
    ("unknown-field",          "Patient",       _set("rrn", "x"),                                         "Patient.rrn"),
    ("bad-date",               "Patient",       _set("birthDate", "1979-02-30"),                          "Patient.birthDate"),
    ("wrong-type",             "Organization",  _set("active", "yes"),                                    "Organization.active"),
    ("array-expected",         "Patient",       _set("name", {"text": "남궁민수"}),                        "Patient.name"),
    ("wrong-reference-target", "Task",          _set("for", {"reference": ORGANIZATION}),                 "Task.for"),
    ("dangling-reference",     "Observation",   _set("subject", {"reference": "urn:uuid:0"}),             "Observation.subject"),
    ("inverted-period",        "Consent",       _set("provision", "period", {"start": "2027", "end": "2026-12"}), "Consent.provision.period"),
    ("duplicate-choice",       "Observation",   _set("valueString", "x"),                                 "Observation"),
)  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "spoil", "where"), DEFECTS, ids=[d[0] for d in DEFECTS])
def test_each_of_the_ten_kinds_of_defect_is_found_at_its_place(
    rules: FhirRules, message: dict[str, Any], entry: Any, code: str, kind: str, spoil: Spoil, where: str
) -> None:
    index = next(i for i, e in enumerate(message["entry"]) if e["resource"]["resourceType"] == kind)
    spoil(entry(kind))
    found = rules.check(message)
    assert {f.code for f in found} == {code}
    assert f"Bundle.entry[{index}].resource{where.removeprefix(kind)}" in {f.path for f in found}


def test_the_message_it_starts_from_raises_no_alarm(rules: FhirRules, message: dict[str, Any]) -> None:
    assert rules.check(message) == ()


def test_several_defects_are_found_in_one_pass(rules: FhirRules, message: dict[str, Any], entry: Any) -> None:
    entry("Patient")["gender"] = "martian"
    entry("Patient")["birthDate"] = "1979-13-01"
    del entry("Task")["intent"]
    entry("Consent")["provision"]["period"] = {"start": "2027", "end": "2026"}
    codes = {f.code for f in rules.check(message)}
    assert codes == {"bad-required-code", "bad-date", "missing-required", "inverted-period"}


def test_a_wrong_wrapper_does_not_hide_what_is_wrong_inside(
    rules: FhirRules, message: dict[str, Any], entry: Any
) -> None:
    message["typ"] = message.pop("type")
    entry("Patient")["gender"] = "martian"
    assert {f.code for f in rules.check(message)} >= {"unknown-field", "missing-required", "bad-required-code"}


def test_checking_changes_nothing(rules: FhirRules, message: dict[str, Any]) -> None:
    before = copy.deepcopy(message)
    rules.check(message)
    assert message == before


@pytest.mark.parametrize("nonsense", [None, 1, "Patient", [], {}, {"resourceType": 1}, {"resourceType": ["Patient"]}])
def test_what_is_no_resource_is_refused_without_a_crash(rules: FhirRules, nonsense: Any) -> None:
    assert [f.code for f in rules.check(nonsense)] == ["missing-required"]


def test_a_refusal_names_places_and_rules_but_no_value(rules: FhirRules, message: dict[str, Any], entry: Any) -> None:
    entry("Patient")["birthDate"] = "1979-02-30"
    entry("Patient")["name"][0]["nick"] = "남궁민수"
    with pytest.raises(DocumentInvalid) as refusal:
        rules.require(message)
    assert refusal.value.place.field == "Bundle.entry[3].resource.name[0].nick"
    for value in ("1979", "남궁", "PKD-"):
        assert value not in str(refusal.value)


def test_a_good_resource_passes_silently(rules: FhirRules, message: dict[str, Any]) -> None:
    rules.require(message)


def test_our_own_names_are_suggested(rules: FhirRules, message: dict[str, Any], entry: Any) -> None:
    entry("Patient")["birthdate"] = entry("Patient").pop("birthDate")
    assert any("did you mean birthDate?" in f.sentence for f in rules.check(message))


def test_a_bundle_in_a_bundle_has_entries_of_its_own(rules: FhirRules, message: dict[str, Any]) -> None:
    inner = copy.deepcopy(message)
    outer = {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:uuid:1", "resource": inner}]}
    assert rules.check(outer) == ()
    del inner["entry"][5]
    assert {f.code for f in rules.check(outer)} == {"dangling-reference"}


def test_a_contained_resource_is_judged_too(rules: FhirRules, good: dict[str, Any]) -> None:
    observation = copy.deepcopy(good["contained-employer"])
    observation["contained"][0]["nmae"] = "x"
    assert [f.path for f in rules.check(observation)] == ["Observation.contained[0].nmae"]
    observation = copy.deepcopy(good["contained-employer"])
    observation["contained"][0] |= {"meta": {"versionId": "1"}, "telecom": [{"value": "02"}]}
    assert {f.code for f in rules.check(observation)} == {"dom-4", "cpt-2"}


def test_contained_in_contained_is_refused(rules: FhirRules, good: dict[str, Any]) -> None:
    observation = copy.deepcopy(good["contained-employer"])
    observation["contained"][0]["contained"] = [{"resourceType": "Endpoint", "id": "e"}]
    assert "dom-2" in {f.code for f in rules.check(observation)}


def test_resources_in_parameters_are_judged_by_their_own_type(rules: FhirRules, good: dict[str, Any]) -> None:
    parameters = copy.deepcopy(good["validate-parameters"])
    parameters["parameter"][1]["resource"]["status"] = "alive"
    assert [(f.path, f.code) for f in rules.check(parameters)] == [
        ("Parameters.parameter[1].resource.status", "bad-required-code")
    ]


def test_missing_data_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match=r"elements\.json\.gz"):
        FhirRules.load(tmp_path)
