"""What every store must do. Runs on PostgreSQL and on the fake of the journey tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import psycopg
import pytest

from gateway.assembly import uuid7
from gateway.errors import Interfered, LeafInvalid, OutOfScope
from gateway.exchange_log.audit import AuditEvent
from gateway.ports import (
    ActsAsked,
    Arrival,
    AttemptRow,
    BookedRow,
    CaseChange,
    CaseRow,
    CheckRow,
    DifferenceRow,
    FactRow,
    Finish,
    HandoverFile,
    HoldRow,
    InboxRow,
    KeyRow,
    LegRow,
    LineRow,
    MessageRow,
    Met,
    ParkedRow,
    QuarantinedRow,
    ReadsRow,
    ReceiptRow,
    ReconciliationRow,
    ReferralRow,
    ReplayRow,
    ScreeningRow,
    Store,
    Unit,
    UpdateRow,
    WorkItem,
)
from gateway.sealing.manifest import Manifest, digest_part, seal
from gateway.store.postgres import PostgresStore
from tests.fakes.memory import MemoryStore
from tests.journey.world import key_of, rows

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)
EVENT = AuditEvent(act="cases.screened", actor="test", purpose="test")
OF_KEIS = replace(EVENT, partner="KEIS")


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE_OID, name))


@pytest.fixture(params=["postgres", "memory"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        found: PostgresStore = request.getfixturevalue("postgres_store")
        yield found


def case(n: int = 1, **more: object) -> CaseRow:
    row = CaseRow(
        case_no=f"2026000100{n:04d}",
        version=1,
        revision=1,
        status="live",
        branch="1100",
        facts=b"{}",
        facts_sha256="a" * 64,
        entry=None,
        entry_sha256=None,
        entry_state="present",
        record=b'{"a":1}',
        verdict="ok",
        reason=None,
        merged_into=None,
        barred=False,
        screened=0,
        referred=0,
        updated_at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def screening(row: CaseRow, result: str = "PRIORITY", day: date = DAY, score: int = 50) -> ScreeningRow:
    return ScreeningRow(
        row.case_no, row.revision, "PR", "CANDIDATE", score, b"[]", "sha256:x", result, None, 3, day, NOW
    )


def leg(n: int = 1, **more: object) -> LegRow:
    row = LegRow(
        ref_no=f"R20261123-{n:07d}",
        request_no="R20261123-9000000",
        case_no="20260001000001",
        case_version=1,
        partner="KEIS",
        person_id="PKE-" + "A" * 26,
        state="requested|sent",
        status="requested",
        business="sent",
        services=("01", "02"),
        legal_basis="LB-02",
        consent_no="C1",
        filler_no=None,
        answered=False,
        in_seq=0,
        first_answer_due=DAY,
        result_due=DAY,
        tracked=0,
        version=1,
        updated_at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def request_row() -> ReferralRow:
    return ReferralRow("R20261123-9000000", "20260001000001", 1, "active", NOW, DAY)


def message(n: int = 1, seq: int = 1, **more: object) -> MessageRow:
    row = MessageRow(
        partner="KEIS",
        direction="out",
        mid=uid(f"m{n}"),
        type="referral.created",
        case_no="20260001000001",
        ref_no="R20261123-0000001",
        seq=seq,
        content_type="application/json",
        body="본문".encode(),
        jws="a.b.c",
        body_sha256=b"\x01" * 32,
        map_pin="m|1",
        map_digest="sha256:x",
        fields=("nameFull", "phone"),
        fhir=b"{}",
        at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def finish(claim_mid: str, fence: int, state: str, *, receipt: bool = False) -> Finish:
    attempt = AttemptRow("KEIS", claim_mid, fence, "after", 200, "ok", None, NOW, NOW)
    kept = ReceiptRow("KEIS", "out", claim_mid, "r.r.r", "accepted", None, NOW) if receipt else None
    return Finish(attempt, state, NOW, kept)


# ── units ────────────────────────────────────────────────────────────────────────────────────────────────────────────
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
        assert unit.inbox.receipt(uid("in1")) == given


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


# ── hand-over ────────────────────────────────────────────────────────────────────────────────────────────────────────
def file(n: int = 1, status: str = "accepted") -> HandoverFile:
    return HandoverFile(uid(f"f{n}"), "A1", f"f{n}", DAY, n, "D", f"{n:064d}", status, None, 3, 1, NOW)


def test_an_accepted_file_is_found_by_its_bytes_and_a_rejected_one_is_not(store: Store) -> None:
    with store.unit() as unit:
        unit.handovers.add(file(1), [QuarantinedRow(file(1).file_id, 2, None, "E-ENC", "korNm", b"\xff", "0" * 64)])
        unit.handovers.add(file(2, "rejected"))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.handovers.find("A1", file(1).sha256) == file(1)
        assert [q.raw for q in unit.handovers.quarantined(file(1).file_id)] == [b"\xff"]
        assert unit.handovers.quarantined(file(2).file_id) == []
        assert unit.handovers.find("A6", file(1).sha256) is None
        assert unit.handovers.find("A1", file(2).sha256) is None
        assert [f.file_seq for f in unit.handovers.accepted("A1")] == [1]
        unit.handovers.mark_replaced(file(1).file_id)
        assert unit.handovers.accepted("A1") == []


def test_a_parked_row_waits_once_and_leaves_when_woken(store: Store) -> None:
    row = ParkedRow("20260001000001", 2, "U", None, b"{}", "b" * 64, uid("f"), 7, NOW)
    with store.unit() as unit:
        unit.handovers.park([row])
        unit.handovers.park([row])
        assert unit.handovers.parked(["20260001000001"]) == [row]
        unit.handovers.unpark([row])
        assert unit.handovers.parked(["20260001000001"]) == []


# ── cases and screening ──────────────────────────────────────────────────────────────────────────────────────────────
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


def test_a_seat_is_held_since_the_first_day_without_a_break(store: Store) -> None:
    row = case()
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        for result, day in (("PRIORITY", 1), ("WAITLIST", 2), ("PRIORITY", 3), ("PRIORITY", 4)):
            unit.cases.screened([screening(row, result, date(2026, 12, day))])
        assert [(s.case_no, s.branch, s.since) for s in unit.cases.seats_held()] == [
            (row.case_no, "1100", date(2026, 12, 3))
        ]
        unit.cases.screened([screening(row, "GENERAL", date(2026, 12, 5))])
        assert unit.cases.seats_held() == []
        assert unit.cases.latest_screening([row.case_no])[row.case_no].result == "GENERAL"


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


# ── legs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_numbers_of_a_day_are_given_out_once(store: Store) -> None:
    with store.unit() as unit:
        assert list(unit.legs.next_numbers(DAY, 3)) == [1, 2, 3]
        assert list(unit.legs.next_numbers(DAY, 2)) == [4, 5]
        assert list(unit.legs.next_numbers(date(2026, 11, 24), 1)) == [1]


def test_a_leg_that_somebody_else_changed_is_not_overwritten(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        read = unit.legs.get(leg().ref_no)
        assert read == leg()
        unit.legs.save(read._replace(status="accepted", state="accepted|accepted", business="accepted"))
        again = unit.legs.get(leg().ref_no)
        assert again is not None
        assert (again.version, again.status, again.services) == (2, "accepted", ("01", "02"))
        with pytest.raises(Interfered):
            unit.legs.save(read)


def test_some_of_many_legs_that_somebody_else_changed_save_none_of_them(store: Store) -> None:
    legs = [leg(n, case_no=f"2026000100{n:04d}") for n in (1, 2, 3)]
    with store.unit() as unit:
        unit.legs.add([request_row()], legs)
        unit.legs.save(legs[1])
        unit.commit(EVENT)
    with pytest.raises(Interfered), store.unit() as unit:
        unit.legs.save(*(one._replace(status="accepted") for one in legs))
    with store.unit() as unit:
        found = unit.legs.many([one.ref_no for one in legs])
        assert [(one.status, one.version) for one in found.values()] == [("requested", n) for n in (1, 2, 1)]


def test_the_legs_of_cases_come_by_their_numbers(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(2, partner="KEAD"), leg(), leg(3, case_no="20260001000002")])
        assert [one.ref_no for one in unit.legs.of_case(leg().case_no)] == [leg(1).ref_no, leg(2).ref_no]
        found = unit.legs.of_cases(["20260001000002", leg().case_no, "20260001000003"])
        assert [one.ref_no for one in found] == [leg(n).ref_no for n in (1, 2, 3)]
        assert unit.legs.of_cases([]) == []


def test_a_changed_leg_is_untracked_until_it_is_judged(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        assert unit.legs.untracked(5, NOW - timedelta(seconds=1)) == []
        found = unit.legs.untracked(5, NOW)
        assert [x.ref_no for x in found] == [leg().ref_no]
        unit.legs.mark_tracked(found)
        assert unit.legs.untracked(5, NOW) == []
        unit.legs.save(unit.legs.many([leg().ref_no])[leg().ref_no])
        assert len(unit.legs.untracked(5, NOW)) == 1


@pytest.mark.parametrize(
    ("change", "called_back"),
    [
        ({}, False),
        ({"barred": True}, True),
        ({"version": 2}, True),
    ],
)
def test_open_legs_of_cases_that_may_not_be_served_are_called_back(
    store: Store, change: dict[str, object], called_back: bool
) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(1, **change), "I", None)])
        legs = [
            leg(1),
            leg(2, partner="KEAD", status="completed"),
            leg(3, partner="TRN", business="cancellation-requested"),
        ]
        unit.legs.add([request_row()], legs)
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == ([leg(1).ref_no] if called_back else [])


# ── outbox ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_message_comes_back_byte_for_byte(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        assert unit.outbox.find_message(message().mid) == message()
        assert unit.outbox.last_seqs([message().case_no or ""]) == {("KEIS", "20260001000001"): 1}


def test_only_the_head_of_the_line_of_a_case_is_leased(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message(1, 1), message(2, 2), message(3, 1, case_no="20260001000009")])
        unit.commit(EVENT)
    with store.unit() as unit:
        claims = unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert {c.message.mid for c in claims} == {uid("m1"), uid("m3")}
        assert unit.outbox.claim("KEIS", "w", 9, 30.0) == []
        unit.outbox.finish([finish(uid("m1"), 1, "delivered", receipt=True)])
        assert [c.message.mid for c in unit.outbox.claim("KEIS", "w", 9, 30.0)] == [uid("m2")]


def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_changes_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [c.fence for c in unit.outbox.claim("KEIS", "old", 9, -1.0)] == [1]
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [c.fence for c in unit.outbox.claim("KEIS", "new", 9, 30.0)] == [2]
        assert unit.outbox.finish([finish(uid("m1"), 1, "dead")]) == set()
        assert unit.outbox.waiting() == {"KEIS": 1}
        assert unit.outbox.finish([finish(uid("m1"), 2, "delivered", receipt=True)]) == {uid("m1")}
        assert unit.outbox.waiting() == {}
        told = next(iter(unit.outbox.report()))
        assert (told["state"], told["receipt"], told["attempts"]) == ("delivered", "accepted", 1)


def test_a_released_lease_may_be_taken_at_once_and_counts_no_attempt(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        unit.commit(EVENT)
    with store.unit() as unit:
        unit.outbox.release(unit.outbox.claim("KEIS", "w", 9, 30.0))
        assert [(c.fence, c.attempts) for c in unit.outbox.claim("KEIS", "w", 9, 30.0)] == [(2, 0)]


def test_what_is_due_is_postponed_and_what_was_never_tried_counts_its_days_from_then(store: Store) -> None:
    then, far = NOW + timedelta(hours=1), NOW + timedelta(days=365_000)
    with store.unit() as unit:
        unit.outbox.enqueue([message(n, case_no=f"2026000100000{n}") for n in (1, 2, 3)])
        unit.commit(EVENT)
    with store.unit() as unit:
        claims = {c.message.mid: c for c in unit.outbox.claim("KEIS", "w", 3, 30.0)}
        unit.outbox.finish([finish(uid("m1"), 1, "ready")])
        unit.outbox.release([claims[uid("m2")]])
        assert unit.outbox.postpone("KEAD", then) == 0
        assert unit.outbox.postpone("KEIS", then) == 2  # the third is being tried right now
        again = unit.outbox.claim("KEIS", "w", 3, 30.0)
        assert {c.message.mid: c.first_at for c in again} == {uid("m1"): NOW, uid("m2"): then}
        unit.outbox.release(again)
        assert unit.outbox.postpone("KEIS", far) == 2
        assert unit.outbox.claim("KEIS", "w", 3, 30.0) == []
        assert unit.outbox.waiting() == {"KEIS": 3}


def test_a_message_whose_lease_ran_out_is_suspect_and_comes_alone(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message(n, case_no=f"2026000100000{n}") for n in (1, 2, 3)])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [c.crashes for c in unit.outbox.claim("KEIS", "w", 2, -1.0)] == [0, 0]
        unit.commit(EVENT)
    with store.unit() as unit:
        first, second, third = (unit.outbox.claim("KEIS", "w", 9, 30.0) for _ in range(3))
        assert [[c.crashes for c in claims] for claims in (first, second, third)] == [[1], [1], [0]]
        unit.outbox.release(first)
        assert [c.crashes for c in unit.outbox.claim("KEIS", "w", 9, -1.0)] == [1]
        unit.commit(EVENT)
    with store.unit() as unit:
        [again] = unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert (again.crashes, again.attempts) == (2, 0)
        unit.outbox.finish([finish(again.message.mid, again.fence, "ready")])
        assert [c.crashes for c in unit.outbox.claim("KEIS", "w", 9, 30.0)] == [0]


def test_the_head_of_an_attempt_is_kept_with_it_if_it_has_one(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message(n, case_no=f"2026000100000{n}") for n in (1, 2)])
        fences = {c.message.mid: c.fence for c in unit.outbox.claim("KEIS", "w", 9, 30.0)}
        ended = []
        for n, head in ((1, b'["POST"]'), (2, None)):
            end = finish(uid(f"m{n}"), fences[uid(f"m{n}")], "delivered")
            ended.append(end._replace(attempt=end.attempt._replace(head=head, case_no=f"2026000100000{n}")))
        unit.outbox.finish(ended)
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [unit.outbox.attempts(one.attempt.mid) for one in ended] == [[one.attempt] for one in ended]


def test_what_is_unsent_can_be_called_back_but_not_what_is_under_way(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message(1, 1), message(2, 2)])
        unit.commit(EVENT)
    with store.unit() as unit:
        unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert unit.outbox.cancel("20260001000001", "KEIS") == [uid("m2")]
        assert unit.outbox.cancel("20260001000001", "KEAD") == []
        assert unit.outbox.ever_tried("20260001000001", "KEIS", None)
        assert not unit.outbox.ever_tried("20260001000001", "KEIS", uid("m1"))
        assert not unit.outbox.ever_tried("20260001000001", "KEAD", None)


def given_up(store: Store) -> None:
    """m1 is dead, m2 about the same case delivered after it; m3 rejected; m4 blocked by a rule of ours; m5 waits."""
    rejected = ReceiptRow("KEIS", "out", uid("m3"), "n.n.n", "rejected", "2003", NOW)
    ends = {"m1": ("dead", "unreachable"), "m3": ("blocked", "rejected"), "m4": ("blocked", "E-CONSENT")}
    with store.unit() as unit:
        unit.outbox.enqueue([message(1, 1), *(message(n, 1, case_no=f"2026000100000{n}") for n in (3, 4, 5))])
        claims = {c.message.mid: c for c in unit.outbox.claim("KEIS", "w", 9, 30.0)}
        unit.outbox.release([claims[uid("m5")]])
        for name, (state, reason) in ends.items():
            attempt = AttemptRow("KEIS", uid(name), 1, "after", 503, None, reason, NOW, NOW)
            unit.outbox.finish([Finish(attempt, state, NOW, rejected if name == "m3" else None)])
        unit.outbox.enqueue([message(2, 2)])
        [second] = [c for c in unit.outbox.claim("KEIS", "w", 9, 30.0) if c.message.mid == uid("m2")]
        unit.outbox.finish([finish(uid("m2"), second.fence, "delivered", receipt=True)])
        unit.add_work([WorkItem("delivery-dead", "unreachable", None, None, "KEIS", uid("m1"), NOW)])
        unit.commit(EVENT)


def test_dead_is_what_only_an_officer_can_send_again(store: Store) -> None:
    given_up(store)
    with store.unit() as unit:
        found = unit.outbox.dead("KEIS")
        told = [(d.mid, d.state, d.reason, d.attempts, d.overtaken) for d in found]
        assert told == [
            (uid("m1"), "dead", "unreachable", 1, True),
            (uid("m3"), "blocked", "rejected", 1, False),
        ]
        assert unit.outbox.dead() == found
        assert unit.outbox.dead("KEAD") == []
        assert [(a.fence, a.error_class) for a in unit.outbox.attempts(uid("m1"))] == [(1, "unreachable")]


def test_a_replay_makes_dead_messages_ready_as_if_they_were_new_a_few_a_second(store: Store) -> None:
    given_up(store)
    plan = ReplayRow(uid("plan"), "KEIS", "kim", NOW, tuple(sorted((uid("m1"), uid("m3"), uid("m4"), uid("m5")))))
    with store.unit() as unit:
        unit.outbox.plan_replay(plan)
        assert unit.outbox.replay(uid("plan")) == plan
        assert unit.outbox.replay(uid("none")) is None
        done = plan._replace(executed_by="lee", executed_at=NOW)
        assert unit.outbox.execute_replay(done, 0.001) == 2
        assert unit.outbox.replay(uid("plan")) == done
        assert unit.outbox.dead() == []
        unit.commit(EVENT)
    with store.unit() as unit:
        [first] = [c for c in unit.outbox.claim("KEIS", "w", 9, 30.0) if c.message.mid != uid("m5")]
        assert (first.message.mid, first.attempts, first.crashes) == (uid("m1"), 0, 0)
        assert first.first_at > NOW
        unit.outbox.finish([finish(uid("m1"), first.fence, "delivered", receipt=True)])
        unit.commit(EVENT)
    assert [w["done_at"] is not None for w in rows(store, "work_item")] == [True]
    assert sorted(r["decision"] for r in rows(store, "receipt")) == ["accepted", "accepted"]


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def opened(store: Store, due_in_s: float) -> LineRow:
    """KEIS's line is open and its next probe is due in so many seconds; two cases wait."""
    with store.unit() as unit:
        unit.outbox.enqueue([message(1), message(2, case_no="20260001000009")])
        row, now = unit.lines.hold("KEIS")
        due_at = now + timedelta(seconds=due_in_s)
        row = row._replace(breaker="open", why="in-a-row", failures=5, probes=1, due_at=due_at, recent=((7, 6, 5),))
        unit.lines.save(row)
        unit.commit(EVENT)
    return row


