"""Track: the judgement follows the facts, one update for each change, and a file that is written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import reduce
from hashlib import sha256
from operator import getitem
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.comwel.rtw_register import RtwFiles
from adapters.partners.pretend.scripts import Kind
from gateway.config import Settings
from gateway.documents.strict_json import dumps, reread
from gateway.journey.track import end_checks
from gateway.journey.work import done, look
from gateway.ports import LegRow, UpdateRow
from gateway.versions import Versions
from gateway.worker.rounds import quiet
from tests.journey.world import (
    DAY,
    PARTNERS,
    Killed,
    Scene,
    a_case,
    a_job,
    again,
    assert_nothing_personal,
    event_of,
    letter,
    retained,
    told,
)

START = date(2026, 12, 1)


class Register:
    """COMWEL's register with a will: it dies before or after it has written, once."""

    def __init__(self, *, dies: str = "") -> None:
        self.files, self.dies, self.calls = RtwFiles(Settings().schemas), dies, 0

    def check(self, row: Mapping[str, Any]) -> None:
        self.files.check(row)

    def write(self, directory: Path, file_date: date, file_seq: int, rows: Sequence[Mapping[str, Any]]) -> str:
        self.calls += 1
        dies, self.dies = self.dies, ""
        if dies == "before":
            raise Killed
        digest = self.files.write(directory, file_date, file_seq, rows)
        if dies == "after":
            raise Killed
        return digest


def placed(scene: Scene, partner: str = "KEIS", start: date = START, **job: Any) -> LegRow:
    leg = scene.referred(a_case())[partner]
    scene.clock.day = max(start + 2 * DAY, scene.clock.day)
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        assert scene.say(leg, kind, seq).status == 200
    assert scene.say(leg, Kind.PLACED, 3, on=scene.clock.day, job=a_job(start, **job)).status == 200
    return leg


def written(scene: Scene) -> list[Path]:
    return sorted(scene.world.limits.to_comwel.glob("RHB_RTW_*.dat"))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return RtwFiles(Settings().schemas).read(path.read_bytes())


def updates(scene: Scene) -> list[dict[str, Any]]:
    return sorted(scene.rows("rtw_update"), key=lambda u: (u["ref_no"], u["update_no"]))


# ── judgement ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("partner", PARTNERS)
def test_a_placement_is_judged_and_written_back(scene: Scene, partner: str) -> None:
    leg = placed(scene, partner)
    since = len(scene.events())
    scene.track()
    [update] = updates(scene)
    content = reread(update["content"])
    assert (content["refNo"], content["updateNo"], content["employment"]["start"]) == (leg.ref_no, 1, "2026-12-01")
    [path] = written(scene)
    [row] = rows_of(path)
    assert (row["wonbuNo"], row["updNo"]) == (a_case().case_no, 1)
    assert [e["act"] for e in scene.events(since)] == ["outcomes.judged", "writeback.allocated", "writeback.written"]
    assert_nothing_personal(scene)


@pytest.mark.parametrize("partner", PARTNERS)
def test_who_is_back_in_the_job_before_the_accident_is_told_so_whatever_the_partner_calls_it(
    quick: Scene, partner: str
) -> None:
    case = a_case()
    placed(quick, partner, brn=case.values["saeopjaDrno"], keco=str((case.entry or {})["occupationKeco"]))
    quick.track()
    [update] = updates(quick)
    assert reread(update["content"])["outcomeCode"] == "original-same-job"


@pytest.mark.parametrize(("begins", "status"), [(date(2026, 12, 3), "pending"), (date(2026, 12, 4), "returned")])
def test_a_definition_judges_from_its_day_on(quick: Scene, begins: date, status: str) -> None:
    now = quick.world.know.rtw.on(START)
    pending = dict.fromkeys(now.return_status, "pending")
    rtw = Versions.of(
        "measures/rtw", [now, replace(now, id="RTW-2027.1", effective_from=begins, return_status=pending)], START
    )
    quick.world = replace(quick.world, know=replace(quick.world.know, rtw=rtw))
    placed(quick)
    assert quick.clock.day == date(2026, 12, 3)
    quick.track()
    [update] = updates(quick)
    assert reread(update["content"])["status"] == status


