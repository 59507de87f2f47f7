"""Withdraw: what may no longer be served is called back, and its owners are told with ids and a reason only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.documents.strict_json import loads
from gateway.errors import MappingFailed, PartnerEnded
from gateway.journey.deliver import deliver
from gateway.journey.judge import judge_due
from gateway.journey.receive import receive
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.withdraw import withdraw
from gateway.journey.world import World
from gateway.referrals import lifecycle
from gateway.referrals.lifecycle import Act
from gateway.worker.rounds import quiet
from tests.journey.world import (
    DAY,
    PARTNERS,
    TODAY,
    Killed,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    inbound,
    knowledge,
    letter,
    refused_cancellation,
    takes_it_and_we_die,
    words_of,
)

WITHDRAWN_AT = "2026-11-22T15:00:00+09:00"


def withdraw_consent(scene: Scene) -> None:
    scene.enter(again(a_case(), consent={"withdrawnAt": WITHDRAWN_AT}))


def called_back(scene: Scene) -> list[dict[str, Any]]:
    return [m for m in scene.rows("message") if m["direction"] == "out" and m["type"] != "referral.created"]


# ── what happens to the leg ──────────────────────────────────────────────────────────────────────────────────────────
STAGES: dict[str, tuple[tuple[Kind, ...], str]] = {
    "requested": ((), "cancelled|consent-withdrawn"),
    "accepted": ((Kind.ACCEPT,), "cancelled|consent-withdrawn"),
    "in-progress": ((Kind.ACCEPT, Kind.START), "in-progress|cancellation-requested|intake-done"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_leg_is_cancelled_or_its_owner_asked_to_stop(scene: Scene, stage: str) -> None:
    said, then = STAGES[stage]
    case = a_case()
    legs = scene.referred(case)
    for leg in legs.values():
        for seq, kind in enumerate(said, start=1):
            assert scene.say(leg, kind, seq).status == 200
    withdraw_consent(scene)
    since = len(scene.events())
    assert scene.withdraw() == 3
    assert scene.acts(since) == [("referral.withdrawn", "done", None)] * 3
    assert {leg.state for leg in scene.legs(case.case_no).values()} == {then}
    assert sorted(m["partner"] for m in called_back(scene)) == sorted(PARTNERS)
    assert {m["type"] for m in called_back(scene)} == {"consent.withdrawn"}
    assert scene.deliver() == 3
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}
    assert_nothing_personal(scene, case)


def test_a_leg_on_hold_is_cancelled(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    assert scene.hear(on_hold(scene, "TRN", 3)).status == 200
    withdraw_consent(scene)
    scene.withdraw()
    assert scene.leg(leg.ref_no).state == "cancelled|consent-withdrawn"


def on_hold(scene: Scene, partner: str, seq: int) -> Any:
    leg = scene.legs(a_case().case_no)[partner]
    held = letter(leg, Kind.START, seq)
    base = "https://gateway.example/fhir/CodeSystem"
    held.document["status"] = "on-hold"
    held.document["businessStatus"] = {"coding": [{"system": f"{base}/leg-business-status", "code": "medical-hold"}]}
    held.document["statusReason"] = {
        "coding": [{"system": f"{base}/decline-reason", "code": "other"}],
        "text": "재수술",
    }
    kind = {"coding": [{"system": f"{base}/outcome-fact", "code": "review-on"}]}
    held.document["output"] = [{"type": kind, "valueDate": "2027-01-04"}]
    return held


def test_withdrawing_again_does_nothing(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    withdraw_consent(scene)
    scene.withdraw()
    before, events = scene.dump(), len(scene.events())
    assert scene.withdraw() == 0
    assert (scene.dump(), len(scene.events())) == (before, events)


@pytest.mark.rule("R-08")
def test_who_has_declined_hears_of_a_withdrawn_consent(scene: Scene) -> None:
    """It was told of the worker, and is to destroy that."""
    legs = scene.referred(a_case())
    for leg in legs.values():
        scene.say(leg, Kind.DECLINE, 1)
    withdraw_consent(scene)
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    told = sorted((m["partner"], m["type"]) for m in called_back(scene))
    assert told == sorted((partner, "consent.withdrawn") for partner in PARTNERS)
    assert {leg.state for leg in scene.legs(a_case().case_no).values()} == {"rejected|consent-withdrawn"}
    assert scene.deliver() == 3
    assert_nothing_personal(scene, a_case())


def test_who_has_declined_is_left_alone_otherwise(scene: Scene) -> None:
    for leg in scene.referred(a_case()).values():
        scene.say(leg, Kind.DECLINE, 1)
    scene.hand_over(again(a_case(), dthDt=date(2026, 11, 20)), entries=())
    since = len(scene.events())
    assert [scene.withdraw(), scene.withdraw()] == [3, 0]
    assert scene.acts(since) == [("referrals.reviewed", "done", None)]
    assert called_back(scene) == []


def test_a_valid_case_is_left_alone(scene: Scene) -> None:
    scene.referred(a_case())
    scene.hand_over(again(a_case(), addr="새 주소 3"), entries=())
    assert scene.withdraw() == 0


@pytest.mark.rule("R-08")
# ── what leaves ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_nothing_unsent_leaves_and_who_never_heard_is_not_told(scene: Scene) -> None:
    scene.refer(a_case())
    withdraw_consent(scene)
    scene.withdraw()
    scene.deliver()
    assert [p.sent for p in scene.partners.values()] == [[], [], []]
    assert called_back(scene) == []
    assert {(d["state"], d["error_class"]) for d in scene.rows("delivery")} == {("blocked", "cancelled")}


@pytest.mark.rule("R-08")
def test_the_unsent_cancellation_of_an_earlier_leg_leaves_all_the_same(scene: Scene) -> None:
    """The partner is away: it has the first referral and works on it, and has never heard of the second."""
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    first = scene.referred(case)["KEIS"]
    later = again(case, wonbuVer=2)
    scene.hand_over(later)
    scene.withdraw()
    screen_cases(scene.world)
    refer(scene.world)
    scene.enter(again(later, consent={"withdrawnAt": WITHDRAWN_AT}))
    assert scene.withdraw() == 2
    scene.deliver("KEIS")
    scene.deliver("KEIS")
    told = sorted((m["seq"], m["type"], m["ref_no"]) for m in called_back(scene))
    assert told == [(2, "referral.cancelled", first.ref_no), (4, "consent.withdrawn", first.ref_no)]
    states = {(d["seq"], d["state"], d["error_class"]) for d in scene.rows("delivery")}
    delivered = {(seq, "delivered", None) for seq in (1, 2, 4)}
    assert states == delivered | {(3, "blocked", "cancelled")}


def taken_when_we_died(scene: Scene) -> None:
    """The only referral, to KEIS, was taken by the partner, and whoever sent it died of something else."""
    scene.refer(a_case(entry={"services": {"KEIS": ["01"]}}))
    scene.world = replace(scene.world, limits=replace(scene.world.limits, lease_s=0.05, attempt_timeout_s=0.01))
    scene.partners["KEIS"].will(takes_it_and_we_die)
    with pytest.raises(Killed):
        scene.deliver("KEIS")
    time.sleep(0.06)


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("first", ["a worker", "the walk"])
def test_a_partner_that_took_it_before_we_died_is_told(scene: Scene, first: str) -> None:
    taken_when_we_died(scene)
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    world = scene.world
    if first == "the walk":  # somebody has the message next, and gives it back untried
        deliver(replace(world, stopping=lambda: True), "KEIS", "w2")
        assert [(d["state"], d["attempts"], d["crashes"]) for d in scene.rows("delivery")] == [("ready", 0, 1)]
    scene.enter(again(case, consent={"withdrawnAt": WITHDRAWN_AT}))
    if first == "the walk":
        scene.withdraw()
    else:
        scene.deliver("KEIS")
    assert [m["type"] for m in called_back(scene)] == ["consent.withdrawn"]
    scene.deliver("KEIS")
    assert len(scene.partners["KEIS"].taken) == 2


def test_who_has_lost_the_lease_calls_no_leg_back(scene: Scene) -> None:
    """It saw the consent withdrawn and stood still; then the consent came back, and somebody else delivered."""
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    scene.refer(case)
    scene.enter(again(case, consent={"withdrawnAt": WITHDRAWN_AT}))
    world = replace(scene.world, limits=replace(scene.world.limits, lease_s=0.05, attempt_timeout_s=0.01))

    def stand_still(point: str) -> None:
        if point == "outbox.claimed":
            time.sleep(0.06)
            scene.enter(again(case, entry={"memo": "동의를 다시 받음"}))
            assert scene.deliver("KEIS", worker="w2") == 1

    deliver(replace(world, reached=stand_still), "KEIS", "w1")
    assert scene.legs(case.case_no)["KEIS"].state == "requested|delivered"
    assert called_back(scene) == []
    assert scene.rows("work_item") == []


@pytest.mark.rule("R-08")
def test_the_owner_is_told_with_ids_and_a_reason_and_not_a_word_more(scene: Scene) -> None:
    case = a_case()
    legs = scene.referred(case)
    withdraw_consent(scene)
    scene.withdraw()
    for message in called_back(scene):
        text = message["body"].decode()
        profile = knowledge().profiles[message["partner"]]
        document = loads(message["body"])
        if "referral" in profile.schemas:
            knowledge().schemas.require(profile.schemas["referral"], document)
        assert legs[message["partner"]].ref_no in text
        assert legs[message["partner"]].person_id in text
        for word in words_of(case) | {case.entry["coordinator"]["name"]}:  # type: ignore[index]
            assert word not in text
        assert case.entry["occupationKeco"] not in re.findall(r"\w+", text)  # type: ignore[index]
        assert set(message["fields"]) <= {"partnerPersonId", "referral", "consent"}
    assert {m["partner"] for m in called_back(scene)} == set(legs)


REASONS: dict[str, tuple[Callable[[Scene], object], str, str]] = {
    "died": (lambda s: s.hand_over(again(a_case(), dthDt=date(2026, 11, 20)), entries=()), "DTH", "referral.cancelled"),
    "deleted": (lambda s: s.hand_over(again(a_case(), "D"), entries=()), "ETC", "referral.cancelled"),
    "cancelled": (lambda s: s.hand_over(again(a_case(), "X"), entries=()), "ETC", "referral.cancelled"),
    "re-opened": (lambda s: s.hand_over(again(a_case(), wonbuVer=2)), "REO", "referral.cancelled"),
    "merged": (
        lambda s: s.hand_over(a_case(2, entry=None), again(a_case(2), "M", oldWonbuNo=a_case(1).case_no), entries=()),
        "DUP",
        "referral.cancelled",
    ),
    "withdrew": (withdraw_consent, "WDR", "consent.withdrawn"),
}


@pytest.mark.parametrize("why", REASONS)
def test_each_reason_has_its_code_and_message_type(scene: Scene, why: str) -> None:
    happens, code, kind = REASONS[why]
    case = a_case()
    scene.referred(case)
    happens(scene)
    screen_cases(scene.world)
    scene.withdraw()
    assert {m["type"] for m in called_back(scene)} == {kind}
    [keis] = [loads(m["body"]) for m in called_back(scene) if m["partner"] == "KEIS"]
    assert keis["body"]["cnlRsnCd"] == code
    assert b"20261120" not in b"".join(m["body"] for m in called_back(scene))  # the day of death is told to nobody
    assert {leg.status for leg in scene.legs(case.case_no).values()} == {"cancelled"}


def test_who_is_asked_for_no_service_any_more_is_not_told_that_a_consent_was_withdrawn(scene: Scene) -> None:
    """The coordinator turns to KEAD, for whom there is no consent yet; the one for KEIS stands."""
    case = a_case(entry={"services": {"KEIS": ["01"]}}, consent={"recipients": ["KEIS"]})
    leg = scene.referred(case)["KEIS"]
    scene.enter(again(case, entry={"services": {"KEAD": ["취업알선"]}}))
    assert scene.withdraw() == 1
    assert scene.leg(leg.ref_no).state == "cancelled|cancelled-by-comwel"
    [told] = called_back(scene)
    assert (told["type"], loads(told["body"])["body"]["cnlRsnCd"]) == ("referral.cancelled", "ETC")


def test_a_re_opened_case_is_referred_anew_once_the_old_legs_are_closed(scene: Scene) -> None:
    case = a_case()
    old = scene.referred(case)
    scene.hand_over(again(case, wonbuVer=2))
    scene.withdraw()
    screen_cases(scene.world)
    refer(scene.world)
    scene.deliver()  # first the cancellations,
    scene.deliver()  # then what follows them
    legs = [leg for leg in scene.rows("leg") if leg["case_version"] == 2]
    assert {leg["partner"] for leg in legs} == set(PARTNERS)
    assert {leg["state"] for leg in legs} == {"requested|delivered"}
    assert not {leg["ref_no"] for leg in legs} & {leg.ref_no for leg in old.values()}


# ── who cannot be told ───────────────────────────────────────────────────────────────────────────────────────────────
def without_a_profile(scene: Scene) -> World:
    """KEAD's folder was removed while a leg was open."""
    know = scene.world.know
    profiles = {partner: profile for partner, profile in know.profiles.items() if partner != "KEAD"}
    return replace(scene.world, know=replace(know, profiles=profiles))