def test_a_line_nobody_has_heard_of_is_closed(store: Store) -> None:
    with store.unit() as unit:
        row, now = unit.lines.hold("KEIS")
        assert row == LineRow("KEIS")
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)  # noqa: TID251 - the database's clock is a real one
        unit.lines.hold("KEAD")
        assert [line.partner for line in unit.lines.all()] == ["KEAD", "KEIS"]


def test_a_line_comes_back_as_it_was_saved(store: Store) -> None:
    row = opened(store, 30)
    with store.unit() as unit:
        assert unit.lines.hold("KEIS")[0] == row
        assert unit.lines.all() == [row]
        slow = row._replace(breaker="closed", why=None, at_once=2, slow_until=row.due_at, due_at=None)
        unit.lines.save(slow)
        assert unit.lines.all() == [slow]


def test_while_a_line_is_open_nothing_is_leased_and_other_partners_are(store: Store) -> None:
    opened(store, 30)
    with store.unit() as unit:
        unit.outbox.enqueue([message(3, partner="KEAD")])
        assert unit.outbox.claim("KEIS", "w", 9, 30.0) == []
        assert not unit.lines.probe("KEIS", 30.0)
        assert [c.probe for c in unit.outbox.claim("KEAD", "w", 9, 30.0)] == [False]


