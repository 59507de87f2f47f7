"""What every store must do with the lines to partners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ports import LineRow, Store, WorkItem
from tests.contract.store.build import EVENT, NOW, finish, message
from tests.journey.world import rows


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
