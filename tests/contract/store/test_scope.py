"""A unit for one partner: what it sees, what it writes, and what is out of its reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.errors import OutOfScope
from gateway.ports import CaseChange, CheckRow, InboxRow, MessageRow, ReceiptRow, Store, Unit, WorkItem
from tests.contract.store.build import (
    DAY,
    EVENT,
    NOW,
    OF_KEIS,
    about,
    again,
    attempt,
    case,
    fact,
    incoming,
    leg,
    message,
    met,
    request_row,
    uid,
)


def two_partners(store: Store) -> None:
    """A referral of one case to KEIS and one of another to KEAD; each has a message out, one in, a fact and a check."""
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(n), "I", None) for n in (1, 2)])
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD", case_no="20260001000002")])
        to_kead = message(2, partner="KEAD", case_no="20260001000002", ref_no=leg(2).ref_no)
        unit.outbox.enqueue([message(1), to_kead])
        for n, partner in enumerate(("KEIS", "KEAD"), 1):
            unit.inbox.keep(facts=[fact(n)._replace(ref_no=leg(n).ref_no, seq=1)])
            unit.facts.save_checks([CheckRow(leg(n).ref_no, "P1M", "rtw-date", DAY, DAY, "scheduled", None)])
            heard = InboxRow(partner, uid(f"in{n}"), b"2" * 32, leg(n).ref_no, 1, "held", None, NOW)
            said = message(n, direction="in", partner=partner, mid=uid(f"in{n}"), ref_no=leg(n).ref_no)
            unit.inbox.keep([(heard, said)])
        given = [
            ReceiptRow(partner, "in", uid(f"in{n}"), "r.r.r", "accepted", None, NOW)
            for n, partner in enumerate(("KEIS", "KEAD"), 1)
        ]
        unit.commit(EVENT, receipts=given)


def to_another(n: int) -> tuple[InboxRow, MessageRow]:
    row, sent = incoming(n)
    return row._replace(partner="KEAD"), sent._replace(partner="KEAD")


def test_a_unit_for_one_partner_sees_its_rows_and_nothing_of_another(store: Store) -> None:
    two_partners(store)
    with store.unit("KEIS") as unit:
        assert set(unit.legs.many([leg(1).ref_no, leg(2).ref_no])) == {leg(1).ref_no}
        assert unit.legs.get(leg(2).ref_no) is None
        assert unit.legs.of_cases(["20260001000002"]) == []
        assert set(unit.cases.look(["20260001000001", "20260001000002"])) == {"20260001000001"}
        assert {f.ref_no for f in unit.facts.of([leg(1).ref_no, leg(2).ref_no])} == {leg(1).ref_no}
        assert [c.ref_no for c in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).checks] == [leg(1).ref_no]
        assert [bool(unit.outbox.find_message(uid(m))) for m in ("m1", "in1", "m2", "in2")] == [1, 1, 0, 0]
        assert met(unit, again("KEIS", uid("in1"))).seen.keys() == {("KEIS", uid("in1"))}
        assert [bool(unit.inbox.receipt(p, uid(m))) for p, m in (("KEIS", "in1"), ("KEAD", "in2"))] == [1, 0]
        assert [one.mid for one in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).held] == [uid("in1")]
        assert unit.outbox.waiting() == {"KEIS": 1}
        assert unit.outbox.claim("KEAD", "w", 9, 30.0) == []
        assert len(unit.outbox.claim("KEIS", "w", 9, 30.0)) == 1


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda unit: unit.outbox.enqueue([message(3, partner="KEAD")]), id="one message"),
        pytest.param(lambda unit: unit.outbox.enqueue([message(n, n, partner="KEAD") for n in (3, 4)]), id="messages"),
        pytest.param(lambda unit: met(unit, attempt("KEAD", "n")), id="a nonce"),
        pytest.param(lambda unit: unit.inbox.keep([to_another(3)]), id="one message in"),
        pytest.param(lambda unit: unit.inbox.keep([incoming(4), to_another(3)]), id="messages in"),
        pytest.param(lambda unit: unit.inbox.keep(facts=[fact(3)._replace(ref_no=leg(2).ref_no)]), id="a fact"),
        pytest.param(lambda unit: unit.inbox.keep(facts=[fact(3), fact(4)._replace(ref_no=leg(2).ref_no)]), id="facts"),
        pytest.param(lambda unit: unit.cases.save([CaseChange(case(1, revision=2), "U", None)]), id="its own case"),
        pytest.param(
            lambda unit: unit.add_work([WorkItem("x", None, None, leg(2).ref_no, "KEAD", None, NOW)]), id="a work item"
        ),
        pytest.param(lambda unit: unit.add_work([WorkItem("x", None, None, None, None, None, NOW)]), id="nobody's"),
    ],
)
def test_a_unit_for_one_partner_writes_nothing_for_another(store: Store, reach: Callable[[Unit], object]) -> None:
    two_partners(store)
    with store.unit() as unit:
        before = unit.counts()
    with pytest.raises(OutOfScope):
        reach_out(store, reach)
    with store.unit() as unit:
        assert unit.counts() == before


def reach_out(store: Store, reach: Callable[[Unit], object]) -> None:
    with store.unit("KEIS") as unit:
        reach(unit)
        unit.commit(OF_KEIS)


def test_a_unit_for_one_partner_gives_no_receipt_for_another(store: Store) -> None:
    two_partners(store)
    with store.unit() as unit:
        before = unit.counts()
    with pytest.raises(OutOfScope), store.unit("KEIS") as unit:
        unit.commit(OF_KEIS, receipts=[ReceiptRow("KEAD", "in", uid("in9"), "r.r.r", "accepted", None, NOW)])
    with store.unit() as unit:
        assert (unit.counts(), unit.inbox.receipt("KEAD", uid("in9"))) == (before, None)


def test_what_a_unit_for_one_partner_writes_is_there_for_everybody(store: Store) -> None:
    two_partners(store)
    with store.unit("KEIS") as unit:
        unit.legs.save(leg(1, status="accepted"))
        assert unit.facts.supersede(leg(1).ref_no, 1, uid("fact3"))
        unit.inbox.keep(facts=[fact(3)._replace(seq=2)])
        unit.inbox.settle("KEIS", uid("in1"), "applied", None)
        unit.commit(replace(EVENT, partner="KEIS"))
    with store.unit() as unit:
        assert [unit.legs.many([leg(n).ref_no])[leg(n).ref_no].status for n in (1, 2)] == ["accepted", "requested"]
        facts = unit.facts.of([leg(1).ref_no, leg(2).ref_no])
        assert [(f.ref_no, f.seq, f.entered_in_error) for f in facts] == [
            (leg(1).ref_no, 1, True),
            (leg(1).ref_no, 2, False),
            (leg(2).ref_no, 1, False),
        ]
        assert [one.mid for one in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).held] == [uid("in2")]


def test_an_act_of_one_partner_is_not_kept_under_another_name(store: Store) -> None:
    with pytest.raises(OutOfScope), store.unit("KEIS") as unit:
        unit.commit(replace(EVENT, partner="KEAD"))


def test_a_refusal_is_kept_with_and_without_a_partner(store: Store) -> None:
    with store.unit() as unit:
        before = unit.counts()["events"]
    store.keep_refusal(EVENT.refused("SEAL-FRESH"))
    store.keep_refusal(replace(EVENT, partner="KEIS").refused("SEAL-FRESH"))
    with store.unit() as unit:
        assert unit.counts()["events"] == before + 2


def test_a_unit_of_thousands_of_acts_commits_all_of_them(store: Store) -> None:
    with store.unit() as unit:
        before = unit.counts()["events"]
        unit.commit(*[EVENT] * 4_000)
    with store.unit() as unit:
        assert unit.counts()["events"] == before + 4_000
