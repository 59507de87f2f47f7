"""What every store must do with messages that come in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.errors import Interfered
from gateway.ports import HeldRow, ReceiptRow, Store, WorkItem
from tests.contract.store.build import EVENT, NOW, about, again, attempt, incoming, leg, met, request_row, uid


def test_a_message_id_is_remembered_once_with_its_receipt(store: Store) -> None:
    row, sent = incoming(1, "held")
    id_, receipt = ("KEIS", row.mid), ReceiptRow("KEIS", "in", row.mid, "r.s.t", "accepted", None, NOW)
    with store.unit() as unit:
        assert met(unit, again(*id_)).seen == {}
        assert unit.inbox.keep([(row, sent)]).keys() == {id_}
        assert met(unit, again(*id_)).seen == {id_: (row, None)}
        unit.commit(EVENT, receipts=[receipt])
    with store.unit() as unit:
        assert met(unit, again(*id_), again("KEAD", row.mid), again("KEIS", uid("never"))).seen == {id_: (row, receipt)}
        assert unit.inbox.receipt("KEIS", row.mid) == receipt
        assert unit.inbox.receipt("KEAD", row.mid) is None
        assert met(unit, about(leg().ref_no)).held == [HeldRow(leg().ref_no, 1, *id_)]
        unit.inbox.settle(*id_, "applied", None)
        assert met(unit, about(leg().ref_no)).held == []
        unit.commit(EVENT)
    with pytest.raises(Interfered), store.unit() as unit:
        unit.inbox.keep([(row, sent)])


def test_two_partners_may_choose_one_id_and_each_has_its_own_receipt(store: Store) -> None:
    given = [ReceiptRow(p, "in", uid("in1"), f"{p}.s.t", "accepted", None, NOW) for p in ("KEAD", "KEIS")]
    with store.unit() as unit:
        unit.commit(EVENT, receipts=given)
    with store.unit() as unit:
        assert [unit.inbox.receipt(one.partner, one.mid) for one in given] == given
        assert unit.inbox.receipt("TRN", uid("in1")) is None


def test_the_head_of_an_inbound_message_is_kept_with_it(store: Store) -> None:
    (first, sent), (second, bare) = incoming(1), incoming(2)
    headed = sent._replace(head=b'["POST"]')
    with store.unit() as unit:
        unit.inbox.keep([(first, headed), (second, bare)])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [unit.outbox.find_message(one.mid) for one in (sent, bare)] == [headed, bare]


def test_messages_are_remembered_together_or_not_at_all(store: Store) -> None:
    with store.unit() as unit:
        unit.inbox.keep([incoming(1)])
        unit.commit(EVENT)
    with pytest.raises(Interfered), store.unit() as unit:
        unit.inbox.keep([incoming(3), incoming(1), incoming(2)])
    with store.unit() as unit:
        places = unit.inbox.keep([incoming(3), incoming(2)])
        assert places.keys() == {("KEIS", uid("in2")), ("KEIS", uid("in3"))}
        assert len(set(places.values())) == 2
        assert met(unit, *(again("KEIS", uid(f"in{n}")) for n in (1, 2, 3))).seen.keys() == {
            ("KEIS", uid("in1")),
            *places,
        }
        given = [ReceiptRow("KEIS", "in", mid, "r", "accepted", None, NOW) for _, mid in places]
        unit.commit(EVENT, receipts=given)
    with store.unit() as unit:
        assert unit.inbox.receipt("KEIS", uid("in3")) is not None


def test_held_messages_come_in_the_partners_order_not_in_that_of_arrival(store: Store) -> None:
    with store.unit() as unit:
        unit.inbox.keep([incoming(n, "held") for n in (4, 3, 5)])
        unit.inbox.keep([incoming(2)])
        held = met(unit, about(leg().ref_no)).held
        assert held == [HeldRow(leg().ref_no, n, "KEIS", uid(f"in{n}")) for n in (3, 4, 5)]
        said = {one.mid: one for one in unit.inbox.held_messages([held[2], held[0]])}
        assert said == {uid(f"in{n}"): incoming(n)[1] for n in (3, 5)}
        assert unit.inbox.held_messages([held[0]._replace(mid=uid("gone"))]) == []
        assert met(unit, about("R20261123-0000099")).held == []


def test_what_is_held_on_a_leg_whose_consent_was_withdrawn_is_refused_once_and_nothing_else(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(1)])
        unit.inbox.keep([incoming(3, "held"), incoming(2, "applied")])
        assert unit.inbox.refuse_held("GONE") == []
        unit.legs.save(leg(1)._replace(business="consent-withdrawn"))
        assert unit.inbox.refuse_held("GONE") == [(leg().case_no, leg().ref_no, "KEIS", uid("in3"))]
        assert unit.inbox.refuse_held("GONE") == []
        seen = met(unit, about(leg().ref_no)).held
        assert seen == []


def test_what_is_held_too_long_is_missed_until_somebody_looks_and_over_when_it_is_not_held(store: Store) -> None:
    late = NOW + timedelta(seconds=1)
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(1)])
        unit.inbox.keep([incoming(3, "held"), incoming(4, "held"), incoming(2, "refused")])
        assert unit.inbox.missing("missed", NOW, 9) == []
        found = [(leg().case_no, leg().ref_no, "KEIS", uid(f"in{n}")) for n in (3, 4)]
        assert sorted(unit.inbox.missing("missed", late, 9)) == sorted(found)
        assert len(unit.inbox.missing("missed", late, 1)) == 1
        unit.add_work([WorkItem("missed", None, *one, NOW) for one in found])
        assert unit.inbox.missing("missed", late, 9) == []
        assert len(unit.inbox.missing("other", late, 9)) == 2
        assert unit.inbox.end_missing("missed", late) == 0
        unit.inbox.settle("KEIS", uid("in3"), "applied", None)
        assert unit.inbox.end_missing("missed", late) == 1
        assert unit.inbox.end_missing("missed", late) == 0
        assert unit.inbox.missing("missed", late, 9) == []


def test_a_nonce_is_used_once_per_partner(store: Store) -> None:
    with store.unit() as unit:
        assert met(unit, attempt("KEIS", "n"), attempt("KEIS", "m")).fresh == {("KEIS", "n"), ("KEIS", "m")}
        assert met(unit, attempt("KEIS", "n"), attempt("KEAD", "n")).fresh == {("KEAD", "n")}
        assert unit.inbox.forget_nonces(NOW) == 0
        assert unit.inbox.forget_nonces(NOW + timedelta(seconds=1)) == 3
        assert met(unit, attempt("KEIS", "n")).fresh == {("KEIS", "n")}
