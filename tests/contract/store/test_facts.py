"""What every store must do with facts, checks and what is written back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from gateway.ports import CaseChange, CheckRow, Store, ToldRow, UpdateRow
from tests.contract.store.build import DAY, EVENT, NOW, about, case, fact, leg, met, request_row


def test_a_correction_marks_the_earlier_fact_and_removes_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        unit.inbox.keep(facts=[fact(1)])
        unit.inbox.keep(facts=[fact(2), fact(3)])
        assert unit.facts.supersede(leg().ref_no, 1, fact(2).fact_id)
        assert not unit.facts.supersede(leg().ref_no, 1, fact(2).fact_id)
        told = [(f.seq, f.entered_in_error, f.superseded_by) for f in unit.facts.of([leg().ref_no])]
        assert told == [(1, True, fact(2).fact_id), (2, False, None), (3, False, None)]
        last = unit.facts.of([leg().ref_no])[-1]
        assert last == ToldRow(*(getattr(fact(3), name) for name in ToldRow._fields))


def test_retention_checks_fall_due_on_their_day(store: Store) -> None:
    check = CheckRow(leg().ref_no, "P1M", "rtw-date", DAY, date(2026, 12, 23), "scheduled", None)
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        unit.facts.save_checks([check])
        assert unit.facts.checks_due(date(2026, 12, 22)) == []
        assert unit.facts.checks_due(date(2026, 12, 23)) == [check]
        unit.facts.save_checks([check._replace(state="completed", result="retained-same-job")])
        assert unit.facts.checks_due(date(2026, 12, 23)) == []
        assert met(unit, about(leg().ref_no)).checks[0].result == "retained-same-job"
        late = check._replace(milestone="P12M", due_on=date(2027, 11, 23))
        unit.facts.save_checks([late, check._replace(state="due")])
        assert met(unit, about(leg().ref_no), about("R20261123-0000099")).checks == [check._replace(state="due"), late]


@pytest.mark.parametrize(
    ("of_leg", "of_case", "over"),
    [
        pytest.param({"status": "in-progress"}, {}, False, id="the leg is open"),
        pytest.param({"status": "completed"}, {}, False, id="the worker was placed"),
        pytest.param({"status": "cancelled"}, {}, True, id="the leg was called back"),
        pytest.param({"status": "failed"}, {}, True, id="the placement came to nothing"),
        pytest.param({"status": "in-progress"}, {"barred": True}, True, id="the worker has died"),
        pytest.param(
            {"status": "in-progress"}, {"barred": True, "verdict": "no-referral"}, False, id="nothing more may leave"
        ),
        pytest.param({"status": "in-progress"}, {"status": "deleted"}, True, id="the case is gone"),
        pytest.param({"status": "completed"}, {"status": "deleted"}, False, id="who follows it up is told first"),
    ],
)
def test_checks_that_nobody_will_answer(
    store: Store, of_leg: dict[str, Any], of_case: dict[str, Any], over: bool
) -> None:
    scheduled = CheckRow(leg().ref_no, "P1M", "rtw-date", DAY, date(2026, 12, 23), "scheduled", None)
    due = scheduled._replace(milestone="P3M", due_on=date(2027, 2, 23), state="due")
    done = scheduled._replace(milestone="P6M", due_on=date(2026, 11, 1), state="completed", result="not-employed")
    with store.unit() as unit:
        unit.cases.save([CaseChange(case()._replace(**of_case), "I", None)])
        unit.legs.add([request_row()], [leg(**of_leg)])
        unit.facts.save_checks([done, due, scheduled])
        assert unit.facts.checks_over(date(2026, 12, 23)) == ([scheduled, due] if over else [])
        assert unit.facts.checks_over(date(2026, 12, 24)) == ([scheduled, due] if over else [scheduled])


def test_the_open_checks_of_one_leg_are_cancelled(store: Store) -> None:
    scheduled = CheckRow(leg().ref_no, "P1M", "rtw-date", DAY, DAY, "scheduled", None)
    due, done = scheduled._replace(milestone="P3M", state="due"), scheduled._replace(milestone="P6M", state="failed")
    other = scheduled._replace(ref_no="R20261123-0000099")
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(), leg()._replace(ref_no=other.ref_no, partner="TRN")])
        unit.facts.save_checks([scheduled, due, done, other])
        unit.facts.cancel_checks(leg().ref_no)
        after = met(unit, about(leg().ref_no), about(other.ref_no)).checks
    states = {(c.ref_no, c.milestone): c.state for c in after}
    assert states == {
        (leg().ref_no, "P1M"): "cancelled",
        (leg().ref_no, "P3M"): "cancelled",
        (leg().ref_no, "P6M"): "failed",
        (other.ref_no, "P1M"): "scheduled",
    }


@pytest.mark.parametrize("others_may_come", [True, False])
def test_an_update_waits_for_others_only_where_a_leg_is_left_to_be_judged(store: Store, others_may_come: bool) -> None:
    other = leg()._replace(ref_no="R20261123-0000099", partner="TRN")
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(), other])
        unit.legs.mark_tracked([leg()] if others_may_come else [leg(), other], {})
        unit.facts.add_updates([UpdateRow(leg().ref_no, 1, leg().case_no, b'{"updateNo":1}', None, None, NOW)])
        early = unit.facts.allocate_file(DAY, 10, NOW - timedelta(seconds=1))
        assert (early is None) == others_may_come
        assert unit.facts.allocate_file(DAY, 10, NOW) is None or others_may_come


def test_an_update_goes_into_exactly_one_file_and_a_crash_finds_it_again(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        assert unit.facts.allocate_file(DAY, 10, NOW) is None
        for n in (1, 2):
            unit.facts.add_updates([UpdateRow(leg().ref_no, n, leg().case_no, b'{"updateNo":1}', None, None, NOW)])
        assert unit.facts.allocate_file(DAY, 10, NOW - timedelta(seconds=1)) is None
        allocated = unit.facts.allocate_file(DAY, 10, NOW)
        assert allocated is not None
        assert allocated[0] == 1
        assert [u.update_no for u in allocated[1]] == [1, 2]
        assert unit.facts.allocate_file(DAY, 10, NOW) is None
        unit.commit(EVENT)
    with store.unit() as unit:
        waiting = unit.facts.unwritten_files()
        assert [(d, n, len(rows)) for d, n, rows in waiting] == [(DAY, 1, 2)]
        unit.facts.file_written(DAY, 1, "f" * 64, NOW)
        assert unit.facts.unwritten_files() == []
        last = unit.facts.last_updates([leg().ref_no, "R20261123-0000099"])[leg().ref_no]
        assert (last.update_no, last.file_seq) == (2, 1)