def with_a_map_that_fails(scene: Scene) -> World:
    """KEAD's cancellations are made with a map that wants more than ids."""
    know = scene.world.know
    kead = know.profiles["KEAD"]
    broken = replace(kead, mappings={**kead.mappings, "cancel": kead.mappings["referral"]})
    return replace(scene.world, know=replace(know, profiles={**know.profiles, "KEAD": broken}))


@pytest.mark.parametrize(
    ("broken", "code"), [(without_a_profile, PartnerEnded.code), (with_a_map_that_fails, MappingFailed.code)]
)
def test_one_owner_that_cannot_be_told_keeps_nobody_else_from_being_told(
    scene: Scene, broken: Callable[[Scene], World], code: str
) -> None:
    legs = scene.referred(a_case())
    withdraw_consent(scene)
    scene.world, since = broken(scene), len(scene.events())
    assert scene.withdraw() == 3
    assert {leg.state for leg in scene.legs(a_case().case_no).values()} == {"cancelled|consent-withdrawn"}
    assert sorted(m["partner"] for m in called_back(scene)) == ["KEIS", "TRN"]
    [work] = scene.rows("work_item")
    assert (work["kind"], work["code"], work["ref_no"]) == ("withdraw", code, legs["KEAD"].ref_no)
    acts = {(e["partner"], str(e["verdict"]), e["code"]) for e in scene.events(since)}
    assert acts == {("KEIS", "done", None), ("KEAD", "refused", code), ("TRN", "done", None)}
    assert scene.withdraw() == 0


