"""What people have to look at: seen and ended by an officer, both on record; some of it ends only by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.errors import NoOfficer, WorkRefused
from gateway.journey.gate import Gate, Reason, turn
from gateway.journey.lines import QUEUEING
from gateway.journey.reconcile import UNANSWERED
from gateway.journey.work import Settled, done, look
from gateway.ports import WorkItem
from tests.journey.world import Scene, a_case, assert_nothing_personal, rejects

KIM = "kim.0417"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def blocked(scene: Scene) -> None:
    scene.refer(a_case(entry={"services": {"KEIS": ["01"]}}))
    scene.partners["KEIS"].will(rejects("2003"))
    scene.deliver("KEIS")


def test_an_officer_sees_what_is_open_and_says_that_it_is_done(scene: Scene) -> None:
    blocked(scene)
    [open_one] = look(scene.world, by=KIM)
    assert (open_one.item.kind, open_one.item.case_no) == ("delivery-blocked", a_case().case_no)
    assert look(scene.world, by=KIM, kind="not-placed") == []
    assert done(scene.world, open_one.number, by=KIM).kind == "delivery-blocked"
    assert look(scene.world, by=KIM) == []


def test_who_looked_and_who_was_done_is_on_record(scene: Scene) -> None:
    blocked(scene)
    before = len(scene.events())
    number = look(scene.world, by=KIM)[0].number
    done(scene.world, number, by=KIM)
    listed, ended = scene.events(since=before)
    assert (listed["act"], listed["actor"], listed["case_no"]) == ("work.listed", KIM, None)
    assert (ended["act"], ended["actor"], ended["case_no"]) == ("work.done", KIM, a_case().case_no)
    assert ended["subject"] == f"delivery-blocked:{number}"
    assert_nothing_personal(scene)


def test_nothing_is_ended_twice_or_unseen(scene: Scene) -> None:
    blocked(scene)
    number = look(scene.world, by=KIM)[0].number
    done(scene.world, number, by=KIM)
    for wrong in (number, number + 99):
        with pytest.raises(WorkRefused):
            done(scene.world, wrong, by=KIM)


def test_what_ends_by_itself_is_not_ended_by_a_word(scene: Scene) -> None:
    turn(scene.world, "KEIS", Gate.PAUSED, by=KIM, reason=Reason.INCIDENT)
    [waiting] = look(scene.world, by=KIM)
    with pytest.raises(WorkRefused, match="by itself"):
        done(scene.world, waiting.number, by=KIM)
    assert look(scene.world, by=KIM) == [waiting]


@pytest.mark.parametrize("kind", [QUEUEING, UNANSWERED])
def test_what_waits_for_a_partner_that_is_none_of_ours_any_more_is_ended_by_a_word(scene: Scene, kind: str) -> None:
    with scene.store.unit() as unit:
        unit.add_work([WorkItem(kind, "agreement", None, None, partner, None, NOW) for partner in ("KEIS", "KEAD")])
        unit.commit(scene.world.event("handover.taken", "test"))
    ours = {name: profile for name, profile in scene.world.know.profiles.items() if name != "KEAD"}
    world = replace(scene.world, know=replace(scene.world.know, profiles=ours))
    waiting = {one.item.partner: one for one in look(world, by=KIM)}
    with pytest.raises(WorkRefused, match="by itself"):
        done(world, waiting["KEIS"].number, by=KIM)
    assert done(world, waiting["KEAD"].number, by=KIM).kind == kind
    assert look(world, by=KIM) == [waiting["KEIS"]]


def test_a_reason_is_for_a_difference_of_books_alone(scene: Scene) -> None:
    blocked(scene)
    [waiting] = look(scene.world, by=KIM)
    with pytest.raises(WorkRefused, match="reason"):
        done(scene.world, waiting.number, by=KIM, reason=Settled.LOST_THERE)
    assert look(scene.world, by=KIM) == [waiting]


def test_nobody_looks_or_ends_without_an_id(scene: Scene) -> None:
    blocked(scene)
    for name in ("", "Kim Min-su", "김민수"):
        with pytest.raises(NoOfficer):
            look(scene.world, by=name)
        with pytest.raises(NoOfficer):
            done(scene.world, 1, by=name)
