"""Look: cases, exchanges and dead messages, a line each, or one dead message with every try.

Rules: looking is an act, kept with who looks, what for and at how many, before the first line is given out. Cases and
exchanges are listed by scripts, too: who does not say who he is looks as the gateway.
Refuses to show what it could not keep that somebody saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.journey.world import World
from gateway.ports import AttemptRow, DeadRow

PURPOSE = "operations"


def cases(world: World, *, by: str | None = None) -> Sequence[Mapping[str, Any]]:
    """A row a case: how its record, its screening and its legs stand. Raises NoOfficer."""
    with world.store.unit() as unit:
        found = list(unit.cases.report())
        unit.commit(world.event("cases.listed", PURPOSE, by=by, counts={"cases": len(found)}))
    return found


def exchanges(world: World, *, by: str | None = None) -> Sequence[Mapping[str, Any]]:
    """A row a message, out or in. Raises NoOfficer."""
    with world.store.unit() as unit:
        found = list(unit.outbox.report())
        counts = {"exchanges": len(found), "cases": len({row["caseNo"] for row in found} - {None})}
        unit.commit(world.event("exchanges.listed", PURPOSE, by=by, counts=counts))
    return found


def dead(world: World, partner: str | None = None, *, by: str) -> Sequence[DeadRow]:
    """What goes on only by an officer, to one partner or to all. Raises NoOfficer."""
    known = partner if partner in world.know.profiles else None  # nobody else has a stream to count in
    with world.store.unit() as unit:
        found = unit.outbox.dead(partner)
        counts = {"messages": len(found), "cases": len({row.case_no for row in found} - {None})}
        unit.commit(world.event("dead.listed", PURPOSE, by=by, partner=known, counts=counts))
    return found


def dead_message(world: World, mid: str, *, by: str) -> tuple[DeadRow, Sequence[AttemptRow]] | None:
    """One such message and every try, oldest first; None, and no act, when there is none. Raises NoOfficer."""
    with world.store.unit() as unit:
        row = next((row for row in unit.outbox.dead() if row.mid == mid), None)
        if row is None:
            return None
        attempts = unit.outbox.attempts(mid)
        unit.commit(world.event("dead.listed", PURPOSE, by=by, case_no=row.case_no, ref_no=row.ref_no, mid=mid))
    return row, attempts
