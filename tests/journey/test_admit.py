"""Admit: what a record does to its case, and which records wait, are late, or are put aside alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.comwel.synthetic_cases import Invented
from adapters.comwel.synthetic_edges import EDGES, Edge
from gateway.documents.schemas import Schemas
from gateway.journey.admit import CASE_SCHEMA
from gateway.journey.judge import judge_due
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.worker.rounds import quiet
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


@pytest.mark.rule("R-08")
@pytest.mark.parametrize(
    "entry",
    [
        {"consent": None},
        {"consent": ["동의"]},
        {"consent": [{"no": "C1", "until": "2026-02-30"}]},
        {"consent": [{"no": "C1", "until": 20270101}]},
    ],
    ids=("null", "text", "no such day", "a number"),
)
def test_a_consent_that_cannot_be_read_stops_no_file_and_carries_nothing(quick: Scene, entry: dict[str, Any]) -> None:
    quick.hand_over(a_case(1), a_case(2))
    [taken] = quick.enter(a_case(1, entry=entry), again(a_case(2), entry={"memo": "새 메모"}))
    assert (taken.verdict, taken.counts) == ("accepted", {"E": 2})
    assert quick.case(a_case(1).case_no)["reason"] == "E-CONSENT"
    assert quick.case(a_case(2).case_no)["verdict"] == "ok"


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("withdrawn", ["2026-11-20T10:00+09:00", "2026-11-20T10+09:00", "2026-11-20T10:00:00,5+09:00"])
@pytest.mark.parametrize("more", [{}, {"email": "kim.@naver.com"}])
def test_a_withdrawal_in_another_spelling_is_a_withdrawal(quick: Scene, withdrawn: str, more: dict[str, str]) -> None:
    quick.refer()
    quick.enter(again(a_case(), consent={"withdrawnAt": withdrawn}, entry=more))
    row = quick.case(a_case().case_no)
    assert (row["verdict"], row["reason"], row["barred"]) == ("no-referral", "E-CONSENT", True)
    assert quick.withdraw() == 3


def narrower(scene: Scene) -> None:
    """The schema of cases from now on takes short memos only, and no worker from abroad."""
    schemas = scene.world.know.schemas
    raw = {name: schemas.raw(name) for name in schemas.ids()}
    case = copy.deepcopy(raw[CASE_SCHEMA])
    case["properties"]["memo"]["maxLength"] = 3
    case["properties"]["nationality"]["pattern"] = "^KOR$"
    scene.world = replace(scene.world, know=replace(scene.world.know, schemas=Schemas(raw | {CASE_SCHEMA: case})))


UNFIT = {"memo": "긴 메모"}


@pytest.mark.rule("R-08")
def test_an_entry_that_fits_no_record_is_put_aside_and_the_one_before_it_carries_nothing(scene: Scene) -> None:
    case = a_case()
    scene.refer(case)
    narrower(scene)
    since = len(scene.events())
    [taken] = scene.enter(again(case, consent={"withdrawnAt": "2026-11-20T10:00:00+09:00"}, entry=UNFIT))
    assert [(p.reason, p.field) for p in taken.problems] == [("E-CODE", "/memo")]
    row, [aside] = scene.case(case.case_no), scene.rows("quarantined_record")
    assert (row["verdict"], row["reason"], row["barred"]) == ("no-referral", "E-NOENTRY", True)
    assert "긴 메모".encode() in aside["raw"]
    assert consents(scene, since) == [("withdrawn", "refused", "E-CODE")]
    assert scene.withdraw() == 3


def test_a_good_entry_makes_good_what_one_that_did_not_fit_has_stopped(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    narrower(scene)
    scene.enter(again(case, entry=UNFIT))
    scene.hand_over(again(case, addr="서울 종로구 9"), entries=())
    assert scene.case(case.case_no)["reason"] == "E-NOENTRY"
    since = len(scene.events())
    scene.enter(again(case, entry={"memo": "짧다"}))
    assert scene.case(case.case_no)["verdict"] == "ok"
    assert consents(scene, since) == [("granted", "done", None)]


def test_an_entry_that_came_first_and_does_not_fit_keeps_no_fact_out(scene: Scene) -> None:
    case = again(a_case(), "I", entry=UNFIT)
    narrower(scene)
    scene.hand_over(entries=(case,), seq=1)
    since = len(scene.events())
    [taken] = scene.hand_over(case, entries=())
    assert (taken.counts, taken.problems) == ({"I": 1}, [])
    assert consents(scene, since) == [("removed", "done", None)]
    row = scene.case(case.case_no)
    assert (row["status"], row["verdict"], row["reason"]) == ("live", "no-referral", "E-NOENTRY")
    assert [(n["code"], n["field"]) for n in scene.record(case.case_no)["dataQuality"]] == [("E-CODE", "memo")]
    [taken] = scene.hand_over(again(case, dthDt=TODAY), entries=())
    assert (taken.counts, taken.problems) == ({"U": 1}, [])
    assert scene.record(case.case_no)["deceasedDate"] == "2026-11-23"
    assert consents(scene, since) == [("removed", "done", None)]


def test_an_entry_that_does_not_fit_stays_refused_when_it_held_a_resident_number(scene: Scene) -> None:
    narrower(scene)
    scene.hand_over(again(a_case(), "I", entry=UNFIT | {"licences": [RRN]}))
    assert scene.case(a_case().case_no)["reason"] == "E-RRN"
    scene.hand_over(again(a_case(), addr="서울 종로구 9"), entries=())
    assert scene.case(a_case().case_no)["reason"] == "E-RRN"


def test_facts_that_fit_no_record_are_put_aside_and_change_nothing(scene: Scene) -> None:
    scene.hand_over(a_case())
    narrower(scene)
    before = scene.rows("case_record")
    [taken] = scene.hand_over(again(a_case(), ntntyCd="VNM"), entries=())
    assert [(p.reason, p.field) for p in taken.problems] == [("E-CODE", "/nationality")]
    assert scene.rows("case_record") == before


def test_an_entry_for_facts_that_fit_no_record_any_more_keeps_the_case_from_leaving(scene: Scene) -> None:
    case = a_case(ntntyCd="VNM")
    scene.hand_over(case)
    narrower(scene)
    [taken] = scene.enter(again(case, entry={"memo": "짧다"}))
    assert [(p.reason, p.field) for p in taken.problems] == [("E-CODE", "/nationality")]
    row = scene.case(case.case_no)
    assert (row["verdict"], row["reason"], row["barred"]) == ("no-referral", "E-NOENTRY", True)


# ── the order of entries ─────────────────────────────────────────────────────────────────────────────────────────────
WITHDRAWN = {"withdrawnAt": "2026-11-20T10:00:00+09:00"}
DAY_BEFORE = date(2026, 11, 22)


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("late", [{"base": DAY_BEFORE, "seq": 501}, {"seq": 499}])
def test_an_older_file_of_entries_that_comes_late_undoes_no_withdrawal(scene: Scene, late: dict[str, Any]) -> None:
    case = a_case()
    scene.hand_over(case)
    scene.hand_over(entries=[again(case, consent=WITHDRAWN)], seq=502)
    before, since = scene.rows("case_record"), len(scene.events())
    [delayed] = scene.hand_over(entries=[again(case, entry={"memo": "늦게 온 메모"})], **late)
    assert (delayed.verdict, delayed.counts) == ("accepted", {"stale": 1})
    assert scene.rows("case_record") == before
    assert consents(scene, since) == []


def test_an_entry_that_a_newer_file_repeats_is_as_new_as_that_file(scene: Scene) -> None:
    case = a_case()
    withdrawn = again(case, consent=WITHDRAWN)
    scene.hand_over(case)
    scene.hand_over(entries=[withdrawn], seq=502)
    [same] = scene.hand_over(entries=[withdrawn, again(a_case(2))], seq=504)
    assert same.counts == {"same": 1, "E": 1}
    [late] = scene.hand_over(entries=[again(case, entry={"memo": "늦게 온 메모"})], seq=503)
    assert late.counts == {"stale": 1}
    assert scene.case(case.case_no)["reason"] == "E-CONSENT"


def test_of_two_entries_in_one_file_the_later_counts_unless_it_is_of_an_earlier_version(scene: Scene) -> None:
    case = a_case(wonbuVer=2)
    scene.hand_over(case, entries=())
    changed, old = again(case, entry={"memo": "나중"}), again(case, entry={"memo": "옛날", "caseVersion": 1})
    [taken] = scene.hand_over(entries=[case, changed, old])
    assert taken.counts == {"E": 2, "stale": 1}
    assert scene.record(case.case_no)["memo"] == "나중"


@pytest.mark.rule("R-08")
@pytest.mark.parametrize("gone", ["deleted", "merged"])
def test_an_entry_makes_no_case_leave_again_that_is_deleted_or_merged(scene: Scene, gone: str) -> None:
    case, stays = a_case(), a_case(2)
    scene.referred(case)
    if gone == "deleted":
        scene.hand_over(again(case, "D"), entries=[again(case, entry={"memo": "마지막 메모"})])
    else:
        scene.hand_over(
            stays, again(stays, "M", oldWonbuNo=case.case_no), entries=[again(case, entry={"memo": "메모"})]
        )
    row = scene.case(case.case_no)
    assert (row["status"], row["verdict"], row["reason"], row["barred"]) == (gone, "no-referral", None, True)
    assert scene.withdraw() == 3
    assert {leg.status for leg in scene.legs(case.case_no).values()} == {"cancelled"}


# ── what time alone does ─────────────────────────────────────────────────────────────────────────────────────────────
TOMORROW = date(2026, 11, 24)


@pytest.mark.parametrize(
    "case",
    [a_case(consent={"from": "2026-11-24"}), a_case(aprvDt=TOMORROW), a_case(consDt=TOMORROW)],
    ids=["consent", "approval", "comwel's own record"],
)
def test_what_begins_tomorrow_is_referred_tomorrow(scene: Scene, case: Invented) -> None:
    scene.hand_over(case)
    assert (judge_due(scene.world), _referrals_after_a_round(scene)) == (0, 0)
    scene.clock.day = TOMORROW
    assert not quiet(scene.store, scene.clock)
    assert (judge_due(scene.world), _referrals_after_a_round(scene)) == (1, 1)
    assert len(scene.legs(case.case_no)) == 3
    assert judge_due(scene.world) == 0
    assert ("cases.judged", "done", None) in scene.acts()


def test_judging_again_is_no_revision_and_no_change_of_the_case(scene: Scene) -> None:
    scene.hand_over(a_case(consent={"until": "2026-11-23"}))
    before, history = scene.case(a_case().case_no), scene.rows("case_history")
    scene.clock.day = TOMORROW
    judge_due(scene.world)
    after = scene.case(a_case().case_no)
    assert (after["verdict"], after["reason"], after["barred"]) == ("no-referral", "E-CONSENT", True)
    assert (after["revision"], after["updated_at"]) == (before["revision"], before["updated_at"])
    assert scene.rows("case_history") == history


def test_what_an_older_release_wrote_is_judged_once_and_nothing_comes_of_it(scene: Scene) -> None:
    cases = [a_case(n) for n in range(1, 6)]
    scene.referred(*cases)
    with scene.store.unit() as unit:
        rows = unit.cases.load([case.case_no for case in cases])
        unit.cases.note([row._replace(judged=0, holds_until=None) for row in rows.values()])
        unit.commit(scene.world.event("handover.taken", "test"))
    since = len(scene.events())
    assert judge_due(scene.world, most=2) == 0
    assert [e["counts"] for e in scene.events(since)] == [{"judged": n, "changed": 0} for n in (2, 2, 1)]
    with scene.store.unit() as unit:
        assert unit.cases.look([case.case_no for case in cases]) == rows


def test_what_was_refused_between_two_consents_is_tried_again_when_the_second_begins(scene: Scene) -> None:
    case = a_case(consent={"until": "2026-11-23"})
    [first] = case.entry["consent"]  # type: ignore[index]
    case.entry["consent"] = [first, {**first, "no": "C2026-900001", "from": "2026-11-25", "until": "2027-11-25"}]  # type: ignore[index]
    scene.hand_over(case)
    screen_cases(scene.world)
    scene.clock.day = TOMORROW
    assert _referrals_after_a_round(scene) == 0
    scene.clock.day = date(2026, 11, 25)
    assert (judge_due(scene.world), _referrals_after_a_round(scene)) == (1, 1)


@pytest.mark.parametrize("until", ["9999-12-31", "9998-12-31"])
def test_a_consent_without_an_end_in_sight_is_judged_once(scene: Scene, until: str) -> None:
    never = {"until": until, "withdrawnAt": "9999-12-31T23:59:59-12:00"}
    scene.hand_over(a_case(consEdDt=None, consent=never))
    assert scene.case(a_case().case_no)["verdict"] == "ok"
    scene.clock.day = date(2030, 1, 1)
    assert judge_due(scene.world) == 0


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


@pytest.mark.parametrize(
    "newer",
    [again(a_case(), consYn="N"), again(a_case(), dthDt=date(2026, 11, 20)), again(a_case(), "D")],
    ids=["no consent", "died", "deleted"],
)
def test_a_resend_of_an_older_file_undoes_nothing_that_a_newer_one_said(scene: Scene, newer: Invented) -> None:
    case, corrected = a_case(), again(a_case(), "I", addr="고친 주소 1")
    scene.hand_over(case)
    scene.hand_over(a_case(7), entries=())
    scene.hand_over(newer, entries=())
    before = scene.case(case.case_no)
    assert before["barred"]
    [resent] = scene.hand_over(corrected, entries=(), mode="R", original=1, seq=4, previous=3)
    assert (resent.verdict, resent.counts) == ("accepted", {"stale": 1})
    assert scene.case(case.case_no) == before


def test_a_resend_of_a_resend_counts_as_the_file_it_began_with(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    scene.hand_over(again(case, consYn="N"), entries=())
    scene.hand_over(again(case, "I", addr="주소 3"), entries=(), mode="R", original=1, seq=3, previous=2)
    *_, twice = scene.hand_over(again(case, "I", addr="주소 4"), entries=(), mode="R", original=3, seq=4, previous=3)
    assert (twice.verdict, twice.counts) == ("accepted", {"stale": 1})
    assert scene.case(case.case_no)["reason"] == "E-CONSENT"


def test_a_resend_corrects_what_its_own_file_said(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    scene.hand_over(a_case(7), entries=())
    [resent] = scene.hand_over(again(case, addr="고친 주소 1"), entries=(), mode="R", original=1, seq=3, previous=2)
    assert resent.counts == {"U": 1}
    assert scene.record(case.case_no)["addrText"] == "고친 주소 1"


def test_a_resend_brings_no_case_back_that_was_merged_since(scene: Scene) -> None:
    stays, goes = a_case(1), a_case(2)
    scene.hand_over(stays, goes)
    scene.hand_over(again(stays, "M", oldWonbuNo=goes.case_no), entries=())
    resent = (again(stays, "I", addr="주소 3"), again(goes, "I", addr="주소 4"))
    [taken] = scene.hand_over(*resent, entries=(), mode="R", original=1, seq=3, previous=2)
    assert taken.counts == {"stale": 2}
    assert scene.case(goes.case_no)["status"] == "merged"


def test_of_what_waits_the_newest_counts_even_when_an_older_one_is_resent(scene: Scene) -> None:
    first, told = a_case(), again(a_case(), "U", addr="처음 주소 1")
    scene.hand_over(told, entries=())
    scene.hand_over(again(told, consYn="N"), entries=())
    scene.hand_over(again(told, addr="고친 주소 1"), entries=(), mode="R", original=1, seq=3, previous=2)
    scene.hand_over(first, seq=4)
    assert scene.case(first.case_no)["reason"] == "E-CONSENT"


@pytest.mark.parametrize(
    "newer", [again(a_case(), "U", consYn="N"), again(a_case(), "D")], ids=["no consent", "deleted"]
)
def test_the_newest_word_that_waits_counts_when_an_older_file_said_the_same(scene: Scene, newer: Invented) -> None:
    waits = replace(newer, values={**newer.values, "chgTp": "U"})
    scene.hand_over(waits, entries=())
    scene.hand_over(again(waits, "U", consYn="Y", addr="다른 주소 1"), entries=())
    scene.hand_over(newer, entries=())
    scene.hand_over(a_case())
    row = scene.case(a_case().case_no)
    assert (row["verdict"], row["barred"]) == ("no-referral", True)
    assert scene.rows("parked_record") == []


def test_a_resend_merges_no_case_that_a_newer_file_spoke_of(scene: Scene) -> None:
    stays, back = a_case(1), a_case(2)
    merged = again(stays, "M", oldWonbuNo=back.case_no)
    scene.hand_over(stays, back)
    scene.hand_over(merged, entries=())
    scene.hand_over(again(back, addr="다시 주소 2"), entries=())
    [resent] = scene.hand_over(
        again(merged, "M", addr="고친 주소 1"), entries=(), mode="R", original=2, seq=4, previous=3
    )
    assert resent.counts == {"M": 1}
    assert scene.record(stays.case_no)["addrText"] == "고친 주소 1"
    row = scene.case(back.case_no)
    assert (row["status"], row["merged_into"], row["verdict"]) == ("live", None, "ok")


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


def test_an_entry_that_comes_later_hides_no_record_that_was_put_aside(scene: Scene) -> None:
    scene.hand_over(a_case())
    scene.hand_over(again(a_case(), wonjikPosCd="Z"), entries=())
    scene.enter(again(a_case(), entry={"language": "vi"}))
    with scene.store.unit() as unit:
        [row] = list(unit.cases.report())
    assert (row["record"], row["reason"], row["screening"]) == ("quarantined", "E-CODE", None)
    scene.hand_over(again(a_case(), addr="새 주소 1"), entries=())
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