@pytest.mark.parametrize(("until", "shown"), [("2026-12-31", True), ("2026-11-30", False)])
def test_a_support_of_comwel_and_one_of_a_partner_for_the_same_time_are_shown_to_a_person(
    scene: Scene, until: str, shown: bool
) -> None:
    ours = {"kind": "직장복귀지원금", "from": "2026-09-01", "until": until}
    leg = scene.referred(a_case(entry={"subsidies": [ours]}))["KEAD"]
    scene.clock.day = START
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, kind, seq)
    said = letter(leg, Kind.PLACED, 3, on=START, job=a_job(START))
    said.document["subsidy"] = [{"kind": "장애인고용장려금", "fromDt": START.isoformat()}]
    assert scene.hear(said).status == 200
    assert [w["kind"] for w in scene.rows("work_item") if "subsidy" in w["kind"]] == ["outcome-subsidy-overlap"] * shown


def test_nothing_new_means_no_update_no_file_and_no_event(scene: Scene) -> None:
    placed(scene)
    scene.track()
    before, events = scene.dump(), len(scene.events())
    assert scene.track() == 0
    assert (scene.dump(), len(scene.events())) == (before, events)


def test_reports_that_come_together_are_judged_together(scene: Scene) -> None:
    scene.world = replace(scene.world, limits=replace(scene.world.limits, settle_s=20.0))
    placed(scene)
    assert scene.track() == 0
    assert updates(scene) == []
    scene.clock.pass_(seconds=21)
    scene.track()
    assert [u["update_no"] for u in updates(scene)] == [1]


def test_a_change_that_means_nothing_new_makes_no_update(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, kind, seq)
    scene.track()
    before = updates(scene)
    scene.clock.day += DAY
    scene.say(leg, Kind.PLAN, 3)
    scene.track()
    assert updates(scene) == before


def test_a_retention_report_is_the_next_update_and_names_its_milestone(scene: Scene) -> None:
    leg = placed(scene)
    scene.track()
    scene.clock.day = date(2027, 1, 4)
    scene.say(leg, Kind.RETENTION, 4, on=scene.clock.day, check=retained("P1M", scene.clock.day))
    scene.track()
    first, second = updates(scene)
    assert (first["update_no"], second["update_no"]) == (1, 2)
    assert reread(second["content"])["milestones"]["P1M"]["result"].startswith("retained-")
    assert [len(rows_of(p)) for p in written(scene)] == [1, 1]


def test_a_correction_is_an_update_with_the_right_facts(scene: Scene) -> None:
    leg = placed(scene)
    scene.track()
    right = event_of(Kind.PLACED, scene.clock.day, job=a_job(START, wage=2_700_000), corrects=3)
    scene.hear(told(leg, right, 4))
    scene.track()
    assert [reread(u["content"])["employment"]["wage"] for u in updates(scene)] == [2_600_000, 2_700_000]


def test_what_was_taken_back_no_longer_counts(scene: Scene) -> None:
    """A last day of work that was reported by mistake, and corrected without one, does not end the job."""
    leg = placed(scene, "TRN")
    scene.clock.day = day = date(2027, 1, 4)
    gone = retained("P1M", day, "not-employed", last_day=date(2026, 12, 20), leave_reason="voluntary")
    scene.say(leg, Kind.RETENTION, 4, on=day, check=gone)
    scene.track()
    right = event_of(Kind.RETENTION, day, check=retained("P1M", day), corrects=4)
    assert scene.hear(told(leg, right, 5)).status == 200
    scene.track()
    mistaken, corrected = (reread(u["content"]) for u in updates(scene)[-2:])
    assert mistaken["milestones"]["P1M"]["result"] == "not-employed"
    assert corrected["milestones"]["P1M"]["result"].startswith("retained-")
    assert "end" not in corrected["employment"]


