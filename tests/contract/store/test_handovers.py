"""What every store must do with files that COMWEL hands over."""

from __future__ import annotations

from datetime import date

from gateway.ports import ParkedRow, QuarantinedRow, Store
from tests.contract.store.build import EVENT, NOW, file, uid


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