def test_a_probe_is_one_message_and_taken_once(store: Store) -> None:
    opened(store, -1)
    with store.unit() as unit:
        assert [c.probe for c in unit.outbox.claim("KEIS", "w1", 9, 30.0)] == [True]
        assert unit.lines.probe("KEIS", 30.0)
        assert unit.outbox.claim("KEIS", "w2", 9, 30.0) == []
        assert not unit.lines.probe("KEIS", 30.0)
        assert unit.lines.hold("KEIS")[0].breaker == "half-open"


def test_a_probe_of_which_nothing_is_heard_is_due_again(store: Store) -> None:
    opened(store, -1)
    with store.unit() as unit:
        assert unit.lines.probe("KEIS", -0.5)
        assert [c.probe for c in unit.outbox.claim("KEIS", "w2", 9, 30.0)] == [True]
        assert unit.lines.probe("KEIS", 30.0)


def goes_slowly(store: Store, at_once: int, for_s: float) -> None:
    """KEIS's line goes slowly for so many seconds; five cases wait."""
    with store.unit() as unit:
        unit.outbox.enqueue([message(n, case_no=f"2026000100000{n}") for n in range(1, 6)])
        row, now = unit.lines.hold("KEIS")
        unit.lines.save(row._replace(at_once=at_once, slow_until=now + timedelta(seconds=for_s)))
        unit.commit(EVENT)


