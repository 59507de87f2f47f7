"""Explain: the same bytes come out again, and whoever reads is on record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import NoOfficer, NoSuchReferral, PartnerEnded
from gateway.journey.explain import explain
from gateway.journey.world import World
from gateway.partners.profile import Profile
from tests.journey.world import PARTNERS, Scene, a_case, again, assert_nothing_personal, words_of

KIM = "kim.0417"


def mid_of(scene: Scene, partner: str, kind: str = "referral.created") -> str:
    [found] = [m["mid"] for m in scene.rows("message") if (m["partner"], m["type"]) == (partner, kind)]
    return str(found)


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_same_bytes_come_out_of_the_same_map(scene: Scene, partner: str) -> None:
    case = a_case()
    scene.referred(case)
    found = explain(scene.world, mid_of(scene, partner), by=KIM)
    assert (found.same_map, found.same_bytes) == (True, True)
    assert {e.status for e in found.explained}
    assert len(found.explained) > 10


@pytest.mark.parametrize("partner", PARTNERS)
def test_they_do_even_after_the_case_and_the_leg_have_changed(scene: Scene, partner: str) -> None:
    case = a_case()
    scene.referred(case)
    scene.hand_over(again(case, addr="새 주소 8", korNm="선우다른", consent={"sensitive": False}))
    scene.enter(again(case, entry={"memo": "다시"}, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    scene.withdraw()
    assert explain(scene.world, mid_of(scene, partner), by=KIM).same_bytes


def test_without_health_consent_the_narrow_message_is_explained_as_well(scene: Scene) -> None:
    scene.referred(a_case(consent={"sensitive": False}))
    assert all(explain(scene.world, mid_of(scene, partner), by=KIM).same_bytes for partner in PARTNERS)


@pytest.mark.rule("R-12")
def test_reading_is_logged_with_officer_and_purpose_and_masks_the_worker(scene: Scene) -> None:
    case = a_case()
    scene.referred(case)
    since = len(scene.events())
    found = explain(scene.world, mid_of(scene, "KEIS"), by=KIM, purpose="complaint-7")
    [event] = scene.events(since)
    assert (event["act"], event["actor"], event["purpose"]) == ("message.explained", KIM, "complaint-7")
    assert event["case_no"] == case.case_no
    shown = repr([(e.target, e.sources, e.expr) for e in found.explained])
    assert not [word for word in words_of(case) if word in shown]
    assert_nothing_personal(scene, case)


def test_what_is_not_a_referral_of_ours_is_refused(scene: Scene) -> None:
    scene.referred(a_case())
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    scene.withdraw()
    since = len(scene.events())
    for mid in ("019abc00-ffff-7000-8000-000000000000", mid_of(scene, "KEIS", "consent.withdrawn"), "no uuid at all"):
        with pytest.raises(NoSuchReferral, match="gateway status exchanges"):
            explain(scene.world, mid, by=KIM)
    assert scene.events(since) == []


@pytest.mark.parametrize("name", ["", "Kim Min-su", "김민수", "gateway"])
def test_nobody_reads_without_an_officers_id(scene: Scene, name: str) -> None:
    scene.referred(a_case())
    since = len(scene.events())
    with pytest.raises(NoOfficer):
        explain(scene.world, mid_of(scene, "KEIS"), by=name)
    assert scene.events(since) == []


def test_what_the_agreement_no_longer_names_is_left_out_and_the_bytes_say_so(scene: Scene) -> None:
    scene.referred(a_case())
    kead = scene.world.know.profiles["KEAD"]
    narrower = replace(kead, allow={name: form for name, form in kead.allow.items() if name != "jobWish"})
    found = explain(with_profiles(scene, {"KEAD": narrower}), mid_of(scene, "KEAD"), by=KIM)
    assert (found.same_map, found.same_bytes) == (True, False)
    assert "hopeSalary" not in found.document


def test_of_a_partner_that_is_none_of_ours_any_more_nothing_is_guessed(scene: Scene) -> None:
    scene.referred(a_case())
    mid, since = mid_of(scene, "KEAD"), len(scene.events())
    with pytest.raises(PartnerEnded):
        explain(with_profiles(scene, {}), mid, by=KIM)
    assert scene.events(since) == []


def with_profiles(scene: Scene, profiles: dict[str, Profile]) -> World:
    return replace(scene.world, know=replace(scene.world.know, profiles=profiles))
