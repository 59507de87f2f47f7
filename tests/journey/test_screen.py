"""Screen: every new revision is judged, seats are allotted, decisions are appended with their explanation."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.documents.strict_json import reread
from gateway.journey.screen import screen_cases
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
