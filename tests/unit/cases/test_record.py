"""The canonical record: batch and entry in one document, and what is derived from both."""

from __future__ import annotations

import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases import record
from gateway.cases.entry import entered_on
from gateway.documents.schemas import Schemas

ROOT = Path(__file__).resolve().parents[3]
CASE = "urn:comwel:schema:case:1.0.0"
FACTS: dict[str, Any] = {
    "caseNo": "20260001000001",
    "caseVersion": 1,
    "personKey": "P000001000001",
    "idType": "1",
    "nameFull": "남궁민수",
    "birthDate": "1980-02-29",
    "sex": "male",
    "phone": ["01012345678"],
    "workerType": "01",
    "accidentDate": "2026-01-05",
    "accidentCategory": "1",
    "approvalDate": "2026-01-20",
    "diagnoses": [{"kcdVersion": "9", "code": "S62.6", "role": "main"}],
    "careStart": "2026-01-05",
    "carePlannedEnd": "2026-08-14",
    "gradeExpected": "09",
    "origJobPossible": "N",
    "coordinator": {"jcNo": "J001234"},
    "branch": "1100",
    "a1Consent": {"yn": "Y"},
    "asOf": "2026-11-23",
    "provenance": [{"adapter": "A1", "file": "f", "record": 1, "sha256": "ab" * 32}],
}
CONSENT: dict[str, Any] = {
    "no": "C1",
    "recipients": ["KEIS", "KEAD", "TRN"],
    "thirdParty": True,
    "sensitive": True,
    "uniqueId": False,
    "purpose": "직업복귀 지원 의뢰와 결과 회신",
    "items": ["identity"],
    "from": "2026-11-13",
    "until": "2028-11-23",
    "method": "서면",
    "textVersion": "2026-1",
    "signer": "self",
    "withdrawnAt": None,
}
ENTRY: dict[str, Any] = {
    "caseNo": "20260001000001",
    "caseVersion": 1,
    "enteredAt": "2026-11-22T14:00:00+09:00",
    "language": "ko",
    "coordinator": {"jcNo": "J001234", "name": "이순자", "tel": "02-2670-5000"},
    "disabReg": "등록",
    "disabType": "지체장애",
    "disabDegree": "심하지 않은 장애",
    "funcProfile": {"HANDS": "2", "SIGHT": "3"},
    "occupationKeco": "622",
    "jobWish": {"keco": ["62"], "region": ["42110"], "salTp": "M", "minSal": 2_500_000},
    "education": "03",
    "careerMonths": 31,
    "licences": ["용접기능사"],
    "availableFrom": "2027-01-15",
    "services": {"KEIS": ["02"], "KEAD": ["취업알선"], "TRN": []},
    "consent": [CONSENT],
    "counselling": [{"date": "2026-10-14", "phase": "before-acceptance", "domain": "medical", "note": "안내"}],
    "memo": "",
    "provenance": [{"adapter": "A6", "file": "g", "record": 1, "sha256": "cd" * 32}],
}


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.load(ROOT / "schemas" / "comwel")


def merged(entry: dict[str, Any] | None = ENTRY, **facts: Any) -> dict[str, Any]:
    changed = {k: v for k, v in (FACTS | facts).items() if v is not None}
    return record.merge(changed, entry)


def test_both_sides_make_one_valid_record(schemas: Schemas) -> None:
    case = merged()
    schemas.require(CASE, case)
    assert case["nameFull"] == "남궁민수"
    assert case["coordinator"] == {"jcNo": "J001234", "name": "이순자", "tel": "0226705000"}
    assert case["funcProfile"] == [{"function": "HANDS", "level": "2"}, {"function": "SIGHT", "level": "3"}]
    assert case["jobWish"] == {"keco": ["62"], "region": ["51110"], "wageType": "M", "minWage": 2_500_000}
    assert case["services"] == [{"partner": "KEIS", "codes": ["02"]}, {"partner": "KEAD", "codes": ["취업알선"]}]
    assert case["consent"] == [{k: v for k, v in CONSENT.items() if k != "withdrawnAt"}]
    assert [p["adapter"] for p in case["provenance"]] == ["A1", "A6"]
    assert not {"memo", "dataQuality", "a1Consent", "asOf"} & case.keys()


