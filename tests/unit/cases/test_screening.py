"""Screening: gate, score, explanation. Vectors A–J were computed with an independent reference script."""

from __future__ import annotations

import copy
import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases.facts import Facts, read
from gateway.cases.ruleset import RuleSet
from gateway.cases.screening import Gate, inputs_hash, screen
from gateway.errors import DataFileInvalid
from tests.unit.cases.build import RULES, RULESET, SCHEMAS, record

TODAY = date(2026, 11, 23)
NO_GRADE: dict[str, Any] = {"gradeExpected": None}
PSYCH = [{"kcdVersion": "9", "code": "F43.1", "role": "additional"}]

A: dict[str, Any] = {}  # six months to the day, no way back, grade 9
VECTORS = {
    "A": (A, Gate.CANDIDATE, 53),
    "B": ({"carePlannedEnd": "2026-07-04"}, Gate.STATUTORY, 33),
    "C": ({"carePlannedEnd": "2026-09-05", "origJobPossible": "Y"} | NO_GRADE, Gate.STATUTORY, 20),
    "D": (
        {
            "carePlannedEnd": "2027-03-05",
            "gradeExpected": "02",
            "birthDate": "1968-05-01",
            "workerType": "02",
            "employerSize": 5,
        },
        Gate.CANDIDATE,
        96,
    ),
    "E": ({"carePlannedEnd": "2026-08-05", "origJobPossible": "U", "gradeExpected": "12"}, Gate.REVIEW, 28),
    "F": ({"carePlannedEnd": "2026-04-05", "origJobPossible": "Y", "gradeExpected": "14"}, Gate.STATUTORY, 0),
    "G": ({"carePlannedEnd": "2026-04-05", "origJobPossible": "Y"} | NO_GRADE, Gate.GENERAL, 0),
    "H": (
        {"carePlannedEnd": "2026-10-05", "gradeExpected": "05", "nationality": "VNM", "diagnoses": PSYCH},
        Gate.CANDIDATE,
        72,
    ),
    "I": ({"deceasedDate": "2026-11-20"}, Gate.EXCLUDED, 0),
    "J": (A, Gate.CANDIDATE, 53),
}


@pytest.mark.rule("R-32")
@pytest.mark.parametrize(("changes", "gate", "score"), VECTORS.values(), ids=VECTORS)
def test_the_published_vectors_hold(changes: dict[str, Any], gate: Gate, score: int) -> None:
    screening = screen(record(**changes), RULESET, TODAY)
    assert (screening.gate, screening.score) == (gate, score)


@pytest.mark.parametrize(
    ("changes", "gate", "because"),
    [
        ({"caseStage": "REJECTED"}, Gate.EXCLUDED, "REJECTED_CLAIM"),
        ({"caseStage": "CLOSED"}, Gate.EXCLUDED, "CLOSED_RTW"),
        ({"outcome": [{"code": "emigrated", "definition": "x", "asOf": "2026-11-01"}]}, Gate.EXCLUDED, "EMIGRATED"),
        ({"carePlannedEnd": None} | NO_GRADE, Gate.GENERAL, "no-condition-met"),
        ({"origJobPossible": "U", "carePlannedEnd": "2026-07-04"}, Gate.STATUTORY, "grade-expected"),
        ({"origJobPossible": "U", "carePlannedEnd": "2026-07-04"} | NO_GRADE, Gate.GENERAL, "no-condition-met"),
    ],
)
def test_the_gate_names_its_reason(changes: dict[str, Any], gate: Gate, because: str) -> None:
    screening = screen(record(**changes), RULESET, TODAY)
    assert (screening.gate, screening.because) == (gate, because)


