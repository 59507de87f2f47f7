"""Lists that show whom cases and messages are about: whoever looks is on record before the first line is given out."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import NoOfficer
from gateway.journey import look
from tests.journey.test_replay import KIM, died
from tests.journey.world import Scene, a_case, assert_nothing_personal


def kept(scene: Scene, since: int) -> list[tuple[Any, ...]]:
    """Acts since then: which, by whom, what for, how many."""
    return [(e["act"], e["actor"], e["purpose"], e["counts"]) for e in scene.events(since)]


@pytest.mark.rule("R-12")
def test_who_lists_cases_or_exchanges_is_kept_with_how_many(scene: Scene) -> None:
    scene.refer(a_case(1), a_case(2))
    since = len(scene.events())
    assert [row["caseNo"] for row in look.cases(scene.world, by=KIM)] == [a_case(1).case_no, a_case(2).case_no]
    found = look.exchanges(scene.world, by=KIM)
    assert kept(scene, since) == [
        ("cases.listed", KIM, "operations", {"cases": 2}),
        ("exchanges.listed", KIM, "operations", {"exchanges": len(found), "cases": 2}),
    ]
    assert len(found) == len(scene.rows("message"))
    assert_nothing_personal(scene)


def test_who_does_not_say_who_he_is_looks_as_the_gateway(scene: Scene) -> None:
    look.cases(scene.world)
    look.exchanges(scene.world)
    assert [(act, actor) for act, actor, *_ in kept(scene, 0)] == [
        ("cases.listed", "gateway"),
        ("exchanges.listed", "gateway"),
    ]


@pytest.mark.rule("R-12")
@pytest.mark.parametrize(("partner", "found"), [(None, 2), ("KEIS", 2), ("KEAD", 0), ("NOBODY", 0)])
def test_who_lists_dead_messages_is_kept(scene: Scene, partner: str | None, found: int) -> None:
    died(scene, 2)
    since = len(scene.events())
    assert len(look.dead(scene.world, partner, by=KIM)) == found
    assert kept(scene, since) == [("dead.listed", KIM, "operations", {"messages": found, "cases": found})]
    assert scene.events(since)[0]["partner"] == (partner if partner != "NOBODY" else None)


@pytest.mark.rule("R-12")
def test_who_looks_at_one_dead_message_is_kept_with_its_case_and_its_leg(scene: Scene) -> None:
    died(scene)
    [mid] = [str(d["mid"]) for d in scene.rows("delivery")]
    since = len(scene.events())
    shown = look.dead_message(scene.world, mid, by=KIM)
    assert shown is not None
    assert (shown[0].mid, shown[0].case_no, len(shown[1])) == (mid, a_case().case_no, 1)
    [event] = scene.events(since)
    assert (event["act"], event["actor"], str(event["mid"])) == ("dead.listed", KIM, mid)
    assert (event["case_no"], event["ref_no"]) == (shown[0].case_no, shown[0].ref_no)


def test_what_is_not_dead_is_not_shown_and_nobody_has_read_it(scene: Scene) -> None:
    scene.refer(a_case())
    since = len(scene.events())
    assert look.dead_message(scene.world, str(scene.rows("message")[0]["mid"]), by=KIM) is None
    assert look.dead_message(scene.world, "no message", by=KIM) is None
    assert scene.events(since) == []


def test_nobody_looks_under_a_name_that_is_no_officers_id(scene: Scene) -> None:
    died(scene)
    [mid] = [str(d["mid"]) for d in scene.rows("delivery")]
    since = len(scene.events())
    for name in ("", "Kim Min-su", "김민수", "gateway"):
        for looking in (
            lambda by: look.cases(scene.world, by=by),
            lambda by: look.exchanges(scene.world, by=by),
            lambda by: look.dead(scene.world, by=by),
            lambda by: look.dead_message(scene.world, mid, by=by),
        ):
            with pytest.raises(NoOfficer):
                looking(name)
    assert scene.events(since) == []
