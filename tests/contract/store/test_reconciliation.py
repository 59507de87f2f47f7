"""What every store must do with the books, the lists about them and their differences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256

from gateway.ports import BookedRow, DifferenceRow, InboxRow, MessageRow, ReceiptRow, ReconciliationRow, Store, WorkItem
from gateway.sealing.manifest import Manifest, digest_part, seal
from tests.contract.store.build import DAY, EVENT, NOW, finish, message, uid
from tests.journey.world import key_of, rows


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


def test_which_answers_came_lately_and_whether_one_may_have_been_lost(store: Store) -> None:
    def asked(n: int, at: datetime, compared_at: datetime | None = None) -> ReconciliationRow:
        theirs = f"theirs{n}" if compared_at else None
        return a_list(n, DAY + timedelta(days=n), stated_at=at, theirs=theirs, compared_at=compared_at)

    day = timedelta(days=1)
    with store.unit("KEIS") as unit:
        kept = unit.reconciliation
        assert (list(kept.answers_lately("KEIS")), kept.may_be_lost(a_list(1))) == ([], False)
        kept.keep(asked(1, NOW))
        assert (kept.may_be_lost(a_list(1)), kept.may_be_lost(a_list(2))) == (False, True)
        kept.keep(asked(2, NOW, NOW + day - timedelta(seconds=1)))
        assert kept.may_be_lost(a_list(3))
        kept.keep(asked(3, NOW, NOW + day))
        assert not kept.may_be_lost(a_list(4))
        assert list(kept.answers_lately("KEIS")) == ["theirs2", "theirs3"]
        kept.keep(asked(4, NOW, NOW + 2 * day))
        assert list(kept.answers_lately("KEIS")) == ["theirs3", "theirs4"]


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


def test_the_last_answer_is_the_one_that_was_compared_last(store: Store) -> None:
    late, early = NOW + timedelta(hours=2), NOW + timedelta(hours=1)
    with store.unit("KEIS") as unit:
        unit.reconciliation.keep(a_list(1, theirs="late", compared_at=late))
        unit.reconciliation.keep(a_list(2, DAY + timedelta(days=1), theirs="early", compared_at=early))
        unit.reconciliation.keep(a_list(3, DAY + timedelta(days=2)))
        assert unit.reconciliation.last_answer("KEIS") == "late"


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


def test_of_many_work_items_of_a_kind_that_about_one_message_and_one_fault_can_be_over(store: Store) -> None:
    about = [(uid("m1"), "out-not-there"), (uid("m2"), "out-not-there"), (uid("m2"), "out-other-state")]
    with store.unit() as unit:
        unit.add_work([WorkItem("books-differ", code, None, None, "KEIS", mid, NOW) for mid, code in about])
        unit.end_work("books-differ", "KEIS", NOW, uid("m2"), "out-not-there")
        unit.commit(EVENT)
    assert {(row["mid"], row["code"]): row["done_at"] for row in rows(store, "work_item")} == {
        about[0]: None, about[1]: NOW, about[2]: None
    }  # fmt: skip
    with store.unit() as unit:
        unit.end_work("books-differ", "KEIS", NOW, uid("m2"))
        unit.commit(EVENT)
    assert [row["done_at"] for row in rows(store, "work_item") if row["mid"] == uid("m2")] == [NOW, NOW]