@pytest.mark.parametrize(
    ("criterion", "changes", "met"),
    [
        ("age55", {"birthDate": "1971-11-23"}, True),
        ("age55", {"birthDate": "1971-11-24"}, False),
        ("age55", {"birthDate": "1900-01-01"}, False),  # a placeholder, not an age
        ("late", {"accidentDate": "2026-01-01", "approvalDate": "2026-04-01"}, False),  # 90 days
        ("late", {"accidentDate": "2026-01-01", "approvalDate": "2026-04-02"}, True),
        ("late", {"approvalDate": None}, None),
        ("small_site", {"employerSize": 29}, True),
        ("small_site", {"employerSize": 30}, False),
        ("small_site", {}, None),
        ("foreign", {"nationality": None}, None),
        ("care_very_long", {"carePlannedEnd": "2027-01-05"}, True),
        ("care_very_long", {"carePlannedEnd": "2027-01-04"}, False),
        ("exp_grade_8_12", {"gradeExpected": "13"}, False),
    ],
)
def test_a_criterion_is_met_missed_or_unknown(criterion: str, changes: dict[str, Any], met: bool | None) -> None:
    found = {c.criterion: c for c in screen(record(**changes), RULESET, TODAY).contributions}[criterion]
    assert found.met is met
    assert (found.points > 0) is (met is True)


@pytest.mark.rule("R-31")
def test_every_criterion_explains_itself_in_korean() -> None:
    contributions = screen(record(), RULESET, TODAY).contributions
    assert [c.criterion for c in contributions] == [c.id for c in RULESET.criteria]
    assert all(c.ko for c in contributions)
    assert sum(c.points for c in contributions) == 53


def test_the_inputs_hash_is_sha256_over_rfc_8785() -> None:
    facts = read(record(diagnoses=PSYCH, employerSize=7), TODAY)
    used = {k: list(v) if isinstance(v, tuple) else v for k, v in facts._asdict().items() if v not in (None, ())}
    canonical = rfc8785.dumps({"ruleset": "PR-2026.1", "facts": used})
    assert inputs_hash("PR-2026.1", facts) == "sha256:" + hashlib.sha256(canonical).hexdigest()


@settings(max_examples=50)
@given(st.permutations(sorted(record())))
def test_the_order_of_the_records_fields_changes_nothing(order: list[str]) -> None:
    whole = record()
    assert screen({name: whole[name] for name in order}, RULESET, TODAY) == screen(whole, RULESET, TODAY)


def test_fields_that_no_rule_names_change_nothing() -> None:
    other = record(nameFull="황보혜정", memo="다른 메모", phone=None, addrRegion="51110", sex="female")
    assert screen(other, RULESET, TODAY) == screen(record(), RULESET, TODAY)


def test_the_grammar_and_the_facts_name_the_same_things() -> None:
    grammar = yaml.safe_load((SCHEMAS / "meta" / "screening-1.json").read_text("utf-8"))
    named = {fact for way in grammar["$defs"]["when"]["oneOf"] for fact in way["properties"]["fact"]["enum"]}
    assert named == set(Facts._fields)


def _without(path: tuple[Any, ...], value: Any = None) -> Any:
    def change(raw: dict[str, Any]) -> None:
        inner: Any = raw
        for step in path[:-1]:
            inner = inner[step]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value

    return change


BROKEN = {
    "no gate": _without(("gate",)),
    "a fact nobody knows": _without(("criteria", 0, "when"), {"fact": "salary", "min": 1}),
    "a comparison that does not fit the fact": _without(("criteria", 0, "when"), {"fact": "worker_type", "min": 1}),
    "no comparison": _without(("criteria", 0, "when"), {"fact": "age"}),
    "ties left open": _without(("selection", "order"), ["score desc"]),
    "a number as reserve": _without(("resources", "reserve"), 0.1),
    "an override without reason": _without(("overrides", "reason_required"), False),
    "a grade 15": _without(("statutory", "expected_grade"), [1, 15]),
    "an unknown key": _without(("weights",), {"x": 1}),
    "an impossible date": _without(("effective_from",), "2026-02-30"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_set_is_refused(change: Any, tmp_path: Path) -> None:
    raw = copy.deepcopy(yaml.safe_load((RULES / "screening" / "PR-2026.1.yaml").read_text("utf-8")))
    change(raw)
    path = tmp_path / "PR-2026.1.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), "utf-8")
    with pytest.raises(DataFileInvalid):
        RuleSet.load(path, SCHEMAS)


@pytest.mark.parametrize("text", ["ruleset: PR-2026.1\nruleset: PR-2026.2\n", "ruleset: [", "\t", ""])
def test_text_that_is_not_strict_yaml_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(DataFileInvalid):
        RuleSet.load(path, SCHEMAS)