def test_the_coordinator_is_the_one_that_the_batch_names(schemas: Schemas) -> None:
    handed_on = merged(coordinator={"jcNo": "J009999"})
    schemas.require(CASE, handed_on)
    assert handed_on["coordinator"] == {"jcNo": "J009999"}
    assert [(n["code"], n["field"]) for n in handed_on["dataQuality"]] == [("E-STALE", "coordinator")]
    assert merged(coordinator=None)["coordinator"] == merged()["coordinator"]


def test_facts_alone_make_a_valid_record(schemas: Schemas) -> None:
    case = merged(None)
    schemas.require(CASE, case)
    assert case["track"] == "GENERAL"
    assert merged()["track"] == "NAEIL"


def test_the_batch_wins_on_what_it_knows() -> None:
    case = merged(
        ENTRY | {"phone": ["010-9999-8888", "01012345678"], "nameFull": "다른이름", "birthDate": "1999-01-01"}
    )
    assert case["nameFull"] == "남궁민수"
    assert case["birthDate"] == "1980-02-29"
    assert case["phone"] == ["01012345678", "01099998888"]


def test_the_case_id_depends_on_the_number_alone() -> None:
    assert merged()["caseId"] == merged(None, caseVersion=2)["caseId"] == record.case_id("20260001000001")
    assert record.case_id("20260001000002") != record.case_id("20260001000001")


def test_merging_changes_neither_side() -> None:
    facts, entry = repr(FACTS), repr(ENTRY)
    merged()
    assert (repr(FACTS), repr(ENTRY)) == (facts, entry)


@pytest.mark.parametrize(
    ("changes", "spoilt", "code"),
    [
        ({"availableFrom": "2026-02-30"}, "availableFrom", "E-DATE"),
        ({"availableFrom": "20270115"}, "availableFrom", "E-DATE"),
        ({"availableFrom": 20270115}, "availableFrom", "E-DATE"),
        ({"availableFrom": "2026-W48-1"}, "availableFrom", "E-DATE"),
        ({"email": "kim.@naver.com"}, "email", "E-CODE"),
        ({"email": "kim..a@naver.com"}, "email", "E-CODE"),
        ({"email": "kim@-naver.com"}, "email", "E-CODE"),
        ({"email": "k" * 65 + "@naver.com"}, "email", "E-CODE"),
        ({"email": "kim@" + "naver." * 16 + "com"}, "email", "E-LEN"),
        ({"education": "99"}, "education", "E-CODE"),
        ({"education": 3}, "education", "E-CODE"),
        ({"disabType": "알수없음"}, "disabType", "E-CODE"),
        ({"careerMonths": "84"}, "careerMonths", "E-CODE"),
        ({"careerMonths": True}, "careerMonths", "E-CODE"),
        ({"careerMonths": 721}, "careerMonths", "E-CODE"),
        ({"language": "한국어"}, "language", "E-CODE"),
        ({"memo": "가" * 501}, "memo", "E-LEN"),
        ({"licences": "용접"}, "licences", "E-CODE"),
        ({"licences": ["가" * 61, "용접"]}, "licences/0", "E-LEN"),
        ({"licences": ["a"] * 11}, "licences", "E-LEN"),
        ({"funcProfile": {"HANDS": "4"}}, "funcProfile/0/level", "E-CODE"),
        ({"funcProfile": ["HANDS"]}, "funcProfile", "E-CODE"),
        ({"services": {"keis": ["01"]}}, "services/0/partner", "E-CODE"),
        ({"services": {"KEIS": "01"}}, "services/0/codes", "E-CODE"),
        ({"jobWish": {"region": ["99110"], "keco": ["62"]}}, "jobWish/region/0", "E-CODE"),
        ({"jobWish": {"salTp": "W"}}, "jobWish/wageType", "E-CODE"),
        ({"coordinator": {"jcNo": "J001234", "tel": "없음"}}, "coordinator/tel", "E-CODE"),
        ({"coordinator": {"name": "이순자"}}, "coordinator", "E-CODE"),
        (
            {"counselling": [{"date": "2026-13-01", "phase": "before-acceptance", "domain": "medical"}]},
            "counselling/0/date",
            "E-DATE",
        ),
        ({"consent": [CONSENT | {"until": "2026-02-30"}]}, "consent/0/until", "E-DATE"),
        ({"consent": [CONSENT | {"signer": "friend"}]}, "consent/0/signer", "E-CODE"),
        ({"consent": [CONSENT | {"sensitive": "yes"}]}, "consent/0/sensitive", "E-CODE"),
        ({"consent": [CONSENT | {"purpose": ""}]}, "consent/0", "E-CODE"),
        ({"consent": [CONSENT, CONSENT | {"no": "C2", "withdrawnAt": "yesterday"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"until": "2028-W26-3"}]}, "consent/0/until", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09:00:00"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09:00+09:00"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09+09:00"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09:00:00,5+09:00"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-W47-7T09:00:00+09:00"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09:00:00+09:00:30"}]}, "consent", "E-DATE"),
        ({"consent": [CONSENT | {"withdrawnAt": "0001-01-01T00:00:00+09:00"}]}, "consent", "E-DATE"),
    ],
)
def test_a_wrong_value_spoils_its_own_field_and_is_noted(
    schemas: Schemas, changes: dict[str, Any], spoilt: str, code: str
) -> None:
    case = merged(ENTRY | changes)
    schemas.require(CASE, case)
    where = [(n["code"], n["field"]) for n in case["dataQuality"]]
    assert (code, spoilt) in where
    if "/" not in spoilt:
        assert spoilt not in case or spoilt in ("licences", "coordinator")


