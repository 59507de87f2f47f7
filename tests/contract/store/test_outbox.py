"""What every store must do with messages on their way out."""

from __future__ import annotations

import time
from datetime import timedelta

from gateway.ports import AttemptRow, Finish, ReceiptRow, ReplayRow, Store, WorkItem
from tests.contract.store.build import EVENT, NOW, finish, leg, message, uid
from tests.journey.world import rows


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


def test_a_lease_begins_when_it_is_taken_not_with_its_unit(store: Store) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        unit.commit(EVENT)
    with store.unit() as unit:
        time.sleep(1.5)
        assert len(unit.outbox.claim("KEIS", "w", 9, 1.2)) == 1
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.outbox.claim("KEIS", "w", 9, 30.0) == []


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


NEW = frozenset({"referral.created", "referral.changed"})


def test_what_is_unsent_of_a_leg_can_be_called_back_but_not_what_is_under_way(store: Store) -> None:
    """m1 and m2 are about the leg, m2 is of another type; m3 is about another leg of the case and partner."""
    other = leg(2, status="cancelled")
    with store.unit() as unit:
        unit.outbox.enqueue(
            [message(1, 1), message(2, 2, type="referral.cancelled"), message(3, 3, ref_no=other.ref_no)]
        )
        unit.commit(EVENT)
    with store.unit() as unit:
        unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert unit.outbox.cancel(leg(), NEW) == []
        assert unit.outbox.cancel(other._replace(partner="KEAD"), NEW) == []
        assert unit.outbox.cancel(other, NEW) == [uid("m3")]
        assert unit.outbox.cancel(other, NEW) == []
        assert unit.outbox.cancel(leg(), {"referral.cancelled"}) == [uid("m2")]
        assert unit.outbox.ever_tried(leg(), NEW, None)
        assert not unit.outbox.ever_tried(leg(), NEW, uid("m1"))
        assert not unit.outbox.ever_tried(leg(), {"referral.cancelled"}, None)
        assert not unit.outbox.ever_tried(other, NEW, None)
        assert not unit.outbox.ever_tried(leg(partner="KEAD"), NEW, None)


def test_what_died_with_whoever_tried_it_and_what_was_tried_before_a_replay_may_have_reached_its_partner(
    store: Store,
) -> None:
    with store.unit() as unit:
        unit.outbox.enqueue([message()])
        unit.commit(EVENT)
    with store.unit() as unit:
        assert not unit.outbox.ever_tried(leg(), NEW, None)
        unit.outbox.claim("KEIS", "w", 9, -1.0)
        unit.commit(EVENT)
    with store.unit() as unit:
        unit.outbox.release(unit.outbox.claim("KEIS", "w", 9, 30.0))
        assert unit.outbox.ever_tried(leg(), NEW, None)
        unit.outbox.claim("KEIS", "w", 9, 30.0)
        unit.outbox.finish([finish(uid("m1"), 3, "dead")])
        plan = ReplayRow(uid("plan"), "KEIS", "kim", NOW, (uid("m1"),))
        unit.outbox.plan_replay(plan)
        assert unit.outbox.execute_replay(plan._replace(executed_by="lee", executed_at=NOW), 5.0) == 1
        assert unit.outbox.ever_tried(leg(), NEW, None)
        [claim] = unit.outbox.claim("KEIS", "w", 9, 30.0)
        assert (claim.attempts, claim.crashes) == (0, 0)
        assert unit.outbox.ever_tried(leg(), NEW, uid("m1"))
        unit.outbox.finish([finish(uid("m1"), claim.fence, "blocked")])
        assert unit.outbox.ever_tried(leg(), NEW, uid("m1"))


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
