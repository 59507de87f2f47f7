"""Partners that do not take messages at any time, and reports that wait for one that does not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.delivery.hours import Calendar, OpeningHours
from gateway.journey.inbox import MISSING, MISSING_AFTER
from gateway.ports import LegRow
from tests.journey.world import Partner, Scene, a_case, again, timeout

KEIS_ONLY = {"services": {"KEIS": ["01"]}}


def keeping_hours(scene: Scene, opens: int, closes: int, *, day_off: bool = False) -> Partner:
    """KEIS takes messages between these hours of a place where it is noon."""
    offset = 12 - scene.clock.at.hour
    zone = ZoneInfo(f"Etc/GMT{-offset:+d}")
    today = scene.clock.at.astimezone(zone).date()
    calendar = Calendar("XX", zone, date(2027, 12, 31), {today: "a day off"} if day_off else {})
    hours = {"KEIS": OpeningHours(frozenset(range(7)), time(opens), time(closes), calendar)}
    scene.world = replace(scene.world, know=replace(scene.world.know, hours=hours))
    return scene.partners["KEIS"]


def opening(scene: Scene) -> datetime:
    return scene.world.know.hours["KEIS"].next_open(scene.clock.at)


def test_outside_its_hours_a_partner_is_not_tried_and_nothing_is_burned(scene: Scene) -> None:
    keis = keeping_hours(scene, 14, 20)
    scene.refer(a_case(entry=KEIS_ONLY))
    assert [scene.deliver("KEIS") for _ in range(3)] == [0, 0, 0]
    [waiting] = scene.rows("delivery")
    assert (waiting["state"], waiting["attempts"], waiting["fence"]) == ("ready", 0, 0)
    assert (waiting["next_at"], waiting["first_at"]) == (opening(scene), opening(scene))
    assert keis.sent == []
    assert [act for act, _, _ in scene.acts() if act.startswith("delivery.")] == ["delivery.postponed"]


def test_what_was_tried_before_they_closed_keeps_its_seven_days(scene: Scene) -> None:
    scene.refer(a_case(entry=KEIS_ONLY))
    scene.partners["KEIS"].will(timeout)
    scene.deliver("KEIS")
    began = scene.rows("delivery")[0]["first_at"]
    keis = keeping_hours(scene, 14, 20)
    assert scene.deliver("KEIS") == 0
    [waiting] = scene.rows("delivery")
    assert (waiting["attempts"], waiting["first_at"], waiting["next_at"]) == (1, began, opening(scene))
    assert len(keis.sent) == 1


def test_partners_without_hours_are_served_meanwhile(scene: Scene) -> None:
    keeping_hours(scene, 14, 20)
    scene.refer(a_case())
    scene.deliver()
    states = {d["partner"]: d["state"] for d in scene.rows("delivery")}
    assert states.pop("KEIS") == "ready"
    assert set(states.values()) == {"delivered"}


@pytest.mark.parametrize(("day_off", "delivered"), [(False, 1), (True, 0)])
def test_within_its_hours_it_is_tried_but_not_on_a_day_off(scene: Scene, day_off: bool, delivered: int) -> None:
    keeping_hours(scene, 8, 20, day_off=day_off)
    scene.refer(a_case(entry=KEIS_ONLY))
    assert scene.deliver("KEIS") == delivered


def test_while_nobody_outside_keeps_the_log_nothing_is_sent_and_nothing_is_burned(scene: Scene) -> None:
    scene.refer(a_case(entry=KEIS_ONLY))
    seen, before = scene.world, scene.rows("delivery")
    scene.world = replace(seen, unseen=lambda: True)
    assert scene.deliver("KEIS") == 0
    assert scene.rows("delivery") == before
    scene.world = seen
    assert scene.deliver("KEIS") == 1


# ── reports that wait ────────────────────────────────────────────────────────────────────────────────────────────────
def waiting_report(scene: Scene) -> LegRow:
    leg = scene.referred(a_case())["KEIS"]
    assert scene.say(leg, Kind.START, 2).status == 202
    return leg


def missing(scene: Scene) -> list[tuple[str, str, bool]]:
    """Case, leg and whether it is over, of every report that was missed."""
    return [
        (w["case_no"], w["ref_no"], w["done_at"] is not None) for w in scene.rows("work_item") if w["kind"] == MISSING
    ]


def test_a_report_that_waits_for_a_day_is_shown_to_a_person_once(scene: Scene) -> None:
    leg = waiting_report(scene)
    scene.track()
    assert missing(scene) == []
    scene.clock.at = scene.clock.now() + MISSING_AFTER + timedelta(seconds=1)
    for _ in range(3):
        scene.track()
    assert missing(scene) == [(leg.case_no, leg.ref_no, False)]


def test_where_the_consent_was_withdrawn_meanwhile_what_waits_is_refused_and_nobody_waits_for_ever(
    scene: Scene,
) -> None:
    leg = waiting_report(scene)
    scene.clock.at = scene.clock.now() + MISSING_AFTER + timedelta(seconds=1)
    scene.track()
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    scene.withdraw()
    refusal = scene.say(leg, Kind.ACCEPT, 1).refusal
    assert refusal is not None
    for _ in range(2):
        scene.track()
    assert missing(scene) == [(leg.case_no, leg.ref_no, True)]
    states = {(row["seq"], row["state"], row["code"]) for row in scene.rows("inbox") if row["ref_no"] == leg.ref_no}
    assert states == {(2, "refused", refusal.code)}
    shown = [w["mid"] for w in scene.rows("work_item") if (w["kind"], w["code"]) == ("inbound-refused", refusal.code)]
    assert len(shown) == len(set(shown)) == 2


def test_when_the_missing_one_comes_nobody_need_look_any_more(scene: Scene) -> None:
    leg = waiting_report(scene)
    scene.clock.at = scene.clock.now() + MISSING_AFTER + timedelta(seconds=1)
    scene.track()
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    scene.track()
    assert missing(scene) == [(leg.case_no, leg.ref_no, True)]
    assert scene.leg(leg.ref_no).in_seq == 2