def test_several_partners_of_one_case_are_judged_each_for_itself(scene: Scene) -> None:
    legs = scene.referred(a_case())
    for leg in legs.values():
        scene.say(leg, Kind.ACCEPT, 1)
        scene.say(leg, Kind.START, 2)
        scene.say(leg, Kind.CLOSE_UNPLACED, 3)
    scene.track()
    assert {u["ref_no"] for u in updates(scene)} == {leg.ref_no for leg in legs.values()}
    assert [r["status"] for r in scene.rows("referral")] == ["revoked"]
    assert [w["kind"] for w in scene.rows("work_item")] == ["not-placed"]


def test_that_nobody_was_placed_is_a_persons_once_whatever_is_added_later(scene: Scene) -> None:
    leg = scene.referred(a_case(entry={"services": {"KEIS": ["01"]}}))["KEIS"]
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START, Kind.CLOSE_UNPLACED), start=1):
        scene.say(leg, kind, seq)
    scene.track()
    [item] = look(scene.world, by="kim.0417", kind="not-placed")
    done(scene.world, item.number, by="kim.0417")
    assert scene.say(leg, Kind.SEARCH, 4).status == 409  # it has used up its number, and changed nothing else
    scene.track()
    assert look(scene.world, by="kim.0417", kind="not-placed") == []


def test_a_request_is_completed_when_its_last_leg_ends_and_one_was_placed(scene: Scene) -> None:
    placed(scene, "KEIS")
    for partner in ("KEAD", "TRN"):
        leg = scene.legs(a_case().case_no)[partner]
        scene.say(leg, Kind.DECLINE, 1)
        scene.track()
    assert [r["status"] for r in scene.rows("referral")] == ["completed"]


def test_a_no_is_told_on_the_day_on_which_it_is_one_although_nobody_reports_again(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START, Kind.CLOSE_UNPLACED), start=1):
        scene.say(leg, kind, seq)
    scene.track()
    work = scene.rows("work_item")
    scene.clock.day += 44 * DAY
    assert scene.track() == 0
    scene.clock.day += DAY
    assert not quiet(scene.store, scene.clock)
    scene.track()
    assert [reread(u["content"])["status"] for u in updates(scene)] == ["pending", "not-returned"]
    assert [len(rows_of(path)) for path in written(scene)] == [1, 1]
    assert scene.rows("work_item") == work
    scene.clock.day += 400 * DAY
    assert scene.track() == 0


def test_what_was_judged_before_the_day_was_kept_is_judged_once_more(real: Scene) -> None:
    leg = real.referred(a_case())["KEIS"]
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START, Kind.CLOSE_UNPLACED), start=1):
        real.say(leg, kind, seq)
    real.track()
    with psycopg.connect(real.store._pool.conninfo) as old:
        old.execute("update leg set judge_on = default")
    real.clock.day += 60 * DAY
    real.track()
    assert [reread(u["content"])["status"] for u in updates(real)] == ["pending", "not-returned"]
    assert real.track() == 0


def test_a_report_of_the_year_one_holds_up_no_other(scene: Scene) -> None:
    legs = scene.referred(a_case())
    scene.clock.day = START
    for name in ("KEAD", "KEIS"):
        for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
            assert scene.say(legs[name], kind, seq).status == 200
        said = letter(legs[name], Kind.PLACED, 3, on=START, job=a_job(START))
        if name == "KEAD":
            said.document.update(_ancient(said.document))
        assert scene.hear(said).status == 200
    scene.track()
    assert [u["ref_no"] for u in updates(scene)] == [legs["KEIS"].ref_no]
    [work] = [w for w in scene.rows("work_item") if not w["kind"].startswith("outcome-")]
    assert (work["kind"], work["code"], work["ref_no"]) == ("update-refused", "DOC-SCHEMA", legs["KEAD"].ref_no)


