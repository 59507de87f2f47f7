"""Destroy: let records end when nothing keeps them any more (PIPA 21), and prove that it was done.

Rules: what may go is what the rules in force say on this business day; a case on hold is passed over; it is looked once
a business day, and what is destroyed is one event a batch, with class, rules and count: the certificate of destruction.
Ids, digests, signatures and the log of acts say nothing of a person and stay verifiable. What was destroyed and came
back with a backup that was too old, a key of content or rows, is found first and destroyed again, as an act of its own.
Files from and for COMWEL are gone before the act that says so, for no act may say more than is true.
Retention checks that nobody will answer any more are closed first, or their cases would be kept for ever. A report that
still waited for an earlier one is refused in the end: what it said has gone with its case.
Refuses to destroy a case with which somebody is still concerned, whatever its age, and one that is taken up meanwhile.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from gateway.cases.retention import FILES, KEPT, RecordClass, Retention
from gateway.errors import HoldRefused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.inbox import end_held
from gateway.journey.track import end_checks
from gateway.journey.world import World
from gateway.ports import HandedFile, HoldRow, Unit

PURPOSE = "data-retention"
ROUND = "destroy"
MOST = 200


class Due(NamedTuple):
    """What of one class may go today. `before` None: it is kept."""

    records: RecordClass
    before: date | None
    due: int
    held: int


def plan(world: World) -> list[Due]:
    """What may go today, class by class; nothing is changed."""
    today, found = world.clock.today(), []
    with world.store.unit() as unit:
        for records in world.know.retention.on(today).classes:
            before = records.ended_before(today)
            due, held = _due(world, unit, records, before) if before else (0, 0)
            found.append(Due(records, before, due, held))
    return found


def _due(world: World, unit: Unit, records: RecordClass, before: date) -> tuple[int, int]:
    if records.then != FILES:
        return unit.retention.due(records.then, before)
    going, held = _files(world, unit, before)
    return len(going), held


def destroy_daily(world: World) -> int:
    """`destroy`, once a business day; returns how much was destroyed. First, what nobody will answer any more ends."""
    today = world.clock.today()
    with world.store.unit() as unit:
        if not unit.retention.take_day(ROUND, today):
            return 0
        unit.legs.look_again()
        unit.commit(world.event("records.reviewed", PURPOSE, subject=world.know.retention.on(today).id))
    end_checks(world)
    return destroy(world)


def destroy(world: World) -> int:
    """Destroy what may go today, batch by batch; returns how many cases or records that were."""
    today = world.clock.today()
    rules = world.know.retention.on(today)
    ended = (_end(world, rules, records, today) for records in rules.classes if records.then != KEPT)
    gone = _end_again(world) + sum(ended)
    end_held(world)
    return gone


def _end_again(world: World) -> int:
    """What came back with an old backup; returns how many cases."""
    total = 0
    while not world.stopping():
        with world.store.unit() as unit:
            gone = unit.retention.destroy_returned(MOST)
            if not gone:
                break
            unit.commit(world.event("records.returned", PURPOSE, subject="backup", counts={"destroyed": gone}))
        total += gone
    return total


def _end(world: World, rules: Retention, records: RecordClass, today: date) -> int:
    before, total = records.ended_before(today), 0
    if before and records.then == FILES:
        return _end_files(world, rules, records, before)
    while before and not world.stopping():
        with world.store.unit() as unit:
            gone = unit.retention.destroy(records.then, before, MOST)
            if not gone:
                break
            unit.commit(_certificate(world, rules, records, gone))
        total += gone
    return total


def _end_files(world: World, rules: Retention, records: RecordClass, before: date) -> int:
    with world.store.unit() as unit:
        going, _ = _files(world, unit, before)
        for file in going:
            world.handed.destroy(file)
        if going:
            unit.commit(_certificate(world, rules, records, len(going)))
    return len(going)


def _files(world: World, unit: Unit, before: date) -> tuple[list[HandedFile], int]:
    """Files that may go, and how many of that age are held."""
    held, old = unit.retention.files_on_hold(), world.handed.older(before)
    going = [f for f in old if f.base_date is None or (f.base_date, f.file_seq) not in held]
    return going, len(old) - len(going)


def _certificate(world: World, rules: Retention, records: RecordClass, gone: int) -> AuditEvent:
    subject = f"{rules.id}/{records.id}"
    return world.event("records.destroyed", PURPOSE, subject=subject, counts={"destroyed": gone})


def hold(world: World, case_no: str, reason: str, *, by: str) -> None:
    """Keep a case, whatever its age. Raises HoldRefused when there is none, or it is held already, and NoOfficer."""
    with world.store.unit() as unit:
        if not unit.cases.look([case_no]) or not unit.retention.hold(HoldRow(case_no, reason, world.clock.now())):
            raise HoldRefused(case_no)
        unit.commit(world.event("records.held", PURPOSE, by=by, case_no=case_no, subject=reason))


def release(world: World, case_no: str, *, by: str) -> None:
    """Let the periods count again for a case. Raises HoldRefused when it is not held, and NoOfficer."""
    with world.store.unit() as unit:
        if not unit.retention.release(case_no):
            raise HoldRefused(case_no)
        unit.commit(world.event("records.released", PURPOSE, by=by, case_no=case_no))