def test_notes_never_repeat_the_value() -> None:
    case = merged(ENTRY | {"education": "비밀값", "availableFrom": "비밀값", "licences": ["비밀값" * 30]})
    assert "비밀값" not in repr(case["dataQuality"])
    assert len(case["dataQuality"]) == 3


def test_a_withdrawal_is_kept() -> None:
    case = merged(ENTRY | {"consent": [CONSENT | {"withdrawnAt": "2026-11-22T09:00:00+09:00"}]})
    assert case["consent"][0]["withdrawnAt"] == "2026-11-22T09:00:00+09:00"


@pytest.mark.rule("R-08")
@pytest.mark.parametrize(
    "flaw",
    [
        {"method": ""},
        {"until": None},
        {"signer": "friend"},
        {"recipients": []},
        {"recipients": ["kead"]},
        {"recipients": ["KEIS", "kead"]},  # one of those it was given for cannot be read
        {"items": ["가" * 31]},
    ],
)
def test_a_withdrawal_in_a_consent_that_cannot_be_read_whole_takes_every_consent_with_it(flaw: dict[str, Any]) -> None:
    withdrawn = CONSENT | {"no": "C2", "withdrawnAt": "2026-11-22T09:00:00+09:00"}
    case = merged(ENTRY | {"consent": [CONSENT, withdrawn | flaw]})
    assert "consent" not in case
    assert ("E-CODE", "consent") in [(n["code"], n["field"]) for n in case["dataQuality"]]
    kept = merged(ENTRY | {"consent": [CONSENT, CONSENT | {"no": "C2"} | flaw]})["consent"]
    assert kept[0]["no"] == "C1"


def test_an_unreadable_withdrawal_takes_every_consent_with_it() -> None:
    assert "consent" not in merged(ENTRY | {"consent": [CONSENT, CONSENT | {"withdrawnAt": "어제"}]})


GUARDIAN = {"name": "김영희", "relation": "성년후견인", "from": "2026-01-01", "until": "2027-01-01"}


@pytest.mark.rule("R-11")
@pytest.mark.parametrize(
    "representatives",
    [
        [GUARDIAN, {"relation": "성년후견인"}],
        [GUARDIAN | {"name": "김" * 61}],
        [GUARDIAN | {"relation": 7}],
        [GUARDIAN | {"until": "2026-02-30"}],  # a mandate without an end is not one whose end cannot be read
        ["김영희"],
        {"name": "김영희", "relation": "성년후견인"},
        [GUARDIAN] * 51,
    ],
)
def test_whom_we_cannot_read_may_be_a_guardian_so_no_consent_is_used(schemas: Schemas, representatives: object) -> None:
    withdrawn = CONSENT | {"no": "C2", "withdrawnAt": "2026-11-22T09:00:00+09:00"}
    case = merged(ENTRY | {"representative": representatives, "consent": [CONSENT, withdrawn]})
    schemas.require(CASE, case)
    assert [c["no"] for c in case["consent"]] == ["C2"]
    assert ("E-CODE", "consent") in [(n["code"], n["field"]) for n in case["dataQuality"]]
    assert "consent" not in merged(ENTRY | {"representative": representatives})


