"""Return to work as derived from facts: closed, placed, verified and retained are four different things."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataFileInvalid
from gateway.outcomes.definition import RtwDefinition, RtwStatus
from gateway.outcomes.facts import Evidence, Kind
from gateway.outcomes.judgement import Judgement, Original, base_of
from gateway.outcomes.milestones import BaseKind
from gateway.outcomes.retention import MilestoneResult
from tests.unit.outcomes import build


def at(judgement: Judgement, span: str) -> MilestoneResult:
    return next(m for m in judgement.milestones if m.span == span)


def test_nothing_is_known_before_anything_is_reported() -> None:
    verdict = build.judged(as_of="2027-12-31")
    assert (verdict.status, verdict.outcome_code) == (RtwStatus.UNKNOWN, "not-yet-known")
    assert [verdict.placed, verdict.verified, verdict.closed] == [False, False, False]


def test_closed_placed_verified_and_retained_are_four_different_things() -> None:
    reported = build.fact(1, "2026-09-02", "E3", job=build.job())
    verified = build.fact(2, "2026-10-20", "E1", job=build.job(ei_acquired="Y"))
    kept = build.asked(3, "2026-12-02", "P3M", "retained-same-job", "E2")
    said = build.judged(reported, as_of="2026-09-10", closed=True)
    assert (said.status, said.closed, said.placed, said.verified, said.retained) == (
        RtwStatus.PLACED_REPORTED, True, True, False, (),
    )  # fmt: skip
    proven = build.judged(reported, verified, as_of="2026-10-21")
    assert (proven.status, proven.closed, proven.verified) == (RtwStatus.PLACED_VERIFIED, False, True)
    held = build.judged(reported, verified, kept, as_of="2026-12-03")
    assert held.status is RtwStatus.RETAINED_3M
    assert held.retained == ("P1M", "P3M")
    assert at(held, "P3M").result == "retained-same-job"
    assert at(held, "P6M").result is None


def test_a_voluntary_leave_in_month_five_gives_result_reason_and_last_day() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job("2026-09-01"))
    third = build.asked(2, "2026-12-01", "P3M", "retained-same-job", "E2")
    left = build.asked(
        3, "2027-01-25", "P6M", "not-employed", "E2", last_day_worked="2027-01-20", leave_reason="voluntary"
    )
    verdict = build.judged(placed, third, left, as_of="2027-03-02")
    assert verdict.status is RtwStatus.LEFT
    assert at(verdict, "P3M").kept
    gone = at(verdict, "P6M")
    assert (gone.due.isoformat(), gone.result) == ("2027-03-01", "not-employed")
    assert (gone.last_day, gone.leave_reason) == (build.day("2027-01-20"), "voluntary")
    assert at(verdict, "P12M").result is None
    assert at(build.judged(placed, third, left, as_of="2027-02-28"), "P6M").result is None


def test_who_left_in_month_five_and_works_elsewhere_in_month_six_is_retained_with_another_employer() -> None:
    first = build.fact(1, "2027-01-25", "E1", job=build.job(end=build.day("2027-01-20"), end_reason="voluntary"))
    second = build.fact(2, "2027-04-20", "E1", job=build.job("2027-02-01", brn="9999999999"))
    verdict = build.judged(first, second, as_of="2027-04-20")
    sixth = at(verdict, "P6M")
    assert (sixth.result, sixth.break_days) == ("retained-other-employer", 11)
    assert (sixth.last_day, sixth.leave_reason) == (build.day("2027-01-20"), "voluntary")
    assert "long-break" not in verdict.flags


def test_the_last_day_worked_must_reach_the_milestone() -> None:
    for last, expected in (("2027-02-28", "not-employed"), ("2027-03-01", "retained-same-employer")):
        spell = build.fact(1, "2027-03-05", "E2", job=build.job(end=build.day(last)))
        assert at(build.judged(spell, as_of="2027-03-06"), "P6M").result == expected


@pytest.mark.parametrize(
    ("last", "sixth"),
    [
        ("2027-02-28", "not-employed"),
        ("2027-03-01", "retained-same-employer"),
        ("2027-03-10", "retained-same-employer"),
    ],
)
def test_who_says_no_and_tells_the_last_day_worked_says_that_it_was_worked(last: str, sixth: str) -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    gone = build.asked(2, "2027-03-20", "P6M", "not-employed", "E2", last_day_worked=last)
    verdict = build.judged(placed, gone, as_of="2027-03-21")
    assert (at(verdict, "P3M").result, at(verdict, "P6M").result) == ("retained-same-employer", sixth)
    assert (verdict.status, verdict.flags) == (RtwStatus.LEFT, ("employer-not-compared",))


def test_a_last_day_that_is_only_planned_proves_no_work() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    notice = build.asked(2, "2027-02-25", "P6M", "not-employed", "E2", last_day_worked="2027-03-02")
    assert at(build.judged(placed, notice, as_of="2027-03-01"), "P6M").result == "unknown"


def test_a_year_that_no_calendar_remembers_stops_no_judgement() -> None:
    ancient = build.fact(1, "0001-01-05", "E1", job=build.job("0001-01-05"))
    assert build.judged(ancient, as_of="2026-09-06").job is not None


def test_a_loss_three_days_after_the_start_beats_the_partners_word() -> None:
    partner = build.fact(1, "2026-09-05", "E3", job=build.job())
    kept = build.asked(2, "2026-10-02", "P1M", "retained-same-job", "E3")
    registry = build.fact(3, "2026-10-20", "E1", job=build.job(end=build.day("2026-09-03")))
    verdict = build.judged(partner, kept, registry, as_of="2026-10-21")
    assert (verdict.status, at(verdict, "P1M").result) == (RtwStatus.LEFT, "not-employed")
    assert "conflict" in verdict.flags


@pytest.mark.parametrize(("loss", "status"), [("41", "placed-verified"), ("42", "placed-verified"), ("11", "left")])
def test_a_second_job_or_an_uninsurable_one_is_no_loss(loss: str, status: str) -> None:
    partner = build.fact(1, "2026-09-05", "E3", job=build.job())
    registry = build.fact(2, "2026-09-20", "E1", job=build.job(end=build.day("2026-09-03"), loss_code=loss))
    verdict = build.judged(partner, registry, as_of="2026-09-21")
    assert verdict.status == RtwStatus(status)
    assert ("loss-ignored" in verdict.flags) is (status != "left")


def test_the_workers_word_that_he_left_does_not_beat_a_registry_that_saw_him_later() -> None:
    left = build.fact(1, "2026-11-01", "E4", job=build.job(end=build.day("2026-10-01")))
    registry = build.fact(2, "2027-01-31", "E1", job=build.job())
    verdict = build.judged(left, registry, as_of="2027-02-01")
    assert verdict.job is not None
    assert (verdict.status, verdict.job.end) == (RtwStatus.RETAINED_3M, None)
    assert "conflict" in verdict.flags


def test_of_equal_evidence_the_later_word_counts() -> None:
    left = build.fact(1, "2026-11-01", "E2", job=build.job(end=build.day("2026-10-20")))
    back = build.asked(2, "2026-12-02", "P3M", "retained-same-job", "E2")
    assert build.judged(left, back, as_of="2026-12-03").status is RtwStatus.RETAINED_3M


@pytest.mark.parametrize(
    ("as_of", "status", "code"),
    [
        ("2026-10-14", RtwStatus.UNKNOWN, "not-yet-known"),
        ("2026-10-15", RtwStatus.NOT_RETURNED, "job-seeking"),
    ],
)
def test_nobody_is_not_returned_before_the_observation_date_and_45_days(
    as_of: str, status: RtwStatus, code: str
) -> None:
    closing = build.fact(1, "2026-09-05", "E3", code="job-seeking", kind=Kind.RESULT)
    verdict = build.judged(closing, as_of=as_of)
    assert (verdict.status, verdict.outcome_code) == (status, code)


def test_silence_of_the_registry_is_never_not_returned() -> None:
    silent = build.fact(1, "2027-06-01", "E1", kind=Kind.SILENCE)
    assert build.judged(silent, as_of="2028-01-01").status is RtwStatus.UNKNOWN
    paper = build.fact(2, "2027-06-02", "E2", job=build.job(scheme="CIVIL_SERVANT"))
    assert build.judged(silent, paper, as_of="2028-01-01").status in set(RtwStatus) - {RtwStatus.NOT_RETURNED}
    assert build.judged(silent, paper, as_of="2028-01-01").verified


@pytest.mark.parametrize("code", ["deceased", "emigrated", "reopened-care", "retired", "duplicate-or-error"])
def test_who_leaves_the_cohort_is_neither_returned_nor_not(code: str) -> None:
    placed = build.fact(1, "2026-09-05", "E1", job=build.job())
    gone = build.fact(2, "2026-12-05", "E3", code=code, kind=Kind.RESULT)
    assert build.judged(placed, gone, as_of="2027-06-01").status is RtwStatus.EXCLUDED


CODES = [
    ({"same_employer": "Y"}, {}, "original-same-job"),
    ({"same_employer": "Y", "contract": "INDEFINITE_PT"}, {}, "original-part-time"),
    ({"brn": "1111111111", "occupation": "사무"}, {"brn": "1111111111", "occupation": "용접"}, "original-modified-job"),
    ({"brn": "1111111111", "occupation": "용접"}, {"brn": "1111111111", "occupation": "용접"}, "original-same-job"),
    ({"same_employer": "Y", "occupation": "821 기계"}, {"occupation": "821"}, "original-same-job"),
    ({"same_employer": "Y", "occupation": "82 금속·재료"}, {"occupation": "821"}, "original-same-job"),
    ({"same_employer": "Y", "occupation": "부품 검사원"}, {"occupation": "821"}, "original-same-job"),
    ({"same_employer": "Y", "occupation": "3교대 검사원"}, {"occupation": "821"}, "original-same-job"),
    ({"same_employer": "Y", "occupation": "02 사무"}, {"occupation": "821"}, "original-modified-job"),
    ({"same_employer": "Y", "brn": "2222222222"}, {"brn": "1111111111"}, "new-employer"),
    ({"same_employer": "N"}, {}, "new-employer"),
    ({"setting": "SUPPORTED"}, {}, "supported-employment"),
    ({"setting": "SHELTERED"}, {}, "supported-employment"),
    ({"setting": "SELF_EMPLOYED"}, {}, "self-employed"),
    ({"contract": "DAY", "days_per_month": 9}, {}, "day-labour-marginal"),
    ({"contract": "DAY", "days_per_month": 10}, {}, "day-labour-substantial"),
    ({"contract": "DAY"}, {}, "not-yet-known"),
]


@pytest.mark.parametrize(("facts", "original", "code"), CODES)
def test_the_outcome_is_derived_where_the_partner_sent_none(
    facts: dict[str, Any], original: dict[str, Any], code: str
) -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job(**facts))
    assert build.judged(placed, as_of="2026-09-06", original=Original(**original)).outcome_code == code


def test_a_code_the_partner_sent_is_used_unless_the_business_numbers_contradict_it() -> None:
    sent = build.fact(1, "2026-09-05", "E2", job=build.job(brn="2222222222"), code="platform-work")
    assert build.judged(sent, as_of="2026-09-06").outcome_code == "platform-work"
    wrong = replace(sent, outcome_code="original-same-job")
    verdict = build.judged(wrong, as_of="2026-09-06", original=Original("1111111111"))
    assert verdict.outcome_code == "new-employer"


def test_marginal_day_labour_is_a_job_but_no_return() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job(contract="DAY", days_per_month=9, hours_per_week=None))
    early, late = build.judged(placed, as_of="2026-09-06"), build.judged(placed, as_of="2027-06-01")
    assert (early.status, late.status) == (RtwStatus.UNKNOWN, RtwStatus.NOT_RETURNED)
    assert late.placed
    assert late.outcome_code == "day-labour-marginal"


def test_another_job_held_before_the_accident_is_no_return_to_the_original_one() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job(brn="3333333333"))
    original = Original("1111111111", None, ("3333333333",))
    verdict = build.judged(placed, as_of="2026-09-06", original=original)
    assert (verdict.outcome_code, "prior-concurrent" in verdict.flags) == ("new-employer", True)


def test_a_corrected_placement_counts_as_corrected() -> None:
    wrong = build.fact(1, "2026-09-05", "E2", job=build.job(), entered_in_error=True)
    right = build.fact(2, "2026-09-20", "E2", job=build.job("2026-09-15"), supersedes=1)
    verdict = build.judged(wrong, right, as_of="2026-09-21")
    assert verdict.job is not None
    assert verdict.job.start.isoformat() == "2026-09-15"
    assert verdict.basis == ("m-2",)


def test_an_end_that_lies_in_the_future_is_a_plan() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job(end=build.day("2027-08-31"), contract="FIXED"))
    assert build.judged(placed, as_of="2026-09-06").status is RtwStatus.PLACED_VERIFIED
    assert build.judged(placed, as_of="2027-09-01").status is RtwStatus.LEFT


def test_a_report_before_the_milestone_proves_nothing_about_it() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    early = build.asked(2, "2027-02-20", "P6M", "retained-same-job", "E2")
    assert at(build.judged(placed, early, as_of="2027-03-10"), "P6M").result == "unknown"


def test_a_registry_proves_work_until_45_days_before_it_was_asked() -> None:
    placed = build.fact(1, "2027-03-05", "E1", job=build.job())
    verdict = build.judged(placed, as_of="2027-03-05")
    assert (verdict.retained, at(verdict, "P6M").result) == (("P1M", "P3M"), "unknown")


def test_a_partner_that_could_not_find_out_says_so_and_that_is_an_answer() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    lost = build.asked(2, "2027-03-03", "P6M", "unknown", "E3")
    sixth = at(build.judged(placed, lost, as_of="2027-03-04"), "P6M")
    assert (sixth.result, sixth.evidence, sixth.answered, sixth.kept) == ("unknown", Evidence.E3, True, False)


def test_another_employer_without_job_facts_is_still_told() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    moved = build.asked(
        2, "2027-03-03", "P6M", "retained-other-employer", "E2", last_day_worked="2027-01-20", checked_on="2027-03-02"
    )
    sixth = at(build.judged(placed, moved, as_of="2027-03-04"), "P6M")
    assert (sixth.result, sixth.last_day) == ("retained-other-employer", build.day("2027-01-20"))


def test_own_work_that_goes_on_is_retained_as_such() -> None:
    placed = build.fact(1, "2026-09-02", "E1", job=build.job(setting="SELF_EMPLOYED"))
    kept = build.asked(2, "2026-12-02", "P3M", "self-employed", "E1")
    third = at(build.judged(placed, kept, as_of="2026-12-03"), "P3M")
    assert (third.result, third.evidence) == ("self-employed", Evidence.E1)


def test_who_is_gone_without_a_last_day_is_gone_by_the_day_somebody_looked() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    gone = build.asked(2, "2027-01-25", "P3M", "not-employed", "E3", checked_on="2027-01-24")
    verdict = build.judged(placed, gone, as_of="2027-03-04")
    assert (verdict.status, at(verdict, "P6M").result, at(verdict, "P6M").last_day) == (
        RtwStatus.LEFT, "not-employed", None,
    )  # fmt: skip


def test_a_no_after_the_day_without_a_last_day_is_an_answer_and_not_silence() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    gone = build.asked(2, "2026-12-05", "P3M", "not-employed", "E1", checked_on="2026-12-05", leave_reason="health")
    third = at(build.judged(placed, gone, as_of="2026-12-20"), "P3M")
    assert (third.due.isoformat(), third.result, third.evidence) == ("2026-12-01", "not-employed", Evidence.E1)
    assert (third.answered, third.last_day, third.leave_reason) == (True, None, "health")
    later = build.fact(3, "2027-01-12", "E2", job=build.job("2027-01-11", brn="9999999999"))
    assert at(build.judged(placed, gone, later, as_of="2027-01-20"), "P3M") == third


@pytest.mark.parametrize("result", ["not-employed", "retained-other-employer"])
def test_an_answer_stands_whatever_job_begins_after_the_day(result: str) -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    told = {"last_day_worked": "2026-11-20", "leave_reason": "health"}
    gone = build.asked(2, "2026-12-05", "P3M", result, "E2", **told)
    third = at(build.judged(placed, gone, as_of="2026-12-20"), "P3M")
    assert (third.result, third.last_day, third.leave_reason) == (result, build.day("2026-11-20"), "health")
    later = build.fact(3, "2026-12-08", "E2", job=build.job("2026-12-07", brn="9999999999"))
    assert at(build.judged(placed, gone, later, as_of="2026-12-20"), "P3M") == third


@pytest.mark.parametrize("result", ["retained-other-employer", "self-employed"])
def test_who_is_said_to_work_elsewhere_is_retained_though_nobody_tells_the_last_day_or_the_job(result: str) -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    moved = build.asked(2, "2026-12-05", "P3M", result, "E3")
    third = at(build.judged(placed, moved, as_of="2026-12-20"), "P3M")
    assert (third.result, third.evidence, third.last_day, third.answered) == (result, Evidence.E3, None, True)


def test_a_no_does_not_stand_against_somebody_who_saw_the_worker_on_the_day() -> None:
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    seen = build.asked(2, "2026-12-03", "P3M", "retained-same-job", "E2")
    gone = build.asked(3, "2026-12-05", "P3M", "not-employed", "E3", checked_on="2026-12-05")
    assert at(build.judged(placed, seen, gone, as_of="2026-12-20"), "P3M").kept


def test_the_code_of_an_earlier_job_says_nothing_about_a_later_one() -> None:
    own = build.fact(1, "2026-09-02", "E1", job=build.job(brn="1111111111", setting="SELF_EMPLOYED"))
    told = replace(own, outcome_code="self-employed")
    kept = build.asked(2, "2026-10-02", "P1M", "self-employed", "E1")
    assert build.judged(told, kept, as_of="2026-10-03").outcome_code == "self-employed"
    later = build.fact(3, "2026-12-02", "E2", job=build.job("2026-12-01", brn="9999999999"))
    assert build.judged(told, kept, later, as_of="2026-12-03").outcome_code == "new-employer"


def test_a_placement_told_by_code_alone_is_reported_never_verified() -> None:
    told = build.fact(1, "2026-09-02", "E1", code="new-employer", kind=Kind.RESULT)
    verdict = build.judged(told, as_of="2026-09-03")
    assert (verdict.status, verdict.placed, verdict.verified) == (RtwStatus.PLACED_REPORTED, True, False)


def test_milestones_count_from_the_end_of_care_where_the_definition_says_so() -> None:
    by = replace(build.RTW, base_kind=BaseKind.CARE_END)
    base = base_of(by, build.day("2026-09-01"), build.day("2026-08-31"))
    assert base is not None
    assert base.on == build.day("2026-08-31")
    assert base_of(by, build.day("2026-09-01"), None) is None


def test_the_weaker_report_fills_what_the_stronger_leaves_open() -> None:
    registry = build.fact(1, "2026-10-20", "E1", job=build.job(hours_per_week=None, occupation=None))
    partner = build.fact(2, "2026-09-05", "E3", job=build.job("2026-09-02", occupation="용접원"))
    merged = build.judged(registry, partner, as_of="2026-10-21").job
    assert merged is not None
    assert (merged.start.isoformat(), merged.occupation) == ("2026-09-01", "용접원")


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_in_which_facts_arrive_does_not_matter(order: list[int]) -> None:
    facts = [
        build.fact(1, "2026-09-05", "E3", job=build.job()),
        build.fact(2, "2026-10-20", "E1", job=build.job()),
        build.asked(3, "2026-12-02", "P3M", "retained-same-job", "E2"),
        build.fact(4, "2027-02-01", "E3", job=build.job(end=build.day("2027-01-20"), end_reason="health")),
    ]
    straight = build.judged(*facts, as_of="2027-03-05")
    assert build.judged(*(facts[i] for i in order), as_of="2027-03-05") == straight
    assert straight.status is RtwStatus.LEFT


def test_evidence_is_the_strongest_there_is() -> None:
    verdict = build.judged(
        build.fact(1, "2026-09-05", "E4", job=build.job()),
        build.asked(2, "2026-10-02", "P1M", "retained-same-job", "E2"),
        as_of="2026-10-03",
    )
    assert (verdict.evidence, verdict.status) == (Evidence.E2, RtwStatus.RETAINED_1M)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("job-seeking, inactive", "inactive"),
        ("excluded: [reopened-care", "excluded: [reopened-care, job-seeking"),
        ("{code: new-employer,", "{code: no-such-code,"),
        ("verifiedBy: E2", "verifiedBy: E9"),
        ("sameEmployer: \"Y\", partTime", "sameEmployer: \"Y\", partTimes"),
        ("maturityDays: 45\n", ""),
        ("id: RTW-2026.1", "id: RTW-2026.2"),
        ("left: not-returned", "left: gone"),
        ("  unknown: pending\n", ""),
    ],
)  # fmt: skip
def test_a_definition_with_a_mistake_is_refused_at_load(tmp_path: Path, old: str, new: str) -> None:
    good = Path(build.MEASURES / "rtw/RTW-2026.1.yaml").read_text(encoding="utf-8")
    assert old in good
    bad = tmp_path / "RTW-2026.1.yaml"
    bad.write_text(good.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileInvalid):
        RtwDefinition.load(bad)


def test_the_codes_are_those_of_the_outcome_message() -> None:
    import orjson

    schema = orjson.loads((Path(__file__).parents[3] / "schemas/comwel/outcome/1.0.0.json").read_bytes())
    codes = set(schema["properties"]["outcomeCode"]["enum"])
    assert build.RTW.placed | build.RTW.not_placed | build.RTW.excluded == codes
