"""Inbound outcome messages: what is refused, what is flagged, what is fine."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ImpossibleDate, NotYourLeg, OutcomeIncomplete
from gateway.outcomes.checks import Expected, Flag, check_outcome
from gateway.outcomes.facts import Subsidy
from tests.unit.outcomes import build

PERSON = "PKE-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
REF_NO = "R20261123-0000001"
MESSAGE = {
    "refNo": REF_NO,
    "partnerPersonId": PERSON,
    "seq": 3,
    "acts": [{"act": "report-placement"}],
    "happenedOn": "2027-02-03",
    "evidence": "E1",
    "employment": {"start": "2027-02-01", "brn": "1234567890", "sameEmployer": "N"},
}


def check(today: str = "2027-02-03", expected: Expected | None = None, **other: Any) -> tuple[Flag, ...]:
    told = {name: value for name, value in {**MESSAGE, **other}.items() if value is not None}
    usual = Expected(REF_NO, PERSON, build.day("2026-11-23"), build.day("2026-01-05"))
    return check_outcome(told, expected or usual, by=build.RTW, today=build.day(today))


def test_an_ordinary_placement_is_fine() -> None:
    assert check() == ()


@pytest.mark.parametrize(
    "other", [{"refNo": "R20261123-0000002"}, {"partnerPersonId": "PKE-ZZZZZZZZZZZZZZZZZZZZZZZZZZ"}]
)
def test_another_leg_or_another_person_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(NotYourLeg) as refused:
        check(**other)
    assert "PKE-" not in str(refused.value)


@pytest.mark.parametrize(
    ("other", "flag"),
    [
        ({"employment": {"start": "2026-11-22"}}, Flag.BEFORE_REFERRAL),
        ({"employment": {"start": "2025-12-01"}}, Flag.BEFORE_ACCIDENT),
        ({"happenedOn": "2027-02-10"}, Flag.FUTURE),
    ],
)
def test_a_job_found_alone_or_an_odd_date_is_kept_and_flagged(other: dict[str, Any], flag: Flag) -> None:
    assert flag in check(**other)


@pytest.mark.parametrize(
    "other",
    [
        {"happenedOn": "2027-02-11"},
        {"employment": {"start": "2027-02-11"}},
        {"retention": {"milestone": "P1M", "result": "unknown", "checkedOn": "2027-03-01"}},
        {"employment": {"start": "2027-02-30"}},
        {"employment": {"start": "2027-02-01", "end": "2027-01-31"}},
        {"training": {"state": "ACTIVE", "from": "2027-03-01", "until": "2027-02-01"}},
    ],
)
def test_dates_more_than_a_week_ahead_or_impossible_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ImpossibleDate):
        check(**other)


def test_a_planned_end_of_a_contract_may_lie_ahead() -> None:
    assert check(employment={"start": "2027-02-01", "end": "2028-01-31"}) == ()


@pytest.mark.parametrize(
    "other",
    [
        {"evidence": None},
        {"evidence": None, "employment": None, "acts": [{"act": "report-retention"}],
         "retention": {"milestone": "P1M", "result": "unknown"}},
        {"outcomeCode": "job-seeking"},
        {"acts": [{"act": "complete"}], "outcomeCode": "inactive"},
        {"acts": [{"act": "fail"}], "outcomeCode": "new-employer"},
        {"acts": [{"act": "correct"}]},
        {"acts": [{"act": "correct"}], "corrects": 3},
    ],
)  # fmt: skip
def test_what_lacks_proof_or_contradicts_itself_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(OutcomeIncomplete):
        check(**other)


def test_a_closing_message_may_leave_the_evidence_to_the_report_before() -> None:
    assert check(evidence=None, acts=[{"act": "complete"}]) == ()


def test_evidence_may_stand_with_the_retention_report() -> None:
    kept = {"milestone": "P1M", "result": "retained-same-job", "checkedOn": "2027-02-02", "evidence": "E2"}
    assert check(evidence=None, employment=None, acts=[{"act": "report-retention"}], retention=kept) == ()


@pytest.mark.parametrize(
    ("known", "overlaps"),
    [
        (("직장복귀지원금", "2027-01-01", "2027-06-30"), True),
        (("직장복귀지원금", "2027-01-01", None), True),
        (("직장복귀지원금", "2026-01-01", "2027-01-31"), False),
        (("재활운동비", "2027-01-01", None), False),
    ],
)
def test_supports_that_exclude_each_other_for_the_same_time_are_flagged(
    known: tuple[str, str, str | None], overlaps: bool
) -> None:
    kind, since, until = known
    held = (Subsidy(kind, build.day(since), build.day(until) if until else None),)
    expected = Expected(REF_NO, PERSON, build.day("2026-11-23"), subsidies=held)
    told = [{"kind": "장애인고용장려금", "from": "2027-02-01", "until": "2028-01-31"}]
    assert (Flag.SUBSIDY_OVERLAP in check(expected=expected, subsidies=told)) is overlaps


@pytest.mark.parametrize(("hint", "brn", "odd"), [("N", "1234567890", True), ("Y", "1234567890", False),
                                                  ("Y", "9999999999", True), ("U", "1234567890", False)])  # fmt: skip
def test_the_partners_same_employer_is_compared_with_the_business_number(hint: str, brn: str, odd: bool) -> None:
    expected = Expected(REF_NO, PERSON, build.day("2026-11-23"), employer_brn="1234567890")
    told = {"start": "2027-02-01", "brn": brn, "sameEmployer": hint}
    assert (Flag.EMPLOYER_MISMATCH in check(expected=expected, employment=told)) is odd