def test_a_leg_that_cannot_be_moved_is_shown_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.referred(a_case(entry={"services": {"KEIS": ["01"]}}))
    scene.enter(again(a_case(entry={"services": {"KEIS": ["01"]}}), consent={"withdrawnAt": WITHDRAWN_AT}))
    monkeypatch.setattr(lifecycle, "MOVES", tuple(m for m in lifecycle.MOVES if m.act is not Act.CANCEL))
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert [(w["kind"], w["code"]) for w in scene.rows("work_item")] == [("withdraw", "LOOP-STATE")]


# ── one of several consents ─────────────────────────────────────────────────────────────────────────────────────────
def a_case_of_two_consents(**kead: Any) -> Any:
    """One consent names KEIS and TRN, another one KEAD; keywords change the second."""
    case = a_case()
    [consent] = case.entry["consent"]  # type: ignore[index]
    first = {**consent, "recipients": ["KEIS", "TRN"]}
    second = {**consent, "no": "C2026-900001", "recipients": ["KEAD"], **kead}
    case.entry["consent"] = [first, second]  # type: ignore[index]
    return case


@pytest.mark.rule("R-08")
def test_a_consent_withdrawn_for_one_of_several_partners_calls_back_that_leg_alone(scene: Scene) -> None:
    legs = scene.referred(a_case_of_two_consents())
    scene.enter(a_case_of_two_consents(withdrawnAt=WITHDRAWN_AT))
    assert scene.case(a_case().case_no)["verdict"] == "ok"
    assert scene.withdraw() == 1
    states = {partner: leg.state for partner, leg in scene.legs(a_case().case_no).items()}
    assert states == dict.fromkeys(PARTNERS, "requested|delivered") | {"KEAD": "cancelled|consent-withdrawn"}
    assert [(m["partner"], m["type"]) for m in called_back(scene)] == [("KEAD", "consent.withdrawn")]
    assert scene.say(legs["KEAD"], Kind.ACCEPT, 1).status == 403
    assert scene.say(legs["KEIS"], Kind.ACCEPT, 1).status == 200
    assert scene.withdraw() == 0