@pytest.mark.parametrize(
    "harmless", [{}, {"tel": "none"}, {"mandateNo": "위" * 31}, {"from": "2026-02-30"}, {"until": None}]
)
def test_what_else_is_wrong_with_a_guardian_costs_no_consent(harmless: dict[str, Any]) -> None:
    assert merged(ENTRY | {"representative": [GUARDIAN | harmless]})["consent"]


_MOMENTS = st.from_regex(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9](:?[0-6][0-9]){0,2}([.,][0-9]{1,9})?"
    r"(Z|z|[+-][0-2][0-9](:?[0-5][0-9])?)?",
    fullmatch=True,
)
_DAYS = st.from_regex(r"20[0-9]{2}-?([01][0-9]-?[0-3][0-9]|W[0-5][0-9]-?[0-7]|[0-3][0-9]{2})", fullmatch=True)
_EMAILS = st.from_regex(r"[a-z.%+_-]{1,12}@[a-z.-]{1,12}(\.[a-z-]{0,4}){0,2}", fullmatch=True)


@pytest.mark.rule("R-08")
@given(_MOMENTS, _DAYS, _EMAILS)
@settings(max_examples=300, deadline=None)
def test_what_an_entry_may_say_of_days_and_addresses_fits_the_record(
    schemas: Schemas, moment: str, day: str, email: str
) -> None:
    withdrawn = merged(ENTRY | {"consent": [CONSENT | {"withdrawnAt": moment}], "availableFrom": day, "email": email})
    schemas.require(CASE, withdrawn)
    assert "consent" not in withdrawn or withdrawn["consent"][0]["withdrawnAt"] == moment


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-22T20:00:00Z", date(2026, 11, 23)),
        ("2026-11-22T14:59:59Z", date(2026, 11, 22)),
        ("2026-11-23T05:00:00+09:00", date(2026, 11, 23)),
        ("2026-11-23T05:00:00", date(2026, 11, 23)),  # without offset: Korean time
        ("2026-11-22", date(2026, 11, 22)),
        ("yesterday", None),
        ("9999-12-31T20:00:00Z", None),
        (None, None),
    ],
)
def test_an_entry_is_made_on_its_day_in_korea(text: str | None, day: date | None) -> None:
    assert entered_on({"enteredAt": text}) == day


def test_decomposed_hangul_is_composed_and_hanja_are_left_alone() -> None:
    entry = ENTRY | {
        "disabReg": unicodedata.normalize("NFD", "등록"),
        "licences": ["\uf9e1" + unicodedata.normalize("NFD", "용접")],
    }
    case = merged(entry)
    assert case["disabReg"] == "등록"
    assert case["licences"] == ["\uf9e1용접"]


def test_an_entry_for_another_version_is_noted() -> None:
    assert merged(caseVersion=2)["dataQuality"][0]["code"] == "E-STALE"


def test_what_only_the_new_systems_know_is_taken_over(schemas: Schemas) -> None:
    more = {
        "nameFamily": "남궁",
        "nameGiven": "민수",
        "stayStatus": {"code": "E-9", "until": "2027-03-31"},
        "email": "a@b.kr",
        "representative": [{"name": "김영희", "relation": "성년후견인", "from": "2026-01-01"}],
        "employerSize": 27,
        "employerAlive": "active",
        "multiEmployer": [{"kind": "main", "brn": "1248100998"}],
        "thirdParty": False,
        "diagnoses": [{"kcdVersion": "9", "code": "M511", "role": "sub"}],
        "laterality": "R",
        "hospital": ["11100000"],
        "restrictions": ["야간작업 금지"],
        "rtwPlan": {"status": "submitted"},
        "workCapEval": "조건부",
        "benefits": [{"code": "BEN-02P", "from": "2026-01-05"}],
        "subsidies": [{"kind": "직장복귀지원금", "from": "2026-09-01"}],
        "safePhone": False,
        "noFixedAddress": True,
        "gigOccupation": "택배",
        "nameOld": ["남궁미수"],
    }
    case = merged(ENTRY | more)
    schemas.require(CASE, case)
    assert "dataQuality" not in case
    assert more.keys() <= case.keys()
    assert [d["code"] for d in case["diagnoses"]] == ["S62.6", "M51.1"]


