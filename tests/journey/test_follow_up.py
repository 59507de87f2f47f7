"""Follow-up: who follows a placed worker up is told when the case may no longer be served, and asks nobody any more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from operator import itemgetter
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.documents.schemas import Schemas
from gateway.documents.strict_json import loads
from gateway.journey.admit import CASE_SCHEMA
from gateway.journey.judge import judge_due
from gateway.journey.receive import receive
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.track import end_checks
from gateway.ports import LegRow
from gateway.worker.rounds import quiet
from tests.journey.world import (
    DAY,
    PARTNERS,
    TODAY,
    Scene,
    a_case,
    a_job,
    again,
    event_of,
    inbound,
    knowledge,
    letter,
    refused_cancellation,
    retained,
    told,
    words_of,
)

WITHDRAWN_AT = "2026-11-22T15:00:00+09:00"
START = date(2026, 12, 1)


def placed(scene: Scene, *, partners: tuple[str, ...] = PARTNERS, case: Any = None) -> dict[str, LegRow]:
    """Each of these partners has placed the worker, and follows the placement up."""
    legs = scene.referred(case or a_case())
    scene.clock.day = START + 2 * DAY
    for partner in partners:
        said = (Kind.ACCEPT, Kind.START, Kind.PLACED) + ((Kind.CLOSE_PLACED,) if partner != "KEIS" else ())
        for seq, kind in enumerate(said, start=1):
            facts = {"job": a_job(START)} if kind in (Kind.PLACED, Kind.CLOSE_PLACED) else {}
            assert scene.say(legs[partner], kind, seq, on=START + DAY, **facts).status == 200
        assert scene.leg(legs[partner].ref_no).state == "completed|closed-placed"
    return legs


def withdraw_consent(scene: Scene) -> None:
    scene.enter(again(a_case(), consent={"withdrawnAt": WITHDRAWN_AT}))


def dies(scene: Scene) -> None:
    scene.hand_over(again(a_case(), dthDt=date(2026, 11, 20)), entries=())


def told_to(scene: Scene, partner: str) -> list[dict[str, Any]]:
    """What a partner was told after the referral."""
    sent = (m for m in scene.rows("message") if m["direction"] == "out" and m["type"] != "referral.created")
    return sorted((m for m in sent if m["partner"] == partner), key=itemgetter("seq"))


def checks(scene: Scene, leg: LegRow) -> dict[str, str]:
    return {c["milestone"]: c["state"] for c in scene.rows("retention_check") if c["ref_no"] == leg.ref_no}


CANCELLED = dict.fromkeys(("P1M", "P3M", "P6M", "P12M"), "cancelled")

REASONS: dict[str, tuple[Callable[[Scene], object], str, str]] = {
    "died": (dies, "DTH", "cancelled-by-comwel"),
    "deleted": (lambda s: s.hand_over(again(a_case(), "D"), entries=()), "ETC", "cancelled-by-comwel"),
    "re-opened": (lambda s: s.hand_over(again(a_case(), wonbuVer=2)), "REO", "cancelled-by-comwel"),
    "merged": (
        lambda s: s.hand_over(a_case(2, entry=None), again(a_case(2), "M", oldWonbuNo=a_case(1).case_no), entries=()),
        "DUP",
        "cancelled-by-comwel",
    ),
    "withdrew": (withdraw_consent, "WDR", "consent-withdrawn"),
}


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("why", REASONS)
def test_who_follows_a_placement_up_is_told_and_asks_nobody_any_more(scene: Scene, why: str) -> None:
    happens, code, business = REASONS[why]
    legs = placed(scene)
    happens(scene)
    since = len(scene.events())
    assert not quiet(scene.store, scene.clock)
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert scene.acts(since) == [("referral.withdrawn", "done", None)] * 3
    assert scene.deliver() == 3
    kind = "consent.withdrawn" if code == "WDR" else "referral.cancelled"
    for partner, leg in legs.items():
        [message] = told_to(scene, partner)
        assert (message["type"], message["ref_no"]) == (kind, leg.ref_no)
        assert scene.leg(leg.ref_no).state == f"completed|{business}"
        assert checks(scene, leg) == CANCELLED
    [keis], [trn] = (told_to(scene, partner) for partner in ("KEIS", "TRN"))
    assert loads(keis["body"])["body"]["cnlRsnCd"] == code
    task = loads(trn["body"])["entry"][1]["resource"]
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("completed", business)


@pytest.mark.rule("R-08")
def test_ids_and_a_reason_leave_and_not_a_word_more(scene: Scene) -> None:
    case, legs = a_case(), placed(scene)
    withdraw_consent(scene)
    scene.withdraw()
    for partner, leg in legs.items():
        [message] = told_to(scene, partner)
        text, profile = message["body"].decode(), knowledge().profiles[partner]
        if "referral" in profile.schemas:
            knowledge().schemas.require(profile.schemas["referral"], loads(message["body"]))
        assert leg.ref_no in text
        assert [word for word in words_of(case) if word in text] == []
        assert set(message["fields"]) <= {"partnerPersonId", "referral", "consent"}


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("partner", PARTNERS)
def test_after_a_withdrawal_reports_of_the_follow_up_are_quarantined(scene: Scene, partner: str) -> None:
    leg = placed(scene)[partner]
    facts = len(scene.rows("outcome_fact"))
    withdraw_consent(scene)
    scene.withdraw()
    on, seq = date(2027, 1, 4), scene.leg(leg.ref_no).in_seq + 1
    scene.clock.day = on
    said = inbound(scene, letter(leg, Kind.RETENTION, seq, on=on, check=retained("P1M", on)))
    reply = receive(scene.world, said)
    assert reply.refusal is not None
    assert (reply.status, reply.refusal.code) == (403, "LOOP-WITHDRAWN")
    assert len(scene.rows("outcome_fact")) == facts
    assert checks(scene, leg) == CANCELLED
    assert [w["kind"] for w in scene.rows("work_item") if w["ref_no"] == leg.ref_no or w["partner"] == partner]


def test_a_late_report_about_the_dead_says_what_it_says_and_opens_no_check(scene: Scene) -> None:
    leg = placed(scene)["TRN"]
    dies(scene)
    scene.withdraw()
    corrected = event_of(Kind.PLACED, START + 2 * DAY, job=a_job(START + DAY), corrects=3)
    assert scene.hear(told(leg, corrected, 5)).status == 200
    assert (checks(scene, leg), scene.leg(leg.ref_no).state) == (CANCELLED, "completed|cancelled-by-comwel")
    scene.withdraw()
    assert len(told_to(scene, "TRN")) == 1


def test_an_answer_about_the_dead_that_is_taken_back_is_not_asked_for_again(scene: Scene) -> None:
    leg = placed(scene)["KEIS"]
    scene.clock.day = on = date(2027, 3, 3)
    assert scene.say(leg, Kind.RETENTION, 4, on=on, check=retained("P1M", on)).status == 200
    dies(scene)
    scene.withdraw()
    assert checks(scene, leg) == CANCELLED | {"P1M": "completed"}
    meant = event_of(Kind.RETENTION, on, check=retained("P3M", on), job=a_job(), corrects=4)
    assert scene.hear(told(leg, meant, 5)).status == 200
    assert checks(scene, leg) == CANCELLED | {"P3M": "completed"}
    scene.withdraw()
    assert len(told_to(scene, "KEIS")) == 1


@pytest.mark.parametrize(("happens", "told"), [(dies, []), (withdraw_consent, ["consent.withdrawn"])])
def test_who_has_followed_a_placement_up_to_the_end_hears_of_a_withdrawal_alone(
    scene: Scene, happens: Callable[[Scene], object], told: list[str]
) -> None:
    leg = placed(scene)["KEIS"]
    scene.clock.day = date(2028, 6, 30)
    end_checks(scene.world)
    assert set(checks(scene, leg).values()) == {"failed"}
    happens(scene)
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert [m["type"] for m in told_to(scene, "KEIS")] == told
    assert set(checks(scene, leg).values()) == {"failed"}


def test_the_clock_does_not_end_a_follow_up_before_its_owner_is_told(scene: Scene) -> None:
    leg = placed(scene)["KEIS"]
    dies(scene)
    assert end_checks(scene.world) == 0
    assert scene.withdraw() == 3
    assert checks(scene, leg) == CANCELLED


RRN = {"memo": "900101-1234567"}


def short_memos(scene: Scene) -> None:
    """The schema of cases from now on takes short memos only."""
    schemas = scene.world.know.schemas
    raw = {name: schemas.raw(name) for name in schemas.ids()}
    case = copy.deepcopy(raw[CASE_SCHEMA])
    case["properties"]["memo"]["maxLength"] = 3
    scene.world = replace(scene.world, know=replace(scene.world.know, schemas=Schemas(raw | {CASE_SCHEMA: case})))


def test_an_entry_that_cannot_be_used_ends_no_follow_up(scene: Scene) -> None:
    """Nobody has said that the consent is withdrawn, and a follow-up cannot be taken up again."""
    leg = placed(scene)["KEIS"]
    scene.enter(again(a_case(), entry=RRN))
    assert scene.case(a_case().case_no)["entry_state"] == "held-rrn"
    since = len(scene.events())
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert [(e["act"], e["counts"]) for e in scene.events(since)] == [("referrals.reviewed", {"legs": 3})]
    assert (told_to(scene, "KEIS"), scene.leg(leg.ref_no).state) == ([], "completed|closed-placed")
    withdraw_consent(scene)
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert scene.leg(leg.ref_no).state == "completed|consent-withdrawn"


@pytest.mark.rule("R-08")
@pytest.mark.parametrize(("bad", "state"), [(RRN, "held-rrn"), ({"memo": "긴 메모"}, "missing")])
def test_a_withdrawal_counts_though_the_entry_that_says_so_cannot_be_used(
    scene: Scene, bad: dict[str, Any], state: str
) -> None:
    leg = placed(scene)["KEIS"]
    if state == "missing":
        short_memos(scene)
    scene.enter(again(a_case(), entry=bad, consent={"withdrawnAt": WITHDRAWN_AT}))
    assert scene.case(a_case().case_no)["entry_state"] == state
    scene.withdraw()
    assert [m["type"] for m in told_to(scene, "KEIS")] == ["consent.withdrawn"]
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|consent-withdrawn", CANCELLED)


def test_a_follow_up_goes_on_when_the_coordinator_turns_to_another_partner(scene: Scene) -> None:
    """There is no consent to that one yet: nothing may leave to it, and the first is served as before."""
    case = a_case(entry={"services": {"KEIS": ["01"]}}, consent={"recipients": ["KEIS"]})
    leg = placed(scene, partners=("KEIS",), case=case)["KEIS"]
    scene.enter(again(case, entry={"services": {"KEAD": ["취업알선"]}}))
    assert scene.case(case.case_no)["reason"] == "E-CONSENT"
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert (told_to(scene, "KEIS"), scene.leg(leg.ref_no).state) == ([], "completed|closed-placed")


@pytest.mark.rule("R-08")
def test_a_withdrawal_that_begins_where_nothing_may_leave_any_more_is_told_on_its_day(scene: Scene) -> None:
    """The consent has run out: who has ended hears nothing of that, but of the withdrawal that comes later."""
    leg = placed(scene, case=a_case(consent={"until": "2026-12-05"}))["TRN"]
    later = again(a_case(), consent={"until": "2026-12-05", "withdrawnAt": "2026-12-20T09:00:00+09:00"})
    scene.clock.day = date(2026, 12, 6)
    scene.enter(later)
    scene.withdraw()
    assert [m["type"] for m in told_to(scene, "TRN")] == ["consent.withdrawn"], "it followed up"
    first = len(told_to(scene, "KEAD"))
    scene.clock.day = date(2026, 12, 21)
    judge_due(scene.world)
    assert (first, scene.leg(leg.ref_no).state) == (1, "completed|consent-withdrawn")


@pytest.mark.rule("R-08")
def test_whose_follow_up_was_ended_hears_of_a_withdrawal_later(scene: Scene) -> None:
    leg, later = placed(scene)["TRN"], again(a_case(), wonbuVer=2)
    scene.hand_over(later)
    scene.withdraw()
    scene.enter(again(later, consent={"withdrawnAt": WITHDRAWN_AT}))
    scene.withdraw()
    assert [m["type"] for m in told_to(scene, "TRN")] == ["referral.cancelled", "consent.withdrawn"]
    assert scene.leg(leg.ref_no).state == "completed|consent-withdrawn"
    assert scene.say(leg, Kind.ASK, 5).status == 403


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("on_its_day", [False, True])
def test_a_consent_that_ends_for_one_partner_ends_its_follow_up_alone(scene: Scene, on_its_day: bool) -> None:
    def case(**kead: Any) -> Any:
        made = a_case()
        [consent] = made.entry["consent"]  # type: ignore[index]
        second = {**consent, "no": "C2026-900001", "recipients": ["KEAD"], **kead}
        made.entry["consent"] = [{**consent, "recipients": ["KEIS", "TRN"]}, second]  # type: ignore[index]
        return made

    legs = placed(scene, case=case(until="2026-12-31"))
    if on_its_day:
        scene.clock.day = date(2027, 1, 1)
        assert not quiet(scene.store, scene.clock)
        assert judge_due(scene.world) == 1
    else:
        scene.enter(case(until="2026-12-31", withdrawnAt=WITHDRAWN_AT))
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    states = {partner: scene.leg(leg.ref_no).business for partner, leg in legs.items()}
    assert states == dict.fromkeys(PARTNERS, "closed-placed") | {"KEAD": "consent-withdrawn"}
    assert [m["type"] for m in told_to(scene, "KEAD")] == ["consent.withdrawn"]
    assert "scheduled" in checks(scene, legs["KEIS"]).values()


# ── who was asked to stop before ─────────────────────────────────────────────────────────────────────────────────────
def asked_to_stop(scene: Scene, happens: Callable[[Scene], object]) -> LegRow:
    leg = scene.referred(a_case())["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    happens(scene)
    scene.withdraw()
    scene.deliver()
    assert scene.leg(leg.ref_no).business == "cancellation-requested"
    return leg


@pytest.mark.rule("R-08")
def test_a_placement_that_crossed_the_wish_to_cancel_is_not_followed_up(scene: Scene) -> None:
    leg = asked_to_stop(scene, withdraw_consent)
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2), job=a_job(START)).status == 200
    assert scene.say(leg, Kind.CLOSE_PLACED, 4, on=date(2026, 12, 3)).status == 200
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|closed-placed", CANCELLED)
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|consent-withdrawn", CANCELLED)


def test_a_placement_that_crossed_a_wish_of_the_coordinators_is_not_followed_up(scene: Scene) -> None:
    """Who is asked for no service any more has been asked to stop."""
    case = a_case(entry={"services": {"KEAD": ["취업알선"]}}, consent={"recipients": ["KEAD"]})
    leg = scene.referred(case)["KEAD"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2), job=a_job(START)).status == 200
    assert "scheduled" in checks(scene, leg).values()
    scene.enter(again(case, entry={"services": {"KEIS": ["01"]}}))
    scene.withdraw()
    assert scene.say(leg, Kind.CLOSE_PLACED, 4, on=date(2026, 12, 3), job=a_job(START)).status == 200
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|closed-placed", CANCELLED)
    scene.withdraw()
    assert [m["type"] for m in told_to(scene, "KEAD")] == ["referral.cancelled"]


def test_who_went_on_and_has_placed_is_told_the_reason_of_now(scene: Scene) -> None:
    """It was told of a withdrawn consent once, for want of an entry; it did not stop, and the entry was mended."""
    leg = asked_to_stop(scene, lambda s: s.enter(again(a_case(), entry=RRN)))
    assert scene.hear(refused_cancellation(leg, 3)).status == 200
    scene.enter(again(a_case(), entry={"memo": "오전 상담"}))
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 4, on=date(2026, 12, 2), job=a_job(START)).status == 200
    assert scene.say(leg, Kind.CLOSE_PLACED, 5, on=date(2026, 12, 3)).status == 200
    assert "scheduled" in checks(scene, leg).values()
    scene.enter(again(a_case(), entry=RRN))
    scene.withdraw()
    assert scene.leg(leg.ref_no).state == "completed|closed-placed"
    scene.hand_over(again(a_case(), dthDt=date(2026, 12, 20)), entries=())
    scene.withdraw()
    assert scene.leg(leg.ref_no).state == "completed|cancelled-by-comwel"
    assert [m["type"] for m in told_to(scene, "TRN")] == ["consent.withdrawn", "referral.cancelled"]


@pytest.mark.rule("R-08")
def test_a_placement_by_who_would_not_stop_is_not_followed_up(scene: Scene) -> None:
    leg = asked_to_stop(scene, withdraw_consent)
    assert scene.hear(refused_cancellation(leg, 3)).status == 200
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 4, on=date(2026, 12, 2), job=a_job(START)).status == 200
    assert scene.withdraw() == 0
    assert scene.say(leg, Kind.CLOSE_PLACED, 5, on=date(2026, 12, 3)).status == 200
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|consent-withdrawn", CANCELLED)


@pytest.mark.rule("R-08")
def test_who_was_asked_to_stop_for_another_reason_is_told_that_the_consent_is_withdrawn(scene: Scene) -> None:
    later = again(a_case(), wonbuVer=2)
    leg = asked_to_stop(scene, lambda s: s.hand_over(later))
    scene.enter(again(later, consent={"withdrawnAt": WITHDRAWN_AT}))
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert [m["type"] for m in told_to(scene, "TRN")] == ["referral.cancelled", "consent.withdrawn"]
    assert scene.leg(leg.ref_no).state == "in-progress|cancellation-requested|intake-done"
    assert scene.deliver() == 3  # the others, whose legs were cancelled, hear of it too
    scene.enter(again(later, consent={"withdrawnAt": WITHDRAWN_AT}, entry={"memo": "다시"}))
    scene.withdraw()
    assert len(told_to(scene, "TRN")) == 2, "it has been told"
    assert scene.say(leg, Kind.CONFIRM_CANCEL, 3).status == 200
    scene.withdraw()
    assert (len(told_to(scene, "TRN")), scene.leg(leg.ref_no).state) == (2, "cancelled|consent-withdrawn")


def test_who_was_asked_to_stop_is_not_asked_again_before_it_has_answered(scene: Scene) -> None:
    """What has happened meanwhile is said when it will not stop."""
    later = again(a_case(), wonbuVer=2)
    leg = asked_to_stop(scene, lambda s: s.hand_over(later))
    scene.hand_over(again(later, dthDt=date(2026, 11, 20)), entries=())
    assert [scene.withdraw() > 0, scene.withdraw()] == [True, 0]
    assert [m["type"] for m in told_to(scene, "TRN")] == ["referral.cancelled"]
    assert scene.hear(refused_cancellation(leg, 3)).status == 200
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert scene.leg(leg.ref_no).business == "cancellation-requested"
    [_, last] = told_to(scene, "TRN")
    reason = loads(last["body"])["entry"][1]["resource"]["reasonCode"]["coding"][0]["code"]
    assert (last["type"], reason) == ("referral.cancelled", "DTH")


@pytest.mark.rule("R-08")
def test_a_placement_by_who_was_told_to_destroy_is_not_followed_up(scene: Scene) -> None:
    """The entry could not be used, and the partner was told so as of a withdrawn consent."""
    leg = asked_to_stop(scene, lambda s: s.enter(again(a_case(), entry=RRN)))
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2), job=a_job(START)).status == 200
    assert scene.say(leg, Kind.CLOSE_PLACED, 4, on=date(2026, 12, 3)).status == 200
    scene.withdraw()
    assert (scene.leg(leg.ref_no).state, checks(scene, leg)) == ("completed|closed-placed", CANCELLED)


@pytest.mark.rule("R-08")
def test_a_withdrawal_is_told_after_the_case_was_taken_back(scene: Scene) -> None:
    leg = asked_to_stop(scene, lambda s: s.hand_over(again(a_case(), "X"), entries=()))
    scene.enter(again(a_case(), consent={"withdrawnAt": WITHDRAWN_AT}))
    scene.withdraw()
    assert [m["type"] for m in told_to(scene, "TRN")] == ["referral.cancelled", "consent.withdrawn"]
    assert scene.leg(leg.ref_no).business == "cancellation-requested"


@pytest.mark.rule("R-08")
def test_re_opened_and_withdrawn_at_once_is_withdrawn(scene: Scene) -> None:
    scene.referred(a_case())
    scene.hand_over(again(a_case(), wonbuVer=2, consent={"withdrawnAt": WITHDRAWN_AT}))
    assert scene.withdraw() == 3
    assert {m["type"] for partner in PARTNERS for m in told_to(scene, partner)} == {"consent.withdrawn"}


def test_a_re_opened_case_whose_new_entry_names_no_partner_is_not_withdrawn(scene: Scene) -> None:
    scene.referred(a_case())
    scene.hand_over(again(a_case(), wonbuVer=2, consent={"recipients": ["KEAD"]}))
    assert scene.withdraw() == 3
    assert {m["type"] for partner in PARTNERS for m in told_to(scene, partner)} == {"referral.cancelled"}


def test_the_worker_who_is_placed_and_re_opened_is_referred_anew(scene: Scene) -> None:
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    placed(scene, partners=("KEIS",), case=case)
    scene.hand_over(again(case, wonbuVer=2))
    scene.withdraw()
    screen_cases(scene.world)
    refer(scene.world)
    assert [leg["state"] for leg in scene.rows("leg")] == ["completed|cancelled-by-comwel", "requested|sent"]
