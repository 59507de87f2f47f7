"""Dead messages go on by two officers only, with the same id and bytes, and everybody can see who wanted it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import ReplayRefused
from gateway.journey.replay import execute, plan
from tests.journey.world import Scene, a_case, again, assert_nothing_personal, rejects, timeout

KIM, LEE = "kim.0417", "lee.22"


def died(scene: Scene, how_many: int = 1) -> None:
    """So many messages to KEIS were tried for seven days."""
    scene.refer(*(a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in range(1, how_many + 1)))
    scene.clock.pass_(days=8)
    scene.partners["KEIS"].will(*[timeout] * how_many)
    scene.deliver("KEIS")
    scene.clock.pass_(days=-8)
    assert {d["state"] for d in scene.rows("delivery")} == {"dead"}


def rejected(scene: Scene) -> None:
    scene.refer(a_case(1, entry={"services": {"KEIS": ["01"]}}))
    scene.partners["KEIS"].will(rejects("2003"))
    scene.deliver("KEIS")


def test_a_message_sent_again_has_the_same_bytes_and_a_life_of_its_own(scene: Scene) -> None:
    died(scene)
    row, found = plan(scene.world, "KEIS", by=KIM)
    assert [(d.case_no, d.reason) for d in found] == [(a_case().case_no, "unreachable")]
    assert scene.deliver("KEIS") == 0  # a plan sends nothing
    assert execute(scene.world, row.replay_id, by=LEE) == 1
    [delivery] = scene.rows("delivery")
    assert (delivery["state"], delivery["attempts"], delivery["error_class"]) == ("ready", 0, None)
    scene.partners["KEIS"].will(timeout)
    assert [scene.deliver("KEIS"), delivery_state(scene)] == [1, "ready"]  # seven days begin anew
    assert len({(m.mid, m.body, m.jws) for m in scene.partners["KEIS"].sent}) == 1
    assert [w["done_at"] is not None for w in scene.rows("work_item")] == [True]


def delivery_state(scene: Scene) -> str:
    [delivery] = scene.rows("delivery")
    return str(delivery["state"])


def test_a_rejected_message_that_is_accepted_later_is_delivered_with_that_receipt(scene: Scene) -> None:
    rejected(scene)
    row, _ = plan(scene.world, "KEIS", by=KIM, reason="rejected")
    execute(scene.world, row.replay_id, by=LEE)
    assert scene.deliver("KEIS") == 1
    assert delivery_state(scene) == "delivered"
    assert [r["decision"] for r in scene.rows("receipt")] == ["accepted"]
    assert scene.legs(a_case().case_no)["KEIS"].state == "requested|delivered"


def test_the_partners_no_is_kept_with_the_plan(real: Scene) -> None:
    rejected(real)
    [no] = real.rows("receipt")
    row, _ = plan(real.world, "KEIS", by=KIM)
    execute(real.world, row.replay_id, by=LEE)
    assert [m["rejection"] for m in real.rows("replay_message")] == [no["jws"]]


def test_who_planned_it_may_not_execute_it_nor_may_anybody_twice(scene: Scene) -> None:
    died(scene)
    row, _ = plan(scene.world, "KEIS", by=KIM)
    with pytest.raises(ReplayRefused, match="who planned it"):
        execute(scene.world, row.replay_id, by=KIM)
    assert delivery_state(scene) == "dead"
    execute(scene.world, row.replay_id, by=LEE)
    with pytest.raises(ReplayRefused, match="executed before"):
        execute(scene.world, row.replay_id, by="park.1")


def test_a_plan_is_good_for_a_day_and_names_what_is_there(scene: Scene) -> None:
    died(scene)
    row, _ = plan(scene.world, "KEIS", by=KIM)
    scene.clock.pass_(days=1.1)
    with pytest.raises(ReplayRefused, match="older than a day"):
        execute(scene.world, row.replay_id, by=LEE)
    for nothing in ({"reason": "E-POISON"}, {"mid": "019abc00-0000-7000-8000-ffffffffffff"}):
        with pytest.raises(ReplayRefused, match=r"no such message to this partner is dead; .*`gateway dead list`"):
            plan(scene.world, "KEIS", by=KIM, **nothing)
    with pytest.raises(ReplayRefused, match=r"no such partner; .*`gateway dead list`"):
        plan(scene.world, "KESI", by=KIM)
    with pytest.raises(ReplayRefused, match="no such plan"):
        execute(scene.world, "019abc00-0000-7000-8000-ffffffffffff", by=LEE)


def test_many_come_back_a_few_a_second(scene: Scene) -> None:
    died(scene, 7)
    row, _ = plan(scene.world, "KEIS", by=KIM)
    assert execute(scene.world, row.replay_id, by=LEE) == 7
    due = sorted(d["next_at"] for d in scene.rows("delivery"))
    assert [round((at - due[0]).total_seconds(), 1) for at in due] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]


def test_permission_is_asked_again_and_what_a_rule_blocked_cannot_be_replayed(scene: Scene) -> None:
    died(scene)
    row, _ = plan(scene.world, "KEIS", by=KIM)
    scene.enter(
        again(a_case(), entry={"services": {"KEIS": ["01"]}}, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"})
    )
    execute(scene.world, row.replay_id, by=LEE)
    sent = len(scene.partners["KEIS"].sent)
    scene.deliver("KEIS")
    assert len(scene.partners["KEIS"].sent) == sent
    types = {m["mid"]: m["type"] for m in scene.rows("message")}
    # it was tried for seven days and may have arrived all the same, so its owner is told
    states = {types[d["mid"]]: d["state"] for d in scene.rows("delivery")}
    assert states == {"referral.created": "blocked", "consent.withdrawn": "ready"}
    with pytest.raises(ReplayRefused, match="no such message"):
        plan(scene.world, "KEIS", by=KIM)


def test_what_has_moved_on_since_it_was_planned_is_left_alone_with_what_is_open_about_it(scene: Scene) -> None:
    died(scene)
    row, late = (plan(scene.world, "KEIS", by=KIM)[0] for _ in range(2))
    scene.enter(
        again(a_case(), entry={"services": {"KEIS": ["01"]}}, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"})
    )
    execute(scene.world, row.replay_id, by=LEE)
    scene.deliver("KEIS")
    assert execute(scene.world, late.replay_id, by=LEE) == 0
    waiting = [(w["kind"], w["code"]) for w in scene.rows("work_item") if w["done_at"] is None]
    assert waiting == [("delivery-blocked", "E-CONSENT")]


def test_plan_and_execution_are_in_the_log_with_their_officers(scene: Scene) -> None:
    died(scene, 2)
    woken: list[str] = []
    scene.world = replace(scene.world, wake=woken.append)
    row, _ = plan(scene.world, "KEIS", by=KIM)
    execute(scene.world, row.replay_id, by=LEE)
    said: list[Any] = [(e["act"], e["actor"], e["subject"], e["counts"]) for e in scene.events()[-2:]]
    assert said == [
        ("replay.planned", KIM, row.replay_id, {"messages": 2}),
        ("replay.executed", LEE, row.replay_id, {"messages": 2}),
    ]
    assert woken == ["KEIS"]
    assert_nothing_personal(scene)