def _ancient(said: Any) -> Any:
    """The same report, all of it on the fifth day of the calendar, by the employment insurance."""
    if isinstance(said, dict):
        return {name: "고용보험" if name == "evidence" else _ancient(value) for name, value in said.items()}
    return "0001-01-05" if said == START.isoformat() else said


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_crash_at_writing_gives_the_same_file_again_and_nothing_twice(scene: Scene, dies: str) -> None:
    placed(scene)
    register = Register(dies=dies)
    scene.world = replace(scene.world, register=register)
    with pytest.raises(Killed):
        scene.track()
    [file] = scene.rows("rtw_file")
    assert (file["file_seq"], file["sha256"]) == (1, None)  # allocated before it is written
    assert [u["file_seq"] for u in updates(scene)] == [1]
    before = written(scene)[0].read_bytes() if dies == "after" else None
    scene.clock.day += DAY  # the crash was just before midnight: the file keeps its date
    scene.track()
    [path] = written(scene)
    [file] = scene.rows("rtw_file")
    assert path.name == "RHB_RTW_20261203_00001.dat"
    assert before in (None, path.read_bytes())
    assert file["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert register.calls == 2
    assert scene.track() == 0
    assert len(rows_of(path)) == 1


def test_the_second_file_of_a_day_has_the_next_number(scene: Scene) -> None:
    leg = placed(scene)
    scene.track()
    right = event_of(Kind.PLACED, scene.clock.day, job=a_job(START, wage=1_900_000), corrects=3)
    scene.hear(told(leg, right, 4))
    scene.track()
    assert [p.name for p in written(scene)] == ["RHB_RTW_20261203_00001.dat", "RHB_RTW_20261203_00002.dat"]


@pytest.mark.parametrize("employer", ["Café Zürich ☕", "가" * 100, "𠮷野家", "x" * 100, "주식회사 ㈜ 똠방각하"])
def test_no_employers_name_can_stop_the_write_back(scene: Scene, employer: str) -> None:
    placed(scene, employer=employer)
    scene.track()
    [path] = written(scene)
    [row] = rows_of(path)
    assert row["updNo"] == 1


@pytest.mark.parametrize(
    ("partner", "job", "value", "code"),
    [
        ("KEIS", ("body", "empInfo", "sal"), 10**12, "E-LEN"),
        ("KEAD", ("emp", "startDt"), "1899-12-31", "DOC-SCHEMA"),
    ],
)
def test_an_update_that_cannot_be_written_is_shown_to_a_person_and_stops_no_other(
    scene: Scene, partner: str, job: Sequence[str], value: object, code: str
) -> None:
    legs = scene.referred(a_case())
    scene.clock.day = day = START + 2 * DAY
    for name in (partner, "TRN"):
        for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
            assert scene.say(legs[name], kind, seq).status == 200
        said = letter(legs[name], Kind.PLACED, 3, on=day, job=a_job(START))
        if name == partner:
            reduce(getitem, job[:-1], said.document)[job[-1]] = value
        assert scene.hear(said).status == 200
    scene.track()
    assert [u["ref_no"] for u in updates(scene)] == [legs["TRN"].ref_no]
    assert [len(rows_of(path)) for path in written(scene)] == [1]
    [work] = [w for w in scene.rows("work_item") if not w["kind"].startswith("outcome-")]
    assert (work["kind"], work["code"], work["ref_no"]) == ("update-refused", code, legs[partner].ref_no)
    assert scene.track() == 0
    right = event_of(Kind.PLACED, day, job=a_job(START), corrects=3)
    assert scene.hear(told(legs[partner], right, 4)).status == 200
    scene.track()
    assert [(u["ref_no"], u["update_no"]) for u in updates(scene)] == [
        (legs[name].ref_no, 1) for name in sorted(("TRN", partner), key=lambda name: legs[name].ref_no)
    ]
    assert_nothing_personal(scene)


def test_an_update_that_was_taken_before_it_was_looked_at_like_this_stops_no_file(scene: Scene) -> None:
    """It waits already, or stands in a file that is not written: the others are, and a person is told."""
    leg = placed(scene)
    scene.track()
    [good] = updates(scene)
    content = reread(good["content"])
    bad = dumps({**content, "updateNo": 2, "employment": {**content["employment"], "wage": 10**12}})
    with scene.store.unit() as unit:
        unit.facts.add_updates([UpdateRow(leg.ref_no, 2, leg.case_no, bad, None, None, scene.clock.now())])
        unit.facts.add_updates([UpdateRow(leg.ref_no, 3, leg.case_no, good["content"], None, None, scene.clock.now())])
        unit.commit(scene.world.event("outcomes.judged", "rtw-tracking"))
    assert [scene.track(), scene.track()] == [1, 0]
    assert [len(rows_of(path)) for path in written(scene)] == [1, 1]
    [work] = scene.rows("work_item")
    assert (work["kind"], work["code"], work["ref_no"]) == ("update-refused", "E-LEN", leg.ref_no)


def shown(scene: Scene) -> list[tuple[str, str | None]]:
    return [(w["kind"], w["ref_no"]) for w in scene.rows("work_item") if w["kind"].startswith("outcome-")]


def test_reports_that_contradict_each_other_are_shown_to_a_person_once(scene: Scene) -> None:
    leg = placed(scene, "TRN")
    scene.clock.day = day = date(2027, 1, 4)
    gone = retained("P1M", day, "not-employed", last_day=date(2026, 12, 20), leave_reason="voluntary")
    scene.say(leg, Kind.RETENTION, 4, on=day, check=gone, evidence="E3")
    scene.track()
    assert shown(scene) == []
    scene.clock.day = day = date(2027, 3, 2)
    scene.say(leg, Kind.RETENTION, 5, on=day, check=retained("P3M", day), evidence="E1")
    scene.track()
    assert shown(scene) == [("outcome-conflict", leg.ref_no)]
    [item] = [w for w in look(scene.world, by="kim.0417") if w.item.kind == "outcome-conflict"]
    done(scene.world, item.number, by="kim.0417")
    scene.clock.day = day = date(2027, 6, 2)
    scene.say(leg, Kind.RETENTION, 6, on=day, check=retained("P6M", day), evidence="E1")
    scene.track()
    assert shown(scene) == [("outcome-conflict", leg.ref_no)]
    assert_nothing_personal(scene)


def test_a_job_that_the_worker_had_beside_the_other_before_the_accident_is_shown_to_a_person(scene: Scene) -> None:
    beside = {"multiEmployer": [{"kind": "concurrent", "brn": "9999900010"}, {"kind": "main", "brn": "1208100000"}]}
    leg = scene.referred(a_case(entry=beside))["KEIS"]
    scene.clock.day = START
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, kind, seq)
    scene.say(leg, Kind.PLACED, 3, on=START, job=a_job(START))
    scene.track()
    assert shown(scene) == [("outcome-prior-concurrent", leg.ref_no)]
    assert reread(updates(scene)[-1]["content"])["outcomeCode"] == "new-employer"


