"""Reports: what a partner's words mean for the facts, the leg and its retention checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.documents.strict_json import reread
from gateway.journey.receive import receive
from gateway.ports import LegRow
from tests.journey.world import (
    DAY,
    PARTNERS,
    Letter,
    Scene,
    a_case,
    a_job,
    event_of,
    inbound,
    letter,
    retained,
    told,
)

# ── what a partner's words mean ──────────────────────────────────────────────────────────────────────────────────────
BLANK: dict[str, tuple[Kind, dict[str, str], str, str]] = {  # kind, what is written, state, reason in words
    "declined without a word": (Kind.DECLINE, {"memo": ""}, "rejected|declined", "관할 아님"),
    "declined with blanks": (Kind.DECLINE, {"memo": " \t\u3000\n"}, "rejected|declined", "관할 아님"),
    "declined with a bell": (Kind.DECLINE, {"memo": "\x07"}, "rejected|declined", "관할 아님"),
    "closed with a control character": (Kind.CLOSE_UNPLACED, {"memo": "\x0b연락\x00 끊김\r\n"},
                                        "failed|closed-not-placed", "연락 끊김\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("words", BLANK)
def test_a_field_that_says_nothing_is_a_field_that_is_not_there(scene: Scene, words: str) -> None:
    kind, wrote, then, text = BLANK[words]
    leg = scene.referred(a_case())["KEIS"]
    if kind is Kind.CLOSE_UNPLACED:
        scene.say(leg, Kind.ACCEPT, 1)
    one = letter(leg, kind, scene.leg(leg.ref_no).in_seq + 1)
    one.document["body"].update(wrote)
    sent = inbound(scene, one)
    assert receive(scene.world, sent).status == 200
    assert scene.leg(leg.ref_no).state == then
    assert reread(scene.rows("outcome_fact")[-1]["content"])["reason"]["text"] == text
    assert sent.body in [m["body"] for m in scene.rows("message")]  # kept as it came


def test_control_characters_in_a_task_do_not_stop_it(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    one = letter(leg, Kind.DECLINE, 1)
    one.document["statusReason"]["text"] = "정원\x1f 초과\x85"
    one.document["note"] = [{"text": " "}]
    assert scene.hear(one).status == 200
    assert reread(scene.rows("outcome_fact")[-1]["content"])["reason"]["text"] == "정원 초과"


def test_what_is_required_is_not_there_when_it_is_blank(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    one = letter(leg, Kind.DECLINE, 1)
    one.document["note"] = [{"text": " ", "time": "2026-11-23T10:00:00+09:00"}]
    reply = scene.hear(one)
    assert (reply.status, reply.refusal and reply.refusal.code) == (422, "DOC-SCHEMA")


@pytest.mark.rule("R-01")
@pytest.mark.rule("R-23")
@pytest.mark.parametrize(
    "memo", ["주민번호 880101-1234567", "880101&#45;1234567", "\uff18\uff18\uff10\uff11\uff10\uff11 1234567"]
)
def test_a_report_that_holds_a_resident_registration_number_is_refused_and_nothing_of_it_is_kept(
    scene: Scene, memo: str
) -> None:
    leg = scene.referred(a_case())["KEIS"]
    one = letter(leg, Kind.DECLINE, 1)
    one.document["body"]["memo"] = memo
    sent = inbound(scene, one)
    reply = receive(scene.world, sent)
    assert (reply.status, reply.refusal and reply.refusal.code) == (422, "DOC-RRN")
    assert reply.refusal is not None
    assert "/body/memo" in str(reply.refusal)
    [row] = [m for m in scene.rows("message") if m["direction"] == "in"]
    assert (row["body"], row["body_sha256"]) == (b"", sha256(sent.body).digest())
    assert not any("1234567" in str(value) for table in ("inbox", "work_item") for value in scene.rows(table))
    assert scene.say(leg, Kind.DECLINE, 1).status == 200


def as_doubles(value: Any) -> Any:
    """A document whose whole numbers a machine has written as 3.0."""
    if isinstance(value, dict):
        return {name: as_doubles(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_doubles(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_whole_number_is_one_however_it_is_written(scene: Scene, partner: str) -> None:
    leg = scene.referred(a_case())[partner]
    scene.clock.day = date(2026, 12, 3)
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START, Kind.PLACED), start=1):
        one = letter(leg, kind, seq, on=date(2026, 12, 2))
        assert scene.hear(replace(one, document=as_doubles(one.document))).status == 200
    said = reread(scene.rows("outcome_fact")[-1]["content"])
    assert isinstance(said["employment"]["wage"], int)
    assert [type(reread(f["content"])["seq"]) for f in scene.rows("outcome_fact")] == [int, int, int]


def held(leg: LegRow, seq: int) -> Letter:
    """A Task that rests."""
    one, base = letter(leg, Kind.START, seq), "https://gateway.example/fhir/CodeSystem"
    one.document["status"] = "on-hold"
    one.document["businessStatus"]["coding"][0]["code"] = "partner-hold"
    one.document["statusReason"] = {"coding": [{"system": f"{base}/decline-reason", "code": "other"}]}
    kind = {"coding": [{"system": f"{base}/outcome-fact", "code": "review-on"}]}
    one.document["output"] = [{"type": kind, "valueDate": "2027-01-04"}]
    return one


@pytest.mark.parametrize(
    ("kind", "then"), [(Kind.SEARCH, "in-progress|job-search"), (Kind.PLACED, "in-progress|placed-verified")]
)
def test_work_on_a_leg_on_hold_resumes_it(scene: Scene, kind: Kind, then: str) -> None:
    leg = scene.referred(a_case())["TRN"]
    scene.clock.day = date(2026, 12, 3)
    for seq, said in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, said, seq)
    assert scene.hear(held(leg, 3)).status == 200
    assert scene.leg(leg.ref_no).state == "on-hold|partner-hold"
    assert scene.say(leg, kind, 4, on=date(2026, 12, 2)).status == 200
    assert scene.leg(leg.ref_no).state == then


def bare_closing(leg: LegRow, seq: int) -> Letter:
    """종결 취업유지 without a word about the job."""
    one = letter(leg, Kind.CLOSE_PLACED, seq, on=date(2026, 12, 3), job=a_job())
    del one.document["emp"]
    return one


def test_a_closing_without_the_job_closes_on_the_job_that_was_reported(scene: Scene) -> None:
    leg = placed(scene, "KEAD")
    assert scene.hear(bare_closing(leg, 4)).status == 200
    assert scene.leg(leg.ref_no).state == "completed|closed-placed"
    closing = reread(next(f for f in scene.rows("outcome_fact") if f["seq"] == 4)["content"])
    assert not closing.keys() & {"outcomeCode", "employment"}


def test_a_closing_without_the_job_is_refused_where_no_job_stands(scene: Scene) -> None:
    leg = placed(scene, "KEAD")
    taken_back = told(leg, event_of(Kind.SEARCH, date(2026, 12, 3), corrects=3), 4)
    assert scene.hear(taken_back).status == 200
    reply = scene.hear(bare_closing(leg, 5))
    assert (reply.status, reply.refusal and reply.refusal.code) == (422, "LOOP-INCOMPLETE")


def test_what_is_odd_but_possible_is_applied_and_shown_to_a_person(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    scene.clock.day = date(2026, 12, 3)
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    assert scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2), job=a_job(date(2026, 10, 1))).status == 200
    assert [w["kind"] for w in scene.rows("work_item")] == ["outcome-before-referral"]
    assert reread(scene.rows("outcome_fact")[-1]["content"])


def test_a_question_is_shown_to_a_person(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    asks = letter(leg, Kind.ASK, 2)
    assert scene.hear(asks).status == 200
    assert scene.leg(leg.ref_no).business == "info-requested"
    [work] = scene.rows("work_item")
    told_of = (work["kind"], work["ref_no"], work["partner"], str(work["mid"]), work["done_at"])
    assert told_of == ("info-requested", leg.ref_no, "TRN", asks.mid, None)


# ── corrections and retention ────────────────────────────────────────────────────────────────────────────────────────
def placed(scene: Scene, partner: str = "KEIS", start: date = date(2026, 12, 1)) -> LegRow:
    leg = scene.referred(a_case())[partner]
    scene.clock.day = start + 2 * DAY
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, kind, seq)
    assert scene.say(leg, Kind.PLACED, 3, on=start + DAY, job=a_job(start)).status == 200
    return leg


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_correction_supersedes_and_moves_the_checks(scene: Scene, partner: str) -> None:
    leg = placed(scene, partner)
    before = scene.leg(leg.ref_no).state
    right = event_of(Kind.PLACED, date(2026, 12, 3), job=a_job(date(2026, 12, 2), wage=2_700_000), corrects=3)
    assert scene.hear(told(leg, right, 4)).status == 200
    facts = {f["seq"]: f for f in scene.rows("outcome_fact")}
    assert (facts[3]["entered_in_error"], facts[3]["superseded_by"]) == (True, facts[4]["fact_id"])
    assert not facts[4]["entered_in_error"]
    assert reread(facts[3]["content"])["employment"]["wage"] == 2_600_000  # never overwritten
    assert {c["base_date"] for c in scene.rows("retention_check")} == {date(2026, 12, 2)}
    assert scene.leg(leg.ref_no).state == before


def test_a_correction_of_a_report_that_was_refused_is_refused(scene: Scene) -> None:
    """It would bring a job and checks to a leg that nobody has placed."""
    leg = scene.referred(a_case())["TRN"]
    scene.clock.day = date(2026, 12, 3)
    scene.say(leg, Kind.ACCEPT, 1)
    assert scene.say(leg, Kind.PLACED, 2, on=date(2026, 12, 2), job=a_job()).status == 409  # it has not begun
    scene.say(leg, Kind.START, 3)
    corrected = event_of(Kind.PLACED, date(2026, 12, 3), job=a_job(), corrects=2)
    reply = scene.hear(told(leg, corrected, 4))
    assert reply.refusal is not None
    assert (reply.status, reply.refusal.code, reply.refusal.place.field) == (422, "LOOP-INCOMPLETE", "/corrects")
    assert scene.rows("retention_check") == []
    assert scene.say(leg, Kind.PLACED, 5, on=date(2026, 12, 3), job=a_job()).status == 200
    assert len(scene.rows("retention_check")) == 4


def test_a_correction_of_what_was_never_said_is_refused(scene: Scene) -> None:
    leg = placed(scene)
    wrong = event_of(Kind.PLACED, date(2026, 12, 3), job=a_job(), corrects=4)
    reply = scene.hear(told(leg, wrong, 4))
    assert (reply.status, reply.refusal and reply.refusal.code) == (422, "LOOP-INCOMPLETE")


RESULTS = {
    "retained-same-job": ("completed", "retained-"),
    "not-employed": ("completed", "not-employed"),
    "unknown": ("failed", "unknown"),
}


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("partner", PARTNERS)
def test_a_retention_report_closes_its_check_even_after_the_leg_has_closed(
    scene: Scene, partner: str, result: str
) -> None:
    leg = placed(scene, partner)
    scene.clock.day = date(2027, 1, 4)
    gone = {"last_day": date(2026, 12, 20), "leave_reason": "voluntary"} if result == "not-employed" else {}
    check = retained("P1M", date(2027, 1, 4), result, **gone)
    assert scene.say(leg, Kind.RETENTION, 4, on=date(2027, 1, 4), check=check).status == 200
    checks = {c["milestone"]: c for c in scene.rows("retention_check")}
    state, start = RESULTS[result]
    assert checks["P1M"]["state"] == state
    assert checks["P1M"]["result"].startswith(start)
    assert {checks[m]["state"] for m in ("P3M", "P6M", "P12M")} == {"scheduled"}


def test_a_correction_does_not_reopen_a_check_that_is_answered(scene: Scene) -> None:
    leg = placed(scene)
    scene.clock.day = date(2027, 1, 4)
    scene.say(leg, Kind.RETENTION, 4, on=date(2027, 1, 4), check=retained("P1M", date(2027, 1, 4)))
    right = event_of(Kind.PLACED, date(2027, 1, 4), job=a_job(date(2026, 12, 2)), corrects=3)
    scene.hear(told(leg, right, 5))
    checks = {c["milestone"]: (c["state"], c["base_date"]) for c in scene.rows("retention_check")}
    assert checks["P1M"] == ("completed", date(2026, 12, 1))
    assert checks["P3M"] == ("scheduled", date(2026, 12, 2))


def checks_of(scene: Scene) -> dict[str, tuple[date, str, str | None]]:
    return {c["milestone"]: (c["base_date"], c["state"], c["result"]) for c in scene.rows("retention_check")}


def test_a_second_job_moves_no_check_for_they_count_from_the_first_day_back(scene: Scene) -> None:
    leg = placed(scene, "TRN")
    scene.clock.day = date(2027, 2, 10)
    second = a_job(date(2027, 2, 8), brn="1208100000")
    assert scene.say(leg, Kind.PLACED, 4, on=date(2027, 2, 10), job=second).status == 200
    assert {base for base, _, _ in checks_of(scene).values()} == {date(2026, 12, 1)}
    scene.clock.day = date(2027, 3, 2)
    elsewhere = retained("P3M", scene.clock.day, "retained-other-employer")
    assert scene.say(leg, Kind.RETENTION, 5, on=scene.clock.day, check=elsewhere, job=second).status == 200
    assert checks_of(scene)["P3M"] == (date(2026, 12, 1), "completed", "retained-other-employer")
    scene.track()
    [*_, last] = sorted(scene.rows("rtw_update"), key=lambda u: u["update_no"])
    assert reread(last["content"])["milestones"]["P3M"]["result"] == "retained-other-employer"


def test_an_answer_that_was_meant_for_another_milestone_is_asked_for_again(scene: Scene) -> None:
    leg = placed(scene)
    scene.clock.day = date(2027, 3, 3)
    scene.say(leg, Kind.RETENTION, 4, on=date(2027, 3, 2), check=retained("P1M", date(2027, 3, 2)))
    assert checks_of(scene)["P1M"][1:] == ("completed", "retained-same-employer")
    meant = event_of(Kind.RETENTION, date(2027, 3, 3), check=retained("P3M", date(2027, 3, 2)), job=a_job(), corrects=4)
    assert scene.hear(told(leg, meant, 5)).status == 200
    assert checks_of(scene)["P1M"][1:] == ("scheduled", None)
    assert checks_of(scene)["P3M"][1:] == ("completed", "retained-same-employer")
    scene.track()
    assert checks_of(scene)["P1M"][1:] == ("due", None)


def test_a_corrected_answer_stands_in_the_place_of_the_first(scene: Scene) -> None:
    leg = placed(scene)
    scene.clock.day = date(2027, 1, 5)
    asked, gone = date(2027, 1, 4), {"last_day": date(2026, 12, 20), "leave_reason": "voluntary"}
    scene.say(leg, Kind.RETENTION, 4, on=asked, check=retained("P1M", asked, "not-employed", **gone))
    right = event_of(Kind.RETENTION, date(2027, 1, 5), check=retained("P1M", date(2027, 1, 5)), job=a_job(), corrects=4)
    assert scene.hear(told(leg, right, 5)).status == 200
    [first] = [c for c in scene.rows("retention_check") if c["milestone"] == "P1M"]
    assert (first["state"], first["result"]) == ("completed", "retained-same-employer")
    facts = {f["seq"]: f["entered_in_error"] for f in scene.rows("outcome_fact")}
    assert (facts[4], facts[5]) == (True, False)