@pytest.mark.rule("R-08")
def test_a_partner_that_a_later_consent_leaves_out_is_called_back(scene: Scene) -> None:
    scene.referred(a_case())
    scene.enter(again(a_case(), consent={"recipients": ["KEIS", "TRN"]}))
    assert scene.withdraw() == 1
    assert scene.legs(a_case().case_no)["KEAD"].state == "cancelled|consent-withdrawn"


# ── what time alone does ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.rule("R-08")
@pytest.mark.parametrize("change", ["withdrawnAt", "until", "consEdDt"])
def test_a_consent_that_ends_with_a_day_to_come_calls_back_when_the_day_is_there(scene: Scene, change: str) -> None:
    ends: dict[str, dict[str, Any]] = {
        "withdrawnAt": {"consent": {"withdrawnAt": "2026-11-25T08:00:00+09:00"}},
        "until": {"consent": {"until": "2026-11-24"}},
        "consEdDt": {"consEdDt": date(2026, 11, 24)},
    }
    scene.referred(a_case())
    scene.hand_over(again(a_case(), **ends[change]))
    scene.clock.day = TODAY + DAY
    assert (judge_due(scene.world), scene.withdraw()) == (0, 0)
    scene.clock.day = TODAY + 2 * DAY
    assert not quiet(scene.store, scene.clock)
    assert (judge_due(scene.world), scene.withdraw()) == (1, 3)
    assert {m["type"] for m in called_back(scene)} == {"consent.withdrawn"}
    assert (judge_due(scene.world), scene.withdraw()) == (0, 0)