# ── retention ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_six_months_from_the_last_of_august_end_on_the_last_of_february(scene: Scene) -> None:
    placed(scene, start=date(2026, 8, 31))
    due = {c["milestone"]: c["due_on"] for c in scene.rows("retention_check")}
    assert due["P1M"] == date(2026, 9, 30)
    assert due["P6M"] == date(2027, 2, 28)
    assert due["P12M"] == date(2027, 8, 31)


def test_checks_fall_due_on_their_day_and_not_before(scene: Scene) -> None:
    placed(scene)
    scene.track()
    scene.clock.day = date(2026, 12, 31)
    assert scene.track() == 0
    scene.clock.day = date(2027, 1, 1)
    since = len(scene.events())
    scene.track()
    states = {c["milestone"]: c["state"] for c in scene.rows("retention_check")}
    assert states == {"P1M": "due", "P3M": "scheduled", "P6M": "scheduled", "P12M": "scheduled"}
    assert [(e["act"], e["counts"]) for e in scene.events(since)] == [("retention.due", {"checks": 1})]


@pytest.mark.parametrize("result", ["retained-same-job", "not-employed"])
def test_an_answer_before_the_day_closes_no_check(scene: Scene, result: str) -> None:
    """Who left in month 5 may work elsewhere in month 6, and who is there may have left by then."""
    leg = placed(scene)
    for seq, (day, state) in enumerate(
        {date(2027, 5, 31): "scheduled", date(2027, 6, 1): "completed"}.items(), start=4
    ):
        scene.clock.day = day
        assert scene.say(leg, Kind.RETENTION, seq, on=day, check=retained("P6M", day, result)).status == 200
        [check] = [c for c in scene.rows("retention_check") if c["milestone"] == "P6M"]
        assert (check["state"], check["due_on"]) == (state, date(2027, 6, 1))


