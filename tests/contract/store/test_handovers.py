"""What every store must do with files that COMWEL hands over."""

from __future__ import annotations

from datetime import date, timedelta

from gateway.ports import CaseChange, ParkedRow, QuarantinedRow, Store, WorkItem
from tests.contract.store.build import EVENT, NOW, case, file, uid


def test_a_file_that_was_taken_in_is_found_by_its_bytes_and_a_rejected_one_is_not(store: Store) -> None:
    with store.unit() as unit:
        unit.handovers.add(file(1), [QuarantinedRow(file(1).file_id, 2, None, "E-ENC", "korNm", b"\xff", "0" * 64)])
        unit.handovers.add(file(2, "rejected"))
        unit.handovers.add(file(3)._replace(stands_for=2))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.handovers.find("A1", file(1).sha256) == file(1)
        assert [q.raw for q in unit.handovers.quarantined(file(1).file_id)] == [b"\xff"]
        assert unit.handovers.quarantined(file(2).file_id) == []
        assert unit.handovers.find("A6", file(1).sha256) is None
        assert unit.handovers.find("A1", file(2).sha256) is None
        assert [(f.file_seq, f.stands_for) for f in unit.handovers.taken_in("A1")] == [(1, None), (3, 2)]
        assert (unit.handovers.rejected("A1"), unit.handovers.rejected("A6")) == ([file(2, "rejected")], [])
        unit.handovers.mark_replaced(file(1).file_id)
        known = [(f.file_seq, f.status) for f in unit.handovers.taken_in("A1")]
        assert known == [(1, "replaced"), (3, "accepted")]
        assert unit.handovers.find("A1", file(1).sha256) == file(1)._replace(status="replaced")


def test_a_parked_row_waits_once_and_leaves_when_woken(store: Store) -> None:
    row = ParkedRow("20260001000001", 2, "U", None, b"{}", "b" * 64, uid("f"), 7, NOW)
    with store.unit() as unit:
        unit.handovers.park([row])
        unit.handovers.park([row])
        assert unit.handovers.parked(["20260001000001"]) == [row]
        unit.handovers.unpark([row])
        assert unit.handovers.parked(["20260001000001"]) == []


def test_what_waits_comes_in_the_order_of_the_files_that_speak_in_it(store: Store) -> None:
    told = [(date(2026, 11, 23), 2), (date(2026, 11, 22), 9), (None, None), (date(2026, 11, 23), 1)]
    rows = [
        ParkedRow("20260001000001", 2, "U", None, b"{}", f"{n}" * 64, uid("f"), n, NOW, *place)
        for n, place in enumerate(told, start=1)
    ]
    with store.unit() as unit:
        unit.handovers.park(rows)
        found = unit.handovers.parked(["20260001000001"])
        assert found == [rows[2], rows[1], rows[3], rows[0]]


def test_the_same_word_is_as_new_as_its_newest_file_and_a_deletion_of_the_same_content_waits_beside_it(
    store: Store,
) -> None:
    def said(change: str, seq: int) -> ParkedRow:
        day = date(2026, 11, 23)
        return ParkedRow("20260001000001", 2, change, None, b"{}", "a" * 64, uid("f"), seq, NOW, day, seq)

    with store.unit() as unit:
        unit.handovers.park([said("U", 1)])
        unit.handovers.park([said("D", 2)])
        unit.handovers.park([said("U", 3)])
        unit.handovers.park([said("D", 1)])
        assert unit.handovers.parked(["20260001000001"]) == [said("D", 2), said("U", 3)]
        unit.handovers.unpark([said("U", 3)])
        assert unit.handovers.parked(["20260001000001"]) == [said("D", 2)]


def test_a_word_that_is_repeated_has_waited_since_the_first_time(store: Store) -> None:
    row = ParkedRow("20260001000001", 2, "U", None, b"{}", "b" * 64, uid("f"), 7, NOW, date(2026, 11, 23), 1)
    repeated = row._replace(parked_at=NOW + timedelta(days=1), told_seq=2)
    with store.unit() as unit:
        unit.handovers.park([row])
        unit.handovers.park([repeated])
        assert unit.handovers.parked([row.case_no]) == [repeated._replace(parked_at=NOW)]


def test_a_version_is_missed_until_somebody_looks_and_over_when_nothing_waits_for_it(store: Store) -> None:
    third = ParkedRow(case(1).case_no, 3, "U", None, b"{}", "a" * 64, uid("f"), 1, NOW)
    change = third._replace(case_no=case(2).case_no, version=2)
    late, found = NOW + timedelta(seconds=1), [(third.case_no, "version-2"), (change.case_no, "version-1")]
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(1), "I", None), CaseChange(case(2, facts=None, record=None), "E", None)])
        unit.handovers.park([third, third._replace(version=4, parked_at=late), change])
        assert unit.handovers.missing_versions("missed", NOW, 9) == []
        assert unit.handovers.missing_versions("missed", late, 9) == found
        assert unit.handovers.missing_versions("missed", late, 1) == found[:1]
        unit.add_work([WorkItem("missed", which, no, None, None, None, NOW) for no, which in found])
        assert unit.handovers.missing_versions("missed", late, 9) == []
        assert unit.handovers.missing_versions("other", late, 9) == found
        assert unit.handovers.end_missing_versions("missed", late) == 0
        unit.handovers.unpark([change])
        assert unit.handovers.end_missing_versions("missed", late) == 1
        unit.cases.save([CaseChange(case(1, version=2, revision=2), "U", None)])
        assert unit.handovers.end_missing_versions("missed", late) == 1
        assert unit.handovers.end_missing_versions("missed", late) == 0
        assert unit.handovers.missing_versions("missed", late, 9) == [(third.case_no, "version-3")]