def test_while_a_line_goes_slowly_no_more_are_leased_than_may_be_under_way_anywhere(store: Store) -> None:
    goes_slowly(store, 3, 30)
    with store.unit() as unit:
        first = unit.outbox.claim("KEIS", "w1", 2, 30.0)
        assert [len(first), len(unit.outbox.claim("KEIS", "w2", 9, 30.0))] == [2, 1]
        assert unit.outbox.claim("KEIS", "w3", 9, 30.0) == []
        unit.outbox.finish([finish(c.message.mid, c.fence, "delivered") for c in first])
        assert len(unit.outbox.claim("KEIS", "w3", 9, 30.0)) == 2


def test_a_lease_that_ran_out_is_not_under_way_any_more(store: Store) -> None:
    goes_slowly(store, 1, 30)
    with store.unit() as unit:
        assert len(unit.outbox.claim("KEIS", "w1", 9, -1.0)) == 1
        assert len(unit.outbox.claim("KEIS", "w2", 9, 30.0)) == 1
        assert unit.outbox.claim("KEIS", "w3", 9, 30.0) == []


def test_when_its_time_is_over_a_line_goes_as_ever(store: Store) -> None:
    goes_slowly(store, 1, -1)
    with store.unit() as unit:
        assert len(unit.outbox.claim("KEIS", "w1", 9, 30.0)) == 5