def test_checks_that_nobody_answers_are_closed_after_half_a_year(scene: Scene) -> None:
    placed(scene)
    scene.clock.day = date(2027, 6, 30)  # 180 days after the first one's day
    scene.track()
    assert end_checks(scene.world) == 0
    scene.clock.day = date(2027, 7, 1)
    since = len(scene.events())
    assert [end_checks(scene.world) for _ in range(2)] == [1, 0]
    found = {c["milestone"]: (c["state"], c["result"]) for c in scene.rows("retention_check")}
    assert found == {
        "P1M": ("failed", "unknown"), "P3M": ("due", None), "P6M": ("due", None), "P12M": ("scheduled", None)
    }  # fmt: skip
    ended = ("retention.ended", {"unanswered": 1, "cancelled": 0})
    assert [(e["act"], e["counts"]) for e in scene.events(since)] == [ended]


def test_of_the_dead_nobody_is_asked_any_more(scene: Scene) -> None:
    """KEAD has reported the placement and is still at work: it is asked to stop, and has not answered."""
    placed(scene, "KEAD")
    scene.hand_over(again(a_case(), dthDt=date(2026, 11, 21)), entries=())
    assert end_checks(scene.world) == 4
    assert {c["state"] for c in scene.rows("retention_check")} == {"cancelled"}


def test_a_voluntary_leave_in_the_fifth_month_is_told_with_its_last_day(scene: Scene) -> None:
    leg = placed(scene)
    for seq, (milestone, day) in enumerate({"P1M": date(2027, 1, 4), "P3M": date(2027, 3, 2)}.items(), start=4):
        scene.clock.day = day
        assert scene.say(leg, Kind.RETENTION, seq, on=day, check=retained(milestone, day)).status == 200
    scene.clock.day = date(2027, 6, 2)
    left = retained("P6M", scene.clock.day, "not-employed", last_day=date(2027, 4, 20), leave_reason="voluntary")
    assert scene.say(leg, Kind.RETENTION, 6, on=scene.clock.day, check=left).status == 200
    scene.track()
    last = reread(updates(scene)[-1]["content"])
    assert {m: r["result"] for m, r in last["milestones"].items()}["P6M"] == "not-employed"
    assert last["milestones"]["P1M"]["result"].startswith("retained-")
    assert (last["employment"]["end"], last["employment"]["endReason"]) == ("2027-04-20", "voluntary")
    fact = reread(next(f for f in scene.rows("outcome_fact") if f["seq"] == 6)["content"])
    assert fact["retention"]["lastDayWorked"] == "2027-04-20"


def test_each_milestone_of_who_has_left_is_told_on_its_day_although_nobody_reports_again(scene: Scene) -> None:
    leg = placed(scene)
    scene.clock.day = date(2027, 1, 4)
    left = retained("P1M", scene.clock.day, "not-employed", last_day=date(2026, 12, 20), leave_reason="voluntary")
    assert scene.say(leg, Kind.RETENTION, 4, on=scene.clock.day, check=left).status == 200
    scene.track()
    seen = []
    for month in (3, 6, 12):
        scene.clock.day = date(2027, month, 1)
        scene.track()
        seen.append({m: r["result"] for m, r in reread(updates(scene)[-1]["content"])["milestones"].items()})
    no = dict.fromkeys(("P1M", "P3M", "P6M", "P12M"), "not-employed")
    assert seen == [{m: no[m] for m in spans} for spans in (("P1M", "P3M"), ("P1M", "P3M", "P6M"), no)]


def test_a_case_that_changes_meanwhile_is_written_back_under_the_version_that_was_referred(scene: Scene) -> None:
    placed(scene)
    scene.hand_over(again(a_case(), addr="새 주소"), entries=(), base=scene.clock.day)
    scene.track()
    [row] = rows_of(written(scene)[0])
    assert row["wonbuVer"] == 1
