"""What every store must do with cases and what screening decided about them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.ports import CaseChange, ParkedRow, QuarantinedRow, SeatRow, Store
from tests.contract.store.build import DAY, EVENT, NOW, case, file, screening


def test_every_revision_of_a_case_stays_in_its_history(store: Store) -> None:
    later = NOW + timedelta(hours=1)
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(), "I", None)])
        unit.cases.save([CaseChange(case(revision=2, record=b'{"a":2}', updated_at=later), "U", None)])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.cases.look([case().case_no])[case().case_no].record == b'{"a":2}'
        unit.cases.save([CaseChange(case(2, record=None), "I", None)])
        assert unit.cases.records([case(n).case_no for n in (1, 2, 3)]) == {case().case_no: b'{"a":2}'}
        assert unit.cases.as_of(case().case_no, NOW) == b'{"a":1}'
        assert unit.cases.as_of(case().case_no, later) == b'{"a":2}'
        assert unit.cases.as_of(case().case_no, NOW - timedelta(seconds=1)) is None


def test_only_priority_cases_that_may_leave_and_were_not_referred_are_to_be_referred(store: Store) -> None:
    rows = [
        case(1),
        case(2),
        case(3, verdict="no-referral", reason="E-LB"),
        case(4),
        case(5, status="deleted"),
        case(6),
    ]
    results = ["PRIORITY", "WAITLIST", "PRIORITY", "PRIORITY", "PRIORITY", "PRIORITY"]
    with store.unit() as unit:
        unit.cases.save([CaseChange(r, "I", None) for r in rows])
        assert [r.case_no for r in unit.cases.unscreened(9)] == [r.case_no for r in rows if r.status == "live"]
        unit.cases.screened([screening(r, s, score=n) for n, (r, s) in enumerate(zip(rows, results, strict=True))])
        assert unit.cases.unscreened(9) == []
        unit.cases.mark_referred([rows[3].case_no])
        assert [r.case_no for r in unit.cases.to_refer(9)] == [rows[5].case_no, rows[0].case_no]
        assert [r.case_no for r in unit.cases.waiting()] == [rows[1].case_no]


def test_a_case_that_was_screened_and_taken_back_since_is_told_until_it_is_marked(store: Store) -> None:
    rows = [case(n) for n in (1, 2, 3)]
    with store.unit() as unit:
        unit.cases.save([CaseChange(r, "I", None) for r in rows])
        unit.cases.screened([screening(r, "PRIORITY") for r in rows[:2]])
        assert unit.cases.taken_back(9) == []
        last = unit.cases.look([rows[0].case_no])[rows[0].case_no]
        gone = [r._replace(status="deleted", revision=r.revision + 1) for r in (last, rows[2])]
        unit.cases.save([CaseChange(r, "D", None) for r in gone])
        assert unit.cases.taken_back(9) == [rows[0].case_no]
        unit.cases.mark_taken_back([rows[0].case_no])
        assert unit.cases.taken_back(9) == []
        back = [r._replace(status="live", revision=r.revision + 1) for r in gone]
        unit.cases.save([CaseChange(r, "I", None) for r in back])
        assert [r.case_no for r in unit.cases.unscreened(9)] == [r.case_no for r in (rows[0], rows[2])]


def test_live_cases_that_are_none_of_these_are_found_if_facts_of_them_are_known(store: Store) -> None:
    rows = [case(1), case(2), case(3, status="deleted"), case(4, status="awaiting", facts=None, record=None), case(5)]
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in rows])
        assert unit.cases.live_without({rows[1].case_no, "20269999999999"}) == [rows[0].case_no, rows[4].case_no]
        assert unit.cases.live_without(()) == [rows[0].case_no, rows[1].case_no, rows[4].case_no]


def test_whether_a_case_is_to_be_referred_is_what_its_latest_decision_says(store: Store) -> None:
    row = case()
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        for result in ("GENERAL", "PRIORITY", "WAITLIST", "PRIORITY", "EXCLUDED"):
            unit.cases.screened([screening(row, result)])
            assert len(unit.cases.to_refer(9)) == (result == "PRIORITY")
        again = row._replace(version=2, revision=row.revision + 1)
        unit.cases.save([CaseChange(again, "U", None)])
        assert unit.cases.to_refer(9) == []
        unit.cases.screened([screening(again, "PRIORITY")])
        assert [(r.case_no, r.revision) for r in unit.cases.to_refer(9)] == [(row.case_no, again.revision)]


def test_a_seat_is_held_since_the_first_day_without_a_break(store: Store) -> None:
    row = case()
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        for result, day in (("PRIORITY", 1), ("WAITLIST", 2), ("PRIORITY", 3), ("PRIORITY", 4)):
            unit.cases.screened([screening(row, result, date(2026, 12, day))])
        held = SeatRow(row.case_no, "1100", date(2026, 12, 3))
        assert unit.cases.seats_of([row.case_no]) == [held]
        unit.cases.screened([screening(row, "GENERAL", date(2026, 12, 5))])
        assert unit.cases.seats_of([row.case_no]) == []


def test_seats_are_counted_by_branch_and_told_of_those_who_are_asked_for(store: Store) -> None:
    rows = [case(1), case(2), case(3, branch="2200"), case(4, branch=None), case(5, record=None), case(6)]
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in rows])
        for day, row in enumerate(rows[:5], start=1):
            unit.cases.screened([screening(row, day=date(2026, 12, day))])
        unit.cases.screened([screening(rows[5], "WAITLIST")])
        assert unit.cases.seats_taken() == {"1100": 2, "2200": 1}
        one, two, three = (SeatRow(r.case_no, r.branch or "", date(2026, 12, n)) for n, r in enumerate(rows[:3], 1))
        assert unit.cases.seats_of([row.case_no for row in rows[1:]]) == [two, three]
        assert unit.cases.seats_of([]) == []
        assert unit.cases.seats_held_since(["1100"], date(2026, 12, 1)) == [one]
        assert unit.cases.seats_held_since(["1100", "2200"], date(2026, 12, 9)) == [one, two, three]
        assert unit.cases.seats_held_since([], date(2026, 12, 9)) == []


@pytest.mark.parametrize("change", ["D", "X"])
@pytest.mark.parametrize("seen", [True, False], ids=["somebody saw it gone", "nobody did"])
def test_a_seat_ends_with_a_deletion_and_is_held_anew_by_a_case_that_is_back(
    store: Store, change: str, seen: bool
) -> None:
    row = case()
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        unit.cases.screened([screening(row, day=date(2026, 12, 1))])
        gone = row._replace(status="deleted", revision=2, screened=1)
        unit.cases.save([CaseChange(gone, change, None)])
        if seen:
            unit.cases.mark_taken_back([row.case_no])
        back = gone._replace(status="live", revision=3, screened=2 if seen else 1)
        unit.cases.save([CaseChange(back, "I", None)])
        assert (unit.cases.seats_of([row.case_no]), unit.cases.seats_taken()) == ([], {})
        unit.cases.screened([screening(back, day=date(2026, 12, 5))])
        changed = back._replace(revision=4, screened=3)
        unit.cases.save([CaseChange(changed, "U", None)])
        unit.cases.screened([screening(changed, day=date(2026, 12, 6))])
        assert [seat.since for seat in unit.cases.seats_of([row.case_no])] == [date(2026, 12, 5)]
        assert unit.cases.seats_taken() == {"1100": 1}


def test_a_case_that_takes_another_over_keeps_its_seat(store: Store) -> None:
    row = case()
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        unit.cases.screened([screening(row, day=date(2026, 12, 1))])
        merged = row._replace(revision=2, screened=1)
        unit.cases.save([CaseChange(merged, "M", None)])
        unit.cases.screened([screening(merged, day=date(2026, 12, 2))])
        assert [seat.since for seat in unit.cases.seats_of([row.case_no])] == [date(2026, 12, 1)]


def test_who_has_changed_since_the_last_decision_is_not_as_screened(store: Store) -> None:
    same, other = case(1), case(2)
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in (same, other)])
        unit.cases.screened([screening(row, "PRIORITY") for row in (same, other)])
        unit.cases.save([CaseChange(other._replace(revision=other.revision + 1, screened=other.revision), "U", None)])
        found = unit.cases.still_as_screened([other.case_no, same.case_no])
        assert [(r.case_no, r.revision, r.record) for r in found] == [(same.case_no, same.revision, same.record)]


def test_who_is_left_to_a_person_is_so_by_the_latest_decision_unless_taken_back_since(store: Store) -> None:
    one, two, three = (case(n) for n in (1, 2, 3))
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in (one, two, three)])
        unit.cases.screened([screening(one, "REVIEW"), screening(two, "REVIEW"), screening(three, "REVIEW")])
        unit.cases.screened([screening(two, "GENERAL")])
        gone = three._replace(status="deleted", revision=three.revision + 1, screened=three.revision)
        unit.cases.save([CaseChange(gone, "D", None)])
        assert unit.cases.in_review([one.case_no, two.case_no, three.case_no]) == {one.case_no, three.case_no}
        unit.cases.mark_taken_back([three.case_no])
        assert unit.cases.in_review([one.case_no, two.case_no, three.case_no]) == {one.case_no}
        assert unit.cases.in_review([two.case_no]) == set()


def test_the_report_lets_a_newer_quarantine_speak_for_the_case(store: Store) -> None:
    aside = QuarantinedRow(file(1).file_id, 2, case(2).case_no, "E-ENC", "korNm", b"\xff", "0" * 64)
    with store.unit() as unit:
        unit.handovers.add(file(1), [aside, aside._replace(record_no=3, case_no=case(1).case_no, reason="E-DATE")])
        unit.cases.save([CaseChange(case(1, updated_at=NOW + timedelta(hours=1)), "I", None)])
        unit.cases.save([CaseChange(case(3, status="awaiting", facts=None, record=None), "E", None)])
        unit.cases.screened([screening(case(1))])
        told = {row["caseNo"]: (row["record"], row["reason"], row["screening"]) for row in unit.cases.report()}
    assert told == {
        case(1).case_no: ("ok", None, "CANDIDATE"),
        case(2).case_no: ("quarantined", "E-ENC", None),
        case(3).case_no: ("awaiting", None, None),
    }


def test_the_report_tells_of_a_case_whose_facts_all_wait_for_an_earlier_version(store: Store) -> None:
    waits = ParkedRow(case(1).case_no, 3, "U", None, b"{}", "a" * 64, file(1).file_id, 1, NOW)
    aside = QuarantinedRow(file(1).file_id, 2, case(4).case_no, "E-ENC", "korNm", b"\xff", "0" * 64)
    with store.unit() as unit:
        unit.handovers.add(file(1), [aside])
        unit.handovers.park([waits, waits._replace(version=4)])
        unit.handovers.park([waits._replace(case_no=case(n).case_no) for n in (2, 3, 4)])
        unit.cases.save([CaseChange(case(2, status="awaiting", facts=None, record=None), "E", None)])
        unit.cases.save([CaseChange(case(3), "I", None)])
        told = [(row["caseNo"], row["record"], row["reason"], row["legs"]) for row in unit.cases.report()]
    assert told == [
        (case(1).case_no, "no-referral", "E-GAP", []),
        (case(2).case_no, "no-referral", "E-GAP", []),
        (case(3).case_no, "ok", None, []),
        (case(4).case_no, "quarantined", "E-ENC", []),
    ]


def test_what_speaks_for_a_case_and_how_it_was_judged_is_kept_with_it(store: Store) -> None:
    row = case(
        facts_date=DAY,
        facts_seq=3,
        entry_date=DAY,
        entry_seq=501,
        entry_version=2,
        unserved="KEAD TRN",
        holds_until=NOW,
        judged=1,
    )
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.cases.load([row.case_no])[row.case_no] == row
        noted = row._replace(
            verdict="no-referral", reason="E-CONSENT", barred=True, unserved="", holds_until=None, entry_seq=502
        )
        unit.cases.note([noted, case(9)])
        assert unit.cases.look([row.case_no, case(9).case_no]) == {row.case_no: noted}
        assert unit.cases.as_of(row.case_no, NOW) == row.record


def test_a_case_is_judged_again_when_it_is_newer_than_its_judgement_or_its_moment_is_there(store: Store) -> None:
    rows = [
        case(1, judged=1),
        case(2, judged=0),
        case(3, judged=1, holds_until=NOW),
        case(4, judged=1, holds_until=NOW + timedelta(seconds=1)),
        case(5, judged=0, status="deleted"),
        case(6, judged=1, holds_until=NOW, record=None),
    ]
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in rows])
        assert [row.case_no for row in unit.cases.to_judge(NOW, 9)] == [rows[1].case_no, rows[2].case_no]
        assert [row.case_no for row in unit.cases.to_judge(NOW, 1)] == [rows[1].case_no]
        unit.cases.note([rows[1]._replace(judged=1), rows[2]._replace(holds_until=None)])
        assert unit.cases.to_judge(NOW, 9) == []