@pytest.mark.parametrize("gate", ["paused", "stopped"])
def test_behind_a_shut_gate_nothing_is_leased_and_no_probe_is_due(store: Store, gate: str) -> None:
    opened(store, -1)
    with store.unit() as unit:
        row, now = unit.lines.hold("KEIS")
        unit.lines.save(row._replace(gate=gate, gate_reason="incident", gate_by="kim.0417", gate_at=now))
        assert unit.lines.hold("KEIS")[0].gate_at == now
        assert unit.outbox.claim("KEIS", "w", 9, 30.0) == []
        assert not unit.lines.probe("KEIS", 30.0)
        assert [unit.lines.stopped(p) for p in ("KEIS", "KEAD")] == [gate == "stopped", False]
        unit.lines.save(row._replace(breaker="closed", due_at=None))
        assert len(unit.outbox.claim("KEIS", "w", 9, 30.0)) == 2


def test_a_claim_says_when_it_was_made_by_the_databases_clock(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        [claim] = unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert claim.leased_at is not None
        assert abs(claim.leased_at - datetime.now(UTC)) < timedelta(seconds=5)  # noqa: TID251 - it is a real one


def test_what_a_work_item_called_for_can_be_over(store: Store) -> None:
    with store.unit() as unit:
        unit.add_work([WorkItem("queueing", "in-a-row", None, None, p, None, NOW) for p in ("KEIS", "KEAD")])
        unit.end_work("queueing", "KEIS", NOW)
        unit.end_work("queueing", "TRN", NOW)
        unit.commit(EVENT)
    assert [(w["partner"], w["done_at"]) for w in rows(store, "work_item")] == [("KEIS", NOW), ("KEAD", None)]


# ── inbox ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def incoming(n: int, state: str = "applied") -> tuple[InboxRow, MessageRow]:
    row = InboxRow("KEIS", uid(f"in{n}"), b"\x02" * 32, leg().ref_no, n, state, None, NOW)
    return row, message(n, n, direction="in", mid=row.mid)


def attempt(partner: str, nonce: str) -> Arrival:
    """An attempt with this nonce, at a message that is not known."""
    return Arrival(partner, uuid7(), nonce, NOW, None)


def again(partner: str, mid: str) -> Arrival:
    """A fresh attempt at this message."""
    return Arrival(partner, mid, uuid7(), NOW, None)


def about(ref_no: str) -> Arrival:
    """A fresh message about this leg."""
    return Arrival("KEIS", uuid7(), uuid7(), NOW, ref_no)


def met(unit: Unit, *arrivals: Arrival) -> Met:
    return unit.inbox.meet(arrivals)


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
        assert unit.inbox.receipt(row.mid) == receipt
        assert met(unit, about(leg().ref_no)).held == [(1, sent)]
        unit.inbox.settle(*id_, "applied", None)
        assert met(unit, about(leg().ref_no)).held == []
        unit.commit(EVENT)
    with pytest.raises(Interfered), store.unit() as unit:
        unit.inbox.keep([(row, sent)])


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
        assert unit.inbox.receipt(uid("in3")) is not None


def test_held_messages_come_in_the_partners_order_not_in_that_of_arrival(store: Store) -> None:
    with store.unit() as unit:
        unit.inbox.keep([incoming(n, "held") for n in (4, 3, 5)])
        unit.inbox.keep([incoming(2)])
        assert [(n, m.mid) for n, m in met(unit, about(leg().ref_no)).held] == [(n, uid(f"in{n}")) for n in (3, 4, 5)]
        assert met(unit, about("R20261123-0000099")).held == []


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


# ── facts and write-back ─────────────────────────────────────────────────────────────────────────────────────────────
def fact(n: int) -> FactRow:
    return FactRow(uid(f"fact{n}"), leg().ref_no, n, uid(f"m{n}"), DAY, b"{}", "E1", False, None, b"{}", NOW)


def test_a_correction_marks_the_earlier_fact_and_removes_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        unit.inbox.keep(facts=[fact(1)])
        unit.inbox.keep(facts=[fact(2), fact(3)])
        assert unit.facts.supersede(leg().ref_no, 1, fact(2).fact_id)
        assert not unit.facts.supersede(leg().ref_no, 1, fact(2).fact_id)
        told = [(f.seq, f.entered_in_error, f.superseded_by) for f in unit.facts.of([leg().ref_no])]
        assert told == [(1, True, fact(2).fact_id), (2, False, None), (3, False, None)]
        assert unit.facts.of([leg().ref_no])[1:] == [fact(2), fact(3)]


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


# ── one at a time ────────────────────────────────────────────────────────────────────────────────────────────────────
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


# ── scope ────────────────────────────────────────────────────────────────────────────────────────────────────────────
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
        assert unit.legs.of_case("20260001000002") == []
        assert set(unit.cases.look(["20260001000001", "20260001000002"])) == {"20260001000001"}
        assert {f.ref_no for f in unit.facts.of([leg(1).ref_no, leg(2).ref_no])} == {leg(1).ref_no}
        assert [c.ref_no for c in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).checks] == [leg(1).ref_no]
        assert [bool(unit.outbox.find_message(uid(m))) for m in ("m1", "in1", "m2", "in2")] == [1, 1, 0, 0]
        assert met(unit, again("KEIS", uid("in1"))).seen.keys() == {("KEIS", uid("in1"))}
        assert [bool(unit.inbox.receipt(uid(m))) for m in ("in1", "in2")] == [1, 0]
        assert [m.mid for _, m in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).held] == [uid("in1")]
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
        assert (unit.counts(), unit.inbox.receipt(uid("in9"))) == (before, None)


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
        assert [m.mid for _, m in met(unit, about(leg(1).ref_no), about(leg(2).ref_no)).held] == [uid("in2")]


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