@pytest.mark.rule("R-08")
def test_one_of_several_consents_that_ends_with_its_day_calls_back_that_leg_alone(scene: Scene) -> None:
    scene.referred(a_case_of_two_consents(until="2026-11-24"))
    scene.clock.day = TODAY + 2 * DAY
    assert (judge_due(scene.world), scene.withdraw()) == (1, 1)
    assert scene.legs(a_case().case_no)["KEAD"].state == "cancelled|consent-withdrawn"


# ── what the owner answers ───────────────────────────────────────────────────────────────────────────────────────────
def in_progress_and_asked_to_stop(scene: Scene) -> Any:
    leg = scene.referred(a_case())["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    withdraw_consent(scene)
    scene.withdraw()
    scene.deliver()
    return leg


def test_who_is_at_work_is_asked_to_stop_by_a_task_of_its_own(scene: Scene) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    [task] = [
        entry["resource"]
        for message in called_back(scene)
        if message["partner"] == "TRN"
        for entry in loads(message["body"])["entry"]
        if entry["resource"]["resourceType"] == "Task"
    ]
    assert (task["status"], task["code"]["coding"][0]["code"]) == ("requested", "abort")
    assert task["focus"]["identifier"]["value"] == leg.ref_no
    assert (task["for"]["identifier"]["value"], task["reasonCode"]["coding"][0]["code"]) == (leg.person_id, "WDR")


def test_who_has_only_seen_the_wish_to_cancel_has_not_agreed(scene: Scene) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    seen = letter(leg, Kind.RECEIVE, 3)
    seen.document["code"]["coding"][0]["code"] = "abort"
    assert scene.hear(seen).status == 200
    assert scene.leg(leg.ref_no).state == "in-progress|cancellation-requested|intake-done"
    agreed = letter(leg, Kind.ACCEPT, 4)
    agreed.document["code"]["coding"][0]["code"] = "abort"
    assert scene.hear(agreed).status == 200
    assert scene.leg(leg.ref_no).state == "cancelled|cancel-confirmed"


def test_the_owner_confirms_and_the_leg_is_cancelled(scene: Scene) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    assert scene.say(leg, Kind.CONFIRM_CANCEL, 3).status == 200
    assert scene.leg(leg.ref_no).state == "cancelled|cancel-confirmed"


def test_an_outcome_that_crosses_the_wish_to_cancel_wins(scene: Scene) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    scene.clock.day = TODAY + 30 * DAY
    assert scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2)).status == 200
    assert scene.leg(leg.ref_no).state == "in-progress|cancellation-requested|placed-verified"
    assert scene.say(leg, Kind.CLOSE_PLACED, 4, on=date(2026, 12, 3)).status == 200
    assert scene.leg(leg.ref_no).state == "completed|closed-placed"


