"""Facts stay: corrections supersede, evidence is never invented, silence proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import SameIdOtherBytes
from gateway.outcomes.facts import Evidence, Kind, OutcomeFact, fact_of, standing, supersede

PLACED: dict[str, Any] = {
    "refNo": "R20261123-0000001",
    "partnerPersonId": "PKE-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "seq": 3,
    "acts": [{"act": "report-placement"}],
    "happenedOn": "2027-02-03",
    "evidence": "E1",
    "employment": {
        "start": "2027-02-01",
        "employerName": "한빛정밀(주)",
        "brn": "1234567890",
        "hoursPerWeek": "40",
        "contract": "INDEFINITE",
        "sameEmployer": "N",
    },
    "subsidies": [{"kind": "장애인고용장려금", "from": "2027-02-01"}],
}


def message(**other: Any) -> dict[str, Any]:
    return {**PLACED, **other}


def test_a_message_becomes_a_fact_with_its_evidence_and_its_source() -> None:
    fact = fact_of(PLACED, mid="m-3")
    assert (fact.kind, fact.evidence, fact.mid, fact.seq) == (Kind.PLACEMENT, Evidence.E1, "m-3", 3)
    assert fact.employment is not None
    assert fact.employment.hours_per_week == Decimal(40)
    assert fact.employment.start == date(2027, 2, 1)
    assert fact.subsidies[0].since == date(2027, 2, 1)


def test_a_signed_message_without_a_level_is_the_partners_attestation() -> None:
    told = {k: v for k, v in PLACED.items() if k not in ("evidence", "employment", "subsidies")}
    assert fact_of(told, mid="m-1").evidence is Evidence.E3


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"retention": {"milestone": "P3M", "result": "unknown", "evidence": "E2"}}, Kind.RETENTION),
        ({"training": {"state": "ACTIVE"}}, Kind.TRAINING),
        ({"outcomeCode": "job-seeking"}, Kind.RESULT),
        ({"corrects": 1}, Kind.RETRACTION),
        ({}, Kind.PROGRESS),
    ],
)
def test_a_fact_is_of_the_kind_of_its_weightiest_part(part: dict[str, Any], kind: Kind) -> None:
    bare = {k: PLACED[k] for k in ("refNo", "partnerPersonId", "seq", "acts", "happenedOn")}
    assert fact_of({**bare, **part}, mid="m").kind is kind


def test_a_correction_marks_the_earlier_fact_and_stands_in_its_place() -> None:
    first = fact_of(PLACED, mid="m-3")
    better = fact_of(message(seq=4, corrects=3, employment={"start": "2027-02-15"}), mid="m-4")
    facts = supersede(supersede((), first), better)
    assert facts == (replace(first, entered_in_error=True), better)
    assert standing(facts) == (better,)


def test_a_correction_of_a_correction_leaves_all_three_on_record() -> None:
    facts: tuple[OutcomeFact, ...] = ()
    for seq, corrects in ((3, None), (4, 3), (5, 4)):
        told = message(seq=seq, **({"corrects": corrects} if corrects else {}))
        facts = supersede(facts, fact_of(told, mid=f"m-{seq}"))
    assert [f.entered_in_error for f in facts] == [True, True, False]


def test_a_retraction_takes_a_fact_back_and_puts_nothing_in_its_place() -> None:
    bare = {k: PLACED[k] for k in ("refNo", "partnerPersonId", "acts", "happenedOn")}
    facts = supersede((fact_of(PLACED, mid="m-3"),), fact_of({**bare, "seq": 4, "corrects": 3}, mid="m-4"))
    assert len(facts) == 2
    assert standing(facts) == ()


def test_the_same_fact_twice_changes_nothing_and_another_under_its_number_is_refused() -> None:
    facts = supersede((), fact_of(PLACED, mid="m-3"))
    assert supersede(facts, fact_of(PLACED, mid="m-3")) == facts
    with pytest.raises(SameIdOtherBytes):
        supersede(facts, fact_of(message(happenedOn="2027-02-09"), mid="m-9"))


def test_a_repeated_fact_that_was_corrected_meanwhile_does_not_come_back() -> None:
    first = fact_of(PLACED, mid="m-3")
    facts = supersede((first,), fact_of(message(seq=4, corrects=3), mid="m-4"))
    with pytest.raises(SameIdOtherBytes):
        supersede(facts, fact_of(message(happenedOn="2027-02-09"), mid="m-3"))
    assert supersede(facts, first) == facts


def test_a_correction_reaches_only_its_own_leg() -> None:
    other = fact_of(message(refNo="R20261123-0000002"), mid="m-x")
    facts = supersede((other,), fact_of(message(seq=4, corrects=3), mid="m-4"))
    assert not facts[0].entered_in_error


def test_silence_of_a_registry_is_kept_but_does_not_count() -> None:
    silent = replace(fact_of(PLACED, mid="m-3"), kind=Kind.SILENCE, employment=None)
    assert standing((silent,)) == ()


def test_stronger_evidence_proves_weaker_levels() -> None:
    assert Evidence.E1.proves(Evidence.E2)
    assert Evidence.E2.proves(Evidence.E2)
    assert not Evidence.E3.proves(Evidence.E2)