# ── how long records are kept ────────────────────────────────────────────────────────────────────────────────────────
LATER = date(2027, 1, 1)
"""Everything of these tests is older than this day."""
CONTENT, EVIDENCE, PUT_ASIDE = "destroy-content", "destroy-evidence", "destroy-put-aside"


HEAD = b'["POST","https://partner.example/in"]'


def a_closed_case(store: Store, **change: object) -> None:
    """A case with a leg that is closed, a message across and a fact heard; `change` changes the leg."""
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(), "I", None)])
        unit.legs.add([request_row()], [leg(**({"status": "completed", "tracked": 1} | change))])
        unit.outbox.enqueue([message()])
        claim = unit.outbox.claim("KEIS", "w", 9, 30.0)[0]
        sent = finish(claim.message.mid, claim.fence, "delivered", receipt=True)
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
    store: Store, change: dict[str, object], open_still: Callable[[Unit], object]
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


# ── reconciliation ───────────────────────────────────────────────────────────────────────────────────────────────────
def sealed_at(at: datetime, n: int) -> str:
    """What is kept of a manifest, as far as the books need it."""
    stated = Manifest(
        mid=uid(f"m{n}"), iss="comwel", aud="keis", iat=int(at.timestamp()), type="t", profile="p|1",
        parts=(digest_part("body", "application/json", b"x" * n),),
    )  # fmt: skip
    return seal(stated, key_of("comwel"))


def booked(n: int, at: datetime = NOW, direction: str = "out") -> MessageRow:
    return message(n, n, direction=direction, jws=sealed_at(at, n), at=at, case_no=f"2026000100{n:04d}")


def test_the_books_name_what_was_sealed_in_the_period_and_how_it_stands(store: Store) -> None:
    hour = timedelta(hours=1)
    out = [booked(n) for n in range(1, 7)] + [booked(7, NOW - 2 * hour), booked(8, NOW + hour)]
    come = [booked(11, direction="in"), booked(12, NOW - hour, "in"), booked(13, NOW - 2 * hour, "in")]
    come[1] = come[1]._replace(at=NOW + timedelta(days=3))  # sealed in the period, and late on the way
    with store.unit() as unit:
        unit.outbox.enqueue(out)
        claims = {c.message.mid: c for c in unit.outbox.claim("KEIS", "w", 99, 30.0)}
        unit.outbox.release([claims[uid("m6")]])
        ended = [finish(uid("m1"), 1, "delivered", receipt=True), finish(uid("m3"), 1, "dead")]
        rejected = finish(uid("m2"), 1, "blocked", receipt=True)
        kept = rejected.receipt and rejected.receipt._replace(decision="rejected", code="X")
        unit.outbox.finish([*ended, rejected._replace(receipt=kept)])
        unit.outbox.enqueue([booked(9)])  # nobody has touched it yet
        unit.inbox.keep([(InboxRow("KEIS", m.mid, b"x" * 32, None, None, "applied", None, m.at), m) for m in come])
        unit.commit(EVENT, receipts=[ReceiptRow("KEIS", "in", uid("m12"), "r", "rejected", "X", NOW)])
    with store.unit("KEIS") as unit:
        found = unit.reconciliation.booked("KEIS", NOW - hour, NOW + hour)
        assert unit.reconciliation.booked("KEAD", NOW - hour, NOW + hour) == []
    states = {
        "m1": "delivered", "m2": "rejected", "m3": "given-up", "m4": "waiting", "m5": "waiting", "m6": "waiting",
        "m11": "accepted", "m12": "rejected",
    }  # fmt: skip
    directions = {uid(name): "in" if name in ("m11", "m12") else "out" for name in states}
    rows_by_mid = {m.mid: m for m in (*out, *come)}
    assert found == sorted(
        BookedRow(uid(name), sha256(rows_by_mid[uid(name)].jws.encode()).digest(), directions[uid(name)], state)
        for name, state in states.items()
    )


