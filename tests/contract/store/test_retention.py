"""How long every store keeps records, and how it lets them end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from gateway.ports import (
    CaseChange,
    CheckRow,
    Finish,
    HoldRow,
    ParkedRow,
    QuarantinedRow,
    ReceiptRow,
    ReplayRow,
    Store,
    Unit,
    UpdateRow,
)
from gateway.store.postgres import PostgresStore
from tests.contract.store.build import (
    DAY,
    EVENT,
    NOW,
    again,
    case,
    fact,
    file,
    finish,
    incoming,
    leg,
    message,
    met,
    request_row,
    screening,
    uid,
)
from tests.journey.world import rows

LATER = date(2027, 1, 1)
"""Everything of these tests is older than this day."""
CONTENT, EVIDENCE, PUT_ASIDE = "destroy-content", "destroy-evidence", "destroy-put-aside"


HEAD = b'["POST","https://partner.example/in"]'


REJECTED = finish(uid("m1"), 1, "blocked")._replace(
    receipt=ReceiptRow("KEIS", "out", uid("m1"), "n.n.n", "rejected", "2003", NOW)
)


def a_closed_case(store: Store, end: Finish | None = None, **change: Any) -> None:
    """A case with a leg that is closed, a message across and a fact heard; `change` changes the leg.

    `end`: how the message ended, where it is not across.
    """
    closed: dict[str, Any] = {"status": "completed", "tracked": 1} | change
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(), "I", None)])
        unit.legs.add([request_row()], [leg(**closed)])
        unit.outbox.enqueue([message()])
        claim = unit.outbox.claim("KEIS", "w", 9, 30.0)[0]
        sent = end or finish(claim.message.mid, claim.fence, "delivered", receipt=True)
        attempt = sent.attempt._replace(head=HEAD, case_no=case().case_no)
        unit.outbox.finish([sent._replace(attempt=attempt)])
        unit.inbox.keep(facts=[fact(1)])
        unit.commit(EVENT)


def test_a_closed_case_may_go_and_one_that_ended_too_late_may_not(store: Store) -> None:
    a_closed_case(store)
    with store.unit() as unit:
        for kind in (CONTENT, EVIDENCE):
            assert unit.retention.due(kind, LATER) == (1, 0)
            assert unit.retention.due(kind, NOW.date()) == (0, 0)
            assert unit.retention.destroy(kind, NOW.date(), 9) == 0
        assert unit.outbox.find_message(message().mid) == message()


CHECK = CheckRow(leg().ref_no, "P6M", "rtw-date", DAY, DAY, "scheduled", None)
UPDATE = UpdateRow(leg().ref_no, 1, leg().case_no, b"{}", None, None, NOW)


@pytest.mark.parametrize(
    ("change", "open_still"),
    [
        pytest.param({"status": "in-progress"}, lambda unit: None, id="the leg is open"),
        pytest.param({"tracked": 0}, lambda unit: None, id="the outcome is not judged"),
        pytest.param({}, lambda unit: unit.facts.save_checks([CHECK]), id="the worker is to be followed up"),
        pytest.param({}, lambda unit: unit.outbox.enqueue([message(2, 2)]), id="a message is unsent"),
        pytest.param({}, lambda unit: unit.facts.add_updates([UPDATE]), id="an update is unwritten"),
    ],
)
def test_a_case_with_which_somebody_is_still_concerned_stays(
    store: Store, change: dict[str, Any], open_still: Callable[[Unit], object]
) -> None:
    a_closed_case(store, **change)
    with store.unit() as unit:
        open_still(unit)
        assert [unit.retention.due(kind, LATER) for kind in (CONTENT, EVIDENCE)] == [(0, 0)] * 2
        assert [unit.retention.destroy(kind, LATER, 9) for kind in (CONTENT, EVIDENCE)] == [0, 0]


def test_a_case_that_waits_for_a_seat_is_not_closed(store: Store) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(n), "I", None) for n in (1, 2, 3)])
        unit.cases.screened([screening(case(1), "WAITLIST"), screening(case(2), "GENERAL")])
        assert unit.retention.due(CONTENT, LATER) == (1, 0)


def test_when_the_content_goes_nothing_can_be_read_and_all_digests_stay(store: Store) -> None:
    a_closed_case(store)
    with store.unit() as unit:
        assert unit.retention.destroy(CONTENT, LATER, 9) == 1
        row = unit.cases.look([case().case_no])[case().case_no]
        assert row == case()._replace(facts=None, entry=None, record=None)
        assert unit.cases.as_of(case().case_no, NOW) is None
        assert unit.outbox.find_message(message().mid) == message()._replace(body=b"", fhir=None)
        assert [one.head for one in unit.outbox.attempts(message().mid)] == [None]
        assert unit.facts.of([leg().ref_no]) == []
        assert unit.legs.get(leg().ref_no) is not None
        assert unit.retention.due(CONTENT, LATER) == (0, 0)
        assert unit.retention.due(EVIDENCE, LATER) == (1, 0)


def test_a_plan_sends_nothing_whose_content_has_been_destroyed_since(store: Store) -> None:
    a_closed_case(store, REJECTED._replace(attempt=REJECTED.attempt._replace(error_class="rejected")))
    plan = ReplayRow(uid("plan"), "KEIS", "kim", NOW, (uid("m1"),))
    with store.unit() as unit:
        assert [row.mid for row in unit.outbox.dead()] == [uid("m1")]
        unit.outbox.plan_replay(plan)
        assert unit.retention.destroy(CONTENT, LATER, 9) == 1
        assert unit.outbox.dead() == []
        assert unit.outbox.execute_replay(plan._replace(executed_by="lee", executed_at=NOW), 5.0) == 0
        assert unit.outbox.claim("KEIS", "w", 9, 30.0) == []
        receipt = unit.outbox.receipt("KEIS", uid("m1"))
        assert receipt is not None
        assert receipt.decision == "rejected"  # the last word still


def test_when_the_evidence_goes_the_case_is_gone(store: Store) -> None:
    a_closed_case(store)
    with store.unit() as unit:
        events = unit.counts()["events"]
        assert unit.retention.destroy(EVIDENCE, LATER, 9) == 1
        assert unit.cases.look([case().case_no]) == {}
        assert unit.legs.get(leg().ref_no) is None
        assert unit.outbox.find_message(message().mid) is None
        assert unit.outbox.last_seqs([case().case_no]) == {}
        assert unit.counts()["events"] == events
        assert unit.retention.due(EVIDENCE, LATER) == (0, 0)


@pytest.mark.parametrize("kind", [CONTENT, EVIDENCE])
def test_a_report_that_is_held_when_its_case_goes_is_refused_once(store: Store, kind: str) -> None:
    a_closed_case(store)
    heard = [incoming(2), incoming(4, "held")]
    with store.unit() as unit:
        unit.inbox.keep(heard)
        assert unit.inbox.refuse_destroyed("GONE") == 0
        assert unit.retention.destroy(kind, LATER, 9) == 1
        assert [unit.inbox.refuse_destroyed("GONE") for _ in range(2)] == [1, 0]
        seen = met(unit, *(again("KEIS", row.mid) for row, _ in heard)).seen
        states = {row.mid: (row.state, row.code) for row, _ in seen.values()}
        assert states == {uid("in2"): ("applied", None), uid("in4"): ("refused", "GONE")}


def test_a_case_on_hold_is_passed_over_until_it_is_released(store: Store) -> None:
    a_closed_case(store)
    with store.unit() as unit:
        held = HoldRow(case().case_no, "lawsuit", NOW)
        assert unit.retention.hold(held)
        assert not unit.retention.hold(held._replace(reason="audit"))
        assert unit.retention.holds() == [held]
        for kind in (CONTENT, EVIDENCE):
            assert unit.retention.due(kind, LATER) == (0, 1)
            assert unit.retention.destroy(kind, LATER, 9) == 0
        assert unit.retention.release(case().case_no)
        assert not unit.retention.release(case().case_no)
        assert unit.retention.destroy(CONTENT, LATER, 9) == 1


def test_records_put_aside_are_emptied_and_what_waited_in_vain_is_gone(store: Store) -> None:
    aside = QuarantinedRow(file().file_id, 3, case().case_no, "E-DATE", "accidentDate", b"raw", "a" * 64)
    waits = ParkedRow(case(2).case_no, 2, "U", None, b"{}", "b" * 64, file().file_id, 4, NOW)
    with store.unit() as unit:
        unit.handovers.add(file(), [aside])
        unit.handovers.park([waits])
        assert unit.retention.due(PUT_ASIDE, LATER) == (2, 0)
        assert unit.retention.destroy(PUT_ASIDE, NOW.date(), 9) == 0
        assert unit.retention.destroy(PUT_ASIDE, LATER, 9) == 2
        assert unit.handovers.quarantined(file().file_id) == [aside._replace(raw=b"")]
        assert unit.handovers.parked([waits.case_no]) == []
        assert unit.retention.destroy(PUT_ASIDE, LATER, 9) == 0


def test_a_message_about_no_case_is_emptied_like_a_record_put_aside(store: Store) -> None:
    heard, said = incoming(1, "quarantined")
    nobodys = said._replace(case_no=None, ref_no=None, head=HEAD)
    with store.unit() as unit:
        unit.inbox.keep([(heard._replace(ref_no=None), nobodys), incoming(2)])
        assert unit.retention.due(PUT_ASIDE, LATER) == (1, 0)
        assert unit.retention.destroy(PUT_ASIDE, NOW.date(), 9) == 0
        assert unit.retention.destroy(PUT_ASIDE, LATER, 9) == 1
        assert unit.retention.due(PUT_ASIDE, LATER) == (0, 0)
        unit.commit(EVENT)
    kept = {row["mid"]: row for row in rows(store, "message")}
    assert [kept[mid]["body"] for mid in (uid("in1"), uid("in2"))] == [b"", said.body]
    assert kept[uid("in1")]["head"] is None
    assert kept[uid("in1")]["body_sha256"] == said.body_sha256


def test_files_with_anything_of_a_held_case_are_on_hold(store: Store) -> None:
    """Whether they brought it, put it aside or let it wait; and those that carry its updates."""
    held, day = case(1).case_no, file(1).base_date
    with store.unit() as unit:
        for n in range(1, 5):
            aside = QuarantinedRow(file(n).file_id, 3, held, "E-DATE", "accidentDate", b"raw", "a" * 64)
            unit.handovers.add(file(n), [aside] if n == 2 else [])
        unit.cases.save([CaseChange(case(1), "I", file(1).file_id), CaseChange(case(2), "I", file(4).file_id)])
        unit.handovers.park([ParkedRow(held, 2, "U", None, b"{}", "b" * 64, file(3).file_id, 4, NOW)])
        unit.legs.add([request_row()], [leg()])
        unit.facts.add_updates([UPDATE])
        written = unit.facts.allocate_file(LATER, 9, NOW + timedelta(days=1))
        assert written
        assert unit.retention.files_on_hold() == set()
        unit.retention.hold(HoldRow(held, "lawsuit", NOW))
        assert unit.retention.files_on_hold() == {(day, 1), (day, 2), (day, 3), (LATER, written[0])}


def test_no_more_than_asked_for_is_destroyed_at_once(store: Store) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(n, status="deleted"), "X", None) for n in (1, 2, 3)])
        assert [unit.retention.destroy(EVIDENCE, LATER, 2) for _ in range(3)] == [2, 1, 0]


def test_a_daily_round_is_for_whoever_comes_first_that_day(store: Store) -> None:
    with store.unit() as unit:
        days = [DAY, DAY, DAY - timedelta(days=1), DAY + timedelta(days=1)]
        assert [unit.retention.take_day("destroy", day) for day in days] == [True, False, False, True]
        assert unit.retention.take_day("another", DAY)


def test_a_unit_for_one_partner_destroys_nothing(postgres_store: PostgresStore) -> None:
    a_closed_case(postgres_store)
    for kind in (CONTENT, EVIDENCE, PUT_ASIDE):
        with (
            pytest.raises(psycopg.errors.RaiseException, match="only the whole journey"),
            postgres_store.unit("KEIS") as unit,
        ):
            unit.retention.destroy(kind, LATER, 9)
