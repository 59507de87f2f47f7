"""Screen: every new revision is judged, seats are allotted, decisions are appended with their explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.cases.caseload import OnHand
from gateway.documents.strict_json import reread
from gateway.journey.screen import screen_cases
from gateway.versions import Versions
from gateway.worker.rounds import quiet
from tests.journey.world import TODAY, Scene, a_case, again, assert_nothing_personal

SEATS = 10
"""Of branch 1100: six coordinators with 36 cases each, 206 carried already."""


def decisions(scene: Scene) -> dict[str, str]:
    return {row["case_no"]: row["result"] for row in scene.rows("screening")}


def test_a_new_case_is_judged_once_with_its_reasons(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    before = len(scene.events())
    assert screen_cases(scene.world) == 1
    [decision] = scene.rows("screening")
    assert (decision["gate"], decision["result"], decision["revision"]) == ("CANDIDATE", "PRIORITY", 2)
    assert decision["business_date"] == TODAY
    assert len(reread(decision["contributions"])) > 1
    assert scene.acts(before) == [("cases.screened", "done", None)]
    assert_nothing_personal(scene, case)


def test_nothing_new_means_no_decision_and_no_event(scene: Scene) -> None:
    scene.hand_over(a_case())
    screen_cases(scene.world)
    before, events = scene.dump(), len(scene.events())
    assert screen_cases(scene.world) == 0
    assert (scene.dump(), len(scene.events())) == (before, events)


def test_a_new_revision_is_judged_again_and_the_earlier_decision_stays(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    screen_cases(scene.world)
    scene.hand_over(again(case, wonjikPosCd="Y"), entries=())
    screen_cases(scene.world)
    assert [d["gate"] for d in scene.rows("screening")] == ["CANDIDATE", "STATUTORY"]
    assert [d["revision"] for d in scene.rows("screening")] == [2, 3]


def test_a_death_excludes(scene: Scene) -> None:
    scene.hand_over(a_case(dthDt=date(2026, 11, 20)))
    screen_cases(scene.world)
    assert decisions(scene) == {a_case().case_no: "EXCLUDED"}


def test_there_are_as_many_priority_cases_as_seats_and_the_rest_waits(scene: Scene) -> None:
    scene.hand_over(*(a_case(n) for n in range(1, SEATS + 4)))
    screen_cases(scene.world)
    results = sorted(decisions(scene).values())
    assert results == ["PRIORITY"] * SEATS + ["WAITLIST"] * 3
    waiting = [d["position"] for d in scene.rows("screening") if d["result"] == "WAITLIST"]
    assert sorted(waiting) == [1, 2, 3]


def test_who_waits_moves_up_when_a_seat_is_free_and_nobody_else_is_judged_anew(scene: Scene) -> None:
    cases = [a_case(n) for n in range(1, SEATS + 3)]
    scene.hand_over(*cases)
    screen_cases(scene.world)
    seated, other = [c for c in cases if decisions(scene)[c.case_no] == "PRIORITY"][:2]
    scene.hand_over(again(seated, "D"), again(other, addr="새 주소 1"), entries=())
    before, waited = len(scene.rows("screening")), {c for c, r in decisions(scene).items() if r == "WAITLIST"}
    screen_cases(scene.world)
    new = {d["case_no"]: d["result"] for d in scene.rows("screening")[before:]}
    assert new.pop(other.case_no) == "PRIORITY"
    [(moved_up, result)] = new.items()
    assert (moved_up in waited, result) == (True, "PRIORITY")


@pytest.mark.parametrize("change", ["D", "M"])
def test_a_seat_that_a_deletion_or_a_merger_frees_is_given_on_although_nothing_else_changed(
    scene: Scene, change: str
) -> None:
    cases = [a_case(n) for n in range(1, SEATS + 3)]
    scene.hand_over(*cases)
    screen_cases(scene.world)
    seated, kept = [c for c in cases if decisions(scene)[c.case_no] == "PRIORITY"][:2]
    waited = {no for no, result in decisions(scene).items() if result == "WAITLIST"}
    gone = again(seated, "D") if change == "D" else again(kept, "M", oldWonbuNo=seated.case_no)
    scene.hand_over(gone, entries=())
    before = len(scene.rows("screening"))
    assert not quiet(scene.store, scene.clock)
    screen_cases(scene.world)
    new = {d["case_no"]: d["result"] for d in scene.rows("screening")[before:]}
    new.pop(kept.case_no, None)
    [(moved_up, result)] = new.items()
    assert (moved_up in waited, result) == (True, "PRIORITY")
    assert screen_cases(scene.world) == 0


@pytest.mark.parametrize("seen", [True, False], ids=["somebody saw it gone", "nobody did"])
def test_a_case_that_is_back_competes_for_a_seat_like_any_other(scene: Scene, seen: bool) -> None:
    cases = [a_case(n) for n in range(1, SEATS + 2)]
    scene.hand_over(*cases)
    screen_cases(scene.world)
    seated = next(c for c in cases if decisions(scene)[c.case_no] == "PRIORITY")
    scene.hand_over(again(seated, "D"), entries=())
    if seen:
        screen_cases(scene.world)
    scene.hand_over(again(seated, wonbuVer=2, jhGrdExpCd="14"))
    screen_cases(scene.world)
    assert decisions(scene)[seated.case_no] == "WAITLIST"
    assert list(decisions(scene).values()).count("PRIORITY") == SEATS


def test_more_coordinators_give_seats_to_who_waits_although_no_case_changed(scene: Scene) -> None:
    scene.hand_over(*(a_case(n) for n in range(1, SEATS + 4)))
    screen_cases(scene.world)
    [load] = scene.world.know.caseloads
    branches = {**load.branches, "1100": OnHand(6, load.branches["1100"].carried - 2)}
    more = replace(load, id="2026-12", effective_from=date(2026, 12, 1), branches=branches)
    scene.world = replace(scene.world, know=replace(scene.world.know, caseloads=(load, more)))
    assert screen_cases(scene.world) == 0
    scene.clock.day = date(2026, 12, 1)
    assert screen_cases(scene.world) == 2
    assert sorted(decisions(scene).values()) == ["PRIORITY"] * (SEATS + 2) + ["WAITLIST"]
    assert screen_cases(scene.world) == 0


def test_a_rule_set_decides_from_its_day_on_and_what_was_decided_before_keeps_its_name(scene: Scene) -> None:
    scene.hand_over(*(a_case(n) for n in range(1, SEATS + 4)))
    screen_cases(scene.world)
    now = scene.world.know.rules.on(TODAY)
    more = now.selection._replace(caseload_max=now.selection.caseload_max + 1)
    then = replace(now, id="PR-2027.1", effective_from=date(2027, 1, 1), selection=more)
    rules = Versions.of("rules/screening", [now, then], TODAY)
    scene.world = replace(scene.world, know=replace(scene.world.know, rules=rules))
    scene.clock.day = date(2026, 12, 31)
    assert screen_cases(scene.world) == 0
    scene.clock.day = date(2027, 1, 1)
    assert screen_cases(scene.world) == 3
    assert [d["ruleset"] for d in scene.rows("screening")] == ["PR-2026.1"] * (SEATS + 3) + ["PR-2027.1"] * 3
    assert sorted(decisions(scene).values()) == ["PRIORITY"] * (SEATS + 3)
    assert screen_cases(scene.world) == 0


def test_a_case_that_a_person_has_to_decide_about_is_shown_to_one_once(scene: Scene) -> None:
    unknown = a_case(wonjikPosCd="U")
    scene.hand_over(unknown)
    screen_cases(scene.world)
    scene.hand_over(again(unknown, addr="새 주소 1"), entries=())
    screen_cases(scene.world)
    assert [d["result"] for d in scene.rows("screening")] == ["REVIEW", "REVIEW"]
    assert [(w["kind"], w["case_no"]) for w in scene.rows("work_item")] == [("screening-review", unknown.case_no)]
    assert_nothing_personal(scene, unknown)
    scene.hand_over(again(unknown, wonjikPosCd="N"), entries=())
    screen_cases(scene.world)
    assert decisions(scene) == {unknown.case_no: "PRIORITY"}
    [shown] = scene.rows("work_item")
    assert shown["done_at"] is not None


def test_a_case_that_was_left_to_a_person_needs_nobody_when_it_is_taken_back_and_is_shown_again_when_it_is_back(
    scene: Scene,
) -> None:
    unknown = a_case(wonjikPosCd="U")
    scene.hand_over(unknown)
    screen_cases(scene.world)
    scene.hand_over(again(unknown, "D"), entries=())
    screen_cases(scene.world)
    assert [w["done_at"] is None for w in scene.rows("work_item")] == [False]
    scene.hand_over(again(unknown, wonbuVer=2), entries=())
    screen_cases(scene.world)
    assert [w["done_at"] is None for w in scene.rows("work_item")] == [False, True]


@pytest.mark.parametrize(("days", "result"), [(89, "WAITLIST"), (90, "PRIORITY")])
def test_a_much_better_case_takes_the_weakest_seat_once_that_was_held_long_enough(
    scene: Scene, days: int, result: str
) -> None:
    weak = [a_case(n, jhGrdExpCd="14") for n in range(1, SEATS + 1)]
    scene.hand_over(*weak)
    screen_cases(scene.world)
    scene.clock.day = TODAY + timedelta(days=days)
    strong = a_case(99, jhGrdExpCd="01", brthDt=date(1960, 1, 1), wkrTpCd="02")
    scene.hand_over(strong, base=scene.clock.day)
    screen_cases(scene.world)
    now = decisions(scene)
    lost = [case.case_no for case in weak if now[case.case_no] != "PRIORITY"]
    assert (now[strong.case_no], len(lost)) == (result, 1 if result == "PRIORITY" else 0)
    assert len(scene.rows("screening")) == SEATS + 1 + len(lost)
    assert screen_cases(scene.world) == 0


def test_decisions_use_the_business_day_not_the_protocol_time(scene: Scene) -> None:
    scene.clock.day = TODAY + timedelta(days=40)
    scene.hand_over(a_case(), base=scene.clock.day)
    screen_cases(scene.world)
    [decision] = scene.rows("screening")
    assert decision["business_date"] == TODAY + timedelta(days=40)