@pytest.mark.rule("R-08")
def test_who_was_asked_to_stop_and_pauses_instead_is_called_back(scene: Scene) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    assert scene.hear(on_hold(scene, "TRN", 3)).status == 200
    assert scene.leg(leg.ref_no).state == "on-hold|medical-hold"
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert scene.leg(leg.ref_no).state == "cancelled|consent-withdrawn"
    assert len([m for m in called_back(scene) if m["partner"] == "TRN"]) == 2


def test_a_refused_cancellation_is_shown_to_a_person_and_asked_again_only_when_the_case_has_changed(
    scene: Scene,
) -> None:
    leg = in_progress_and_asked_to_stop(scene)
    assert scene.hear(refused_cancellation(leg, 3)).status == 200
    assert scene.leg(leg.ref_no).state == "in-progress|intake-done"
    [work] = [w for w in scene.rows("work_item") if w["ref_no"] == leg.ref_no]
    assert (work["kind"], work["partner"], work["done_at"]) == ("cancellation-refused", "TRN", None)
    assert [scene.withdraw(), scene.withdraw()] == [0, 0]
    asked = [m for m in called_back(scene) if m["partner"] == "TRN"]
    assert len(asked) == 1
    scene.hand_over(again(a_case(), dthDt=date(2026, 11, 20)), entries=())
    assert [scene.withdraw(), scene.withdraw()] == [1, 0]
    assert scene.leg(leg.ref_no).business == "cancellation-requested"
    assert len([m for m in called_back(scene) if m["partner"] == "TRN"]) == 2


@pytest.mark.rule("R-08")
def test_who_would_not_stop_is_asked_again_when_a_day_ends_the_consent_itself(scene: Scene) -> None:
    leg = scene.referred(a_case(consent={"until": "2026-11-24"}))["TRN"]
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    scene.enter(again(a_case(), consent={"until": "2026-11-24", "recipients": ["KEIS", "KEAD"]}))
    assert scene.withdraw() == 1
    scene.deliver()
    assert scene.hear(refused_cancellation(leg, 3)).status == 200
    assert [scene.withdraw(), scene.withdraw()] == [0, 0]
    scene.clock.day = TODAY + 2 * DAY
    assert (judge_due(scene.world), scene.withdraw()) == (1, 3)
    assert scene.leg(leg.ref_no).business == "cancellation-requested"
    assert scene.withdraw() == 0


def test_a_request_whose_legs_are_all_called_back_is_revoked(scene: Scene) -> None:
    scene.referred(a_case())
    withdraw_consent(scene)
    scene.withdraw()
    scene.track()
    assert [r["status"] for r in scene.rows("referral")] == ["revoked"]


def test_withdrawal_counts_from_its_day_even_when_it_is_handed_over_later(scene: Scene) -> None:
    scene.referred(a_case())
    scene.clock.day = TODAY + timedelta(days=5)
    withdraw_consent(scene)
    assert scene.withdraw() == 3


@pytest.mark.parametrize("_attempt", range(4))
def test_a_withdrawal_and_an_answer_at_the_same_moment_end_in_one_of_two_ways(real: Scene, _attempt: int) -> None:
    """Whoever is first decides; the other is heard in the state that is then, and nobody waits for ever."""
    leg = real.referred(a_case(entry={"services": {"KEIS": ["01"]}}))["KEIS"]
    real.enter(again(a_case(entry={"services": {"KEIS": ["01"]}}), consent={"withdrawnAt": WITHDRAWN_AT}))
    said = inbound(real, letter(leg, Kind.ACCEPT, 1))
    with ThreadPoolExecutor(2) as threads:
        heard = threads.submit(receive, real.world, said)
        count = threads.submit(withdraw, real.world).result()
        status = heard.result().status
    assert count == 1
    assert status in (200, 403)
    real.deliver("KEIS")
    assert real.leg(leg.ref_no).state == "cancelled|consent-withdrawn"
    assert len(called_back(real)) == 1
    assert len(real.rows("outcome_fact")) == (1 if status == 200 else 0)
