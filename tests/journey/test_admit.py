"""Admit: what a record does to its case, and which records wait, are late, or are put aside alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.comwel.synthetic_edges import EDGES, Edge
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from tests.fakes.memory import MemoryStore
from tests.journey.world import (
    RRN,
    TODAY,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    make_scene,
)

# ── single records ───────────────────────────────────────────────────────────────────────────────────────────────────
ASIDE = [e for e in EDGES if e.record == "quarantined"]


@pytest.mark.parametrize("edge", ASIDE, ids=lambda e: e.name)
def test_a_bad_record_is_put_aside_alone_with_its_bytes(quick: Scene, edge: Edge) -> None:
    bad = a_case(2)
    edge.make(bad, Random(1), TODAY)
    taken, _ = quick.hand_over(a_case(1), bad, a_case(3))
    assert taken.verdict == "accepted"
    [aside] = quick.rows("quarantined_record")
    assert (aside["record_no"], aside["case_no"], aside["reason"]) == (2, bad.case_no, edge.reason)
    assert len(aside["raw"]) > 600
    with quick.store.unit() as unit:
        report = {r["caseNo"]: (r["record"], r["reason"]) for r in unit.cases.report()}
    assert report == {
        a_case(1).case_no: ("ok", None),
        bad.case_no: ("quarantined", edge.reason),
        a_case(3).case_no: ("ok", None),
    }
    taken_in, given = ("handover.taken", "done", None), ("consent.granted", "done", None)
    assert quick.acts() == [taken_in] * 2 + [given] * 3


@pytest.mark.parametrize("edge", [e for e in EDGES if e.record != "quarantined"], ids=lambda e: e.name)
def test_a_hard_but_good_record_gets_the_verdict_of_its_label(quick: Scene, edge: Edge) -> None:
    case = a_case(2)
    edge.make(case, Random(1), TODAY)
    quick.hand_over(case)
    row = quick.case(case.case_no)
    assert (row["verdict"], row["reason"]) == (edge.record, edge.reason)


_RRNS = {"with a hyphen": RRN, "without": RRN.replace("-", ""), "wide": "８８０１０１－１２３４５６７"}


@pytest.mark.rule("R-01")
@pytest.mark.parametrize("field", ["addr", "saeopjangNm", "engNm", "korNm"])
@pytest.mark.parametrize("spelling", _RRNS)
def test_a_resident_number_in_any_field_is_put_aside_with_its_digits_masked(
    quick: Scene, field: str, spelling: str
) -> None:
    bad = a_case(2, **{field: _RRNS[spelling]})
    quick.hand_over(a_case(1), bad, entries=())
    [aside] = quick.rows("quarantined_record")
    assert aside["reason"] == "E-RRN"
    for tail in ("1234567", "１２３４５６７"):
        assert tail.encode("cp949") not in aside["raw"]
    assert [r["case_no"] for r in quick.rows("case_record")] == [a_case(1).case_no]


@pytest.mark.parametrize("where", ["memo", "licences", "counselling", "coordinator"])
def test_a_resident_number_in_an_entry_keeps_the_case_from_leaving_and_is_not_kept(scene: Scene, where: str) -> None:
    spoilt: dict[str, Any] = {
        "memo": f"번호 {RRN}",
        "licences": ["용접기능사", RRN],
        "counselling": [{"date": "2026-11-01", "phase": "after-acceptance", "domain": "medical", "note": RRN}],
        "coordinator": {"jcNo": "J000001", "name": RRN, "tel": "0226705000"},
    }
    case = a_case(entry={where: spoilt[where]})
    scene.hand_over(case)
    row = scene.case(case.case_no)
    assert (row["entry_state"], row["verdict"], row["reason"]) == ("held-rrn", "no-referral", "E-RRN")
    assert not any(b"1234567" in v for t in scene.dump().values() for r in t for v in r.values() if type(v) is bytes)


# ── facts and entry ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_entry_before_facts_and_facts_before_entry_make_the_same_record(tmp_path: Path) -> None:
    case, records = a_case(), []
    for order in ("facts first", "entry first"):
        scene = make_scene(MemoryStore(), tmp_path / order)
        steps = [lambda s=scene: s.hand_over(case, entries=()), lambda s=scene: s.hand_over(entries=(case,), seq=1)]
        for step in steps if order == "facts first" else reversed(steps):
            step()
        records.append((scene.record(case.case_no), scene.case(case.case_no)["verdict"]))
    assert records[0] == records[1]
    assert records[0][1] == "ok"


def test_an_entry_alone_is_a_case_that_awaits_its_facts(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(entries=(case,), seq=1)
    row = scene.case(case.case_no)
    assert (row["status"], row["record"], row["verdict"]) == ("awaiting", None, "no-referral")


def test_a_case_without_an_entry_may_not_be_referred(scene: Scene) -> None:
    scene.hand_over(a_case(entry=None))
    row = scene.case(a_case().case_no)
    assert (row["verdict"], row["reason"]) == ("no-referral", "E-NOENTRY")


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_version_that_comes_too_early_waits_and_is_applied_when_its_turn_comes(scene: Scene) -> None:
    first = a_case()
    second, third = again(first, wonbuVer=2, addr="부산 해운대구 2"), again(first, wonbuVer=3, addr="부산 해운대구 3")
    scene.hand_over(first)
    [early] = scene.hand_over(third, entries=())
    assert early.counts == {"waiting": 1}
    assert scene.case(first.case_no)["version"] == 1
    [turn] = scene.hand_over(second, entries=())
    assert turn.counts == {"U": 2}
    assert (scene.case(first.case_no)["version"], scene.record(first.case_no)["addrText"]) == (3, "부산 해운대구 3")
    assert scene.rows("parked_record") == []
    assert sorted(r["revision"] for r in scene.rows("case_history")) == [1, 2, 3, 4]


def test_a_change_of_an_unknown_case_waits_for_the_case(scene: Scene) -> None:
    changed = again(a_case(), "U", addr="대전 서구 5")
    [early] = scene.hand_over(changed, entries=())
    assert early.counts == {"waiting": 1}
    assert scene.rows("case_record") == []
    scene.hand_over(a_case(), entries=())
    assert scene.record(changed.case_no)["addrText"] == "대전 서구 5"


def test_a_new_case_may_begin_at_any_version(scene: Scene) -> None:
    scene.hand_over(a_case(wonbuVer=4))
    assert scene.case(a_case().case_no)["version"] == 4


def test_a_late_lower_version_is_ignored(scene: Scene) -> None:
    scene.hand_over(a_case(wonbuVer=2))
    before = scene.rows("case_record")
    [late] = scene.hand_over(again(a_case(), wonbuVer=1, addr="옛 주소 1"), entries=())
    assert late.counts == {"stale": 1}
    assert scene.rows("case_record") == before


def test_a_new_version_may_be_referred_again_a_correction_of_the_same_may_not(scene: Scene) -> None:
    case = a_case()
    scene.refer(case)
    scene.hand_over(again(case, addr="서울 종로구 9"), entries=())
    assert _referrals_after_a_round(scene) == 1
    scene.hand_over(again(case, wonbuVer=2), entries=())
    assert _referrals_after_a_round(scene) == 1  # the legs of the first version are still open
    scene.withdraw()
    assert _referrals_after_a_round(scene) == 2


def test_a_case_that_could_not_be_referred_is_tried_again_with_its_next_revision(scene: Scene) -> None:
    case = a_case(consent={"until": "2026-11-23"})
    scene.hand_over(case)
    screen_cases(scene.world)
    scene.clock.day = date(2026, 11, 24)
    assert _referrals_after_a_round(scene) == 0  # the consent ran out between screening and referral
    assert _referrals_after_a_round(scene) == 0
    scene.enter(a_case())
    assert _referrals_after_a_round(scene) == 1


def _referrals_after_a_round(scene: Scene) -> int:
    screen_cases(scene.world)
    refer(scene.world)
    return len(scene.rows("referral"))


# ── deletion, cancellation, merger ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("change", ["D", "X"])
def test_a_deleted_or_cancelled_case_may_not_leave_any_more(scene: Scene, change: str) -> None:
    case = a_case()
    scene.hand_over(case)
    [taken] = scene.hand_over(again(case, change), entries=())
    assert taken.counts == {change: 1}
    row = scene.case(case.case_no)
    assert (row["status"], row["verdict"]) == ("deleted", "no-referral")
    assert row["revision"] == 3


def test_a_deletion_needs_only_its_keys(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    [taken] = scene.hand_over(again(case, "D", wonjikPosCd="Z", disstDt=date(2027, 5, 1)), entries=())
    assert (taken.counts, taken.problems) == ({"D": 1}, [])
    assert scene.case(case.case_no)["status"] == "deleted"


def test_a_deletion_told_twice_is_told_once(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    scene.hand_over(again(case, "D"), entries=())
    [twice] = scene.hand_over(again(case, "D"), entries=())
    assert twice.counts == {"same": 1}


def test_a_merger_marks_the_case_that_is_taken_over(scene: Scene) -> None:
    stays, goes = a_case(1), a_case(2)
    scene.hand_over(stays, goes)
    scene.hand_over(again(stays, "M", oldWonbuNo=goes.case_no), entries=())
    old = scene.case(goes.case_no)
    assert (old["status"], old["merged_into"], old["verdict"]) == ("merged", stays.case_no, "no-referral")
    assert old["reason"] is None  # E-MERGE is for cases that cannot be merged
    assert scene.case(stays.case_no)["status"] == "live"


def test_a_merger_with_a_case_nobody_knows_is_put_aside(scene: Scene) -> None:
    scene.hand_over(a_case(1))
    [taken] = scene.hand_over(again(a_case(1), "M", oldWonbuNo=a_case(9).case_no), entries=())
    assert [p.reason for p in taken.problems] == ["E-MERGE"]
    assert scene.case(a_case(1).case_no)["status"] == "live"


def test_a_merger_that_came_too_early_still_knows_whom_it_takes_over(scene: Scene) -> None:
    stays, goes = a_case(1), a_case(2)
    scene.hand_over(goes)
    [early] = scene.hand_over(again(stays, "M", oldWonbuNo=goes.case_no, addr="합쳐진 주소"), entries=())
    assert early.counts == {"waiting": 1}
    scene.hand_over(stays)
    assert scene.case(goes.case_no)["merged_into"] == stays.case_no
    assert scene.rows("quarantined_record") == []


def test_a_corrected_record_lifts_the_quarantine(scene: Scene) -> None:
    bad = a_case(wonjikPosCd="Z")
    scene.hand_over(bad)
    scene.hand_over(a_case(), entries=())
    with scene.store.unit() as unit:
        [row] = list(unit.cases.report())
    assert (row["record"], row["reason"]) == ("ok", None)


# ── consents ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def consents(scene: Scene, since: int = 0) -> list[tuple[str, str, str | None]]:
    """The acts about consents: what became of them, done or refused, and why."""
    acts = [event for event in scene.events(since) if event["act"].startswith("consent.")]
    assert all((a["case_no"], a["partner"]) == (a_case().case_no, None) and a["subject"] for a in acts)
    return [(a["act"].removeprefix("consent."), a["verdict"], a["code"]) for a in acts]


@pytest.mark.rule("R-08", "R-10")
def test_every_change_of_a_consent_is_an_act_of_its_own(scene: Scene) -> None:
    case, since = a_case(), 0
    for changed, act in (
        (case, "granted"),
        (again(case, consent={"recipients": ["KEIS"]}), "changed"),
        (again(case, consent={"withdrawnAt": "2026-11-20T10:00:00+09:00"}), "withdrawn"),
        (again(case, consent={"until": "2026-11-01"}), "expired"),
        (again(case, entry={"consent": []}), "removed"),
    ):
        scene.hand_over(changed)
        assert consents(scene, since) == [(act, "done", None)], act
        since = len(scene.events())
    assert_nothing_personal(scene, case)


@pytest.mark.rule("R-08")
def test_comwels_own_no_is_an_act_too(scene: Scene) -> None:
    scene.hand_over(a_case())
    since = len(scene.events())
    scene.hand_over(again(a_case(), consYn="N"), entries=())
    assert consents(scene, since) == [("withdrawn", "done", None)]


def test_the_same_consent_again_is_no_act(scene: Scene) -> None:
    scene.hand_over(a_case())
    since = len(scene.events())
    scene.hand_over(again(a_case(), telNo="01012345678"))
    assert consents(scene, since) == []


def test_a_consent_that_came_with_a_resident_number_is_refused_and_given_when_it_comes_without(scene: Scene) -> None:
    scene.hand_over(again(a_case(), "I", entry={"memo": f"주민번호 {RRN}"}))
    assert consents(scene) == [("granted", "refused", "E-RRN")]
    since = len(scene.events())
    scene.hand_over(again(a_case()))
    assert consents(scene, since) == [("granted", "done", None)]


def test_a_file_that_is_refused_whole_changes_no_consent(scene: Scene) -> None:
    scene.hand_over(a_case(), seq=1)
    since = len(scene.events())
    taken = scene.hand_over(again(a_case(), consYn="N"), entries=(), seq=9)
    assert [t.verdict for t in taken] == ["rejected"]
    assert consents(scene, since) == []