def a_list(n: int = 1, day: date = DAY, **more: object) -> ReconciliationRow:
    at = NOW + timedelta(hours=n)
    return ReconciliationRow(uid(f"list{n}"), "KEIS", day, f"ours{n}", at, at)._replace(**more)  # type: ignore[arg-type]


def test_a_list_never_changes_and_what_became_of_it_does(store: Store) -> None:
    first, second = a_list(1), a_list(2, DAY + timedelta(days=1))
    with store.unit("KEIS") as unit:
        assert unit.reconciliation.newest("KEIS") is None
        assert unit.reconciliation.last_answer("KEIS") is None
        unit.reconciliation.keep(first)
        unit.reconciliation.keep(second)
        answered = first._replace(theirs="theirs1", compared_at=NOW, tries=2, why=None, differing=3, settled=False)
        unit.reconciliation.keep(answered._replace(ours="something else"))
        unit.commit(replace(EVENT, partner="KEIS"))
    with store.unit("KEIS") as unit:
        assert unit.reconciliation.newest("KEIS", DAY) == answered
        assert unit.reconciliation.newest("KEIS") == second
        assert unit.reconciliation.last_answer("KEIS") == "theirs1"
    with store.unit("KEAD") as unit:
        assert unit.reconciliation.newest("KEIS") is None


def test_of_each_day_there_is_the_newest_list_that_was_answered(store: Store) -> None:
    tomorrow = DAY + timedelta(days=1)
    first = a_list(1, theirs="x", compared_at=NOW)
    with store.unit("KEIS") as unit:
        for row in (first, a_list(2), a_list(3, tomorrow), a_list(4, tomorrow), a_list(5, DAY - timedelta(days=1))):
            unit.reconciliation.keep(row)
        assert list(unit.reconciliation.of_days("KEIS", DAY, tomorrow)) == [first, a_list(4, tomorrow)]
        assert unit.reconciliation.of_days("KEAD", DAY, tomorrow) == []


def test_days_are_due_from_the_first_message_until_they_are_settled(store: Store) -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    later = NOW + timedelta(days=9)
    with store.unit() as unit:
        assert unit.reconciliation.days_due("KEIS", days[-1], later, 30) == []
        unit.outbox.enqueue([message()])
        assert unit.reconciliation.days_due("KEIS", days[-1], later, 30) == days
        assert unit.reconciliation.days_due("KEIS", days[-1], later, 1) == days[2:]
        unit.reconciliation.keep(a_list(1, days[0], theirs="x", compared_at=NOW, settled=True))
        unit.reconciliation.keep(a_list(2, days[1], next_at=later + timedelta(hours=1)))
        unit.reconciliation.keep(a_list(3, days[2], next_at=later))
        assert unit.reconciliation.days_due("KEIS", days[-1], later, 30) == days[2:]
        assert unit.reconciliation.days_due("KEIS", days[-1], later + timedelta(hours=1), 30) == days[1:]
        assert unit.reconciliation.days_due("KEIS", DAY - timedelta(days=1), later, 30) == []


def test_a_difference_opens_once_ends_once_and_can_open_again(store: Store) -> None:
    one = DifferenceRow("KEIS", uid("m1"), "out", "not-there", DAY, NOW)
    two, elsewhere = one._replace(mid=uid("m2")), one._replace(mid=uid("m3"), day=DAY - timedelta(days=1))
    later = NOW + timedelta(days=1)
    with store.unit("KEIS") as unit:
        differ = unit.reconciliation.differ
        assert list(differ("KEIS", elsewhere.day, [elsewhere], NOW)) == [elsewhere]
        assert sorted(differ("KEIS", DAY, [one, two], NOW)) == sorted([one, two])
        assert list(differ("KEIS", DAY, [one._replace(found_at=later), two], later)) == []
        assert list(differ("KEIS", DAY, [two], later)) == [one._replace(gone_at=later)]
        assert sorted(unit.reconciliation.open_differences("KEIS")) == sorted([elsewhere, two])
        assert list(differ("KEIS", DAY, [one._replace(found_at=later), two], later)) == [one._replace(found_at=later)]
        assert len(differ("KEIS", DAY, [], later)) == 2
        assert unit.reconciliation.open_differences("KEIS") == [elsewhere]


def test_of_many_work_items_of_a_kind_that_about_one_message_can_be_over(store: Store) -> None:
    items = [WorkItem("books-differ", "out-not-there", None, None, "KEIS", uid(f"m{n}"), NOW) for n in (1, 2)]
    with store.unit() as unit:
        unit.add_work(items)
        unit.end_work("books-differ", "KEIS", NOW, uid("m2"))
        unit.commit(EVENT)
    assert {row["mid"]: row["done_at"] for row in rows(store, "work_item")} == {uid("m1"): None, uid("m2"): NOW}


