"""What every unit of work must do: all of it or nothing, with an act for each thing that was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import Interfered, LeafInvalid
from gateway.exchange_log.audit import AuditEvent
from gateway.ports import ActsAsked, CaseChange, ReceiptRow, Store, WorkItem
from tests.contract.store.build import EVENT, NOW, OF_KEIS, case, uid


def test_a_unit_that_is_left_without_commit_changes_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(), "I", None)])
    with store.unit() as unit:
        assert unit.cases.load([case().case_no]) == {}
        assert unit.counts()["events"] == 0


def test_an_error_undoes_the_unit_and_goes_on(store: Store) -> None:
    def fail_halfway() -> None:
        with store.unit() as unit:
            unit.cases.save([CaseChange(case(), "I", None)])
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with store.unit() as unit:
        assert unit.cases.load([case().case_no]) == {}


@pytest.mark.rule("R-14")
def test_a_unit_cannot_commit_without_an_event_nor_twice(store: Store) -> None:
    with store.unit() as unit:
        with pytest.raises(ValueError, match="one audit event per act"):
            unit.commit()
        unit.commit(EVENT)
        with pytest.raises(ValueError, match="commits once"):
            unit.commit(EVENT)


@pytest.mark.rule("R-14")
def test_acts_are_promised_in_their_order_and_committed_with_the_receipts_that_say_so(store: Store) -> None:
    given = ReceiptRow("KEIS", "in", uid("in1"), "r.s.t", "accepted", None, NOW)
    with store.unit() as unit:
        first, other, second = unit.promise(OF_KEIS, EVENT, replace(OF_KEIS, act="message.received"))
        assert (first.stream, other.stream, second.stream) == ("KEIS", "system", "KEIS")
        assert second.seq == first.seq + 1
        assert len({first.leaf, other.leaf, second.leaf}) == 3
        unit.commit(receipts=[given])
    with store.unit() as unit:
        assert [kept.event.act for kept in unit.events(ActsAsked())] == [*["cases.screened"] * 2, "message.received"]
        assert unit.inbox.receipt("KEIS", uid("in1")) == given


@pytest.mark.parametrize("more", [pytest.param((EVENT,), id="other acts"), pytest.param((), id="nothing")])
def test_after_a_promise_nothing_but_its_own_acts_is_committed(store: Store, more: tuple[AuditEvent, ...]) -> None:
    with store.unit() as unit:
        unit.promise(EVENT)
        with pytest.raises(ValueError, match="once"):
            unit.commit(EVENT) if more else unit.promise(EVENT)
    with store.unit() as unit:
        assert unit.counts()["events"] == 0


def test_an_act_that_no_list_names_cannot_be_committed(store: Store) -> None:
    with pytest.raises(LeafInvalid), store.unit() as unit:
        unit.commit(replace(EVENT, act="something.else"))
    with store.unit() as unit:
        assert unit.counts()["events"] == 0


def test_a_kept_refusal_is_one_event_and_nothing_else(store: Store) -> None:
    store.keep_refusal(EVENT.refused("E-LB"))
    with store.unit() as unit:
        counts = unit.counts()
    assert counts["events"] == 1
    assert counts["cases"] == 0


def test_what_was_ever_shown_about_a_leg_is_known_when_it_is_done_too(store: Store) -> None:
    items = [WorkItem(kind, None, "c", ref_no, "KEIS", None, NOW) for kind, ref_no in zip("aab", "RST", strict=True)]
    with store.unit() as unit:
        unit.add_work([*items, items[0]._replace(ref_no=None)])
        unit.do_work(unit.open_work(None, 1)[0].number, NOW)
        assert unit.work_about({"a"}, {"R", "T"}) == {("a", "R")}
        assert unit.work_about({"a", "b"}, {"R", "S", "T"}) == {("a", "R"), ("a", "S"), ("b", "T")}


def test_what_work_about_a_case_called_for_is_over_for_that_kind_and_that_case_alone(store: Store) -> None:
    items = [WorkItem(kind, None, no, None, None, None, NOW) for kind, no in (("a", "1"), ("a", "2"), ("b", "1"))]
    with store.unit() as unit:
        unit.add_work([*items, items[0]._replace(case_no=None)])
        unit.end_work_about("a", ["1", "3"], NOW + timedelta(hours=1))
        assert {(o.item.kind, o.item.case_no) for o in unit.open_work(None, 9)} == {("a", "2"), ("b", "1"), ("a", None)}


def test_work_is_open_until_it_is_done_and_has_a_number_of_its_own(store: Store) -> None:
    late, early = (
        WorkItem(kind, None, None, None, "KEIS", None, at) for kind, at in (("b", NOW), ("a", NOW - timedelta(hours=1)))
    )
    with store.unit() as unit:
        unit.add_work([late, early])
        first, second = unit.open_work(None, 9)
        assert (first.item, second.item) == (early, late)
        assert unit.open_work(None, 1) == [first]
        assert unit.open_work("b", 9) == [second]
        assert unit.do_work(first.number, NOW) == early._replace(done_at=NOW)
        assert unit.do_work(first.number, NOW) is None
        assert unit.do_work(second.number + 99, NOW) is None
        assert unit.open_work(None, 9) == [second]


def test_an_act_is_held_by_one_at_a_time_and_free_again_afterwards(store: Store) -> None:
    with store.alone("journey") as first:
        with store.alone("journey") as second, store.alone("another") as other:
            assert (first, second, other) == (True, False, True)
        with store.alone("journey") as third:
            assert not third
    with store.alone("journey") as again:
        assert again


def test_an_act_that_fails_is_free_again(store: Store) -> None:
    with pytest.raises(Interfered), store.alone("journey"):
        raise Interfered
    with store.alone("journey") as mine:
        assert mine
