"""Refer: one request, and one sealed message per partner whose services are asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.documents.strict_json import reread
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.sealing import manifest
from tests.journey.world import (
    PARTNERS,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    knowledge,
    ring,
    says,
)

CONTENT = {"KEIS": "application/json", "KEAD": "application/json", "TRN": "application/fhir+json"}


def prepared(scene: Scene) -> list[tuple[str | None, str, str | None]]:
    return [(e["partner"], str(e["verdict"]), e["code"]) for e in scene.events() if e["act"] == "referral.prepared"]


def messages(scene: Scene) -> list[dict[str, Any]]:
    """The messages there are: one to each partner."""
    found = scene.rows("message")
    assert sorted(m["partner"] for m in found) == sorted(PARTNERS)
    return found


def test_a_case_becomes_one_request_and_one_leg_and_message_for_each_partner_asked(scene: Scene) -> None:
    case = a_case()
    legs = scene.refer(case)
    [request] = scene.rows("referral")
    sent = messages(scene)
    assert set(legs) == set(PARTNERS)
    assert {leg.request_no for leg in legs.values()} == {request["request_no"]}
    assert {m["ref_no"] for m in sent} == {leg.ref_no for leg in legs.values()}
    assert {(m["type"], m["seq"], m["direction"]) for m in sent} == {("referral.created", 1, "out")}
    assert {leg.state for leg in legs.values()} == {"requested|sent"}
    assert sorted(prepared(scene)) == sorted((p, "done", None) for p in PARTNERS)
    assert [d["state"] for d in scene.rows("delivery")] == ["ready"] * 3
    assert_nothing_personal(scene, case)


def test_only_who_is_asked_gets_a_message(scene: Scene) -> None:
    assert set(scene.refer(a_case(entry={"services": {"KEAD": ["취업알선"]}}))) == {"KEAD"}


def test_every_number_is_given_out_once(scene: Scene) -> None:
    cases = [a_case(n) for n in range(1, 6)]
    scene.refer(*cases)
    numbers = [r["request_no"] for r in scene.rows("referral")] + [leg["ref_no"] for leg in scene.rows("leg")]
    assert len(numbers) == len(set(numbers)) == 20


def test_a_case_is_referred_once(scene: Scene) -> None:
    scene.refer(a_case())
    before, events = scene.dump(), len(scene.events())
    assert refer(scene.world) == 0
    assert (scene.dump(), len(scene.events())) == (before, events)


def test_the_messages_verify_with_our_public_key_and_name_no_other_receiver(scene: Scene) -> None:
    scene.refer(a_case())
    for message in messages(scene):
        partner = message["partner"].lower()
        stated = manifest.open_sealed(
            message["jws"],
            {"body": message["body"]},
            keys=ring("comwel").of("comwel"),
            audience=partner,
            sender="comwel",
            received=scene.clock.now(),
        )
        assert (stated.mid, stated.type, stated.seq) == (message["mid"], "referral.created", 1)
        assert stated.parts[0].cty == CONTENT[message["partner"]]
        assert stated.profile == message["map_pin"]


def test_two_partners_cannot_recognise_the_worker_or_the_case_by_any_number(scene: Scene) -> None:
    case = a_case()
    legs = scene.refer(case)
    bodies = {m["partner"]: m["body"] for m in messages(scene)}
    assert set(legs) == set(PARTNERS)
    for partner, body in bodies.items():
        for other, leg in legs.items():
            assert (leg.ref_no.encode() in body) == (leg.person_id.encode() in body) == (partner == other)
        assert case.case_no.encode() not in body
        assert case.values["psnMgtNo"].encode() not in body


def test_what_a_message_discloses_is_kept_with_it_and_within_the_agreement(scene: Scene) -> None:
    scene.refer(a_case())
    for message in messages(scene):
        allowed = knowledge().profiles[message["partner"]].allow
        assert "nameFull" in message["fields"]
        assert set(message["fields"]) <= set(allowed)


def test_our_own_record_is_a_bundle_with_the_whole_case_and_is_never_the_body(scene: Scene) -> None:
    scene.refer(a_case())
    for message in messages(scene):
        bundle: dict[str, Any] = reread(message["fhir"])
        kinds = {e["resource"]["resourceType"] for e in bundle["entry"]}
        assert kinds >= {"ServiceRequest", "Task", "Patient", "Condition"}
        assert message["fhir"] != message["body"]
        assert message["ref_no"].encode() in message["fhir"]


def test_permission_refused_for_one_partner_does_not_hold_the_others_back(scene: Scene) -> None:
    case = a_case(consent={"recipients": ["KEIS", "TRN"]})
    legs = scene.refer(case)
    assert set(legs) == {"KEIS", "TRN"}
    assert ("KEAD", "refused", "E-CONSENT") in prepared(scene)
    assert len(prepared(scene)) == 3
    assert_nothing_personal(scene, case)


def test_a_consent_that_runs_out_between_screening_and_referral_leaves_no_request(scene: Scene) -> None:
    scene.hand_over(a_case(consent={"until": "2026-11-24"}))
    screen_cases(scene.world)
    scene.clock.day = date(2026, 11, 25)
    refer(scene.world)
    assert scene.rows("referral") == scene.rows("leg") == scene.rows("message") == []
    assert sorted(prepared(scene)) == sorted((p, "refused", "E-CONSENT") for p in PARTNERS)


def test_the_last_day_of_a_consent_still_carries(scene: Scene) -> None:
    scene.hand_over(a_case(consent={"until": "2026-11-24"}))
    screen_cases(scene.world)
    scene.clock.day = date(2026, 11, 24)
    refer(scene.world)
    assert len(scene.rows("leg")) == 3


def test_a_mapping_that_fails_becomes_a_work_item_and_holds_nobody_back(scene: Scene) -> None:
    case = a_case(entry={"services": {"KEIS": ["01"], "TRN": ["없는훈련"]}})
    legs = scene.refer(case)
    assert set(legs) == {"KEIS"}
    [work] = scene.rows("work_item")
    assert (work["kind"], work["code"], work["partner"]) == ("mapping-failed", "MAP-RUN", "TRN")
    assert ("TRN", "refused", "MAP-RUN") in prepared(scene)
    assert_nothing_personal(scene, case, texts=[repr(work)])


def test_when_every_mapping_fails_there_is_no_request(scene: Scene) -> None:
    scene.refer(a_case(entry={"services": {"TRN": ["없는훈련"]}}))
    assert scene.rows("referral") == scene.rows("message") == []


@pytest.mark.parametrize("services", [{}, {"KEIS": []}])
def test_a_case_that_asks_for_nobody_says_why_and_is_left_in_peace(scene: Scene, services: dict[str, Any]) -> None:
    scene.refer(a_case(entry={"services": services}))
    assert scene.rows("leg") == []
    [(partner, verdict, code)] = prepared(scene)
    assert (partner, verdict) == (None, "refused")
    assert code
    assert refer(scene.world) == 0


def test_bytes_and_manifest_stay_the_same_whatever_happens_afterwards(scene: Scene) -> None:
    scene.refer(a_case())
    before = [(m["mid"], m["body"], m["jws"], m["fhir"]) for m in scene.rows("message")]
    scene.partners["KEIS"].will(says(503))
    scene.deliver()
    scene.hand_over(again(a_case(), addr="제주 제주시 4"), entries=())
    scene.clock.day += timedelta(days=3)
    scene.deliver()
    assert [(m["mid"], m["body"], m["jws"], m["fhir"]) for m in scene.rows("message")] == before


def test_when_the_commit_fails_nothing_is_there(quick: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes.memory import MemoryUnit

    quick.hand_over(a_case())
    screen_cases(quick.world)
    before = quick.dump()

    def fail(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(MemoryUnit, "commit", fail)
        with pytest.raises(ConnectionError):
            refer(quick.world)
    assert quick.dump() == before
    assert refer(quick.world) == 1


def test_two_workers_at_once_refer_every_case_once(real: Scene) -> None:
    real.hand_over(*(a_case(n) for n in range(1, 9)))
    screen_cases(real.world)
    with ThreadPoolExecutor(4) as workers:
        decided = list(workers.map(lambda _: refer(real.world), range(4)))
    assert sum(decided) == 8
    assert len(real.rows("referral")) == 8
    assert len(real.rows("leg")) == len(real.rows("message")) == len(real.rows("delivery")) == 24
