"""The desk: everything it knows is the sum of its journal lines."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from adapters.partners.pretend import story
from adapters.partners.pretend.desk import AT_HAND, Desk, Voice
from adapters.partners.pretend.dialects import Verdict
from adapters.partners.pretend.dialects.kead import KEAD
from adapters.partners.pretend.journal import Journal
from adapters.partners.pretend.scripts import Kind, Mishap
from adapters.partners.pretend.story import Story

BASE = date(2026, 11, 23)


def tell(ref_no: str, received: date) -> Story:
    return story.tell(ref_no, received, partner="kead", seed=1, speaks=KEAD.speaks)


def desk_on(path: Path) -> Desk:
    return Desk(Journal(path), Voice(tell, KEAD.speaks), BASE, lambda: datetime(2026, 11, 23, tzinfo=UTC))


def opened(desk: Desk, number: int) -> str:
    ref_no = f"R20261123-{number:07d}"
    desk.record("received", mid=f"m{number}", ref_no=ref_no, mjws_s256="d", verdict=Verdict.OK, receipt="r")
    sheet = [ref_no, "PKD-" + "B" * 26, "KEAD-1", "LB-01", "C1"]
    desk.record("opened", sheet=sheet, case="CASE", mid=f"m{number}", on=desk.today.isoformat())
    return ref_no


def send(desk: Desk, ref_no: str) -> int:
    tasks = desk.due(ref_no)
    for task in tasks:
        mid = f"{ref_no}-{task.seq}"
        desk.record(
            "outgoing", mid=mid, ref_no=ref_no, seq=task.seq, kind=task.event.kind, body="{}", jws="j", again=False
        )
    return len(tasks)


def known(desk: Desk) -> dict[str, Any]:
    in_memory = {name: vars(desk)[name] for name in ("today", "counts", "_ahead", "_open_letters")}
    on_disk = vars(vars(desk)["_memory"])["_sql"].iterdump()
    return in_memory | {"on disk": list(on_disk)}


def test_a_restart_knows_what_was_known_before(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    desk = desk_on(path)
    numbers = [opened(desk, n) for n in range(40)]
    desk.record("clock", today="2027-01-20")
    for ref_no in numbers:
        send(desk, ref_no)
    desk.record("answered", mid=desk.unsent()[0].mid, decision="accepted")
    desk.record("refused", mid=desk.unsent()[1].mid, code="X")
    desk.record("mishap", mid="m7", mishap=Mishap.BUSY)
    desk.stop(numbers[0], withdrawn=True)
    again = desk_on(path)
    assert known(again) == known(desk)
    assert again.ahead() == desk.ahead()
    assert [x.mid for x in again.unsent()] == [x.mid for x in desk.unsent()]


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    desk = desk_on(path)
    opened(desk, 1)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"what":"clock","to')
    assert known(desk_on(path)) == known(desk)
    assert path.read_bytes() == whole


def test_what_is_due_is_due_once_and_never_after_a_stop(tmp_path: Path) -> None:
    desk = desk_on(tmp_path / "journal.ndjson")
    ref_no = next(r for r in (opened(desk, n) for n in range(50)) if len(tell(r, BASE).events) > 5)
    desk.record("clock", today=tell(ref_no, BASE).events[3].on.isoformat())
    assert ref_no in desk.cases_due()
    assert send(desk, ref_no) >= 3
    assert desk.due(ref_no) == []
    assert ref_no not in desk.cases_due()
    desk.stop(ref_no, withdrawn=False)
    desk.stop(ref_no, withdrawn=False)
    assert desk.counts["destroyed"] == 1
    again = desk_on(tmp_path / "journal.ndjson")
    assert [task.event.kind for task in again.due(ref_no)] == [Kind.CLOSE_UNPLACED], "a kill loses no last word"
    assert send(again, ref_no) == 1
    again.record("clock", today="2030-01-01")
    assert again.due(ref_no) == []


def test_what_was_said_about_a_message_is_read_again_from_the_journal(tmp_path: Path) -> None:
    desk = desk_on(tmp_path / "journal.ndjson")
    opened(desk, 1)
    opened(desk, 2)
    for one in (desk, desk_on(tmp_path / "journal.ndjson")):
        assert one.heard("m2") == ("d", Verdict.OK, "r")
        assert one.heard("m3") is None
        assert one.next_inbox_seq() == 3


def test_what_lies_ahead_is_counted_as_it_would_be_case_by_case(tmp_path: Path) -> None:
    desk = desk_on(tmp_path / "journal.ndjson")
    numbers = [opened(desk, n) for n in range(60)]
    desk.stop(numbers[1], withdrawn=False)
    for day in ("2026-12-10", "2027-02-01", "2027-12-24"):
        desk.record("clock", today=day)
        for ref_no in desk.cases_due():
            send(desk, ref_no)
        desk.stop(numbers[2], withdrawn=True)
        live = [case for ref_no in numbers if (case := desk.case(ref_no)) and not case.stopped]
        rest = [task for case in live for task in case.due(date.max, KEAD.speaks)]
        assert desk.ahead() == (len(rest), min((task.on for task in rest), default=None))


def test_a_desk_needs_no_more_memory_for_more_cases(tmp_path: Path) -> None:
    def grown(cases: range) -> int:
        before = tracemalloc.get_traced_memory()[0]
        for n in cases:
            opened(desk, n)
        return tracemalloc.get_traced_memory()[0] - before

    desk = desk_on(tmp_path / "journal.ndjson")
    tracemalloc.start()
    try:
        first = grown(range(AT_HAND))
        assert grown(range(AT_HAND, 3 * AT_HAND)) < first / 2
    finally:
        tracemalloc.stop()