# ── the monthly review ───────────────────────────────────────────────────────────────────────────────────────────────
def test_reads_are_counted_by_officer_purpose_and_act_and_nothing_else_is(store: Store) -> None:
    read = AuditEvent("message.explained", "kim.0417", "audit", case_no=case().case_no)
    export = AuditEvent("acts.exported", "kim.0417", "audit")
    with store.unit() as unit:
        unit.commit(read, read, replace(read, case_no=case(2).case_no), export, replace(export, actor="lee.1"), EVENT)
    with store.unit() as unit:
        [last] = [kept.at for kept in unit.events(ActsAsked()) if kept.event == EVENT]
        found = unit.reads(last - timedelta(minutes=1), last + timedelta(minutes=1))
        assert unit.reads(last + timedelta(minutes=1), last + timedelta(hours=1)) == []
    here = last.astimezone(ZoneInfo("Asia/Seoul"))
    off = here.weekday() > 4 or not 7 <= here.hour < 20
    assert list(found) == [
        ReadsRow("kim.0417", "audit", "acts.exported", 1, 0, int(off), 1),
        ReadsRow("kim.0417", "audit", "message.explained", 3, 2, 3 * off, 0),
        ReadsRow("lee.1", "audit", "acts.exported", 1, 0, int(off), 1),
    ]


def test_months_that_were_signed_off_are_known_with_the_officer(store: Store) -> None:
    with store.unit() as unit:
        unit.commit(AuditEvent("review.signed", "lee.1", "access-review", subject="2026-10"), EVENT)
    with store.unit() as unit:
        assert unit.reviewed() == {"2026-10": "lee.1"}


# ── keys, and what is in force ───────────────────────────────────────────────────────────────────────────────────────
def key_row(owner: str = "keis", kid: str = "k-1") -> KeyRow:
    return KeyRow(owner, kid, {"kty": "EC", "kid": kid}, NOW, NOW + timedelta(days=1), None)


def test_a_kid_names_one_key_of_its_owner_for_ever(store: Store) -> None:
    with store.unit() as unit:
        assert unit.keys.add(key_row())
        assert not unit.keys.add(key_row()._replace(jwk={"kty": "RSA", "kid": "k-1"}))
        assert unit.keys.add(key_row("kead"))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.keys.of("keis") == [key_row()]


def test_a_key_is_revoked_once(store: Store) -> None:
    with store.unit() as unit:
        unit.keys.add(key_row())
        assert not unit.keys.revoke("keis", "k-2", NOW)
        assert not unit.keys.revoke("kead", "k-1", NOW)
        assert unit.keys.revoke("keis", "k-1", NOW)
        assert not unit.keys.revoke("keis", "k-1", NOW + timedelta(hours=1))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [key.revoked_at for key in unit.keys.of("keis")] == [NOW]


def test_a_unit_for_one_partner_knows_its_keys_only(store: Store) -> None:
    with store.unit() as unit:
        for owner in ("keis", "kead"):
            unit.keys.add(key_row(owner))
        unit.commit(EVENT)
    with store.unit("KEIS") as unit:
        assert [unit.keys.of("keis"), unit.keys.of("kead")] == [[key_row()], []]
        assert not unit.keys.revoke("kead", "k-1", NOW)


def test_acts_about_what_is_named_with_its_digest_are_found_in_their_order(store: Store) -> None:
    said = [
        ("map.activated", "a/sha256-1"),
        ("map.activated", "b/sha256-1"),
        ("map.ended", "a/sha256-1"),
        ("rules.activated", "c/sha256-1"),
        ("map.activated", "no-digest"),
    ]
    with store.unit() as unit:
        unit.commit(*(replace(EVENT, act=act, subject=subject) for act, subject in said))
    with store.unit() as unit:
        found = unit.named(["map.activated", "map.ended"])
        everything = unit.events(ActsAsked())
    assert [(one.event.act, one.event.subject) for one in found] == said[:3]
    assert [one.id for one in found] == [one.id for one in everything[:3]]
    assert len({one.id for one in everything} - {None}) == 5


def test_acts_are_found_by_case_partner_message_and_time(store: Store) -> None:
    case_no, mid = case(1).case_no, uid("m1")
    about = [{"case_no": case_no, "partner": "KEIS", "mid": mid}, {"case_no": case_no}, {"partner": "KEIS", "mid": mid}]
    with store.unit() as unit:
        unit.commit(*(replace(EVENT, **ids) for ids in about))

    def found(**asked: object) -> list[int]:
        with store.unit() as unit:
            numbers = [one.number for one in unit.events(ActsAsked())]
            return [numbers.index(one.number) for one in unit.events(ActsAsked(**asked))]  # type: ignore[arg-type]

    assert found(case_no=case_no) == [0, 1]
    assert found(case_no=case_no, mid=mid) == found(case_no=case_no, partner="KEIS") == [0]
    assert found(mid=mid) == found(partner="KEIS") == [0, 2]
    with store.unit() as unit:
        at = unit.events(ActsAsked())[0].at
    assert found(case_no=case_no, until=at) == found(until=at) == []
    assert found(case_no=case_no, since=at) == [0, 1]