@pytest.mark.parametrize(
    ("facts", "stage", "status"),
    [
        ({"approvalDate": None}, "CLAIMED", "expected"),
        ({}, "IN_CARE", "expected"),
        ({"caseVersion": 2}, "REOPENED", "expected"),
        ({"careEnd": "2026-08-14"}, "GRADE_PENDING", "expected"),
        ({"careEnd": "2026-08-14", "gradeExpected": None}, "CARE_ENDED", "none"),
        ({"careEnd": "2026-08-14", "gradeExpected": None, "gradePending": True}, "GRADE_PENDING", "pending"),
        ({"careEnd": "2026-08-14", "grade": "09", "gradeDate": "2026-09-02"}, "GRADED", "decided"),
    ],
)
def test_stage_and_grade_status_follow_from_the_facts(facts: dict[str, Any], stage: str, status: str) -> None:
    case = merged(**facts)
    assert (case["caseStage"], case["gradeStatus"]) == (stage, status)


@pytest.mark.parametrize(
    ("facts", "today", "eligible"),
    [
        ({"grade": "12", "gradeDate": "2026-09-02"}, date(2026, 11, 23), True),
        ({"grade": "12", "gradeDate": "2023-11-23"}, date(2026, 11, 23), True),
        ({"grade": "12", "gradeDate": "2023-11-22"}, date(2026, 11, 23), False),
        ({"grade": "01", "gradeDate": "2024-02-29"}, date(2027, 2, 28), True),
        ({"grade": "01", "gradeDate": "2024-02-29"}, date(2027, 3, 1), False),
        ({"grade": "13", "gradeDate": "2026-09-02"}, date(2026, 11, 23), False),
        ({"grade": "12"}, date(2026, 11, 23), False),
        ({"grade": "13", "gradeDate": "2026-09-02", "gradeExpected": "12"}, date(2026, 11, 23), False),
        ({"gradeExpected": "12"}, date(2026, 11, 23), True),
        ({"gradeExpected": "13"}, date(2026, 11, 23), False),
        ({}, date(2026, 11, 23), False),
        ({"gradeExpected": "12", "employments": [{"start": "2026-10-01"}]}, date(2026, 11, 23), False),
        (
            {"gradeExpected": "12", "employments": [{"end": "2026-10-01"}]},
            date(2026, 11, 23),
            True,
        ),
    ],
)
def test_training_needs_grade_1_to_12_within_three_years_and_no_job(
    facts: dict[str, Any], today: date, eligible: bool
) -> None:
    assert record.voc_training_eligible(facts, today) is eligible


@pytest.mark.parametrize(
    ("start", "months", "end", "fits"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28), True),
        (date(2026, 8, 31), 6, date(2027, 2, 27), False),
        (date(2027, 8, 31), 6, date(2028, 2, 29), True),
        (date(2027, 8, 31), 6, date(2028, 2, 28), False),
        (date(2026, 1, 5), 6, date(2026, 7, 5), True),
        (date(2026, 1, 5), 6, date(2026, 7, 4), False),
        (date(2026, 1, 5), 0, date(2026, 1, 4), False),
    ],
)
def test_calendar_months_decide_not_days(start: date, months: int, end: date, fits: bool) -> None:
    assert record.calendar_months_fit(start, months, end) is fits


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2026, 1, 5), date(2026, 7, 5), "6"),
        (date(2026, 1, 5), date(2026, 8, 14), "7.2"),
        (date(2026, 8, 31), date(2027, 2, 28), "6"),
        (date(2026, 1, 31), date(2026, 2, 27), "0.9"),
        (date(2026, 1, 5), date(2026, 1, 5), "0"),
        (date(2026, 1, 5), date(2025, 1, 5), "0"),
    ],
)
def test_months_of_care_have_one_decimal(start: date, end: date, text: str) -> None:
    assert record.care_months(start, end) == text


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 2000), st.integers(0, 2000))
def test_longer_care_never_counts_fewer_months(start: date, days: int, more: int) -> None:
    one, two = (start.fromordinal(start.toordinal() + d) for d in (days, days + more))
    first, second = record.care_months(start, one), record.care_months(start, two)
    assert float(first) <= float(second)
    assert record.calendar_months_fit(start, int(first.split(".")[0]), one)
    assert not record.calendar_months_fit(start, int(first.split(".")[0]) + 1, one)
