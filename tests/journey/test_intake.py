"""Intake: what COMWEL hands over becomes cases, or is refused, and nothing in between."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import pytest

from adapters.comwel import synthetic
from adapters.comwel.synthetic_edges import EDGES, Edge
from gateway.errors import FolderUnusable
from gateway.journey.intake import pick_up, take_in
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.worker.embedded import Runner
from tests.fakes.memory import MemoryStore
from tests.journey.world import (
    RRN,
    TODAY,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    make_scene,
    write_night,
)

A1_ROWS = ("case_record", "case_history", "quarantined_record", "parked_record")
GIGABYTE = 1 << 30


# ── the same again ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_bytes_change_nothing(scene: Scene) -> None:
    scene.hand_over(a_case(1), a_case(2))
    before, events = scene.dump(), len(scene.events())
    assert [t.verdict for t in take_in(scene.world, scene.folder)] == ["unchanged", "unchanged"]
    assert scene.dump() == before
    assert len(scene.events()) == events


def test_a_whole_night_with_all_its_edges_read_again_changes_nothing(scene: Scene) -> None:
    synthetic.write_night(scene.folder, 60, 7, TODAY)
    taken = scene.take_in()
    assert [t.verdict for t in taken] == ["accepted", "accepted"]
    before = scene.dump()
    take_in(scene.world, scene.folder)
    assert scene.dump() == before


def test_the_same_content_in_a_new_file_makes_no_new_revision(scene: Scene) -> None:
    scene.hand_over(a_case())
    before = scene.rows("case_record"), scene.rows("case_history")
    [taken] = scene.hand_over(again(a_case()), entries=())
    assert taken.verdict == "accepted"
    assert taken.counts == {"same": 1}
    assert (scene.rows("case_record"), scene.rows("case_history")) == before


def test_each_file_is_one_event_with_counts_and_no_words_of_the_worker(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    events = scene.events()
    assert [(e["act"], e["subject"], e["counts"]) for e in events] == [
        ("handover.taken", "RHB_CASE_20261123_00001.dat", {"I": 1, "quarantined": 0, "records": 1}),
        ("handover.taken", "RHB_JC_20261123_00001.ndjson", {"E": 1, "quarantined": 0, "records": 1}),
        ("consent.granted", "RHB_JC_20261123_00001.ndjson", events[2]["counts"]),
    ]
    assert not events[2]["counts"]
    assert_nothing_personal(scene, case)


# ── whole files ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _totals(data: bytes) -> bytes:
    at = data.rindex(b"\r\nT") + 2
    tail = readers_tail(data[at:])
    return data[:at] + tail


def readers_tail(tail: bytes) -> bytes:
    from tests.journey.world import readers

    place = readers()[0].read.layout.field("T", "wageSum").place
    number = int(tail[place]) + 1
    return tail[: place.start] + str(number).zfill(place.stop - place.start).encode() + tail[place.stop :]


def _in_the_middle_of_a_syllable(data: bytes) -> bytes:
    at = next(n for n, byte in enumerate(data) if byte > 0x80)
    return data[: at + 1]


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a total that does not add up": (_totals, "E-TOTALS"),
    "cut off in the trailer": (lambda d: d[:-100], "E-LEN"),
    "cut off in the middle of a syllable": (_in_the_middle_of_a_syllable, "E-LEN"),
    "without a trailer": (lambda d: d[: d.rindex(b"\r\nT") + 2], "E-LEN"),
    "a trailer that is none": (lambda d: d.replace(b"EOF", b"FOE"), "E-LEN"),
    "something after the trailer": (lambda d: d + b"C" * 640 + b"\r\n", "E-ORDER"),
    "a head from somebody else": (lambda d: d.replace(b"B490001", b"B490002"), "E-CODE"),
    "nothing at all": (lambda d: b"", "E-LEN"),
    "a head that names another file": (lambda d: d.replace(b"20261123", b"20261122", 1), "E-ORDER"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_file_leaves_only_its_refusal(quick: Scene, how: str) -> None:
    assert_only_its_refusal(quick, how)


def test_in_the_database_as_well(real: Scene) -> None:
    assert_only_its_refusal(real, "cut off in the middle of a syllable")


def assert_only_its_refusal(scene: Scene, how: str) -> None:
    edit, code = SPOILT[how]
    case = a_case()
    [taken] = scene.hand_over(case, a_case(2), entries=(), edit=edit)
    assert (taken.verdict, taken.reason) == ("rejected", code)
    assert all(scene.rows(table) == [] for table in A1_ROWS)
    assert [f["status"] for f in scene.rows("handover_file")] in (["rejected"], [])
    assert scene.acts() == [("handover.taken", "refused", code)]
    assert_nothing_personal(scene, case)


def test_after_a_refusal_the_corrected_file_with_the_same_number_is_taken(scene: Scene) -> None:
    scene.hand_over(a_case(), entries=(), seq=1, edit=lambda d: d[:-100])
    [taken] = scene.hand_over(a_case(), entries=(), seq=1)
    assert taken.verdict == "accepted"
    assert len(scene.rows("case_record")) == 1


def test_a_file_without_its_done_is_not_there_yet(scene: Scene) -> None:
    path = write_night(scene.folder, [a_case()])
    path.with_suffix(".done").unlink()
    assert scene.take_in() == []


def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory(quick: Scene) -> None:
    path = write_night(quick.folder, [a_case()])
    with path.open("r+b") as file:
        file.truncate(GIGABYTE)  # zeros without an end of line, and without a byte on the disk
    _assert_refused_in_bounded_memory(quick)


def test_an_entry_of_a_gigabyte_is_refused_in_bounded_memory(quick: Scene) -> None:
    with (quick.folder / "RHB_JC_20261123_00001.ndjson").open("wb") as file:
        file.truncate(GIGABYTE)
    _assert_refused_in_bounded_memory(quick)


def _assert_refused_in_bounded_memory(quick: Scene) -> None:
    tracemalloc.start()
    taken = quick.take_in()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(t.verdict, t.reason) for t in taken] == [("rejected", "E-LEN")]
    assert quick.rows("case_record") == []
    assert most < 32 * 1024 * 1024


def test_more_bad_records_than_the_limit_refuse_the_file_and_undo_the_good_ones(scene: Scene) -> None:
    good, bad = [a_case(n) for n in range(1, 20)], [_spoil(a_case(n)) for n in range(100, 151)]
    [taken] = scene.hand_over(*good, *bad, entries=())
    assert (taken.verdict, taken.reason) == ("rejected", "E-LIMIT")
    assert all(scene.rows(table) == [] for table in A1_ROWS)
    assert scene.acts() == [("handover.taken", "refused", "E-LIMIT")]


def test_as_many_bad_records_as_the_limit_are_put_aside_and_the_file_goes_on(scene: Scene) -> None:
    good, bad = [a_case(n) for n in range(1, 20)], [_spoil(a_case(n)) for n in range(100, 150)]
    [taken] = scene.hand_over(*good, *bad, entries=())
    assert taken.verdict == "accepted"
    assert len(scene.rows("quarantined_record")) == 50
    assert len(scene.rows("case_record")) == 19


def _spoil(case: Any) -> Any:
    case.values["wonjikPosCd"] = "Z"
    return case


# ── the order of files ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_gap_in_the_numbers_is_refused_and_then_filled(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    [early] = scene.hand_over(a_case(3), entries=(), seq=3)
    assert early.reason == "E-GAP"
    assert [r["case_no"] for r in scene.rows("case_record")] == [a_case(1).case_no]
    filled = scene.hand_over(a_case(2), entries=(), seq=2)
    assert [t.verdict for t in filled] == ["accepted", "accepted"]  # the third is still in the folder
    assert len(scene.rows("case_record")) == 3


def test_the_same_number_with_other_bytes_is_refused(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    before = scene.dump()
    [second] = scene.hand_over(a_case(2), entries=(), seq=1, previous=0)
    assert (second.verdict, second.reason) == ("rejected", "E-DUP")
    assert scene.rows("case_record") == before["case_record"]


def test_a_resend_replaces_the_file_it_names(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    corrected = again(a_case(1), "U", addr="서울 강남구 역삼로 7")
    [taken] = scene.hand_over(corrected, entries=(), seq=2, previous=1, mode="R", original=1)
    assert taken.verdict == "accepted"
    files = {f["file_seq"]: f["status"] for f in scene.rows("handover_file")}
    assert files == {1: "replaced", 2: "accepted"}
    assert scene.record(corrected.case_no)["addrText"] == "서울 강남구 역삼로 7"


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
    bad = _spoil(a_case())
    scene.hand_over(bad)
    scene.hand_over(a_case(), entries=())
    with scene.store.unit() as unit:
        [row] = list(unit.cases.report())
    assert (row["record"], row["reason"]) == ("ok", None)


# ── the drop folder ──────────────────────────────────────────────────────────────────────────────────────────────────
def _lying(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("RHB_*"))


def test_what_is_picked_up_is_put_away_whole(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=[a_case()], seq=1, previous=0, base=TODAY)
    assert [t.verdict for t in pick_up(scene.world)] == ["accepted", "accepted"]
    name = "done/RHB_CASE_20261123_00001"
    entries = "done/RHB_JC_20261123_00001.ndjson"
    assert _lying(scene.folder) == [f"{name}.dat", f"{name}.done", f"{name}.sum", entries]
    assert pick_up(scene.world) == []


def test_a_refused_file_lies_apart_and_its_neighbour_is_taken_in(scene: Scene) -> None:
    for number, previous in ((1, 0), (3, 2)):
        write_night(scene.folder, [a_case(number)], entries=(), seq=number, previous=previous, base=TODAY)
    taken = pick_up(scene.world)
    assert [(t.verdict, t.reason) for t in taken] == [("accepted", None), ("rejected", "E-GAP")]
    lying = [name for name in _lying(scene.folder) if name.endswith(".dat")]
    assert lying == ["done/RHB_CASE_20261123_00001.dat", "err/RHB_CASE_20261123_00003.dat"]


def test_a_crash_before_putting_away_changes_nothing_twice(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
    take_in(scene.world, scene.folder)  # committed and answered, then killed
    before = scene.dump()
    assert [t.verdict for t in pick_up(scene.world)] == ["unchanged"]
    assert scene.dump() == before
    assert all(name.startswith("done/") for name in _lying(scene.folder))


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_lost(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
    (scene.folder / "done").write_text("a file where the folder should be")
    with pytest.raises(FolderUnusable, match=r"RHB_CASE_20261123_00001\.dat"):
        pick_up(scene.world)
    (scene.folder / "done").unlink()
    assert [t.verdict for t in pick_up(scene.world)] == ["unchanged"]


def test_the_engine_finds_what_is_dropped_while_it_runs(real: Scene) -> None:
    with Runner(real.world, partners=(), pause_s=0.01):
        write_night(real.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
        deadline = monotonic() + 10
        while not (real.folder / "done").exists() and monotonic() < deadline:
            sleep(0.01)
    assert _lying(real.folder)[0] == "done/RHB_CASE_20261123_00001.dat"
    assert len(real.rows("case_record")) == 1


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
